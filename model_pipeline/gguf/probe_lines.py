"""Reads the lines and conversations that exports are compared on; compares nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from model_pipeline.errors import InputInvalid
from model_pipeline.gguf.parity import Probes

# 140 quotes and 60 dialogues of the project's own data, CC0-1.0.
DEFAULT_LINES = Path(__file__).parents[1] / "data" / "parity-lines.jsonl"
PROMPTS = 20


def read_probes(path: Path, quote_template: str) -> Probes:
    """Probes from JSONL rows of `{"keyword", "quote"}` and `{"messages"}`; prompts are made of the first keywords.

    Raises `InputInvalid` with the number of the first row that is neither.
    """
    quotes: list[dict[str, str]] = []
    conversations: list[list[dict[str, str]]] = []
    for number, line in enumerate(_lines(path), 1):
        row = _row(path, number, line)
        if _is_dialogue(row):
            conversations.append(row["messages"])
        else:
            quotes.append(row)
    prompts = [quote_template.replace("{keyword}", row["keyword"]) for row in quotes[:PROMPTS]]
    return Probes([row["quote"] for row in quotes], conversations, prompts)


def _lines(path: Path) -> list[str]:
    try:
        # Not splitlines(): JSON may hold line separators of Unicode as they are.
        return path.read_text(encoding="utf-8").rstrip("\n").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise InputInvalid(f"The lines {path} cannot be read: {getattr(error, 'strerror', None) or error}.") from error


def _row(path: Path, number: int, line: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except ValueError:
        row = None
    if not _is_quote(row) and not _is_dialogue(row):
        raise InputInvalid(f"Line {number} of {path} is neither a quote with its keyword nor a list of messages.")
    return dict(row)


def _is_quote(row: object) -> bool:
    return isinstance(row, dict) and all(_is_text(row.get(key)) for key in ("keyword", "quote"))


def _is_dialogue(row: object) -> bool:
    turns = row.get("messages") if isinstance(row, dict) else None
    return (
        isinstance(turns, list)
        and bool(turns)
        and all(
            isinstance(turn, dict) and _is_text(turn.get("role")) and _is_text(turn.get("content")) for turn in turns
        )
    )


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())
