"""Reads a file of marked replies, what a reader said of several to one message, for the judge; trains nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model_pipeline.data.items import Message
from model_pipeline.data.json_lines import read_json_lines
from model_pipeline.data.marked import VALIDATION_SHARE, why_no_places
from model_pipeline.data.splits import split_of
from model_pipeline.errors import InputInvalid


@dataclass(frozen=True, slots=True)
class MarkedReplies:
    """What was said, a person's turn last, several replies that a model wrote to it, and which of them fit."""

    said: tuple[Message, ...]
    replies: tuple[str, ...]
    good: tuple[bool, ...]

    @property
    def split(self) -> str:
        """Train or validation; what was said first decides, so that a conversation is never divided."""
        return split_of(self.said[0].content.casefold(), VALIDATION_SHARE, 0.0, 0)

    @property
    def conversations(self) -> Sequence[tuple[Message, ...]]:
        """Of each reply the conversation that ends with it."""
        return [(*self.said, Message("assistant", reply)) for reply in self.replies]


def read_marked_replies(path: Path) -> list[MarkedReplies]:
    """The marks. Raises `InputInvalid`, which names the line that is none.

    A line has `messages` (turns of {role, content}, of user and assistant by turns, a user's first and last), `replies`
    (two or more that a model wrote) and `good` (the places in that list, from 0, of those that fit).
    """
    found = []
    for number, line in enumerate(read_json_lines(path), start=1):
        if reason := _why_not(line):
            raise InputInvalid(f"Line {number} of {path} marks no replies: {reason}.")
        said = tuple(Message(turn["role"], turn["content"]) for turn in line["messages"])
        good = set(line["good"])
        marks = tuple(place in good for place in range(len(line["replies"])))
        found.append(MarkedReplies(said, tuple(line["replies"]), marks))
    return found


def _why_not(line: Mapping[str, Any]) -> str:
    turns, replies = line.get("messages"), line.get("replies")
    if not isinstance(turns, list) or not turns or not all(map(_is_turn, turns)):
        return "messages is not a list of turns, each with a role and a content"
    wanted = [("user", "assistant")[place % 2] for place in range(len(turns))]
    if [turn["role"] for turn in turns] != wanted or wanted[-1] != "user":
        return "its turns are not of user and assistant by turns, with a user's first and last"
    if not isinstance(replies, list) or len(replies) < 2 or not all(map(_is_text, replies)):
        return "replies is not a list of two texts or more"
    return why_no_places("good", line.get("good"), len(replies), "replies")


def _is_turn(turn: object) -> bool:
    return isinstance(turn, dict) and isinstance(turn.get("role"), str) and _is_text(turn.get("content"))


def _is_text(text: object) -> bool:
    return isinstance(text, str) and bool(text.strip())
