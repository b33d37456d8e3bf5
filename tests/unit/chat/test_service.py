"""What a person gets for a command, and what stays on record, over a generator and a database in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.chat.canary import Canary
from bot.chat.generation import (
    Candidate,
    Finished,
    FinishReason,
    GenerationEvent,
    GenerationRequest,
    Queued,
    TextDelta,
)
from bot.chat.messages import ConversationKey, JobState, MessageKind, QuoteSource, Role, Turn, Vote, VoteSource
from bot.chat.model import Model
from bot.chat.ports import GenerationRecord, Judge, PooledQuote
from bot.chat.replies import Reply, ReplyEvent, Retracted
from bot.chat.service import ChatService, ChatStores
from bot.errors import (
    BusyError,
    DatabaseUnavailable,
    DeadlineExceeded,
    GenerationError,
    InputError,
    ModelInvalid,
    QuotesmithError,
    WorkerCrashed,
)
from bot.settings import ChatSettings, QuoteSettings
from tests.fakes import MODEL, OTHER_MODEL, FakeGenerator, FakeStore, Script, Stall, fixed_words, key_of, says

ANN, BOB = key_of("ann"), key_of("bob")
SEA, SUN, MOON = "The sea is wide and deep.", "The sun is warm today.", "The moon is far away."
RECORD = GenerationRecord(
    MODEL.name,
    MODEL.sha256,
    MODEL.quote_sampling,
    QuoteSource.GENERATED,
    1,
    Finished(FinishReason.END, 10, 0, 5, 0.0, 0.1, 1.0),
)
LIFE = [JobState.ACCEPTED, JobState.RUNNING]


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now

    def goes_on(self, seconds: float) -> None:
        self.now += seconds


class Bench:
    """A service with its fakes."""

    def __init__(
        self,
        *scripts: Script,
        store: FakeStore | None = None,
        model: Model = MODEL,
        idle: bool = True,
        chat: ChatSettings | None = None,
        quote: QuoteSettings | None = None,
        deadline_s: float = 60.0,
        at_once: int = 1,
        judge: Judge | None = None,
    ) -> None:
        self.generator = FakeGenerator(*scripts, idle=idle, at_once=at_once)
        self.store = store or FakeStore()
        self.clock = Clock()
        stores = ChatStores(self.store, self.store, self.store, self.store)
        self.service = ChatService(
            model,
            self.generator,
            stores,
            chat or ChatSettings(),
            quote or QuoteSettings(candidates=1),
            deadline_s,
            fixed_words=fixed_words,
            judge=judge,
            clock=self.clock,
        )


async def events_of(events: AsyncGenerator[ReplyEvent, None]) -> list[ReplyEvent]:
    async with aclosing(events):
        return [event async for event in events]


async def reply_of(events: AsyncGenerator[ReplyEvent, None]) -> Reply:
    """The reply, which is the last event and the only one of its kind."""
    *before, last = await events_of(events)
    assert isinstance(last, Reply)
    assert not any(isinstance(event, Reply) for event in before)
    return last


def as_seen(events: Sequence[ReplyEvent]) -> str:
    """What stands on the screen: all that was shown since the last time that it was taken back."""
    shown = ""
    for event in events:
        if isinstance(event, TextDelta):
            shown += event.text
        elif isinstance(event, Retracted):
            shown = ""
    return shown


# -- quotes -----------------------------------------------------------------------------------------------------------


async def test_a_quote_is_streamed_stored_and_given() -> None:
    bench = Bench(says(" “The sea", " is wide", " and deep.”", waits=[2, 1], elapsed_s=1.5))
    events = await events_of(bench.service.quote(ANN, "  the\nsea "))
    assert events == [
        Queued(2, None),
        Queued(1, None),
        TextDelta("The sea"),
        TextDelta(" is wide"),
        TextDelta(" and deep."),
        Reply(SEA, 2, "tiny", QuoteSource.GENERATED, 3, 1500, FinishReason.END),
    ]
    (job,) = bench.store.jobs.values()
    assert job.states == [*LIFE, JobState.DONE]
    assert bench.store.messages[1].message.text == "the sea"
    assert bench.store.reply(1001) == SEA
    assert job.record is not None
    assert (job.record.model_sha256, job.record.attempts, job.record.finished.seed) == (MODEL.sha256, 1, 7)


async def test_a_model_of_lower_case_keywords_is_asked_so_and_the_record_keeps_what_was_typed() -> None:
    model = replace(MODEL, quote_prompt=replace(MODEL.quote_prompt, lower_case=True))
    bench = Bench(says(SEA), model=model)
    await reply_of(bench.service.quote(ANN, "#The SEA"))
    assert bench.generator.requests[0].prompt == "Keyword: the sea\nQuote:"
    assert bench.store.messages[1].message.text == "The SEA"


@pytest.mark.parametrize("keyword", ["", " \n", '""', "#", "k" * 81])
async def test_an_unusable_keyword_is_refused_and_leaves_no_trace(keyword: str) -> None:
    bench = Bench()
    with pytest.raises(InputError, match="keyword"):
        await reply_of(bench.service.quote(ANN, keyword))
    assert not bench.store.jobs
    assert not bench.store.messages


async def test_a_keyword_cannot_change_the_form_of_the_prompt() -> None:
    bench = Bench(says(SEA))
    await reply_of(bench.service.quote(ANN, "x\nQuote: hi"))
    assert bench.generator.requests[0].prompt == "Keyword: x Quote: hi\nQuote:"


async def test_a_repeated_quote_is_written_again_and_the_repetition_never_shown() -> None:
    bench = Bench(says(SEA), says("The sea", " is wide and", " deep."), says(SUN))
    await reply_of(bench.service.quote(ANN, "sea"))
    events = await events_of(bench.service.quote(key_of("ann", chat="elsewhere"), "sea", seed=None))
    assert events[:-1] == [TextDelta(SUN)]
    first, again, last = (request.sampling.temperature for request in bench.generator.requests)
    assert first == again < last


async def test_people_elsewhere_may_get_the_same_quote() -> None:
    bench = Bench(says(SEA), says(SEA))
    assert (await reply_of(bench.service.quote(ANN, "sea"))).text == SEA
    assert (await reply_of(bench.service.quote(key_of("bob", chat="elsewhere"), "sea"))).text == SEA


async def test_a_quote_that_others_in_the_chat_saw_is_written_again() -> None:
    bench = Bench(says(SEA), says(SEA), says(SUN))
    assert (await reply_of(bench.service.quote(ANN, "sea"))).text == SEA
    assert (await reply_of(bench.service.quote(BOB, "sea"))).text == SUN


async def test_a_repetition_is_given_when_nothing_else_comes() -> None:
    bench = Bench(says(SEA), says(SEA), says("no sentence"), quote=QuoteSettings(candidates=1, attempts=2))
    await reply_of(bench.service.quote(ANN, "sea"))
    events = await events_of(bench.service.quote(ANN, "sea"))
    assert as_seen(events) == SEA
    assert isinstance(events[-1], Reply)
    assert events[-1].text == SEA


async def test_who_names_a_seed_may_get_the_same_quote_again() -> None:
    bench = Bench(says(SEA), says(SEA))
    for _ in range(2):
        assert (await reply_of(bench.service.quote(ANN, "sea", seed=5))).text == SEA
    assert [request.seed for request in bench.generator.requests] == [5, 5]


async def test_an_unusable_text_is_taken_back_and_tried_again() -> None:
    bench = Bench(says("The sea is"), says(SEA))
    events = await events_of(bench.service.quote(ANN, "sea"))
    assert events[:-1] == [TextDelta("The sea is"), Retracted(), TextDelta(SEA)]
    record = bench.store.jobs[1001].record
    assert record is not None
    assert record.attempts == 2


async def test_when_no_attempt_gives_a_quote_the_person_is_told() -> None:
    bench = Bench(*[says("so so so")] * 4)
    with pytest.raises(GenerationError, match="no fitting words"):
        await reply_of(bench.service.quote(ANN, "sea"))
    (job,) = bench.store.jobs.values()
    assert (job.states, bench.store.reply(1001)) == ([*LIFE, JobState.FAILED], None)
    assert job.reason.startswith("GenerationError: The model found no fitting words")
    assert len(bench.generator.requests) == 4


# -- the pool ---------------------------------------------------------------------------------------------------------


def pooled(store: FakeStore, *texts: str, sha256: str = MODEL.sha256) -> None:
    store.pool += [(PooledQuote("sea", text, 11), sha256) for text in texts]


async def test_a_pooled_quote_is_served_at_once_and_only_once() -> None:
    bench = Bench(says(SUN))
    pooled(bench.store, SEA)
    events = await events_of(bench.service.quote(ANN, " SEA "))
    assert events == [TextDelta(SEA), Reply(SEA, 2, "tiny", QuoteSource.POOL, 11, 0, FinishReason.END)]
    assert (await reply_of(bench.service.quote(BOB, "sea"))).text == SUN


async def test_the_pool_is_left_alone_when_a_seed_is_named() -> None:
    bench = Bench(says(SUN))
    pooled(bench.store, SEA)
    assert (await reply_of(bench.service.quote(ANN, "sea", seed=1))).source is QuoteSource.GENERATED
    assert len(bench.store.pool) == 1


async def test_a_quote_of_another_model_is_not_served() -> None:
    bench = Bench(says(SUN))
    pooled(bench.store, SEA, sha256=OTHER_MODEL.sha256)
    assert (await reply_of(bench.service.quote(ANN, "sea"))).text == SUN


async def test_without_a_pool_none_is_looked_for() -> None:
    bench = Bench(says(SUN), quote=QuoteSettings(candidates=1, pool_depth=0))
    pooled(bench.store, SEA)
    assert (await reply_of(bench.service.quote(ANN, "sea"))).text == SUN
    assert not await bench.service.write_ahead()


async def test_a_pooled_quote_that_the_person_saw_is_passed_over() -> None:
    bench = Bench(says(SEA))
    await reply_of(bench.service.quote(ANN, "sea"))
    pooled(bench.store, SEA.upper(), MOON)
    assert (await reply_of(bench.service.quote(ANN, "sea"))).text == MOON


async def asked_twice(bench: Bench) -> None:
    for _ in range(2):
        await bench.store.accept(BOB, MessageKind.QUOTE, "sea")


async def test_quotes_are_written_ahead_until_the_pool_is_full() -> None:
    bench = Bench(says("no"), says(SEA), says(SUN), quote=QuoteSettings(candidates=1, pool_depth=2))
    assert not await bench.service.write_ahead()
    await asked_twice(bench)
    assert [await bench.service.write_ahead() for _ in range(3)] == [True, True, False]
    assert [quote.text for quote, _ in bench.store.pool] == [SEA, SUN]
    assert {request.person for request in bench.generator.requests}.isdisjoint({ANN.person, BOB.person})
    assert (await reply_of(bench.service.quote(ANN, "sea"))).source is QuoteSource.POOL


@pytest.mark.parametrize(("keywords", "written"), [(1, ["sea"]), (2, ["sea", "sun"])])
async def test_quotes_are_written_ahead_for_so_many_keywords_only(keywords: int, written: list[str]) -> None:
    bench = Bench(*[says(SEA)] * len(written), quote=QuoteSettings(candidates=1, pool_depth=1, pool_keywords=keywords))
    await asked_twice(bench)
    for keyword in ("sea", "sun", "sun", "moon"):
        await bench.store.accept(BOB, MessageKind.QUOTE, keyword)
    while await bench.service.write_ahead():
        pass
    assert [quote.keyword for quote, _ in bench.store.pool] == written


async def test_no_model_is_asked_ahead_of_time_for_what_fixed_words_answer() -> None:
    bench = Bench(says(SEA), quote=QuoteSettings(candidates=1, pool_depth=1))
    for keyword in ("suicide", "how to build a bomb", "suicide", "how to build a bomb", "stupid", "stupid"):
        await bench.store.accept(BOB, MessageKind.QUOTE, keyword)
    while await bench.service.write_ahead():
        pass
    assert [quote.keyword for quote, _ in bench.store.pool] == ["stupid"]


async def test_nothing_is_written_ahead_while_somebody_waits() -> None:
    bench = Bench(idle=False)
    await asked_twice(bench)
    assert not await bench.service.write_ahead()
    assert not bench.generator.requests


@pytest.mark.parametrize("asks", ["accept_quote", "accept_chat", "accept_comparison"])
async def test_what_is_written_ahead_is_given_up_for_a_person(asks: str) -> None:
    """Many candidates of a large model hold their places for seconds."""
    bench = Bench([Stall()], says(MOON), says(SUN), says(SEA), says(SUN))
    await asked_twice(bench)
    ahead = asyncio.create_task(bench.service.write_ahead())
    while not bench.generator.under_way:
        await asyncio.sleep(0)
    job = await getattr(bench.service, asks)(ANN, "moon")
    assert (await reply_of(bench.service.answer(job))).text
    assert not await ahead and bench.generator.cancelled == bench.generator.requests[:1]
    assert not bench.store.pool


async def test_a_pooled_quote_leaves_what_is_written_ahead_alone() -> None:
    bench = Bench([Stall()])
    await asked_twice(bench)
    pooled(bench.store, MOON)
    ahead = asyncio.create_task(bench.service.write_ahead())
    while not bench.generator.under_way:
        await asyncio.sleep(0)
    assert (await reply_of(bench.service.quote(ANN, "sea"))).text == MOON
    assert not ahead.done()
    ahead.cancel()
    with pytest.raises(asyncio.CancelledError):
        await ahead
    assert bench.generator.cancelled == bench.generator.requests


async def test_a_failure_to_write_ahead_is_told_and_pools_nothing() -> None:
    bench = Bench([BusyError("Too many people wait; try again later.")])
    await asked_twice(bench)
    with pytest.raises(BusyError):
        await bench.service.write_ahead()
    assert not bench.store.pool


async def asked_for_sea_and_sun(bench: Bench) -> None:
    await asked_twice(bench)
    for keyword in ("sun", "sun", "sea"):
        await bench.store.accept(BOB, MessageKind.QUOTE, keyword)


def keywords_of(bench: Bench) -> list[str]:
    """What was asked of the model, in order."""
    return [(request.prompt or "").split("\n")[0].removeprefix("Keyword: ") for request in bench.generator.requests]


@pytest.mark.parametrize("nothing_new", [says(SEA), says("no")])
async def test_a_keyword_that_nothing_new_comes_of_keeps_no_other_from_being_written_ahead(
    nothing_new: Script, caplog: pytest.LogCaptureFixture
) -> None:
    """As with a model that draws nothing by lot: it has one quote on each keyword."""
    scripts = says(SEA), nothing_new, says(SUN), says(MOON), nothing_new, nothing_new
    bench = Bench(*scripts, quote=QuoteSettings(candidates=1, attempts=1, pool_depth=2))
    await asked_for_sea_and_sun(bench)
    assert [await bench.service.write_ahead() for _ in range(4)] == [True, True, True, False]
    assert keywords_of(bench) == ["sea", "sea", "sun", "sun"]
    assert [quote.text for quote, _ in bench.store.pool] == [SEA, SUN, MOON]
    for goes_on_s, asked in ((301.0, 5), (301.0, 5), (300.0, 6)):  # twice as long the second time
        bench.clock.goes_on(goes_on_s)
        assert not await bench.service.write_ahead()
        assert len(bench.generator.requests) == asked
    assert len(caplog.records) == 1 and "sea" not in caplog.text


async def test_a_keyword_that_something_new_came_of_at_last_is_tried_at_once_again() -> None:
    bench = Bench(*map(says, (SEA, SEA, SUN, MOON)), quote=QuoteSettings(candidates=1, pool_depth=3))
    await asked_twice(bench)
    assert [await bench.service.write_ahead() for _ in range(2)] == [True, False]
    bench.clock.goes_on(301.0)
    assert [await bench.service.write_ahead() for _ in range(3)] == [True, True, False]


async def test_where_the_worker_dies_of_a_keyword_the_others_are_still_written_ahead() -> None:
    bench = Bench([WorkerCrashed("It died.")], says(SUN), quote=QuoteSettings(candidates=1, pool_depth=1))
    await asked_for_sea_and_sun(bench)
    with pytest.raises(WorkerCrashed):
        await bench.service.write_ahead()
    assert await bench.service.write_ahead()
    assert [quote.keyword for quote, _ in bench.store.pool] == ["sun"]


# -- the choice among several -----------------------------------------------------------------------------------------


class Favours(Judge):
    """A judge that prefers texts with a word."""

    of_readers = of_replies = False

    def __init__(self, word: str) -> None:
        self.word = word

    def scores(self, keyword: str, candidates: Sequence[Candidate]) -> Sequence[float]:
        return [5.0 * (self.word in candidate.text) for candidate in candidates]

    def reply_scores(self, candidates: Sequence[Candidate]) -> Sequence[float]:
        return self.scores("", candidates)

    def is_copy(self, quote: str) -> bool:
        return False

    def unknown_words(self, asked: str, text: str) -> int:
        return 0


class KnowsNoWordBut(Favours):
    """A judge of a model that learned these words, and takes those that it was asked with for no inventions."""

    def __init__(self, *words: str) -> None:
        super().__init__("")
        self._known = set(words)

    def unknown_words(self, asked: str, text: str) -> int:
        known = self._known | {word.strip(".?").lower() for word in asked.split()}
        return sum(word.strip(".?").lower() not in known for word in text.split())


async def test_the_best_of_several_is_given_and_nothing_of_the_others_is_seen() -> None:
    bench = Bench(says(SUN), says("no"), says(SEA), quote=QuoteSettings(candidates=3), at_once=16)
    events = await events_of(bench.service.quote(ANN, "sea"))
    assert as_seen(events) == SEA
    assert len(events) == 2
    assert isinstance(events[1], Reply)
    assert bench.store.reply(1001) == SEA


async def test_the_likeliest_of_several_replies_is_given_at_once() -> None:
    bench = Bench(says("Hello?", nats=9.0), says("Hi", " Ann!", nats=4.0), chat=ChatSettings(candidates=2), at_once=16)
    events = await events_of(bench.service.chat(ANN, "hi"))
    assert as_seen(events) == "Hi Ann!" and len(events) == 2
    assert all(request.likelihood and request.conversation for request in bench.generator.requests)


async def test_a_reply_that_the_person_saw_is_no_choice() -> None:
    scripts = says("Hi!"), says("Hi!", nats=2.0), says("Good to see you.", nats=9.0)
    bench = Bench(*scripts, chat=ChatSettings(candidates=2), at_once=1)
    await reply_of(bench.service.chat(ANN, "hi"))
    bench.generator.at_once = 2
    assert (await reply_of(bench.service.chat(ANN, "hi"))).text == "Good to see you."


async def test_a_reply_of_a_model_too_slow_for_a_choice_is_shown_while_it_is_written() -> None:
    bench = Bench(says("Hi", " Ann!"), at_once=1)
    events = await events_of(bench.service.chat(ANN, "hi"))
    assert [event.text for event in events if isinstance(event, TextDelta)] == ["Hi", " Ann!"]


async def test_the_judge_has_a_say() -> None:
    bench = Bench(says(SUN), says(MOON), quote=QuoteSettings(candidates=2), at_once=16, judge=Favours("moon"))
    assert (await reply_of(bench.service.quote(ANN, "sky"))).text == MOON


@pytest.mark.parametrize("of_readers", [True, False])
async def test_only_a_judge_that_reads_states_is_told_them(of_readers: bool) -> None:
    judge = Favours("moon")
    judge.of_readers = of_readers
    bench = Bench(says(SUN), says(MOON), quote=QuoteSettings(candidates=2), at_once=16, judge=judge)
    assert (await reply_of(bench.service.quote(ANN, "sky"))).text == MOON
    assert {request.states for request in bench.generator.requests} == {of_readers}


@pytest.mark.parametrize("of_replies", [True, False])
async def test_a_judge_of_replies_chooses_them_by_states(of_replies: bool) -> None:
    judge = Favours("Ann")
    judge.of_replies = of_replies
    scripts = says("Hello?", nats=4.0), says("Hi Ann!", nats=9.0)
    bench = Bench(*scripts, chat=ChatSettings(candidates=2), at_once=16, judge=judge)
    assert (await reply_of(bench.service.chat(ANN, "hi"))).text == ("Hi Ann!" if of_replies else "Hello?")
    assert {request.states for request in bench.generator.requests} == {of_replies}


async def test_the_next_model_brings_its_own_judge() -> None:
    bench = Bench(quote=QuoteSettings(candidates=2), at_once=16, judge=Favours("moon"))
    bench.service.serve(OTHER_MODEL, FakeGenerator(says(SUN), says(MOON), at_once=2), Favours("sun"))
    assert (await reply_of(bench.service.quote(ANN, "sky"))).text == SUN


def canary_with(*people: ConversationKey, of: Sequence[ConversationKey]) -> Canary:
    """A canary that exactly these people take part in."""
    for number in range(1_000):
        begun = datetime(2026, 11, 27, tzinfo=UTC)
        canary = Canary("other", OTHER_MODEL.sha256, MODEL.name, MODEL.sha256, 0.5, str(number), begun)
        if [key for key in of if canary.takes_part(key)] == list(people):
            return canary
    raise AssertionError("no salt draws these people")


async def test_who_takes_part_in_a_canary_is_answered_by_the_new_model_until_it_ends() -> None:
    bench, new = Bench(says(SUN), says(SEA)), FakeGenerator(says(MOON))
    bench.service.try_out(canary_with(BOB, of=[ANN, BOB]), OTHER_MODEL, new)
    assert (await reply_of(bench.service.quote(ANN, "sky"))).model == MODEL.name
    assert (await reply_of(bench.service.quote(BOB, "sky"))).model == OTHER_MODEL.name
    assert bench.service.model is MODEL
    bench.service.end_canary()
    assert (await reply_of(bench.service.quote(BOB, "sky"))).text == SEA


class Unloaded(FakeGenerator):
    """A model that another one takes the place of: it is gone as soon as nobody holds it."""

    async def generate(self, request: GenerationRequest) -> AsyncGenerator[GenerationEvent, None]:
        if not self.holders:
            raise WorkerCrashed("It is not loaded any more.")
        async with aclosing(super().generate(request)) as events:
            async for event in events:
                yield event


@pytest.mark.parametrize(
    ("asks", "scripts"),
    [
        ("accept_quote", [says("so so so")] * 3 + [says(SUN)]),
        ("accept_chat", [says("")] * 3 + [says("The sun.")]),
        ("accept_comparison", [says("so so so")] * 7 + [says(SUN)] * 2 + [says(MOON)] * 3),
    ],
)
async def test_a_request_ends_with_the_model_that_it_began_with(asks: str, scripts: Sequence[Script]) -> None:
    """Also between two calls, and where a choice gave nothing and one more is written."""
    several = ChatSettings(candidates=2), QuoteSettings(candidates=2)
    bench, old = Bench(chat=several[0], quote=several[1]), Unloaded(*scripts, at_once=2)
    bench.service.serve(MODEL, old)
    job = await getattr(bench.service, asks)(ANN, "sun")
    bench.store.before["recent_replies"] = lambda: bench.service.serve(OTHER_MODEL, FakeGenerator())
    assert (await reply_of(bench.service.answer(job))).model == MODEL.name
    assert old.holders == 0 and len(old.requests) > 3


@pytest.mark.parametrize("step", [Stall(), WorkerCrashed("The model is gone.")])
async def test_nobody_holds_a_model_whose_text_was_given_up(step: Stall | WorkerCrashed) -> None:
    bench = Bench([TextDelta("The sea"), step])
    async with aclosing(bench.service.quote(ANN, "sea")) as events:
        assert await anext(events) == TextDelta("The sea")
        assert bench.generator.holders == 1
        if isinstance(step, WorkerCrashed):
            with pytest.raises(WorkerCrashed):
                await anext(events)
    assert bench.generator.holders == 0


async def test_a_promoted_model_answers_everybody() -> None:
    bench, new = Bench(), FakeGenerator(says(SUN))
    bench.service.try_out(canary_with(BOB, of=[ANN, BOB]), OTHER_MODEL, new)
    bench.service.end_canary(promoted=True)
    assert (await reply_of(bench.service.quote(ANN, "sky"))).model == OTHER_MODEL.name == bench.service.model.name


async def test_during_a_canary_a_comparison_shows_one_reply_of_each_model() -> None:
    bench, new = Bench(says(SUN), says(SUN)), FakeGenerator(says(MOON), says(MOON))
    bench.service.try_out(canary_with(of=[ANN]), OTHER_MODEL, new)
    job = await bench.service.accept_comparison(ANN, "sky")
    await events_of(bench.service.answer(job))
    (comparison,) = bench.store.comparisons.values()
    assert {(side.text, side.model_name) for side in (comparison.left, comparison.right)} == {
        (SUN, MODEL.name),
        (MOON, OTHER_MODEL.name),
    }


@pytest.mark.parametrize("fails", [WorkerCrashed("The model is gone."), asyncio.CancelledError()])
async def test_where_one_model_of_a_comparison_fails_nothing_is_asked_of_the_other_any_more(
    fails: BaseException,
) -> None:
    bench, new = Bench([TextDelta("The sea"), fails]), FakeGenerator([TextDelta("The moon"), Stall()])
    bench.service.try_out(canary_with(of=[ANN]), OTHER_MODEL, new)
    job = await bench.service.accept_comparison(ANN, "sky")
    with pytest.raises(type(fails)):
        await events_of(bench.service.answer(job))
    assert len(new.requests) == 1 and new.cancelled == new.requests and not new.under_way


async def test_quotes_are_written_ahead_by_both_models_of_a_canary() -> None:
    bench = Bench(says(SUN), says(SEA), says(MOON), quote=QuoteSettings(pool_depth=1, candidates=1))
    new = FakeGenerator(says(MOON), says(SEA))
    for key in (ANN, BOB):
        await reply_of(bench.service.quote(key, "sky"))
    bench.service.try_out(canary_with(BOB, of=[ANN, BOB]), OTHER_MODEL, new)
    assert await bench.service.write_ahead() and await bench.service.write_ahead()
    assert (await reply_of(bench.service.quote(BOB, "sky"))).source is QuoteSource.POOL


async def test_a_quote_that_the_person_saw_is_no_choice() -> None:
    bench = Bench(says(SEA), *[says(SEA), says(SUN)] * 1, quote=QuoteSettings(candidates=2), at_once=1)
    await reply_of(bench.service.quote(ANN, "sea"))
    bench.generator.at_once = 2
    assert (await reply_of(bench.service.quote(ANN, "sea"))).text == SUN


async def test_of_several_the_quote_that_names_an_emoji_is_given() -> None:
    model = replace(MODEL, quote_prompt=replace(MODEL.quote_prompt, bare=True))
    bench = Bench(says(SEA), says(MOON), says(SUN), model=model, quote=QuoteSettings(candidates=3), at_once=3)
    assert (await reply_of(bench.service.quote(ANN, "🌑"))).text == MOON
    assert bench.generator.requests[0].prompt == "Keyword: new moon\nQuote:"


async def test_of_several_the_quote_whose_turns_others_read_less_often_is_given() -> None:
    gone = "{} was gone before the guests came."
    before = [says(gone.format(word)) for word in ("Cake", "Tea", "Snow")]
    texts = [*before, says(gone.format("Rain")), says("Rain fills the old river.")]
    bench = Bench(*texts, quote=QuoteSettings(candidates=2), at_once=1)
    for word in ("cake", "tea", "snow"):
        await reply_of(bench.service.quote(key_of("somebody", "elsewhere"), word))
    bench.generator.at_once = 2
    assert (await reply_of(bench.service.quote(ANN, "rain"))).text == "Rain fills the old river."


async def test_where_none_of_several_can_be_used_one_more_is_written() -> None:
    bench = Bench(says("no"), says("no"), says(SEA), quote=QuoteSettings(candidates=2), at_once=2)
    assert as_seen(await events_of(bench.service.quote(ANN, "sea"))) == SEA


async def test_there_are_fewer_candidates_where_there_is_time_for_fewer() -> None:
    bench = Bench(*[says(SEA)] * 3, quote=QuoteSettings(candidates=16), at_once=3)
    await reply_of(bench.service.quote(ANN, "sea"))
    assert len(bench.generator.requests) == 3


@pytest.mark.parametrize("asks", ["accept_quote", "accept_chat"])
@pytest.mark.parametrize(("database_s", "left_s"), [(0.0, 1.0), (0.1, 0.8), (2.0, 0.5)])
async def test_what_the_database_takes_before_a_choice_is_of_its_time(
    asks: str, database_s: float, left_s: float
) -> None:
    several = ChatSettings(candidates=2, choice_s=1.0), QuoteSettings(candidates=2, choice_s=1.0)
    bench = Bench(says(SUN), says(SEA), chat=several[0], quote=several[1], at_once=2)
    for call in ("accept", "recent_replies"):
        bench.store.before[call] = lambda: bench.clock.goes_on(database_s)
    job = await getattr(bench.service, asks)(ANN, "sky")
    await reply_of(bench.service.answer(job))
    assert bench.generator.within == pytest.approx([left_s])


async def test_what_an_earlier_process_took_has_the_full_time_of_a_choice() -> None:
    bench = Bench(says(SUN), says(SEA), quote=QuoteSettings(candidates=2, choice_s=1.0), at_once=2)
    job = await bench.store.accept(ANN, MessageKind.QUOTE, "sky")
    bench.clock.goes_on(90.0)
    await reply_of(bench.service.answer(job))
    assert bench.generator.within == [1.0]


async def test_a_text_that_ended_as_the_choice_was_made_makes_the_next_one_no_smaller() -> None:
    first = [says(text, elapsed_s=0.3) for text in (SUN, SEA, "Rain falls on roofs.")]
    second = [says(text) for text in ("A hill is quiet.", "Snow is patient.", "Tea is kind.", "Bread is slow.")]
    settings = QuoteSettings(candidates=4, choice_s=0.4)
    bench = Bench(*first, says(MOON, elapsed_s=0.401), *second, quote=settings, at_once=4)
    for _ in range(2):
        await reply_of(bench.service.quote(ANN, "sky"))
    assert len(bench.generator.requests) == 8


async def test_who_names_a_seed_gets_the_text_of_that_seed() -> None:
    bench = Bench(says(SUN), quote=QuoteSettings(candidates=16), at_once=16)
    assert (await reply_of(bench.service.quote(ANN, "sea", seed=5))).text == SUN
    assert [request.seed for request in bench.generator.requests] == [5]


async def test_quotes_ahead_have_the_whole_choice() -> None:
    bench = Bench(says(SUN), says(SEA), quote=QuoteSettings(candidates=2, choice_s=0, pool_depth=1))
    await asked_twice(bench)
    assert await bench.service.write_ahead()
    assert [quote.text for quote, _ in bench.store.pool] == [SEA]


# -- what no model answers --------------------------------------------------------------------------------------------


async def test_a_crisis_is_answered_before_any_model_is_asked() -> None:
    bench = Bench()
    reply = await reply_of(bench.service.chat(ANN, "i want to die"))
    assert (reply.text, reply.source) == ("[crisis en]", QuoteSource.RULE)
    assert bench.store.reply(1001) == "[crisis en]"
    assert not bench.generator.requests


async def test_a_keyword_may_be_a_crisis_too() -> None:
    bench = Bench()
    pooled(bench.store, SEA)
    assert (await reply_of(bench.service.quote(ANN, "how to kill myself"))).text == "[crisis en]"


async def test_a_quote_on_a_rude_word_is_a_quote() -> None:
    bench = Bench(says("Nobody is stupid all day long."))
    assert (await reply_of(bench.service.quote(ANN, "stupid"))).source is QuoteSource.GENERATED


async def test_an_insult_gets_the_boundary_and_the_talk_goes_on() -> None:
    bench = Bench(says("Hello."))
    assert (await reply_of(bench.service.chat(ANN, "du bist so dumm"))).text == "[insult de]"
    assert (await reply_of(bench.service.chat(ANN, "sorry, hello"))).text == "Hello."


# -- chat -------------------------------------------------------------------------------------------------------------


async def test_the_model_sees_the_conversation_and_nobody_elses() -> None:
    bench = Bench(says("Hello", " Ann."), says("Hi Bob."), says("Fine."))
    assert (await reply_of(bench.service.chat(ANN, " Hi "))).text == "Hello Ann."
    await reply_of(bench.service.chat(BOB, "Good morning"))
    await reply_of(bench.service.chat(ANN, "How are you?"))
    system, *turns = bench.generator.requests[-1].turns
    assert system == Turn(Role.SYSTEM, ChatSettings().system_prompt)
    assert turns == [
        Turn(Role.USER, "Hi"),
        Turn(Role.ASSISTANT, "Hello Ann."),
        Turn(Role.USER, "How are you?"),
    ]
    assert bench.store.states == [JobState.DONE] * 3


@pytest.mark.parametrize(("text", "why"), [(" \n", "needs some text"), ("x" * 10_001, "at most 10000 .* has 10001")])
async def test_an_unusable_message_is_refused_and_leaves_no_trace(text: str, why: str) -> None:
    bench = Bench()
    with pytest.raises(InputError, match=why):
        await reply_of(bench.service.chat(ANN, text))
    assert not bench.store.messages


async def test_after_start_over_the_model_knows_nothing_of_before() -> None:
    bench = Bench(says("Hello."), says("Who are you?"))
    await reply_of(bench.service.chat(ANN, "I am Ann."))
    await bench.service.start_over(ANN)
    await reply_of(bench.service.chat(ANN, "Who am I?"))
    assert bench.generator.requests[-1].turns[1:] == (Turn(Role.USER, "Who am I?"),)


@pytest.mark.parametrize("history_messages", [0, 200])
async def test_the_message_itself_is_always_answered(history_messages: int) -> None:
    bench = Bench(says("Hello."), chat=ChatSettings(history_messages=history_messages))
    bench.store.before["history"] = lambda: bench.store.begin_anew(ANN)
    await reply_of(bench.service.chat(ANN, "Are you there?"))
    assert bench.generator.requests[0].turns[-1] == Turn(Role.USER, "Are you there?")


NEWEST_ALONE = replace(MODEL, history_messages=1)


async def test_a_model_of_the_newest_message_sees_it_alone_and_the_conversation_is_kept() -> None:
    bench = Bench(says("Hello."), says("Fine."), model=NEWEST_ALONE)
    await reply_of(bench.service.chat(ANN, "Hi"))
    await reply_of(bench.service.chat(ANN, "How are you?"))
    assert bench.generator.requests[-1].turns[1:] == (Turn(Role.USER, "How are you?"),)
    kept = [message.text for message in await bench.store.history(ANN, 9)]
    assert kept == ["Hi", "Hello.", "How are you?", "Fine."]


@pytest.mark.parametrize(
    ("allowed", "of_the_model", "shown"),
    [
        (200, None, ["1", "one", "2", "two", "3"]),
        (200, 4, ["2", "two", "3"]),  # the fourth is a reply to what is not shown
        (200, 3, ["2", "two", "3"]),
        (3, 200, ["2", "two", "3"]),
        (200, 1, ["3"]),
        (1, 3, ["3"]),
        (0, 3, ["3"]),
    ],
)
async def test_the_smaller_of_what_is_allowed_and_what_the_model_is_shown_applies(
    allowed: int, of_the_model: int | None, shown: list[str]
) -> None:
    model = replace(MODEL, history_messages=of_the_model)
    bench = Bench(says("one"), says("two"), says("three"), model=model, chat=ChatSettings(history_messages=allowed))
    for said in ("1", "2", "3"):
        await reply_of(bench.service.chat(ANN, said))
    assert [turn.content for turn in bench.generator.requests[-1].turns[1:]] == shown


@pytest.mark.parametrize(("history_messages", "shown"), [(1, ["1"]), (3, ["0", "zero", "1"])])
async def test_another_reply_to_a_message_is_asked_for_with_what_came_before_it(
    history_messages: int, shown: list[str]
) -> None:
    model = replace(MODEL, history_messages=history_messages)
    bench = Bench(says("zero"), says("one"), says("two"), says("uno"), model=model)
    for said in ("0", "1", "2"):
        await reply_of(bench.service.chat(ANN, said))
    again = await bench.service.accept_again(ANN, 1002)
    assert (await reply_of(bench.service.answer(again))).text == "uno"
    assert [turn.content for turn in bench.generator.requests[-1].turns[1:]] == shown


@pytest.mark.parametrize(("model", "chosen"), [(MODEL, "Glorf and Ada."), (NEWEST_ALONE, "A cat.")])
async def test_replies_are_chosen_by_what_the_model_was_shown(model: Model, chosen: str) -> None:
    judge = KnowsNoWordBut("a", "and", "cat")
    scripts = says("Hello."), says("Glorf and Ada.", nats=1.0), says("A cat.", nats=2.0)
    bench = Bench(*scripts, model=model, chat=ChatSettings(candidates=2), judge=judge)
    await reply_of(bench.service.chat(ANN, "Glorf is Ada"))
    bench.generator.at_once = 2
    assert (await reply_of(bench.service.chat(ANN, "Who sits there?"))).text == chosen


async def test_a_model_that_is_tried_out_is_shown_what_its_own_manifest_says() -> None:
    bench = Bench(says("Hello."), says("Fine."))
    tried = FakeGenerator(says("Hi."), says("Well."))
    bench.service.try_out(canary_with(BOB, of=[ANN, BOB]), replace(OTHER_MODEL, history_messages=1), tried)
    for key in (ANN, BOB):
        await reply_of(bench.service.chat(key, "Hi"))
        await reply_of(bench.service.chat(key, "How are you?"))
    assert [len(requests[-1].turns) for requests in (bench.generator.requests, tried.requests)] == [4, 2]


async def test_a_message_that_came_later_is_answered_on_its_own() -> None:
    bench = Bench(says("First."), says("Second."))
    first, second = bench.service.chat(ANN, "one"), bench.service.chat(ANN, "two")
    replies = await asyncio.gather(reply_of(first), reply_of(second))
    assert {reply.text for reply in replies} == {"First.", "Second."}
    assert bench.generator.requests[0].turns[-1].content == "one"
    assert bench.store.states == [JobState.DONE] * 2


async def test_a_quote_in_between_is_no_part_of_the_conversation() -> None:
    bench = Bench(says("Hello."), says(SEA), says("Fine."))
    await reply_of(bench.service.chat(ANN, "Hi"))
    await reply_of(bench.service.quote(ANN, "sea"))
    await reply_of(bench.service.chat(ANN, "How are you?"))
    assert SEA not in [turn.content for turn in bench.generator.requests[-1].turns]


async def test_an_empty_reply_is_tried_again() -> None:
    bench = Bench(says(" ", "\n"), says("Here I am."))
    events = await events_of(bench.service.chat(ANN, "Hello?"))
    assert events[:-1] == [TextDelta("Here I am.")]


async def test_a_reply_that_was_cut_off_says_so_on_screen_too() -> None:
    bench = Bench(says("It was a long", " day and", reason=FinishReason.LENGTH))
    events = await events_of(bench.service.chat(ANN, "Tell me."))
    assert as_seen(events) == "It was a long day and …"
    assert isinstance(events[-1], Reply)
    assert (events[-1].text, events[-1].reason) == ("It was a long day and …", FinishReason.LENGTH)


# -- deadlines, cancelling, errors ------------------------------------------------------------------------------------


async def test_all_attempts_together_have_the_one_deadline() -> None:
    bench = Bench(says("no", elapsed_s=20.0), says("no", elapsed_s=15.0), says(SEA), deadline_s=60.0)
    await reply_of(bench.service.quote(ANN, "sea"))
    assert [request.deadline_s for request in bench.generator.requests] == [60.0, 40.0, 25.0]


async def test_what_a_choice_took_is_of_that_deadline_too() -> None:
    scripts = says("no", elapsed_s=10.0), says("no", elapsed_s=25.0), says(SEA)
    bench = Bench(*scripts, quote=QuoteSettings(candidates=2), at_once=16, deadline_s=60.0)
    assert (await reply_of(bench.service.quote(ANN, "sea"))).text == SEA
    assert [request.deadline_s for request in bench.generator.requests] == [60.0, 60.0, 35.0]
    late = Bench(*[says("no", elapsed_s=60.5)] * 2, quote=QuoteSettings(candidates=2), at_once=16, deadline_s=60.0)
    with pytest.raises(DeadlineExceeded, match="not ready within 60 seconds"):
        await reply_of(late.service.quote(ANN, "sea"))


@pytest.mark.parametrize(
    "script",
    [
        says("no", reason=FinishReason.DEADLINE, elapsed_s=1.0),
        says(reason=FinishReason.DEADLINE, elapsed_s=60.0),
        says("no", elapsed_s=60.5),
    ],
)
async def test_when_the_time_is_up_there_is_no_further_attempt(script: Script) -> None:
    bench = Bench(script, deadline_s=60.0)
    with pytest.raises(DeadlineExceeded, match="not ready within 60 seconds"):
        await reply_of(bench.service.quote(ANN, "sea"))
    assert bench.store.jobs[1001].states == [*LIFE, JobState.FAILED]


async def test_what_was_written_by_the_deadline_is_given() -> None:
    bench = Bench(says(SEA, " And", reason=FinishReason.DEADLINE), says("I thi", reason=FinishReason.DEADLINE))
    quote = await events_of(bench.service.quote(ANN, "sea"))
    assert (as_seen(quote), bench.store.reply(1001)) == (SEA, SEA)
    assert (await reply_of(bench.service.chat(ANN, "Well?"))).text == "I thi …"


@pytest.mark.parametrize(
    "error",
    [
        BusyError("Too many people wait; try again later."),
        GenerationError("The prompt is too long."),
        WorkerCrashed("The model stopped three times over this message."),
        ModelInvalid("The model's chat template refuses this conversation."),
    ],
)
@pytest.mark.parametrize("before", [(), ("The sea",)])
async def test_an_error_of_the_model_reaches_the_person_and_the_record(
    error: QuotesmithError, before: tuple[str, ...]
) -> None:
    bench = Bench([*map(TextDelta, before), error])
    with pytest.raises(type(error)) as raised:
        await reply_of(bench.service.chat(ANN, "Hi"))
    assert raised.value is error
    (job,) = bench.store.jobs.values()
    assert (job.states, job.reason) == ([*LIFE, JobState.FAILED], f"{type(error).__name__}: {error}")


@pytest.mark.parametrize("call", ["start", "history", "recent_replies", "complete"])
async def test_a_failing_database_fails_the_job(call: str) -> None:
    bench = Bench(says("Hello."))
    bench.store.unavailable.add(call)
    with pytest.raises(DatabaseUnavailable):
        await reply_of(bench.service.chat(ANN, "Hi"))
    assert bench.store.states == [JobState.FAILED]
    assert bench.store.reply(1001) is None


async def test_without_a_record_nothing_is_written() -> None:
    bench = Bench()
    bench.store.unavailable.add("accept")
    with pytest.raises(DatabaseUnavailable):
        await reply_of(bench.service.quote(ANN, "sea"))
    assert not bench.generator.requests


class Locked(FakeStore):
    """A database that another program keeps from being written, until the test opens it."""

    def __init__(self) -> None:
        super().__init__()
        self.open = asyncio.Event()

    async def start(self, job_id: int) -> None:
        await self.open.wait()
        await super().start(job_id)


async def test_the_model_writes_while_the_start_is_put_on_record_and_nothing_is_shown_before() -> None:
    store = Locked()
    bench = Bench(says(SEA), store=store)
    events: list[ReplyEvent] = []

    async def follow() -> None:
        async for event in bench.service.quote(ANN, "sea"):
            events.append(event)

    following = asyncio.create_task(follow())
    for _ in range(99):
        await asyncio.sleep(0)
    assert bench.generator.requests and not events and store.states == [JobState.ACCEPTED]
    store.open.set()
    await following
    assert as_seen(events) == SEA and store.jobs[1001].states == [*LIFE, JobState.DONE]


async def test_who_leaves_before_the_start_is_on_record_leaves_no_job_behind() -> None:
    store = Locked()
    bench = Bench([Stall()], store=store)
    task = asyncio.create_task(reply_of(bench.service.quote(ANN, "sea")))
    while not bench.generator.under_way:
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.sleep(0)
    store.open.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert store.jobs[1001].states == [*LIFE, JobState.CANCELLED]


async def test_what_is_written_ahead_gives_way_while_the_database_is_still_read() -> None:
    bench = Bench([Stall()], says("Hello."))
    await asked_twice(bench)
    ahead = asyncio.create_task(bench.service.write_ahead())
    while not bench.generator.under_way:
        await asyncio.sleep(0)
    given_up: list[bool] = []
    bench.store.before["history"] = lambda: given_up.append(bool(bench.generator.cancelled))
    await reply_of(bench.service.chat(ANN, "hi"))
    assert given_up == [True] and not await ahead


async def test_who_leaves_in_the_middle_cancels_the_writing() -> None:
    bench = Bench([TextDelta("The sea"), Stall()])
    async with aclosing(bench.service.quote(ANN, "sea")) as events:
        assert await anext(events) == TextDelta("The sea")
    assert bench.store.jobs[1001].states == [*LIFE, JobState.CANCELLED]
    assert bench.generator.cancelled == bench.generator.requests
    assert bench.generator.idle


@pytest.mark.parametrize("kind", MessageKind)
async def test_a_cancelled_task_cancels_the_writing(kind: MessageKind) -> None:
    bench = Bench([Queued(1, None), TextDelta("The sea"), Stall()])
    shown = asyncio.Event()

    async def follow() -> None:
        asked = bench.service.quote(ANN, "sea") if kind is MessageKind.QUOTE else bench.service.chat(ANN, "sea")
        async with aclosing(asked) as events:
            async for event in events:
                if isinstance(event, TextDelta):
                    shown.set()

    task = asyncio.create_task(follow())
    await shown.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    (job,) = bench.store.jobs.values()
    assert (job.states, job.reason) == ([*LIFE, JobState.CANCELLED], "given up by the person")
    assert bench.generator.cancelled == bench.generator.requests


@pytest.mark.parametrize(
    ("call", "unavailable", "end"),
    [
        ("start", False, JobState.CANCELLED),
        ("recent_replies", False, JobState.CANCELLED),
        ("complete", False, JobState.DONE),
        ("complete", True, JobState.FAILED),
    ],
)
async def test_wherever_a_task_is_cancelled_its_job_comes_to_an_end(
    call: str, unavailable: bool, end: JobState
) -> None:
    bench = Bench(says(SEA))
    bench.store.unavailable |= {call} if unavailable else set()
    bench.store.pauses = 9  # longer than a cancelled task takes to end on its own
    task = asyncio.create_task(reply_of(bench.service.quote(ANN, "sea")))
    bench.store.before[call] = task.cancel
    with pytest.raises(asyncio.CancelledError):
        await task
    (job,) = bench.store.jobs.values()
    assert job.state is end
    assert (bench.store.reply(1001) is not None) == (end is JobState.DONE)


@pytest.mark.parametrize("leaves_with_it", [False, True])
async def test_who_gives_up_while_the_reply_is_put_on_record_is_told_it_and_then_ends(leaves_with_it: bool) -> None:
    bench = Bench(says(SEA))
    told: list[Reply] = []

    async def follow() -> None:
        async with aclosing(bench.service.quote(ANN, "sea")) as events:
            async for event in events:
                told.extend([event] if isinstance(event, Reply) else [])
                if told and leaves_with_it:
                    return

    task = asyncio.create_task(follow())
    bench.store.before["complete"] = task.cancel
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [reply.text for reply in told] == [bench.store.reply(1001)]


async def test_a_generation_that_was_cancelled_elsewhere_gives_no_reply() -> None:
    bench = Bench(says(SEA, reason=FinishReason.CANCELLED))
    with pytest.raises(asyncio.CancelledError):
        await reply_of(bench.service.quote(ANN, "sea"))
    assert bench.store.states == [JobState.CANCELLED]


# -- votes and delivery -----------------------------------------------------------------------------------------------


async def test_a_vote_counts_for_the_last_reply_or_for_the_one_named() -> None:
    bench = Bench(says("Hello."), says(SEA))
    chat = await reply_of(bench.service.chat(ANN, "Hi"))
    quote = await reply_of(bench.service.quote(ANN, "sea"))
    await bench.service.vote(ANN, Vote.UP, VoteSource.COMMAND)
    await bench.service.vote(ANN, Vote.DOWN, VoteSource.BUTTON, message_id=chat.message_id)
    assert bench.store.votes == [
        (ANN, quote.message_id, Vote.UP, VoteSource.COMMAND),
        (ANN, chat.message_id, Vote.DOWN, VoteSource.BUTTON),
    ]


async def test_there_is_nothing_to_vote_on_before_the_first_reply() -> None:
    bench = Bench(says("Hello."))
    await reply_of(bench.service.chat(BOB, "Hi"))
    with pytest.raises(InputError, match=r"^There is no reply to vote on yet\.$"):
        await bench.service.vote(ANN, Vote.UP, VoteSource.COMMAND)
    with pytest.raises(InputError):
        await bench.service.vote(ANN, Vote.UP, VoteSource.COMMAND, message_id=1)
    assert bench.store.votes == []


async def test_a_reply_that_was_shown_is_on_record_as_delivered() -> None:
    bench = Bench(says("Hello."))
    reply = await reply_of(bench.service.chat(ANN, "Hi"))
    assert bench.store.delivered == set()
    await bench.service.delivered(reply.message_id)
    assert bench.store.delivered == {reply.message_id}


# -- whatever the generator does --------------------------------------------------------------------------------------

PIECES = st.lists(
    st.sampled_from(
        [SEA, "The sea", " is wide", " and deep.", SUN, " ", "\n", "“", "”", "'Tis so", ".", "Quote:", "no"]
    ),
    max_size=5,
)
REASONS = st.sampled_from([reason for reason in FinishReason if reason is not FinishReason.CANCELLED])
SCRIPTS = st.builds(
    lambda pieces, reason, elapsed_s, waits: says(*pieces, reason=reason, elapsed_s=elapsed_s, waits=waits),
    PIECES,
    REASONS,
    st.floats(0, 30),
    st.lists(st.integers(1, 9), max_size=2),
)
ERRORS = st.sampled_from([BusyError("Full."), WorkerCrashed("Dead."), GenerationError("Nothing.")]).map(lambda e: [e])
ATTEMPTS = st.lists(SCRIPTS | ERRORS, min_size=3, max_size=3)
EARLIER = st.lists(st.sampled_from([SEA, SUN, "no", "'Tis so."]), max_size=2)


@given(ATTEMPTS, EARLIER, st.lists(st.sampled_from([SEA, MOON]), max_size=2), st.sampled_from(MessageKind))
def test_what_is_on_screen_in_the_end_is_the_reply_and_every_job_ends(
    attempts: list[Script], earlier: list[str], in_pool: list[str], kind: MessageKind
) -> None:
    async def run() -> None:
        settings = ChatSettings(attempts=3), QuoteSettings(attempts=3)
        bench = Bench(*attempts, chat=settings[0], quote=settings[1])
        for text in earlier:
            job = await bench.store.accept(ANN, kind, "before")
            await bench.store.start(job.job_id)
            await bench.store.complete(job.job_id, text, RECORD)
        pooled(bench.store, *in_pool)
        asked = bench.service.quote(ANN, "sea") if kind is MessageKind.QUOTE else bench.service.chat(ANN, "sea")
        events: list[ReplyEvent] = []
        number = 1001 + len(earlier)
        try:
            async with aclosing(asked):
                async for event in asked:
                    events.append(event)
        except QuotesmithError:
            assert not any(isinstance(event, Reply) for event in events)
            assert bench.store.jobs[number].state is JobState.FAILED
            return
        *before, reply = events
        assert isinstance(reply, Reply)
        assert as_seen(before) == reply.text == bench.store.reply(number)
        assert reply.text.strip() == reply.text != ""
        assert not any(isinstance(event, TextDelta) and not event.text for event in before)
        assert bench.store.jobs[number].state is JobState.DONE
        assert bench.generator.idle

    asyncio.run(run())
