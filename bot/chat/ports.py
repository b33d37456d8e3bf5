"""What the chat service needs of the outside world, as protocols; the adapters live in inference and storage."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Protocol

from bot.chat.generation import Finished, GenerationEvent, GenerationRequest, Sampling
from bot.chat.messages import (
    ConversationKey,
    JobState,
    MessageKind,
    QuoteSource,
    StoredMessage,
    Vote,
    VoteSource,
)


class TextGenerator(Protocol):
    """Writes text for a request, queued and streamed."""

    def generate(self, request: GenerationRequest) -> AsyncGenerator[GenerationEvent, None]:
        """Yield Queued while waiting, then TextDelta, then exactly one Finished.

        Closing the iterator early cancels the request. Raises BusyError at once when the queue is full,
        and ModelError or GenerationError when no text can come.
        """
        ...

    @property
    def idle(self) -> bool:
        """Nothing is waiting and nothing is being written."""
        ...


@dataclass(frozen=True, slots=True)
class AcceptedJob:
    """A request that is on record: its job and the message that asks for it."""

    job_id: int
    message_id: int


@dataclass(frozen=True, slots=True)
class GenerationRecord:
    """How a reply came about; stored beside it."""

    model_name: str
    model_sha256: str
    sampling: Sampling
    source: QuoteSource
    attempts: int
    finished: Finished


@dataclass(frozen=True, slots=True)
class PooledQuote:
    """A quote written ahead of time; `tokens` is what writing it took."""

    keyword: str
    text: str
    tokens: int


class JobLedger(Protocol):
    """Requests and what came of them; each call is one transaction."""

    async def accept(self, key: ConversationKey, kind: MessageKind, text: str) -> AcceptedJob:
        """Store the person's message and an ACCEPTED job for it; a chat message continues the conversation."""
        ...

    async def start(self, job_id: int) -> None:
        """Move the job to RUNNING."""
        ...

    async def complete(self, job_id: int, text: str, record: GenerationRecord) -> int:
        """Store the reply, its generation and a pending delivery; move the job to DONE; return the reply's id."""
        ...

    async def end(self, job_id: int, state: JobState, reason: str) -> None:
        """Move the job to FAILED or CANCELLED with a reason; the message stays answerable."""
        ...

    async def confirm_delivery(self, message_id: int) -> None:
        """The platform has shown the reply."""
        ...


class Conversations(Protocol):
    """What was said, for each conversation key."""

    async def history(self, key: ConversationKey, limit: int) -> Sequence[StoredMessage]:
        """The newest `limit` chat messages since the last start_over, oldest first."""
        ...

    async def start_over(self, key: ConversationKey) -> None:
        """Forget nothing, but begin a new conversation for the key."""
        ...

    async def recent_replies(self, key: ConversationKey, kind: MessageKind, limit: int) -> Sequence[str]:
        """The newest replies of that kind that this person saw, in any of their chats on the platform."""
        ...


class Feedback(Protocol):
    """Votes: append-only, one current value for each person and reply."""

    async def latest_reply(self, key: ConversationKey) -> int | None:
        """The id of the newest reply (chat or quote) in this chat and thread to this person."""
        ...

    async def add_vote(self, key: ConversationKey, message_id: int, vote: Vote, source: VoteSource) -> None:
        """Append a vote; raises InputError when the bot never wrote that message in that chat."""
        ...


class QuotePool(Protocol):
    """Quotes written ahead of time; each is served once, and only for the model that wrote it."""

    async def take(self, keyword: str, model_sha256: str) -> PooledQuote | None:
        """Remove and return one quote, the oldest first."""
        ...

    async def put(self, quote: PooledQuote, model_sha256: str) -> bool:
        """Add a quote; False for one that stands there already, or ever did: it is ignored."""
        ...

    async def wanted(self, model_sha256: str, depth: int, limit: int) -> Sequence[str]:
        """Of the `limit` keywords asked for most, and at least twice, those with fewer than `depth` quotes waiting."""
        ...
