"""Plain data between a source's rows and prompts: what was read, and what was dropped and why; knows no columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Message:
    """A turn of a conversation; `role` is system, user or assistant."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class Item:
    """A quote on a keyword (`kind` quote), or a conversation of `messages` (`kind` chat).

    `origin` is the source's name and the row's number there, from 1. `conversation` is the same for whatever was said
    in one conversation, and `person` for whatever one person said; it is empty where that is not known.
    """

    kind: str
    origin: str
    conversation: str
    keyword: str = ""
    quote: str = ""
    messages: tuple[Message, ...] = ()
    person: str = ""
    last_reply_only: bool = False  # the replies before it are rows of their own


@dataclass(frozen=True, slots=True)
class Dropped:
    """What was left out: where it stood, the reason in the words of the dataset card, particulars, and itself."""

    origin: str
    reason: str
    detail: str
    content: Mapping[str, Any]
