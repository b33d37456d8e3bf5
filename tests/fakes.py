"""The chat service's ports, small and in memory: they keep the same promises as the real ones, and no others."""

from __future__ import annotations

import asyncio
import hashlib
import unicodedata
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from bot.chat.generation import (
    Candidate,
    Finished,
    FinishReason,
    GenerationEvent,
    GenerationRequest,
    Queued,
    Sampling,
    TextDelta,
)
from bot.chat.messages import (
    Complaint,
    ConversationKey,
    JobState,
    MessageKind,
    Origin,
    Platform,
    Preferred,
    Role,
    StoredMessage,
    Style,
    Vote,
    VoteSource,
)
from bot.chat.model import Model, QuotePrompt
from bot.chat.ports import (
    NO_ORIGIN,
    AcceptedJob,
    Comparison,
    DataOverview,
    ForgetReport,
    GenerationRecord,
    NewTerms,
    PooledQuote,
    SeenBefore,
)
from bot.chat.safety import Finding
from bot.errors import DatabaseUnavailable, InputError

MODEL = Model(
    name="tiny",
    path=Path("tiny.gguf"),
    sha256="a" * 64,
    quote_prompt=QuotePrompt("Keyword: {keyword}\nQuote:", chat=False),
    quote_sampling=Sampling(temperature=0.9),
    chat_sampling=Sampling(temperature=0.6),
)
OTHER_MODEL = replace(MODEL, name="other", sha256="b" * 64)


def key_of(user: str, chat: str = "lobby", thread: str = "") -> ConversationKey:
    """The key of one person's conversation on Discord."""
    return ConversationKey(Platform.DISCORD, chat, thread, user)


# -- the generator ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Stall:
    """The model writes nothing more until the request is cancelled."""


Step = GenerationEvent | Stall | BaseException
Script = Sequence[Step]


def says(
    *pieces: str,
    reason: FinishReason = FinishReason.END,
    elapsed_s: float = 1.0,
    waits: Sequence[int] = (),
    nats: float | None = None,
) -> list[Step]:
    """A script: wait at those positions, write those pieces, end for that reason."""
    finished = Finished(reason, 10, 4, len(pieces), 0.1, 0.2, elapsed_s, prompt_sha256="c" * 64, seed=7, nats=nats)
    return [*(Queued(position, None) for position in waits), *map(TextDelta, pieces), finished]


def fixed_words(finding: Finding) -> str:
    """What the service is given to say for a concern: its name and its language."""
    return f"[{finding.concern} {finding.language}]"


class FakeGenerator:
    """Plays one script for each request, in their order; keeps what it was asked and what was cancelled.

    `at_once` is how many candidates it has time for, `within` how long each choice had, `holders` how many count on it
    now.
    """

    def __init__(self, *scripts: Script, idle: bool = True, at_once: int = 1) -> None:
        self._scripts = list(scripts)
        self.at_once = at_once
        self._at_rest = idle
        self.requests: list[GenerationRequest] = []
        self.cancelled: list[GenerationRequest] = []
        self.under_way: list[GenerationRequest] = []
        self.within: list[float | None] = []
        self.holders = 0

    @contextmanager
    def held(self) -> Iterator[None]:
        """See TextGenerator.held."""
        self.holders += 1
        try:
            yield
        finally:
            self.holders -= 1

    @property
    def idle(self) -> bool:
        """Nothing is being written, unless the test said otherwise."""
        return self._at_rest and not self.under_way

    async def generate(self, request: GenerationRequest) -> AsyncGenerator[GenerationEvent, None]:
        """See TextGenerator.generate."""
        self.requests.append(request)
        self.under_way.append(request)
        ended = False
        try:
            for step in self._next_script():
                await asyncio.sleep(0)
                ended = isinstance(step, Finished | BaseException)
                yield await self._play(step)
        finally:
            self.under_way.remove(request)
            if not ended:
                self.cancelled.append(request)

    async def generate_candidates(
        self, request: GenerationRequest, count: int, within_s: float | None = None
    ) -> Sequence[Candidate]:
        """See TextGenerator.generate_candidates: a script for each, one after another, to the end of all of them."""
        self.within.append(within_s)
        return [await self._whole(request) for _ in range(count)]

    def candidates_within(self, seconds: float, tokens: float) -> int:
        """As many as the test said, if any time is given."""
        return self.at_once if seconds > 0 else 1

    async def _whole(self, request: GenerationRequest) -> Candidate:
        text = ""
        async for event in self.generate(request):
            if isinstance(event, TextDelta):
                text += event.text
            elif isinstance(event, Finished):
                return Candidate(text, event)
        raise AssertionError("a script without an end")

    def _next_script(self) -> Script:
        assert self._scripts, "the service asked for more texts than the test expects"
        return self._scripts.pop(0)

    async def _play(self, step: Step) -> GenerationEvent:
        if isinstance(step, BaseException):
            raise step
        if isinstance(step, Stall):
            await asyncio.Event().wait()
            raise AssertionError("nobody sets this event")
        return step


# -- the database -----------------------------------------------------------------------------------------------------

_MAY_FOLLOW = {
    JobState.ACCEPTED: {JobState.RUNNING, JobState.FAILED, JobState.CANCELLED},
    JobState.RUNNING: {JobState.DONE, JobState.FAILED, JobState.CANCELLED, JobState.ACCEPTED},
}


class IllegalTransition(AssertionError):
    """The service told a job to do what its state does not allow."""


@dataclass(slots=True)
class FakeJob:
    """A request on record; `states` is its whole life."""

    key: ConversationKey
    kind: MessageKind
    message_id: int
    states: list[JobState] = field(default_factory=lambda: [JobState.ACCEPTED])
    reason: str = ""
    record: GenerationRecord | None = None
    about: MessageKind | None = None

    @property
    def state(self) -> JobState:
        """What it is now."""
        return self.states[-1]


@dataclass(frozen=True, slots=True)
class FakeMessage:
    """A message and whose it is."""

    key: ConversationKey
    message: StoredMessage


class FakeStore:
    """JobLedger, Conversations, Feedback and QuotePool at once, over lists.

    Every call gives way to other tasks `pauses` times, as a database would. `unavailable` names calls that fail, and
    `before` holds what a test wants to happen at the beginning of a call.
    """

    def __init__(self) -> None:
        self.jobs: dict[int, FakeJob] = {}
        self.messages: dict[int, FakeMessage] = {}
        self.delivered: set[int] = set()
        self.taken: set[str] = set()
        self.complaints: list[tuple[ConversationKey, int, Complaint]] = []
        self.corrections: list[tuple[ConversationKey, int, str]] = []
        self.comparisons: dict[int, Comparison] = {}
        self.preferences: list[tuple[ConversationKey, int, Preferred]] = []
        self.votes: list[tuple[ConversationKey, int, Vote, VoteSource]] = []
        self.pool: list[tuple[PooledQuote, str]] = []
        self.asked: Counter[str] = Counter()
        self.unavailable: set[str] = set()
        self.before: dict[str, Callable[[], object]] = {}
        self.pauses = 1
        self._ever_pooled: set[str] = set()
        self._begun: dict[ConversationKey, int] = {}

    async def _call(self, name: str) -> None:
        if name in self.before:
            self.before.pop(name)()
        for _ in range(self.pauses):
            await asyncio.sleep(0)
        if name in self.unavailable:
            raise DatabaseUnavailable("The database cannot be opened.")

    @property
    def states(self) -> list[JobState]:
        """What every job is now, in the order of their coming."""
        return [job.state for job in self.jobs.values()]

    def reply(self, job_id: int) -> str | None:
        """The stored reply to a job."""
        asked = self.jobs[job_id].message_id
        return next((m.message.text for m in self.messages.values() if m.message.parent_id == asked), None)

    def begin_anew(self, key: ConversationKey) -> None:
        """What start_over does, for a test that is in the middle of another call."""
        self._begun[key] = len(self.messages) + 1

    # JobLedger

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
        await self._call("accept")
        self._take(origin.events)
        message_id = self._store(key, None, Role.USER, kind, text)
        job_id = len(self.jobs) + 1001
        self.jobs[job_id] = FakeJob(key, kind, message_id, about=about)
        if kind is MessageKind.QUOTE:
            self.asked[_normal(text)] += 1
        return AcceptedJob(job_id, message_id, key, kind, text, style, origin.address, about=about)

    async def accept_again(
        self, key: ConversationKey, job_id: int, origin: Origin = NO_ORIGIN, kind: MessageKind | None = None
    ) -> AcceptedJob:
        await self._call("accept_again")
        earlier = self.jobs.get(job_id)
        if earlier is None:
            raise InputError("What this was asked is no longer stored, so it cannot be answered again.", "gone")
        text = self.messages[earlier.message_id].message.text
        wanted = kind or earlier.kind
        if wanted is MessageKind.COMPARE:
            about = earlier.about if earlier.kind is MessageKind.COMPARE else earlier.kind
            return await self.accept(key, wanted, text, about=about, origin=origin)
        if wanted is MessageKind.QUOTE:
            return await self.accept(key, wanted, text, origin=origin)
        if key != earlier.key:
            raise InputError("Only who asked can ask for another reply.", "only-who-asked")
        self._take(origin.events)
        again = len(self.jobs) + 1001
        self.jobs[again] = FakeJob(key, earlier.kind, earlier.message_id)
        return AcceptedJob(again, earlier.message_id, key, earlier.kind, text, None, origin.address)

    async def park(self, job_id: int) -> None:
        await self._call("park")
        if self.jobs[job_id].state is JobState.RUNNING:
            self._move(job_id, JobState.ACCEPTED)

    def _take(self, events: Sequence[str]) -> None:
        if self.taken.intersection(events):
            raise SeenBefore
        self.taken.update(events)

    async def start(self, job_id: int) -> None:
        await self._call("start")
        self._move(job_id, JobState.RUNNING)

    async def complete(
        self, job_id: int, text: str, record: GenerationRecord, comparison: Comparison | None = None
    ) -> int:
        await self._call("complete")
        self._move(job_id, JobState.DONE)
        job = self.jobs[job_id]
        job.record = record
        reply_id = self._store(job.key, job.message_id, Role.ASSISTANT, job.kind, text)
        if comparison is not None:
            self.comparisons[reply_id] = comparison
        return reply_id

    async def end(self, job_id: int, state: JobState, reason: str) -> None:
        await self._call("end")
        if state not in (JobState.FAILED, JobState.CANCELLED):
            raise IllegalTransition(f"{state} is no way to end a job without a reply")
        self._move(job_id, state)
        self.jobs[job_id].reason = reason

    async def confirm_delivery(self, message_id: int) -> None:
        await self._call("confirm_delivery")
        self.delivered.add(message_id)

    def _move(self, job_id: int, state: JobState) -> None:
        job = self.jobs[job_id]
        if state not in _MAY_FOLLOW.get(job.state, ()):
            raise IllegalTransition(f"job {job_id} is {job.state} and cannot become {state}")
        job.states.append(state)

    def _store(self, key: ConversationKey, parent: int | None, role: Role, kind: MessageKind, text: str) -> int:
        message_id = len(self.messages) + 1
        self.messages[message_id] = FakeMessage(key, StoredMessage(message_id, parent, role, kind, text))
        return message_id

    # Conversations

    async def history(self, key: ConversationKey, limit: int, up_to: int | None = None) -> Sequence[StoredMessage]:
        await self._call("history")
        said = [
            entry.message
            for number, entry in self.messages.items()
            if entry.key == key and entry.message.kind is MessageKind.CHAT and number >= self._begun.get(key, 0)
            if up_to is None or number <= up_to
        ]
        return said[max(0, len(said) - limit) :]

    async def start_over(self, key: ConversationKey) -> None:
        await self._call("start_over")
        self.begin_anew(key)

    async def recent_replies(self, key: ConversationKey, kind: MessageKind, limit: int) -> Sequence[str]:
        await self._call("recent_replies")
        here = (key.platform, key.chat_id, key.thread_id) if kind is MessageKind.QUOTE else None
        texts = [
            entry.message.text
            for entry in reversed(self.messages.values())
            if entry.key.person == key.person or (entry.key.platform, entry.key.chat_id, entry.key.thread_id) == here
            if entry.message.role is Role.ASSISTANT and entry.message.kind is kind
        ]
        return texts[:limit]

    # Feedback

    async def latest_reply(self, key: ConversationKey) -> int | None:
        await self._call("latest_reply")
        replies = [
            number
            for number, entry in self.messages.items()
            if entry.key == key and entry.message.role is Role.ASSISTANT
        ]
        return max(replies, default=None)

    async def add_vote(self, key: ConversationKey, message_id: int, vote: Vote, source: VoteSource) -> None:
        await self._call("add_vote")
        if message_id not in self.messages or self.messages[message_id].message.role is not Role.ASSISTANT:
            raise InputError("There is no such reply of the bot to vote on.")
        self.votes.append((key, message_id, vote, source))

    async def toggle_vote(self, key: ConversationKey, message_id: int, vote: Vote, source: VoteSource) -> Vote:
        if self._newest(key, message_id) == (vote, source):
            vote = Vote.NONE
        await self.add_vote(key, message_id, vote, source)
        return vote

    async def withdraw_vote(self, key: ConversationKey, message_id: int, vote: Vote, source: VoteSource) -> bool:
        if self._newest(key, message_id) != (vote, source):
            return False
        await self.add_vote(key, message_id, Vote.NONE, source)
        return True

    async def prefer(self, key: ConversationKey, message_id: int, preferred: Preferred) -> None:
        if message_id not in self.comparisons:
            raise InputError("There are no two replies to compare.", "nothing-to-compare")
        self.preferences.append((key, message_id, preferred))

    async def toggle_favorite(self, key: ConversationKey, message_id: int) -> bool:
        is_one = self.in_force(key, message_id, VoteSource.FAVORITE) is Vote.UP
        await self.add_vote(key, message_id, Vote.NONE if is_one else Vote.UP, VoteSource.FAVORITE)
        return not is_one

    async def share(self, key: ConversationKey, message_id: int) -> str:
        await self.add_vote(key, message_id, Vote.UP, VoteSource.SHARE)
        return self.messages[message_id].message.text

    async def favorites(self, platform: Platform, user_id: str, limit: int) -> Sequence[str]:
        kept = {voted: vote for voter, voted, vote, source in self.votes if source is VoteSource.FAVORITE}
        return [self.messages[voted].message.text for voted in reversed(kept) if kept[voted] is Vote.UP][:limit]

    async def complain(self, key: ConversationKey, message_id: int, complaint: Complaint, source: VoteSource) -> None:
        await self.add_vote(key, message_id, Vote.DOWN, source)
        self.complaints.append((key, message_id, complaint))

    async def correct(self, key: ConversationKey, message_id: int, text: str, *, as_option: bool) -> None:
        await self._call("correct")
        self.corrections.append((key, message_id, text))

    def in_force(self, key: ConversationKey, message_id: int, weak: VoteSource | None = None) -> Vote:
        """The person's spoken vote on a reply, or the weak one of that source."""
        newest = self._newest(key, message_id, weak)
        return newest[0] if newest else Vote.NONE

    def _newest(
        self, key: ConversationKey, message_id: int, weak: VoteSource | None = None
    ) -> tuple[Vote, VoteSource] | None:
        given = [
            (vote, source)
            for voter, voted, vote, source in self.votes
            if voter.person == key.person and voted == message_id and (source is weak if weak else not source.weak)
        ]
        return given[-1] if given else None

    # QuotePool

    async def take(self, keyword: str, model_sha256: str) -> PooledQuote | None:
        await self._call("take")
        for entry in self.pool:
            if entry[0].keyword == _normal(keyword) and entry[1] == model_sha256:
                self.pool.remove(entry)
                return entry[0]
        return None

    async def put(self, quote: PooledQuote, model_sha256: str) -> bool:
        await self._call("put")
        keyword = _normal(quote.keyword)
        identity = hashlib.sha256("\0".join((keyword, model_sha256, quote.text)).encode()).hexdigest()
        if identity in self._ever_pooled:
            return False
        self._ever_pooled.add(identity)
        self.pool.append((replace(quote, keyword=keyword), model_sha256))
        return True

    async def wanted(self, model_sha256: str, depth: int, limit: int) -> Sequence[str]:
        await self._call("wanted")
        waiting = Counter(quote.keyword for quote, sha256 in self.pool if sha256 == model_sha256)
        popular = [keyword for keyword, count in self.asked.most_common(limit) if count >= 2]
        return [keyword for keyword in popular if waiting[keyword] < depth]


@dataclass(slots=True)
class FakePeople:
    """PersonalData about one person; `new_terms` is what everybody is yet to be told, None where nobody is."""

    known: DataOverview = field(default_factory=lambda: DataOverview(2, 2, 1, 0, None, False))
    new_terms: NewTerms | None = None
    told: dict[str, int] = field(default_factory=dict)  # by person, beneath which reply
    consents: list[tuple[str, str, bool]] = field(default_factory=list)
    forgotten: list[str] = field(default_factory=list)
    unavailable: bool = False

    async def overview(self, platform: Platform, user_id: str) -> DataOverview:
        return self.known

    async def everything(self, platform: Platform, user_id: str) -> Mapping[str, object]:
        return {"user_id": user_id, "messages": ["hello"]}

    async def record_consent(self, platform: Platform, user_id: str, version: str, granted: bool) -> None:
        self.consents.append((user_id, version, granted))

    async def tell_terms(self, platform: Platform, user_id: str, reply_id: int) -> NewTerms | None:
        if self.unavailable:
            raise DatabaseUnavailable("The database cannot be opened.")
        if self.new_terms is None:
            return None
        return self.new_terms if self.told.setdefault(user_id, reply_id) == reply_id else None

    async def terms_not_told(self, platform: Platform, user_id: str, reply_id: int) -> None:
        if self.told.get(user_id) == reply_id:
            del self.told[user_id]

    async def forget(self, platform: Platform, user_id: str) -> ForgetReport:
        self.forgotten.append(user_id)
        return ForgetReport(messages=4, feedback=1)


def _normal(keyword: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", keyword).casefold().split())
