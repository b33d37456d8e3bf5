"""Owns the curated folder: the names and hashes of its files, how it appears whole, and how it is changed safely."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from model_pipeline.curation.card import card_text
from model_pipeline.data.curated_manifest import MANIFEST_FILE, SET_FILES
from model_pipeline.data.json_lines import read_json_lines
from model_pipeline.errors import InputInvalid

DROPPED_FILE, CARD_FILE = "dropped.jsonl", "README.md"

Content = Mapping[str, str]  # relative path and text


def check_new(out: Path) -> None:
    """Raises `InputInvalid` where the folder is there and not empty."""
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise InputInvalid(f"{out} is there and not empty: name a folder that is new or empty with --out.")


def write_new(out: Path, files: Content, manifest: Mapping[str, Any]) -> None:
    """Write the files, the card, and the manifest last; the folder appears whole or not at all, for its owner alone.

    Raises `InputInvalid` when it is there and not empty, or cannot be written.
    """
    check_new(out)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))  # its owner alone may read it
        try:
            write_into(work, files, manifest)
            work.replace(out)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    except OSError as error:
        raise InputInvalid(f"{out} cannot be written: {error.strerror or error}.") from error


def write_into(folder: Path, files: Content, manifest: Mapping[str, Any]) -> None:
    """Replace each file whole, then the manifest with all their hashes. Raises `OSError`."""
    written = {**files, CARD_FILE: card_text(manifest)}
    for name, text in written.items():
        _replace(folder / name, text)
    hashes = {name: _sha256(text) for name, text in sorted(written.items())}
    _replace(folder / MANIFEST_FILE, json.dumps({**manifest, "files": hashes}, indent=2, ensure_ascii=False) + "\n")


def read_sets(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """The lines of each file of the sets, by its relative path. Raises `InputInvalid`."""
    return {name: read_json_lines(folder / name) for name in SET_FILES.values()}


def json_lines(rows: Iterable[Mapping[str, Any]]) -> str:
    """The text of a JSONL file."""
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def _replace(path: Path, text: str) -> None:
    """A reader sees the old file or the new one."""
    path.parent.mkdir(exist_ok=True)
    beside = path.with_name(f".{path.name}.new")
    with beside.open("w", encoding="utf-8", newline="\n") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
