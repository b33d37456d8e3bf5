"""The two pieces of Markdown that the sections of a card share: code and tables."""

from __future__ import annotations

from collections.abc import Sequence


def code(text: str, language: str = "") -> str:
    """Text as it is, on lines of its own; `language` colours it."""
    return f"```{language}\n{text}\n```"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Rows of as many cells as the head has."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
