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
        if "messages" in row:
            conversations.append(row["messages"])
        else:
            quotes.append(row)
    prompts = [quote_template.replace("{keyword}", row["keyword"]) for row in quotes[:PROMPTS]]
    return Probes([row["quote"] for row in quotes], conversations, prompts)


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputInvalid(f"The lines {path} cannot be read: {error}.") from error


def _row(path: Path, number: int, line: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
        known = isinstance(row, dict) and ("messages" in row or {"keyword", "quote"} <= row.keys())
    except ValueError:
        known = False
    if not known:
        raise InputInvalid(f"Line {number} of {path} is neither a quote with its keyword nor a list of messages.")
    return dict(row)
