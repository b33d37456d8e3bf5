"""Reads the project's own quotes and dialogues for small stand-ins; knows no model and no column of any dataset."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from random import Random
from typing import Any

DATA = files("model_pipeline") / "data"
FILES = ("quotes.jsonl", "simple-quotes.jsonl", "chats.jsonl")
_LINES_A_DOCUMENT = 12


@dataclass(frozen=True, slots=True)
class Quote:
    """A line and the word or two that it is about."""

    keyword: str
    text: str


@dataclass(frozen=True, slots=True)
class Turn:
    """What one side said; `role` is user or assistant."""

    role: str
    content: str


Dialogue = tuple[Turn, ...]


def quotes() -> list[Quote]:
    """The quotes, with their keywords."""
    return [Quote(row["keyword"], row["quote"]) for row in _rows("quotes.jsonl")]


def dialogues() -> list[Dialogue]:
    """The dialogues: user and assistant in turns, from the user's first to the assistant's last."""
    rows = _rows("chats.jsonl")
    return [tuple(Turn(turn["role"], turn["content"]) for turn in row["messages"]) for row in rows]


def lines() -> list[str]:
    """Every line of the three files, for a tokenizer to be trained on."""
    said = [turn.content for dialogue in dialogues() for turn in dialogue]
    return [quote.text for quote in quotes()] + _simple_lines() + said


def plain_documents(seed: int) -> list[str]:
    """Plain prose, shuffled: a dozen simple sentences, or the replies of a dialogue, line under line.

    No keyword, no form and no marker stands in it, and a line is followed by another: to answer in one line and to
    stop there is what fine-tuning has to teach.
    """
    random = Random(seed)
    sentences = _simple_lines()
    random.shuffle(sentences)
    replies = ["\n".join(turn.content for turn in dialogue if turn.role == "assistant") for dialogue in dialogues()]
    documents = ["\n".join(part) for part in _parts(sentences, _LINES_A_DOCUMENT)] + replies
    random.shuffle(documents)
    return documents


def _simple_lines() -> list[str]:
    return [row["quote"] for row in _rows("simple-quotes.jsonl")]


def _parts(items: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    return (items[start : start + size] for start in range(0, len(items), size))


def _rows(name: str) -> list[dict[str, Any]]:
    # Not splitlines(): JSON may hold line separators of Unicode as they are.
    text = (DATA / name).read_text(encoding="utf-8")
    return [json.loads(line) for line in text.rstrip("\n").split("\n")]
