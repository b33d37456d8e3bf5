"""Writes and reads the files of prepared rows, for the stages that come after; knows no run folder."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from model_pipeline.data.json_lines import read_json_lines, write_json_lines
from model_pipeline.data.rows import Row, reply_of
from model_pipeline.errors import InputInvalid

FIELDS = ("prompt", "completion", "group", "keyword", "kind", "origin")


def write_rows(path: Path, rows: Iterable[Row]) -> None:
    """A JSONL file with the fields `FIELDS`. Raises `OSError`."""
    write_json_lines(path, ({field: getattr(row, field) for field in FIELDS} for row in rows))


def read_rows(path: Path) -> list[Row]:
    """The rows of a file that `write_rows` wrote. Raises `InputInvalid`."""
    return [_row(content, number, path) for number, content in enumerate(read_json_lines(path), start=1)]


def training_texts(rows: Iterable[Row]) -> list[str]:
    """What the model learns to write: the replies, without spaces around them."""
    return [reply_of(row) for row in rows]


def _row(content: dict[str, Any], number: int, path: Path) -> Row:
    if set(content) != set(FIELDS) or not _is_text_or_turns(content):
        raise InputInvalid(f"Row {number} of {path} is no prepared row; the stage prepare writes {', '.join(FIELDS)}.")
    return Row(**content)


def _is_text_or_turns(content: dict[str, Any]) -> bool:
    prompt, completion = content["prompt"], content["completion"]
    if isinstance(prompt, str):
        return isinstance(completion, str)
    return _are_turns(prompt) and _are_turns(completion)


def _are_turns(turns: object) -> bool:
    return (
        isinstance(turns, Sequence)
        and len(turns) > 0
        and all(isinstance(turn, dict) and {"role", "content"} <= set(turn) for turn in turns)
    )
