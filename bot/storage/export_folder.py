"""Writes the folder of an export, whole or not at all, and deletes it; knows no database."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bot.errors import InputError

ROWS_FILE, PAIRS_FILE, MANIFEST_FILE = "rows.jsonl", "pairs.jsonl", "manifest.json"

Row = dict[str, Any]


@contextmanager
def write_folder(out: Path, rows: Sequence[Row], pairs: Sequence[Row], manifest: Mapping[str, Any]) -> Iterator[None]:
    """Write the files; the folder appears after what is done inside `with`, unless that fails.

    Its owner alone may read it. Raises InputError when `out` is there and not empty, or cannot be written.
    """
    try:
        if out.exists() and not (out.is_dir() and not any(out.iterdir())):
            raise InputError(f"{out} is there and not empty: name a folder that is new or empty.")
        out.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
        try:
            files = {name: _write(work / name, lines) for name, lines in ((ROWS_FILE, rows), (PAIRS_FILE, pairs))}
            facts = {**manifest, "files": files}
            (work / MANIFEST_FILE).write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
            yield
            work.replace(out)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    except OSError as error:
        raise InputError(f"The export cannot be written to {out}: {error.strerror or error}.") from error


def delete_folder(folder: Path, export: str) -> None:
    """Delete the files of that export, and the folder if nothing else is in it; one that holds another is left alone.

    Raises InputError where they cannot be deleted.
    """
    try:
        if not _holds(folder / MANIFEST_FILE, export):
            return
        for name in (ROWS_FILE, PAIRS_FILE, MANIFEST_FILE):  # the manifest last: it tells whose the others are
            (folder / name).unlink(missing_ok=True)
        if not any(folder.iterdir()):
            folder.rmdir()
    except OSError as error:
        raise InputError(f"The export cannot be deleted from {folder}: {error.strerror or error}.") from error


def _holds(manifest: Path, export: str) -> bool:
    try:
        return bool(json.loads(manifest.read_text(encoding="utf-8"))["export"] == export)
    except (FileNotFoundError, NotADirectoryError, ValueError, KeyError, TypeError):
        return False


def _write(path: Path, rows: Sequence[Row]) -> str:
    """A line for each row; returns the SHA-256 of the file."""
    content = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()
    path.write_bytes(content)
    return hashlib.sha256(content).hexdigest()
