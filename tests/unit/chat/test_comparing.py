"""Two replies side by side: what is compared, and that they differ."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.chat.comparing import side_by_side, two_of, wanted_kind
from bot.chat.generation import FinishReason, TextDelta
from bot.chat.messages import ConversationKey, JobState, MessageKind, Platform, QuoteSource
from bot.chat.ports import Side
from bot.chat.replies import Reply
from bot.chat.service import ChatService, ChatStores
from bot.errors import DeadlineExceeded, GenerationError, InputError
from bot.settings import ChatSettings, QuoteSettings
from tests.fakes import MODEL, FakeGenerator, FakeStore, Script, fixed_words, says

KEY = ConversationKey(Platform.TELEGRAM, "lobby", "", "ada")


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("courage", MessageKind.QUOTE),
        ("the first day back", MessageKind.QUOTE),
        ("Who are you?", MessageKind.CHAT),
        ("Hello.", MessageKind.CHAT),
        ("tell me about your last trip", MessageKind.CHAT),
        ("x" * 81, MessageKind.CHAT),
    ],
)
def test_a_few_words_are_a_keyword_and_a_sentence_is_a_message(text: str, kind: MessageKind) -> None:
    assert wanted_kind(text, 80) is kind


def sides(*texts: str, model: str = "tiny") -> list[Side]:
    return [Side(text, model, "a" * 64) for text in texts]


def test_two_that_differ_in_marks_and_case_alone_are_no_two() -> None:
    pair = two_of([sides("Tea waits.", "tea waits!", "Rain taps.")])
    assert pair is not None and {side.text for side in pair} == {"Tea waits.", "Rain taps."}
    assert two_of([sides("Tea waits.", "TEA WAITS")]) is None
    assert two_of([sides("Tea waits.")]) is None and two_of([[]]) is None


def test_of_two_models_one_of_each_is_shown_in_an_order_that_nobody_can_guess() -> None:
    arms = [sides("Tea waits.", "Milk pours."), sides("tea waits", "Rain taps.", model="other")]
    pairs = [pair for _ in range(60) if (pair := two_of(arms))]
    assert {(left.text, right.text) for left, right in pairs} == {
        ("Tea waits.", "Rain taps."),
        ("Rain taps.", "Tea waits."),
    }
    assert two_of([sides("Tea waits."), []]) is None


async def compared(text: str, *scripts: Script) -> tuple[FakeStore, list[object]]:
    store = FakeStore()
    service = ChatService(
        MODEL,
        FakeGenerator(*scripts),
        ChatStores(store, store, store, store),
        ChatSettings(),
        QuoteSettings(),
        60.0,
        fixed_words=fixed_words,
    )
    job = await service.accept_comparison(KEY, text)
    return store, [event async for event in service.answer(job)]


async def test_a_comparison_shows_two_quotes_and_keeps_both() -> None:
    store, events = await compared("tea", *[says("Tea waits for nobody."), says("A kettle sings of leaving.")] * 2)
    (comparison,) = store.comparisons.values()
    texts = {comparison.left.text, comparison.right.text}
    assert texts == {"Tea waits for nobody.", "A kettle sings of leaving."} and comparison.about is MessageKind.QUOTE
    assert comparison.left.model_sha256 == MODEL.sha256
    shown = side_by_side(comparison.left.text, comparison.right.text)
    assert [event.text for event in events if isinstance(event, TextDelta)] == [shown]
    assert isinstance(events[-1], Reply) and events[-1].text == shown


async def test_a_keyword_to_compare_is_cleaned_as_one_for_a_quote() -> None:
    store, _ = await compared(" “rainy\nday” ", *[says("Tea waits for nobody."), says("Rain taps on the roof.")] * 2)
    assert next(iter(store.messages.values())).message.text == "rainy day"
    with pytest.raises(InputError):
        await compared("###")


async def test_an_insult_may_be_a_keyword() -> None:
    store, _ = await compared("stupid", *[says("No question is stupid."), says("Stupid luck is luck too.")] * 2)
    assert len(store.comparisons) == 1


async def test_two_replies_to_a_message_are_compared_too() -> None:
    store, _ = await compared("How are you today?", *[says("I am fine."), says("All is well here.")] * 2)
    (comparison,) = store.comparisons.values()
    assert comparison.about is MessageKind.CHAT


@pytest.mark.parametrize("keyword", ["the smell of rain in summer", "what is courage?", "stupid rules at my school"])
async def test_a_quote_is_compared_with_a_quote_however_its_keyword_reads(keyword: str) -> None:
    store = FakeStore()
    generator = FakeGenerator(*[says("Tea waits for nobody."), says("A kettle sings of leaving.")] * 5)
    stores = ChatStores(store, store, store, store)
    service = ChatService(MODEL, generator, stores, ChatSettings(), QuoteSettings(), 60.0, fixed_words=fixed_words)
    job = await service.accept_quote(KEY, keyword)
    assert [event async for event in service.answer(job)]
    for _ in range(2):  # what is compared once more is the same
        job = await service.accept_again(KEY, job.job_id, kind=MessageKind.COMPARE)
        assert [event async for event in service.answer(job)]
    assert [comparison.about for comparison in store.comparisons.values()] == [MessageKind.QUOTE] * 2
    assert {request.prompt for request in generator.requests} == {f"Keyword: {keyword}\nQuote:"}


async def test_a_comparison_that_an_earlier_version_took_is_of_what_its_words_look_like() -> None:
    store = FakeStore()
    generator = FakeGenerator(*[says("I am fine."), says("All is well here.")] * 2)
    stores = ChatStores(store, store, store, store)
    service = ChatService(MODEL, generator, stores, ChatSettings(), QuoteSettings(), 60.0, fixed_words=fixed_words)
    job = replace(await service.accept_comparison(KEY, "How are you today?"), about=None)
    assert [event async for event in service.answer(job)]
    assert [comparison.about for comparison in store.comparisons.values()] == [MessageKind.CHAT]


async def test_where_no_two_differ_it_is_said() -> None:
    with pytest.raises(GenerationError, match="no fitting words"):
        await compared("tea", *[says("Tea waits for nobody.")] * 16)


async def test_where_no_two_are_ready_in_time_it_is_said() -> None:
    late = says(reason=FinishReason.DEADLINE, elapsed_s=60.0)
    with pytest.raises(DeadlineExceeded, match="not ready within 60 seconds"):
        await compared("tea", *[late] * 4)


async def test_a_message_of_concern_gets_the_fixed_words_and_no_choice() -> None:
    store, events = await compared("I want to kill myself")
    assert store.comparisons == {} and isinstance(events[-1], Reply) and events[-1].source is QuoteSource.RULE
    assert store.states == [JobState.DONE]
