"""Keeps what was computed in a JSONL file, line by line, so that a gate that was stopped goes on; knows no meaning.

Keys are hashes: nothing that a person wrote is kept in the gate's folder.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from model_pipeline.errors import InputInvalid


class KeptLines:
    """The lines of a file by their key."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lines: dict[str, Any] = {}
        if path.is_file():
            self._read(path.read_bytes())

    def __contains__(self, key: str) -> bool:
        return key in self._lines

    def __getitem__(self, key: str) -> Any:
        return self._lines[key]

    def add(self, key: str, content: Any) -> None:
        """Write a line at once. Raises `InputInvalid` where the file cannot be written."""
        self._lines[key] = content
        try:
            with self._path.open("a", encoding="utf-8", errors="backslashreplace") as file:
                file.write(json.dumps({"key": key, "content": content}, ensure_ascii=False) + "\n")
        except OSError as error:
            raise InputInvalid(f"{self._path} cannot be written: {error.strerror or error}.") from error

    def _read(self, content: bytes) -> None:
        """The whole lines; what was cut off when the process ended is taken away, and computed again."""
        whole = content[: content.rfind(b"\n") + 1]
        for line in whole.splitlines():
            try:
                row = json.loads(line)
                self._lines[row["key"]] = row["content"]
            except (ValueError, KeyError, TypeError):
                continue
        if len(whole) < len(content):
            self._path.write_bytes(whole)


def key_of(*parts: object) -> str:
    """A hash of texts and plain data."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]
