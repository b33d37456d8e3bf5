"""What the chat service needs of the outside world, as protocols; the adapters live in inference and storage."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from bot.chat.generation import Candidate, Finished, GenerationEvent, GenerationRequest, Sampling
from bot.chat.messages import (
    Complaint,
    ConversationKey,
    JobState,
    MessageKind,
    Origin,
    Platform,
    Preferred,
    QuoteSource,
    StoredMessage,
    Style,
    Vote,
    VoteSource,
)

NO_ORIGIN = Origin()


class SeenBefore(Exception):
    """What is to be recorded was recorded before: the platform repeats itself, and nothing is to be done."""


class TextGenerator(Protocol):
    """Writes text for a request, queued and streamed."""

    def generate(self, request: GenerationRequest) -> AsyncGenerator[GenerationEvent, None]:
        """Yield Queued while waiting, then TextDelta, then exactly one Finished.

        Closing the iterator early cancels the request. Raises BusyError at once when the queue is full,
        and ModelError or GenerationError when no text can come.
        """
        ...

    async def generate_candidates(
        self, request: GenerationRequest, count: int, within_s: float | None = None
    ) -> Sequence[Candidate]:
        """Write `count` texts for the same request at once, drawn with as many seeds; the queue counts them as one.

        From `within_s` on, half of them are enough, and what is still being written then is given up. Cancelling the
        call cancels them all. Raises as `generate`.
        """
        ...

    def candidates_within(self, seconds: float, tokens: float) -> int:
        """How many texts of that length can be written at once in that time, beside what is under way; at least 1."""
        ...

    def held(self) -> AbstractContextManager[None]:
        """Until the end of the block it is not taken out of service, also while nothing is asked of it."""
        ...

    @property
    def idle(self) -> bool:
        """Nothing is waiting and nothing is being written."""
        ...


class Judge(Protocol):
    """Says which of a model's quotes and replies are good; comes with the model."""

    @property
    def of_readers(self) -> bool:
        """Whether it learned readers' marks, and weighs the likelihood itself; else it knows written quotes only."""
        ...

    def scores(self, keyword: str, candidates: Sequence[Candidate]) -> Sequence[float]:
        """Log odds that a reader would post each, or else that it reads like a written one; more is better."""
        ...

    @property
    def of_replies(self) -> bool:
        """Whether it learned readers' marks of replies in chat too."""
        ...

    def reply_scores(self, candidates: Sequence[Candidate]) -> Sequence[float]:
        """Log odds that a reader would find that each fits what was said; of a judge of replies only."""
        ...

    def is_copy(self, quote: str) -> bool:
        """Whether the quote, or a long run of its words, stands in what the model learned from."""
        ...

    def unknown_words(self, asked: str, text: str) -> int:
        """How many of its words the model never learned, and so made up; forms of what was asked with are none."""
        ...


@dataclass(frozen=True, slots=True)
class AcceptedJob:
    """A request that is on record: its job, the message that asks for it, and all that answering it needs.

    `asked_at` is when it was made, by the clock of the service that took it; None for one of a process that is gone.
    `about` is what a comparison is of; None for anything else, and for one that an earlier version of the bot took.
    """

    job_id: int
    message_id: int
    key: ConversationKey
    kind: MessageKind
    text: str
    style: Style | None = None
    address: str = ""
    asked_at: float | None = field(default=None, compare=False)
    about: MessageKind | None = None


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
class Side:
    """One of two replies to compare, and the model that wrote it."""

    text: str
    model_name: str
    model_sha256: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two replies to the same request, in the order in which they are shown; `about` is what they are."""

    about: MessageKind
    left: Side
    right: Side


@dataclass(frozen=True, slots=True)
class PooledQuote:
    """A quote written ahead of time; `tokens` is what writing it took."""

    keyword: str
    text: str
    tokens: int


class JobLedger(Protocol):
    """Requests and what came of them; each call is one transaction."""

    async def accept(
        self,
        key: ConversationKey,
        kind: MessageKind,
        text: str,
        *,
        style: Style | None = None,
        about: MessageKind | None = None,
        origin: Origin = NO_ORIGIN,
    ) -> AcceptedJob:
        """Store the person's message and an ACCEPTED job for it; a chat message continues the conversation.

        `about` is what a comparison is of. Raises SeenBefore when one of the origin's events was taken already.
        """
        ...

    async def accept_again(
        self, key: ConversationKey, job_id: int, origin: Origin = NO_ORIGIN, kind: MessageKind | None = None
    ) -> AcceptedJob:
        """A new job for what an earlier one was asked: another quote, or another reply to the same message.

        With `kind`, something of that kind is wanted this time, and that the earlier reply was not liked is not meant;
        a comparison is of what the earlier job was, or was of. Otherwise it stays what it was.
        A quote becomes a request of whoever asks now. Raises InputError when there is no such job in this chat, or
        when the chat is somebody else's, and SeenBefore.
        """
        ...

    async def start(self, job_id: int) -> None:
        """Move the job to RUNNING."""
        ...

    async def complete(
        self, job_id: int, text: str, record: GenerationRecord, comparison: Comparison | None = None
    ) -> int:
        """Store the reply, its generation and a pending delivery; move the job to DONE; return the reply's id.

        `comparison` holds the two replies where the text shows two.
        """
        ...

    async def park(self, job_id: int) -> None:
        """Move the job back to ACCEPTED: the next start of the bot goes on with it."""
        ...

    async def end(self, job_id: int, state: JobState, reason: str) -> None:
        """Move the job to FAILED or CANCELLED with a reason; the message stays answerable."""
        ...

    async def confirm_delivery(self, message_id: int) -> None:
        """The platform has shown the reply."""
        ...


class Conversations(Protocol):
    """What was said, for each conversation key."""

    async def history(self, key: ConversationKey, limit: int, up_to: int | None = None) -> Sequence[StoredMessage]:
        """The newest `limit` chat messages since the last start_over, oldest first; none later than message `up_to`."""
        ...

    async def start_over(self, key: ConversationKey) -> None:
        """Forget nothing, but begin a new conversation for the key."""
        ...

    async def recent_replies(self, key: ConversationKey, kind: MessageKind, limit: int) -> Sequence[str]:
        """The newest replies of that kind that this person saw, newest first.

        Those to them in any of their chats on the platform, and of quotes those to anybody in this chat too.
        """
        ...


class Feedback(Protocol):
    """Votes: append-only, one current value for each person and reply."""

    async def latest_reply(self, key: ConversationKey) -> int | None:
        """The id of the newest reply (chat or quote) in this chat and thread to this person."""
        ...

    async def add_vote(self, key: ConversationKey, message_id: int, vote: Vote, source: VoteSource) -> None:
        """Append a vote; raises InputError when the bot never wrote that message in that chat."""
        ...

    async def toggle_vote(self, key: ConversationKey, message_id: int, vote: Vote, source: VoteSource) -> Vote:
        """Append the vote, or NONE where it is the one in force and came from that source too.

        Returns what is in force now. Raises as add_vote.
        """
        ...

    async def withdraw_vote(self, key: ConversationKey, message_id: int, vote: Vote, source: VoteSource) -> bool:
        """Append NONE where that vote is the one in force and came from that source too; False where it is not."""
        ...

    async def toggle_favorite(self, key: ConversationKey, message_id: int) -> bool:
        """Make the reply one of the person's favourites, or none any more; is it one now? Raises as add_vote."""
        ...

    async def share(self, key: ConversationKey, message_id: int) -> str:
        """Note that the person passes the reply on, once; returns its text. Raises as add_vote."""
        ...

    async def favorites(self, platform: Platform, user_id: str, limit: int) -> Sequence[str]:
        """The texts of the person's favourites, the newest first, from all chats of the platform."""
        ...

    async def prefer(self, key: ConversationKey, message_id: int, preferred: Preferred) -> None:
        """Append which of the two replies in that message a person likes better. Raises as add_vote."""
        ...

    async def complain(self, key: ConversationKey, message_id: int, complaint: Complaint, source: VoteSource) -> None:
        """Append a bad vote that says what was wrong. Raises as add_vote."""
        ...

    async def correct(self, key: ConversationKey, message_id: int, text: str, *, as_option: bool) -> None:
        """Append what the person would rather have read. Raises as add_vote."""
        ...


@dataclass(frozen=True, slots=True)
class PendingReply:
    """A reply that its platform has not confirmed yet, with the job that it answers.

    `shows_two` says that its text is two replies side by side.
    """

    job: AcceptedJob
    reply_id: int
    text: str
    attempts: int
    shows_two: bool = False


@dataclass(frozen=True, slots=True)
class ShownReply:
    """What a message of the bot belongs to: the job, its conversation, and the reply once there is one."""

    job_id: int
    key: ConversationKey
    reply_id: int | None


class Outbox(Protocol):
    """Where replies stand on their platforms, and which are still on their way."""

    async def posts(self, job_id: int) -> Sequence[str]:
        """The platform's ids of the messages that answer the job, in the order of their parts."""
        ...

    async def posted(self, job_id: int, part: int, platform: Platform, chat_id: str, platform_message_id: str) -> None:
        """A message was made for that part (0 is the first) of the answer; it takes the place of an earlier one."""
        ...

    async def moved(self, job_id: int, address: str) -> None:
        """The job is answered at another address from now on; the messages that it had do not count any more."""
        ...

    async def shown(self, platform: Platform, chat_id: str, platform_message_id: str) -> ShownReply | None:
        """What the message belongs to, None when it is none of ours."""
        ...

    async def confirm(self, reply_id: int) -> None:
        """The platform has shown the reply."""
        ...

    async def try_later(self, reply_id: int, reason: str) -> None:
        """An attempt went wrong; the reply stays pending."""
        ...

    async def give_up(self, reply_id: int, reason: str) -> None:
        """The reply cannot be shown."""
        ...

    async def pending(self, platforms: Collection[Platform]) -> Sequence[PendingReply]:
        """The unconfirmed replies of those platforms, oldest first."""
        ...


class Unfinished(Protocol):
    """What a stopped process left behind."""

    async def unfinished(self, platforms: Collection[Platform]) -> Sequence[AcceptedJob]:
        """The requests that were never answered, ACCEPTED again, oldest first. To be called once, at the start."""
        ...


@dataclass(frozen=True, slots=True)
class Place:
    """A thread of a chat where somebody talked to the bot; "" is the chat itself."""

    chat_id: str
    thread_id: str


class PlatformRecords(Protocol):
    """What is known of a platform besides its conversations."""

    async def take_events(self, platform: Platform, event_ids: Sequence[str]) -> bool:
        """Take something that a person did, by all its events at once; False when one was taken before."""
        ...

    async def taken_events(self, platform: Platform, event_ids: Sequence[str]) -> Collection[str]:
        """Those of them that were taken before."""
        ...

    async def places(self, platform: Platform, since: datetime) -> Sequence[Place]:
        """Where somebody talked to the bot since then."""
        ...

    async def announce_in(self, platform: Platform, place: Place, wanted: bool) -> None:
        """Tell that place from now on what changes about the bot, or no longer."""
        ...

    async def announced_places(self, platform: Platform) -> Sequence[Place]:
        """The places that want to be told."""
        ...

    async def popular_keywords(self, key: ConversationKey, limit: int) -> Sequence[str]:
        """Keywords that this person, or at least two people, asked quotes for; the most wanted first."""
        ...


@dataclass(frozen=True, slots=True)
class DataOverview:
    """What is stored about a person: counts, and the consent in force.

    `preferences` are comparisons that the person decided, `exports` those that hold something of theirs.
    """

    messages: int
    replies: int
    votes: int
    corrections: int
    first_at: datetime | None
    consents: bool
    preferences: int = 0
    favorites: int = 0
    exports: int = 0


@dataclass(frozen=True, slots=True)
class ForgetReport:
    """What was erased, counted; `feedback` are votes, `jobs` requests that were cancelled for it.

    `preferences` are comparisons that the person decided, `consent` whether a consent to training was withdrawn.
    """

    messages: int = 0
    conversations: int = 0
    feedback: int = 0
    jobs: int = 0
    known: bool = True
    corrections: int = 0
    preferences: int = 0
    consent: bool = False

    @property
    def empty(self) -> bool:
        """There was nothing to erase."""
        counts = (self.messages, self.feedback, self.jobs, self.corrections, self.preferences, self.consent)
        return not any(counts)


@dataclass(frozen=True, slots=True)
class NewTerms:
    """What a person was not told yet: the terms in force; `changed` if they knew others, `consents` if they agree."""

    changed: bool
    consents: bool


class PersonalData(Protocol):
    """What a person may know, take along, allow and erase."""

    async def overview(self, platform: Platform, user_id: str) -> DataOverview:
        """What is stored about the person."""
        ...

    async def everything(self, platform: Platform, user_id: str) -> Mapping[str, object]:
        """All of it, as plain JSON values."""
        ...

    async def record_consent(self, platform: Platform, user_id: str, version: str, granted: bool) -> None:
        """Add a yes or no to that version of the training terms."""
        ...

    async def tell_terms(self, platform: Platform, user_id: str, reply_id: int) -> NewTerms | None:
        """Note that the person is told the terms in force beneath that reply; None if they were told before.

        The same reply, shown again after a failure, gets the same answer.
        """
        ...

    async def terms_not_told(self, platform: Platform, user_id: str, reply_id: int) -> None:
        """That reply did not reach the person: they are told with another one."""
        ...

    async def forget(self, platform: Platform, user_id: str) -> ForgetReport:
        """Erase what the person said, what was said to them and their votes."""
        ...


class QuotePool(Protocol):
    """Quotes written ahead of time; each is served once, and only for the model that wrote it."""

    async def take(self, keyword: str, model_sha256: str) -> PooledQuote | None:
        """Remove and return one quote, the oldest first."""
        ...

    async def put(self, quote: PooledQuote, model_sha256: str) -> bool:
        """Add a quote; False for one that is ignored: it stands there already or ever did, or nobody asks any more."""
        ...

    async def wanted(self, model_sha256: str, depth: int, limit: int) -> Sequence[str]:
        """Of the `limit` keywords asked for most, and at least twice, those with fewer than `depth` quotes waiting."""
        ...
