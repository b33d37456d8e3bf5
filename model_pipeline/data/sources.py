"""Finds a recipe's sources, a dataset of the Hub, a folder or a file, and reads their rows; changes none."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from model_pipeline.data import hugging_face
from model_pipeline.data.forms import check_columns
from model_pipeline.data.json_lines import read_json_lines
from model_pipeline.errors import InputInvalid
from model_pipeline.recipe import Form, Source

PACKAGE_DATA = Path(str(files("model_pipeline") / "data"))
PACKAGE_DATA_LICENSE = "CC0-1.0"
_EXPORT_ROWS, _EXPORT_MANIFEST, _EXPORT_FORMAT = "rows.jsonl", "manifest.json", 2
_SAVED = ("state.json", "dataset_dict.json")  # one of them is in every folder of `save_to_disk`
_LFS_POINTER = b"version https://git-lfs"


@dataclass(frozen=True, slots=True)
class SourceFacts:
    """Where rows came from: a commit of the Hub and a licence, each "" where it is not known."""

    name: str
    form: Form
    revision: str
    license: str
    rows: int
    sha256: str  # of the rows as JSON, so that a copy in another format has the same
    export: str = ""  # the name that the bot's database knows an export by


def read_source(source: Source) -> list[dict[str, Any]]:
    """The rows of a source. Raises `InputInvalid` where it is missing, broken, empty or of another form."""
    if source.hub:
        rows = hugging_face.read_hub(source.hub, source.config, source.split, source.revision)
    else:
        rows = _read_path(find_path(source.path), source)
    name = source.name
    if not rows:
        raise InputInvalid(f"{name} has no rows.")
    check_columns(rows, source.form, name)
    return rows


def describe_source(source: Source, rows: Sequence[dict[str, Any]]) -> SourceFacts:
    """What the dataset card says about a source and its rows. Raises `InputInvalid` where the Hub cannot be asked."""
    revision, license_, export = "", "", ""
    if source.hub:
        facts = hugging_face.hub_facts(source.hub, source.revision)
        revision, license_ = facts.revision, facts.license
    else:
        path = find_path(source.path)
        license_, export = _license_of(path), _export_manifest(path)["export"] if source.form is Form.EXPORT else ""
    return SourceFacts(source.name, source.form, revision, license_, len(rows), _sha256(rows), export)


def read_lines(path: str) -> list[str]:
    """The lines of a text file that are not empty; none where the path is "". Raises `InputInvalid`."""
    if not path:
        return []
    found = find_path(path)
    try:
        lines = found.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputInvalid(f"{found} cannot be read: {getattr(error, 'strerror', None) or 'not UTF-8'}.") from error
    return [line.strip() for line in lines if line.strip()]


def find_path(path: str) -> Path:
    """An absolute path, one in the working directory, or the data of this package. Raises `InputInvalid`."""
    given = Path(path).expanduser()
    for place in (given, PACKAGE_DATA / given):
        if place.exists():
            return place
    among = "" if given.is_absolute() else ", neither here nor among the data of this package"
    raise InputInvalid(f"There is no file or folder {path}{among}.")


def _read_path(path: Path, source: Source) -> list[dict[str, Any]]:
    if not path.is_dir():
        return _read_file(path)
    if partial := next(path.rglob("*.incomplete"), None):
        raise InputInvalid(f"The download into {path} is not finished ({partial.name} is there); download it again.")
    if source.form is Form.EXPORT:
        _export_manifest(path)
        return _read_file(path / _EXPORT_ROWS)
    if any((path / name).is_file() for name in _SAVED):
        return hugging_face.read_saved(path, source.split)
    return [row for file in _files_of_split(path, source.split) for row in _read_file(file)]


def _read_file(path: Path) -> list[dict[str, Any]]:
    if path.suffix not in (".jsonl", ".parquet"):
        raise InputInvalid(f"{path} cannot be read as rows; give a folder, a .jsonl or a .parquet file.")
    try:
        with path.open("rb") as file:
            begins = file.read(len(_LFS_POINTER))
    except OSError as error:
        raise InputInvalid(f"{path} cannot be read: {error.strerror or error}.") from error
    if begins == _LFS_POINTER:
        raise InputInvalid(f"{path} only points to the file in Git LFS; fetch the file itself with git lfs pull.")
    return read_json_lines(path) if path.suffix == ".jsonl" else hugging_face.read_parquet(path)


def _files_of_split(folder: Path, split: str) -> list[Path]:
    """The files that are named after the split, as train.jsonl or train-00000-of-00002.parquet; for train, else all."""
    there = [path for path in sorted(folder.rglob("*")) if path.suffix in (".jsonl", ".parquet")]
    if not there:
        raise InputInvalid(f"{folder} holds no .jsonl and no .parquet file.")
    named = [path for path in there if path.stem == split or path.stem.startswith((f"{split}-", f"{split}_"))]
    if not named and split != "train":
        names = ", ".join(str(path.relative_to(folder)) for path in there[:5])
        raise InputInvalid(f"{folder} holds no file of the split {split!r}, such as {split}.jsonl; it holds {names}.")
    return named or there


def _export_manifest(folder: Path) -> dict[str, Any]:
    """Of an export folder, with its format and name checked."""
    path = folder / _EXPORT_MANIFEST
    try:
        manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        found, name = manifest["format"], manifest.get("export")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputInvalid(f"{folder} is no export: {path.name} is missing or broken; make it again.") from error
    if found != _EXPORT_FORMAT or not isinstance(name, str) or not name:
        raise InputInvalid(f"{folder} is an export of format {found!r}; this version reads format {_EXPORT_FORMAT}.")
    return manifest


def _license_of(path: Path) -> str:
    if path.resolve().is_relative_to(PACKAGE_DATA.resolve()):
        return PACKAGE_DATA_LICENSE
    folder = path if path.is_dir() else path.parent
    return hugging_face.card_license(folder) if (folder / "README.md").is_file() else ""


def _sha256(rows: Sequence[dict[str, Any]]) -> str:
    hashed = hashlib.sha256()
    for row in rows:
        hashed.update(json.dumps(row, sort_keys=True, ensure_ascii=False, default=str).encode("utf-8", "replace"))
        hashed.update(b"\n")
    return hashed.hexdigest()
