"""Plain data of an export: replies with what people said of them, and comparisons; knows no file and no rule."""

from __future__ import annotations

from dataclasses import dataclass, field

Turns = tuple[tuple[str, str], ...]  # role and content


@dataclass(frozen=True, slots=True)
class Question:
    """What was asked: of a quote one user turn with the keyword, of a chat everything up to the user's last turn."""

    kind: str  # quote or chat
    turns: Turns

    @property
    def keyword(self) -> str:
        """Of a quote; of a chat ""."""
        return self.turns[-1][1] if self.kind == "quote" else ""


@dataclass(frozen=True, slots=True)
class Vote:
    """A person's vote in force on a reply; `value` is 1 or -1, `at` in seconds of the epoch."""

    person: str
    value: int
    source: str
    at: float


@dataclass(frozen=True, slots=True)
class Preference:
    """What a person said of two replies: left, right, both or neither."""

    person: str
    preferred: str
    at: float


@dataclass(frozen=True, slots=True)
class Correction:
    """What a person would rather have read."""

    person: str
    text: str


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply of the bot; `row` names it, as rows/17."""

    row: str
    question: Question
    text: str
    model: str
    at: float
    votes: tuple[Vote, ...] = ()
    corrections: tuple[Correction, ...] = ()


@dataclass(frozen=True, slots=True)
class Pair:
    """Two replies to one question; `row` names them, as pairs/4."""

    row: str
    question: Question
    texts: tuple[str, str]
    models: tuple[str, str]
    preferences: tuple[Preference, ...]


@dataclass(frozen=True, slots=True)
class Export:
    """A whole export: its name, the SHA-256 of its manifest, what it refused and why, and what people said."""

    name: str
    sha256: str
    refused: dict[str, int] = field(default_factory=dict)
    replies: tuple[Reply, ...] = ()
    pairs: tuple[Pair, ...] = ()
