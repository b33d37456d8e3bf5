"""Reads and writes JSONL files; knows nothing of the columns in them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from model_pipeline.errors import InputInvalid


def read_json_lines(path: Path) -> list[dict[str, Any]]:
    """The objects of a JSONL file, one a line, empty lines left out.

    Raises `InputInvalid`, which names the line that cannot be read.
    """
    rows, number = [], 0
    try:
        with path.open(encoding="utf-8-sig") as file:  # not splitlines(): JSON may hold Unicode's line separators
            for number, line in enumerate(file, start=1):
                if line.strip():
                    rows.append(_object(line, number, path))
    except UnicodeDecodeError as error:
        raise InputInvalid(f"{path} cannot be read after line {number}: it is not UTF-8 text.") from error
    except OSError as error:
        raise InputInvalid(f"{path} cannot be read: {error.strerror or error}.") from error
    return rows


def write_json_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """One object a line; dates and the like, which Parquet has and JSON has not, as text. Raises `OSError`."""
    # Half of a surrogate pair, which JSON allows and UTF-8 does not, is written as JSON's own escape.
    with path.open("w", encoding="utf-8", errors="backslashreplace") as file:
        file.writelines(json.dumps(row, ensure_ascii=False, default=str) + "\n" for row in rows)


def _object(line: str, number: int, path: Path) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        reason = getattr(error, "msg", None) or error
        raise InputInvalid(f"Line {number} of {path} is no JSON ({reason}); each line must be one object.") from error
    if not isinstance(row, dict):
        raise InputInvalid(f"Line {number} of {path} is no JSON object; each line must be one, such as a row.")
    return row
