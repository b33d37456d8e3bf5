"""What the bot does when a person asks for a quote, chats, starts over or votes.

Talks to the model and to the database through ports; knows no platform, no model library and no SQL.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Iterable, Sequence
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

from bot.chat import prompts
from bot.chat.asking import Asking
from bot.chat.canary import Canary
from bot.chat.choice import ChoiceSize
from bot.chat.comparing import side_by_side, two_of, wanted_kind
from bot.chat.generation import Candidate, Finished, FinishReason, TextDelta
from bot.chat.messages import (
    Complaint,
    ConversationKey,
    MessageKind,
    Origin,
    Preferred,
    QuoteSource,
    Role,
    StoredMessage,
    Style,
    Vote,
    VoteSource,
)
from bot.chat.model import Model
from bot.chat.ports import (
    NO_ORIGIN,
    AcceptedJob,
    Comparison,
    Conversations,
    Feedback,
    GenerationRecord,
    JobLedger,
    Judge,
    PooledQuote,
    QuotePool,
    Side,
    TextGenerator,
)
from bot.chat.quotes import finished_quote, normalise_keyword, visible_beginning
from bot.chat.recording import Recording
from bot.chat.replies import ReplyEvent, Showing, finished_reply
from bot.chat.safety import Finding, concern_in, concern_in_keyword
from bot.chat.served import Served, Serving
from bot.chat.writing import Progress, Writer, Written, generated, no_words, too_late
from bot.chat.writing_ahead import WritingAhead
from bot.errors import InputError
from bot.settings import ChatSettings, QuoteSettings

_T = TypeVar("_T")
_TO_COMPARE = 4  # drawn for a comparison, since two may be alike or none at all


@dataclass(frozen=True, slots=True)
class ChatStores:
    """The database, as the service needs it."""

    jobs: JobLedger
    conversations: Conversations
    feedback: Feedback
    pool: QuotePool


class ChatService:
    """One model, served to everybody, or two while one is tried out.

    Each method that writes yields ReplyEvents and ends with one Reply.
    """

    def __init__(
        self,
        model: Model,
        generator: TextGenerator,
        stores: ChatStores,
        chat: ChatSettings,
        quote: QuoteSettings,
        deadline_s: float,
        *,
        fixed_words: Callable[[Finding], str],
        judge: Judge | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`fixed_words` is what is said to a message that gives reason for concern; `judge` came with the model.

        `clock` gives seconds that never go back.
        """
        self._chat = chat
        self._quote = quote
        self._serving = Serving(self._served(model, generator, judge))
        self._fixed_words = fixed_words
        self._stores = stores
        self._deadline_s = deadline_s
        self._clock = clock
        self._writer = Writer(deadline_s)
        self._asking = Asking(chat, quote, deadline_s)
        self._ahead = WritingAhead(self._serving, self._writer, self._asking, stores.pool, quote, clock)
        self._recording = Recording(stores.jobs)

    @property
    def model(self) -> Model:
        """What answers everybody who takes part in no canary."""
        return self._serving.usual.model

    async def quote(
        self, key: ConversationKey, keyword: str, style: Style | None = None, *, seed: int | None = None
    ) -> AsyncGenerator[ReplyEvent, None]:
        """A quote on a keyword: one from the pool if there is any and no seed or style is asked for, else written now.

        Raises InputError for an unusable keyword, BusyError, and GenerationError when no attempt gave a quote.
        """
        job = await self.accept_quote(key, keyword, style)
        async with aclosing(self.answer(job, seed=seed)) as events:
            async for event in events:
                yield event

    async def chat(
        self, key: ConversationKey, text: str, *, seed: int | None = None
    ) -> AsyncGenerator[ReplyEvent, None]:
        """The next reply of a conversation. Raises InputError for an empty or too long message, and as `quote`."""
        job = await self.accept_chat(key, text)
        async with aclosing(self.answer(job, seed=seed)) as events:
            async for event in events:
                yield event

    async def accept_quote(
        self, key: ConversationKey, keyword: str, style: Style | None = None, origin: Origin = NO_ORIGIN
    ) -> AcceptedJob:
        """Put a request for a quote on record. Raises InputError for an unusable keyword, and SeenBefore."""
        keyword = normalise_keyword(keyword, self._quote.max_keyword_chars)
        return await self._timed(self._stores.jobs.accept(key, MessageKind.QUOTE, keyword, style=style, origin=origin))

    async def accept_chat(self, key: ConversationKey, text: str, origin: Origin = NO_ORIGIN) -> AcceptedJob:
        """Put a message on record. Raises InputError for an empty or too long one, and SeenBefore."""
        return await self._timed(self._stores.jobs.accept(key, MessageKind.CHAT, self._checked(text), origin=origin))

    async def accept_comparison(self, key: ConversationKey, text: str, origin: Origin = NO_ORIGIN) -> AcceptedJob:
        """Put it on record that two quotes or two replies are to be compared.

        Raises InputError as `accept_quote` or `accept_chat`, and SeenBefore.
        """
        text = self._checked(text)
        about = wanted_kind(text, self._quote.max_keyword_chars)
        if about is MessageKind.QUOTE:
            text = normalise_keyword(text, self._quote.max_keyword_chars)
        return await self._timed(self._stores.jobs.accept(key, MessageKind.COMPARE, text, about=about, origin=origin))

    async def accept_again(
        self, key: ConversationKey, job_id: int, origin: Origin = NO_ORIGIN, kind: MessageKind | None = None
    ) -> AcceptedJob:
        """Put it on record that a job's question is to be answered once more, as that kind. Raises as the port."""
        return await self._timed(self._stores.jobs.accept_again(key, job_id, origin, kind))

    async def _timed(self, accepting: Awaitable[AcceptedJob]) -> AcceptedJob:
        asked_at = self._clock()
        return replace(await accepting, asked_at=asked_at)

    def _waited_s(self, job: AcceptedJob) -> float:
        """How long the person has waited; of a process that is gone that says nothing, and counts for nothing."""
        return self._clock() - job.asked_at if job.asked_at is not None else 0.0

    def answer(self, job: AcceptedJob, *, seed: int | None = None) -> AsyncGenerator[ReplyEvent, None]:
        """Write the reply to what was accepted, now or by a process that is gone."""
        if job.kind is MessageKind.QUOTE:
            return self._recording.around(job.job_id, partial(self._quoting, job, seed))
        if job.kind is MessageKind.COMPARE:
            return self._recording.around(job.job_id, partial(self._comparing, job))
        return self._recording.around(job.job_id, partial(self._chatting, job, seed))

    def serve(self, model: Model, generator: TextGenerator, judge: Judge | None = None) -> None:
        """Write with another model from now on; what is being written ends with the one that it began with."""
        self._serving.use(self._served(model, generator, judge))

    def try_out(self, canary: Canary, model: Model, generator: TextGenerator, judge: Judge | None = None) -> None:
        """Write with another model for those who take part in the canary, and compare it with the usual one."""
        self._serving.try_out(self._served(model, generator, judge), canary)

    def end_canary(self, *, promoted: bool = False) -> None:
        """Write with one model for everybody again: the usual one, or the one that was tried out."""
        if promoted:
            self._serving.promote()
        else:
            self._serving.end_canary()

    def park(self) -> None:
        """The bot is about to stop: a request that is cut off from now on stays unfinished, for the next start."""
        self._recording.park()

    def parked(self, job_id: int) -> bool:
        """It was cut off as the bot stopped, and the next start goes on with it: its person is to be told nothing."""
        return self._recording.parked(job_id)

    def give_up(self, job_id: int) -> None:
        """The person wants no reply any more to what is being answered, which is about to be cut off."""
        self._recording.give_up(job_id)

    def _served(self, model: Model, generator: TextGenerator, judge: Judge | None) -> Served:
        return Served(
            model,
            generator,
            judge,
            quote_choice=ChoiceSize(self._quote.candidates, self._quote.choice_s),
            reply_choice=ChoiceSize(self._chat.candidates, self._chat.choice_s),
        )

    def _checked(self, text: str) -> str:
        text, most = text.strip(), self._chat.max_message_chars
        if not text:
            raise InputError("A message needs some text.", "message-empty")
        if len(text) > most:
            raise InputError(
                f"A message may have at most {most} characters; this one has {len(text)}.",
                "message-too-long",
                most=most,
                found=len(text),
            )
        return text

    async def start_over(self, key: ConversationKey) -> None:
        """Begin a new conversation."""
        await self._stores.conversations.start_over(key)

    async def vote(
        self, key: ConversationKey, vote: Vote, source: VoteSource, *, message_id: int | None = None
    ) -> None:
        """Record a vote on a reply, by default the person's last one; InputError when there is none."""
        await self._stores.feedback.add_vote(key, await self._voted_on(key, message_id), vote, source)

    async def toggle_vote(self, key: ConversationKey, vote: Vote, source: VoteSource, message_id: int) -> Vote:
        """Record a vote, or take back the same one of that source; returns what is in force. Raises as `vote`."""
        return await self._stores.feedback.toggle_vote(key, message_id, vote, source)

    async def withdraw_vote(self, key: ConversationKey, vote: Vote, source: VoteSource, message_id: int) -> bool:
        """Take back a vote of that source if it is the one in force; False if not."""
        return await self._stores.feedback.withdraw_vote(key, message_id, vote, source)

    async def toggle_favorite(self, key: ConversationKey, message_id: int) -> bool:
        """Make the reply one of the person's favourites, or none any more; is it one now? Raises as `vote`."""
        return await self._stores.feedback.toggle_favorite(key, message_id)

    async def share(self, key: ConversationKey, message_id: int) -> str:
        """The text of a reply that the person passes on, which is noted. Raises InputError as `vote`."""
        return await self._stores.feedback.share(key, message_id)

    async def favorites(self, key: ConversationKey, limit: int) -> Sequence[str]:
        """The person's newest favourites, from all of their chats on the platform."""
        return await self._stores.feedback.favorites(key.platform, key.user_id, limit)

    async def prefer(self, key: ConversationKey, preferred: Preferred, message_id: int) -> None:
        """Record which of two replies a person likes better. Raises InputError as `vote`."""
        await self._stores.feedback.prefer(key, message_id, preferred)

    async def complain(self, key: ConversationKey, complaint: Complaint, source: VoteSource, message_id: int) -> None:
        """Record a bad vote that says what was wrong. Raises InputError as `vote`."""
        await self._stores.feedback.complain(key, message_id, complaint, source)

    async def correct(
        self, key: ConversationKey, text: str, *, message_id: int | None = None, as_option: bool = False
    ) -> None:
        """Record what the person would rather have read. Raises InputError as `vote` and as `accept_chat`."""
        target = await self._voted_on(key, message_id)
        await self._stores.feedback.correct(key, target, self._checked(text), as_option=as_option)

    async def _voted_on(self, key: ConversationKey, message_id: int | None) -> int:
        target = message_id if message_id is not None else await self._stores.feedback.latest_reply(key)
        if target is None:
            raise InputError("There is no reply to vote on yet.", "nothing-to-vote-on")
        return target

    async def delivered(self, message_id: int) -> None:
        """The platform has shown the reply."""
        await self._stores.jobs.confirm_delivery(message_id)

    async def write_ahead(self) -> bool:
        """Write one quote for a keyword that people ask for, if nobody waits; False when nothing new came of any."""
        return await self._ahead.write()

    async def _quoting(
        self, job: AcceptedJob, seed: int | None, holds: AsyncExitStack
    ) -> AsyncGenerator[Progress, None]:
        served = self._serving.to(job.key).held(holds)
        if (finding := concern_in_keyword(job.text)) is not None:
            async for event in self._say_fixed(served.model, finding):
                yield event
            return
        seen: Sequence[str] = ()
        pooled = None
        if seed is None:  # who names a seed wants that very text, and may want it again
            recent = self._stores.conversations.recent_replies(job.key, MessageKind.QUOTE, self._quote.repeat_window)
            seen, pooled = await asyncio.gather(recent, self._from_pool(served.model, job))
            while pooled is not None and Showing(seen, visible_beginning).repeats(pooled.text):
                pooled = await self._from_pool(served.model, job)
        if pooled is not None:
            self._asking.gave(pooled.text)
            yield TextDelta(pooled.text)
            yield _pooled(served.model, pooled)
            return
        await self._ahead.people_first()
        request = self._asking.quote_request(served.model, job.text, job.key.person, job.style, seed)
        wanted = self._asking.wanted_quote(served, request, job.text, seen)
        async with aclosing(self._writer.in_time(served, wanted, served.quote_choice, self._waited_s(job))) as events:
            async for event in events:
                if isinstance(event, Written):
                    self._asking.gave(event.text)
                yield event

    async def _chatting(
        self, job: AcceptedJob, seed: int | None, holds: AsyncExitStack
    ) -> AsyncGenerator[Progress, None]:
        served = self._serving.to(job.key).held(holds)
        if (finding := concern_in(job.text)) is not None:
            async for event in self._say_fixed(served.model, finding):
                yield event
            return
        await self._ahead.people_first()
        message = StoredMessage(job.message_id, None, Role.USER, MessageKind.CHAT, job.text)
        most = prompts.most_shown(served.model, self._chat.history_messages)
        # What came after the message is no part of what it asks; and another one may have started over meanwhile.
        history, seen = await asyncio.gather(
            self._stores.conversations.history(job.key, most, up_to=job.message_id),
            self._stores.conversations.recent_replies(job.key, MessageKind.CHAT, self._chat.repeat_window),
        )
        shown = history or [message]
        request = self._asking.chat_request(served.model, job.key, shown, seed)
        said = " ".join(earlier.text for earlier in shown)
        await self._ahead.people_first()
        wanted = self._asking.wanted_reply(served, request, said, seen)
        async with aclosing(self._writer.in_time(served, wanted, served.reply_choice, self._waited_s(job))) as events:
            async for event in events:
                yield event

    async def _comparing(self, job: AcceptedJob, holds: AsyncExitStack) -> AsyncGenerator[Progress, None]:
        """Two replies to one request: of two models while one is being tried out, else of one."""
        about, usual = job.about or wanted_kind(job.text, self._quote.max_keyword_chars), self._serving.usual
        finding = concern_in_keyword(job.text) if about is MessageKind.QUOTE else concern_in(job.text)
        if finding is not None:
            async for event in self._say_fixed(usual.model, finding):
                yield event
            return
        arms = [served.held(holds) for served in self._serving.all]
        requests = [self._asking.to_compare(served.model, job, about) for served in arms]
        left_s = self._deadline_s  # for all attempts together
        await self._ahead.people_first()
        for attempt in range(1, self._quote.attempts + 1):
            this_time = [replace(prompts.next_attempt(one, attempt), deadline_s=left_s) for one in requests]
            written = await _all_or_none(
                served.generator.generate_candidates(request, _TO_COMPARE // len(arms))
                for served, request in zip(arms, this_time, strict=True)
            )
            sides = [
                [Side(text, served.model.name, served.model.sha256) for one in texts if (text := _usable(one, about))]
                for served, texts in zip(arms, written, strict=True)
            ]
            if pair := two_of(sides):
                shown = side_by_side(*(side.text for side in pair))
                yield TextDelta(shown)
                record = generated(usual.model, this_time[0], attempt, written[0][0].finished)
                yield Written(shown, record, Comparison(about, *pair))
                return
            left_s -= max(one.finished.elapsed_s for texts in written for one in texts)
            if left_s <= 0:
                raise too_late(self._deadline_s)
        raise no_words()

    async def _from_pool(self, model: Model, job: AcceptedJob) -> PooledQuote | None:
        """A quote written ahead; where there is none, what is being written ahead gives way already."""
        pooled = None
        if self._quote.pool_depth and job.style is None:
            pooled = await self._stores.pool.take(job.text, model.sha256)
        if pooled is None:
            await self._ahead.people_first()
        return pooled

    async def _say_fixed(self, model: Model, finding: Finding) -> AsyncGenerator[Progress, None]:
        """What is said without asking the model."""
        finished = Finished(FinishReason.END, 0, 0, 0, 0.0, 0.0, 0.0)
        record = GenerationRecord(model.name, model.sha256, model.chat_sampling, QuoteSource.RULE, 0, finished)
        text = self._fixed_words(finding)
        yield TextDelta(text)
        yield Written(text, record)


def _pooled(model: Model, pooled: PooledQuote) -> Written:
    finished = Finished(FinishReason.END, 0, 0, pooled.tokens, 0.0, 0.0, 0.0)
    record = GenerationRecord(model.name, model.sha256, model.quote_sampling, QuoteSource.POOL, 0, finished)
    return Written(pooled.text, record)


async def _all_or_none(asked: Iterable[Coroutine[Any, Any, _T]]) -> Sequence[_T]:
    """What comes of all of them; where one fails, the others have ended too before its error is raised."""
    tasks = [asyncio.ensure_future(one) for one in asked]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


def _usable(candidate: Candidate, kind: MessageKind) -> str | None:
    """What of a text may be given as a quote, or as a reply."""
    if kind is MessageKind.QUOTE:
        return finished_quote(candidate.text)
    return finished_reply(candidate.text, candidate.finished.reason)
