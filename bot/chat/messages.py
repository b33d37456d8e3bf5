"""Plain data about people, places and what was said; knows no platform and no database."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum


class Platform(StrEnum):
    """Where a person talks to the bot."""

    CONSOLE = "console"
    DISCORD = "discord"
    TELEGRAM = "telegram"


class Role(StrEnum):
    """Who speaks in a turn; the values are those of every chat template."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"


class MessageKind(StrEnum):
    """What a stored message belongs to: the running chat, a quote asked for by keyword, or two replies to compare."""

    CHAT = "chat"
    QUOTE = "quote"
    COMPARE = "compare"


class Vote(IntEnum):
    """A person's verdict on a reply; NONE takes an earlier one back."""

    DOWN = -1
    NONE = 0
    UP = 1


class VoteSource(StrEnum):
    """How a vote was given, so that training can leave a source out.

    What a person did with a reply says less than what they said of it: such a vote is weak, counts for itself, and
    never takes the place of a spoken one.
    """

    COMMAND = "command"
    BUTTON = "button"
    REACTION = "reaction"
    RETRY = "retry"  # asked for another one instead
    SHARE = "share"
    FAVORITE = "favorite"

    @property
    def weak(self) -> bool:
        """The person did something, and said nothing."""
        return self in (VoteSource.RETRY, VoteSource.SHARE, VoteSource.FAVORITE)


class Preferred(StrEnum):
    """Which of two replies a person likes better."""

    LEFT = "left"
    RIGHT = "right"
    BOTH = "both"
    NEITHER = "neither"


class Complaint(StrEnum):
    """What was wrong with a reply that a person called bad."""

    OFF_TOPIC = "off_topic"
    REPEATS = "repeats"
    UNKIND = "unkind"
    OTHER = "other"


class Style(StrEnum):
    """How a quote is to be: its length, or how freely it is drawn."""

    SHORT = "short"
    LONG = "long"
    CALM = "calm"
    DARING = "daring"


@dataclass(frozen=True, slots=True)
class ConversationKey:
    """State belongs to one person in one thread of one chat of one platform, and to nobody else."""

    platform: Platform
    chat_id: str
    thread_id: str
    user_id: str

    @property
    def person(self) -> str:
        """The person's key, the same in all of their chats on this platform."""
        return f"{self.platform}:{self.user_id}"

    def __str__(self) -> str:
        return f"{self.platform}:{self.chat_id}:{self.thread_id}:{self.user_id}"


@dataclass(frozen=True, slots=True)
class Turn:
    """One message as the model sees it."""

    role: Role
    content: str


@dataclass(frozen=True, slots=True)
class Origin:
    """Where on its platform a request came from.

    `events` are the ids of what the person did there: each is taken once, whatever the platform repeats. `address` is
    where the answer goes, in the platform's own words. `as_option` says that the text was typed as the option of a
    command, which is given to the bot directly, and not as a message.
    """

    events: tuple[str, ...] = ()
    address: str = ""
    as_option: bool = False


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """One message as the database holds it; `parent_id` links a reply to what it answers."""

    id: int
    parent_id: int | None
    role: Role
    kind: MessageKind
    text: str


class QuoteSource(StrEnum):
    """Where a reply came from: written now, ahead of time for a keyword people ask for, or a fixed sentence."""

    GENERATED = "generated"
    POOL = "pool"
    RULE = "rule"


class JobState(StrEnum):
    """The life of a request: ACCEPTED -> RUNNING -> DONE | FAILED | CANCELLED."""

    ACCEPTED = "accepted"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
