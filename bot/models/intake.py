"""Brings a model folder or a bare GGUF into a workspace: copied or moved, hashed and checked; knows no store."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from bot.errors import InputError, ModelInvalid, ModelNotFound
from bot.models.disk import copy_hashed, sha256_of
from bot.models.folder import default_manifest, model_header, name_from_file, read_folder
from bot.models.manifest import Manifest, read_manifest, write_manifest

MAX_TEXT_BYTES = 1 << 20
_TEXT_FILE = re.compile(r"(README|MODEL_CARD|LICEN[SC]E|NOTICE)(\.(md|txt))?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a bare GGUF comes from, for its manifest; `sha256` is what it must have, when that is known."""

    sha256: str = ""
    base: str = ""
    license: str = ""
    lineage: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Source:
    """What is to be added: a GGUF and, for a model folder, its manifest."""

    gguf: Path
    name: str
    size_bytes: int
    manifest: Manifest | None = None


def open_source(path: Path) -> Source:
    """Look at a folder or a GGUF without copying anything; raises ModelNotFound, ModelInvalid or InputError."""
    if path.is_dir():
        manifest = read_manifest(path)
        return Source(read_folder(path).path, manifest.name, manifest.size_bytes, manifest)
    if not path.exists():
        raise ModelNotFound(f"There is no model folder and no file {path}.")
    if path.suffix.lower() != ".gguf":
        raise InputError(f"{path} cannot be added: a folder with a manifest.json, or a .gguf file, is wanted.")
    return Source(path, name_from_file(path), model_header(path).size_bytes)


def fill(workspace: Path, source: Source, name: str, origin: Origin, *, move: bool) -> Manifest:
    """Put the GGUF, and a manifest with that name, into the workspace.

    With `move` the GGUF is only hashed where it lies: whoever asked moves it, once nothing can be refused any more.
    Raises ModelInvalid for a wrong checksum, and OSError.
    """
    sha256 = sha256_of(source.gguf) if move else copy_hashed(source.gguf, workspace / source.gguf.name)
    expected = source.manifest.sha256 if source.manifest else origin.sha256
    if expected and sha256 != expected:
        raise ModelInvalid(
            f"The model file {source.gguf} has the SHA-256 {sha256[:12]}… and should have {expected[:12]}…; "
            "copy or download it again."
        )
    manifest = source.manifest or _with_origin(default_manifest(source.gguf, sha256), origin)
    manifest = manifest.model_copy(update={"name": name})
    write_manifest(manifest, workspace)
    if source.manifest:
        _copy_texts(source.gguf.parent, workspace)
        if judge := source.manifest.judge:
            shutil.copyfile(source.gguf.parent / judge.file, workspace / judge.file)
    return manifest


def _copy_texts(folder: Path, workspace: Path) -> None:
    """The card and the licence belong to a model wherever it goes."""
    for path in folder.iterdir():
        if _TEXT_FILE.fullmatch(path.name) and path.is_file() and path.stat().st_size <= MAX_TEXT_BYTES:
            shutil.copyfile(path, workspace / path.name)


def _with_origin(manifest: Manifest, origin: Origin) -> Manifest:
    known = {"base": origin.base, "license": origin.license, "lineage": origin.lineage}
    return manifest.model_copy(update={key: value for key, value in known.items() if value})
