"""What the chat service stores, and what it gets back: jobs, conversations, votes and the quote pool."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from bot.chat.canary import Canary, CanaryState, weigh
from bot.chat.messages import (
    ConversationKey,
    JobState,
    MessageKind,
    Platform,
    Preferred,
    QuoteSource,
    Role,
    Vote,
    VoteSource,
)
from bot.chat.ports import Comparison, PooledQuote, Side
from bot.errors import InputError, StorageError
from bot.storage.canary_votes import said_of
from bot.storage.column_types import utc_now
from bot.storage.deliveries import Deliveries
from bot.storage.feedback import votes_in_force
from bot.storage.statistics import collect
from bot.storage.transitions import IllegalTransition
from tests.integration.storage.conftest import RECORD, Stores, key_of, on_disk, stores_over

ADA, BOB = key_of("ada"), key_of("bob")
MODEL, OTHER = "a" * 64, "b" * 64


async def vote_in_force(stores: Stores) -> tuple[int, int]:
    counted = await collect(stores.database)
    return counted.votes_up, counted.votes_down


async def test_a_request_becomes_a_reply_that_is_linked_to_it(stores: Stores) -> None:
    reply_id = await stores.say(ADA, "hello", "hi")
    said = await stores.conversations.history(ADA, 10)
    assert [(m.role, m.text) for m in said] == [(Role.USER, "hello"), (Role.ASSISTANT, "hi")]
    assert said[1].id == reply_id and said[1].parent_id == said[0].id
    counted = await collect(stores.database)
    assert counted.jobs[JobState.DONE] == 1 and counted.tokens_written == RECORD.finished.completion_tokens


async def test_what_failed_stays_answerable_and_says_why(stores: Stores) -> None:
    job = await stores.jobs.accept(ADA, MessageKind.CHAT, "hello")
    await stores.jobs.end(job.job_id, JobState.FAILED, "BusyError: the queue is full")
    assert [m.text for m in await stores.conversations.history(ADA, 10)] == ["hello"]
    with pytest.raises(IllegalTransition):
        await stores.jobs.complete(job.job_id, "too late", RECORD)


async def test_a_reply_is_given_once(stores: Stores) -> None:
    job = await stores.jobs.accept(ADA, MessageKind.CHAT, "hello")
    await stores.jobs.start(job.job_id)
    await stores.jobs.complete(job.job_id, "hi", RECORD)
    with pytest.raises(IllegalTransition):
        await stores.jobs.complete(job.job_id, "hi again", RECORD)
    assert len(await stores.conversations.history(ADA, 10)) == 2


async def test_a_stopped_process_leaves_its_requests_to_the_next(stores: Stores) -> None:
    waiting = await stores.jobs.accept(ADA, MessageKind.CHAT, "first")
    running = await stores.jobs.accept(BOB, MessageKind.QUOTE, "courage")
    elsewhere = await stores.jobs.accept(key_of("cy", platform=Platform.TELEGRAM), MessageKind.CHAT, "not here")
    await stores.jobs.start(running.job_id)
    await stores.say(ADA, "done", "done")
    left = await stores.jobs.unfinished({Platform.DISCORD})
    assert [(job.job_id, job.key, job.text) for job in left] == [
        (waiting.job_id, ADA, "first"),
        (running.job_id, BOB, "courage"),
    ]
    await stores.jobs.start(running.job_id)  # it is ACCEPTED again
    assert [job.job_id for job in await stores.jobs.unfinished({Platform.TELEGRAM})] == [elsewhere.job_id]


@pytest.mark.parametrize(
    "other",
    [
        key_of("bob"),
        key_of("ada", chat="den"),
        key_of("ada", thread="7"),
        key_of("ada", platform=Platform.TELEGRAM),
    ],
)
async def test_nobody_sees_another_conversation(stores: Stores, other: ConversationKey) -> None:
    await stores.say(ADA, "hello", "hi")
    assert await stores.conversations.history(other, 10) == []


async def test_starting_over_hides_what_was_said_and_keeps_it(stores: Stores) -> None:
    await stores.say(ADA, "hello", "hi")
    await stores.conversations.start_over(ADA)
    await stores.conversations.start_over(ADA)
    assert await stores.conversations.history(ADA, 10) == []
    await stores.say(ADA, "again", "and again")
    assert [m.text for m in await stores.conversations.history(ADA, 10)] == ["again", "and again"]
    assert (await collect(stores.database)).messages == 4


async def test_history_is_the_newest_in_order_without_quotes(stores: Stores) -> None:
    for number in range(5):
        await stores.say(ADA, f"question {number}", f"answer {number}")
        await stores.say(ADA, "courage", f"Quote {number}.", MessageKind.QUOTE)
    texts = [m.text for m in await stores.conversations.history(ADA, 3)]
    assert texts == ["answer 3", "question 4", "answer 4"]
    assert await stores.conversations.history(ADA, 0) == []


async def test_history_up_to_a_message_knows_nothing_later(stores: Stores) -> None:
    for number in range(3):
        await stores.say(ADA, f"question {number}", f"answer {number}")
    asked = (await stores.conversations.history(ADA, 10))[2]
    earlier = await stores.conversations.history(ADA, 2, up_to=asked.id)
    assert [m.text for m in earlier] == ["answer 0", "question 1"]


async def test_recent_replies_are_those_of_the_person_and_quotes_of_the_chat(stores: Stores) -> None:
    await stores.say(ADA, "x", "One.", MessageKind.QUOTE)
    await stores.say(key_of("ada", chat="den"), "x", "Two.", MessageKind.QUOTE)
    await stores.say(BOB, "x", "Three.", MessageKind.QUOTE)
    await stores.say(key_of("bob", chat="den"), "x", "Elsewhere, to somebody else.", MessageKind.QUOTE)
    await stores.say(key_of("bob", thread="7"), "x", "In another thread.", MessageKind.QUOTE)
    await stores.say(ADA, "hello", "a chat reply")
    await stores.say(BOB, "hello", "another chat reply")
    assert await stores.conversations.recent_replies(ADA, MessageKind.QUOTE, 10) == ["Three.", "Two.", "One."]
    assert await stores.conversations.recent_replies(ADA, MessageKind.QUOTE, 1) == ["Three."]
    assert await stores.conversations.recent_replies(ADA, MessageKind.CHAT, 10) == ["a chat reply"]


async def test_the_newest_vote_of_a_person_counts(stores: Stores) -> None:
    reply = await stores.say(ADA, "hello", "hi")
    assert await stores.feedback.latest_reply(ADA) == reply
    for person, vote, expected in (
        (ADA, Vote.UP, (1, 0)),
        (BOB, Vote.DOWN, (1, 1)),
        (ADA, Vote.DOWN, (0, 2)),
        (BOB, Vote.NONE, (0, 1)),
    ):
        await stores.feedback.add_vote(person, reply, vote, VoteSource.COMMAND)
        assert await vote_in_force(stores) == expected


async def test_only_replies_of_the_bot_can_be_voted_on(stores: Stores) -> None:
    reply = await stores.say(ADA, "hello", "hi")
    assert await stores.feedback.latest_reply(BOB) is None
    for wrong in (reply - 1, reply + 1, 0, -1, 2**70):
        with pytest.raises(InputError, match="no such reply"):
            await stores.feedback.add_vote(ADA, wrong, Vote.UP, VoteSource.COMMAND)


async def test_only_people_in_the_same_chat_can_vote(stores: Stores) -> None:
    reply = await stores.say(ADA, "hello", "hi")
    for elsewhere in (key_of("bob", chat="den"), key_of("bob", platform=Platform.TELEGRAM)):
        with pytest.raises(InputError, match="no such reply"):
            await stores.feedback.add_vote(elsewhere, reply, Vote.DOWN, VoteSource.BUTTON)
    await stores.feedback.add_vote(key_of("bob", thread="7"), reply, Vote.UP, VoteSource.REACTION)
    assert await vote_in_force(stores) == (1, 0)


async def test_a_reply_waits_until_it_is_shown_or_given_up(stores: Stores) -> None:
    deliveries = Deliveries(stores.database)

    async def waiting() -> list[tuple[str, int]]:
        return [(reply.text, reply.attempts) for reply in await deliveries.pending({Platform.DISCORD})]

    first, second = await stores.say(ADA, "x", "One.", MessageKind.QUOTE), await stores.say(BOB, "hello", "hi")
    await stores.say(key_of("cy", platform=Platform.TELEGRAM), "hello", "elsewhere")
    await deliveries.try_later(first, "the network is down")
    assert await waiting() == [("One.", 1), ("hi", 0)]
    await deliveries.give_up(first, "the channel is gone")
    await stores.jobs.confirm_delivery(second)
    assert await waiting() == []
    for ended in (first, second, 10_000):
        with pytest.raises(IllegalTransition):
            await stores.jobs.confirm_delivery(ended)
    assert await stores.conversations.recent_replies(ADA, MessageKind.QUOTE, 10) == []  # nobody ever saw it


async def test_a_reply_on_its_way_to_somebody_forgotten_takes_any_news(stores: Stores) -> None:
    reply = await stores.say(ADA, "hello", "hi")
    await stores.people.forget(ADA.platform, ADA.user_id)
    await stores.jobs.confirm_delivery(reply)
    assert await Deliveries(stores.database).pending({Platform.DISCORD}) == []


async def test_a_written_quote_is_served_once_and_to_its_model_only(stores: Stores) -> None:
    await stores.say(ADA, "courage", "Zero.", MessageKind.QUOTE)
    assert await stores.pool.put(PooledQuote("Courage", "One.", 5), MODEL)
    assert not await stores.pool.put(PooledQuote("courage ", "One.", 5), MODEL)
    assert await stores.pool.put(PooledQuote("courage", "Two.", 6), MODEL)
    assert await stores.pool.take("courage", OTHER) is None
    taken = [await stores.pool.take("COURAGE", MODEL) for _ in range(3)]
    assert [quote and quote.text for quote in taken] == ["One.", "Two.", None]
    assert not await stores.pool.put(PooledQuote("courage", "One.", 5), MODEL)  # it was served already


async def test_who_finds_no_written_quote_waits_for_nobody_who_writes(stores: Stores) -> None:
    await stores.say(ADA, "courage", "Zero.", MessageKind.QUOTE)
    await stores.pool.put(PooledQuote("courage", "One.", 5), MODEL)
    async with stores.database.write(), asyncio.timeout(60):
        assert await stores.pool.take("tea", MODEL) is None


async def test_quotes_are_wanted_for_what_is_asked_for_most(stores: Stores) -> None:
    for keyword, times in (("courage", 3), ("rain", 2), ("once", 1), ("tea", 4)):
        for number in range(times):
            await stores.say(key_of(f"p{number}"), keyword, f"{keyword} {number}.", MessageKind.QUOTE)
    assert await stores.pool.wanted(MODEL, 1, 10) == ["tea", "courage", "rain"]
    assert await stores.pool.wanted(MODEL, 1, 2) == ["tea", "courage"]
    await stores.pool.put(PooledQuote("tea", "Tea waits.", 5), MODEL)
    assert await stores.pool.wanted(MODEL, 1, 2) == ["courage"]
    assert await stores.pool.wanted(MODEL, 2, 2) == ["tea", "courage"]
    assert await stores.pool.wanted(OTHER, 1, 1) == ["tea"]


async def test_the_pool_keeps_working_when_it_is_encrypted(sealed: Stores, path: Path) -> None:
    for number in range(2):
        await sealed.say(key_of(f"p{number}"), "Courage", f"{number}.", MessageKind.QUOTE)
    assert await sealed.pool.wanted(MODEL, 1, 5) == ["courage"]
    await sealed.pool.put(PooledQuote("courage", "Sealed.", 5), MODEL)
    assert not any(word in on_disk(path) for word in (b"ourage", b"Sealed."))
    taken = await sealed.pool.take("courage", MODEL)
    assert taken is not None and taken.text == "Sealed."


async def test_a_pooled_reply_is_recorded_as_such(stores: Stores) -> None:
    job = await stores.jobs.accept(ADA, MessageKind.QUOTE, "tea")
    await stores.jobs.start(job.job_id)
    reply = await stores.jobs.complete(job.job_id, "Tea waits.", replace(RECORD, source=QuoteSource.POOL))
    await stores.jobs.confirm_delivery(reply)
    assert (await collect(stores.database)).quotes == 1


async def test_a_forgotten_request_cannot_be_answered_any_more(stores: Stores) -> None:
    job = await stores.jobs.accept(ADA, MessageKind.CHAT, "hello")
    await stores.jobs.start(job.job_id)
    await stores.people.forget(ADA.platform, ADA.user_id)
    with pytest.raises(StorageError, match="erased"):
        await stores.jobs.complete(job.job_id, "hi", RECORD)
    await stores.jobs.end(job.job_id, JobState.CANCELLED, "given up")  # news that come late are no error
    assert await stores_over(stores.database).conversations.history(ADA, 10) == []


async def test_what_a_person_did_counts_beside_what_they_said_and_never_instead(stores: Stores) -> None:
    reply = await stores.say(ADA, "tea", "A kettle sings of leaving.", MessageKind.QUOTE)
    await stores.feedback.add_vote(ADA, reply, Vote.DOWN, VoteSource.BUTTON)
    assert await stores.feedback.toggle_favorite(ADA, reply)
    assert await stores.feedback.share(ADA, reply) == "A kettle sings of leaving."
    await stores.feedback.share(ADA, reply)
    counted = await collect(stores.database)
    assert (counted.votes_up, counted.votes_down) == (0, 1)
    assert await stores.feedback.toggle_vote(ADA, reply, Vote.DOWN, VoteSource.BUTTON) is Vote.NONE
    async with stores.database.read() as session:
        found = [(vote.source, vote.value) for vote in await session.scalars(votes_in_force())]
    assert sorted(found) == [(VoteSource.FAVORITE, 1), (VoteSource.SHARE, 1)]


async def test_favorites_are_listed_newest_first_until_they_are_none_any_more(stores: Stores) -> None:
    first = await stores.say(ADA, "tea", "Tea waits.", MessageKind.QUOTE)
    second = await stores.say(key_of("ada", "den"), "rain", "Rain taps.", MessageKind.QUOTE)
    await stores.feedback.toggle_favorite(ADA, first)
    await stores.feedback.toggle_favorite(key_of("ada", "den"), second)
    assert await stores.feedback.favorites(ADA.platform, ADA.user_id, 10) == ["Rain taps.", "Tea waits."]
    assert not await stores.feedback.toggle_favorite(ADA, first)
    assert await stores.feedback.favorites(ADA.platform, ADA.user_id, 10) == ["Rain taps."]
    assert await stores.feedback.favorites(ADA.platform, "nobody", 10) == []


async def test_asking_for_another_quote_is_a_weak_bad_vote_of_who_asks_once(stores: Stores) -> None:
    job = await stores.jobs.accept(ADA, MessageKind.QUOTE, "tea")
    await stores.jobs.start(job.job_id)
    await stores.jobs.complete(job.job_id, "Tea waits.", RECORD)
    for _ in range(2):
        await stores.jobs.accept_again(ADA, job.job_id)
    await stores.jobs.accept_again(BOB, job.job_id)
    async with stores.database.read() as session:
        found = [(vote.source, vote.value) for vote in await session.scalars(votes_in_force())]
    assert found == [(VoteSource.RETRY, -1)] * 2
    counted = await collect(stores.database)
    assert (counted.votes_up, counted.votes_down) == (0, 0)


async def test_what_is_said_after_the_end_of_a_canary_is_not_counted_for_it(stores: Stores) -> None:
    running = Canary("starter", MODEL, "old", OTHER, 0.2, "salt", utc_now())
    reply = await stores.say(ADA, "hello", "hi")
    job = await stores.jobs.accept(ADA, MessageKind.COMPARE, "tea")
    await stores.jobs.start(job.job_id)
    sides = Side("Tea waits.", "starter", MODEL), Side("Tea sings.", "old", OTHER)
    pair = await stores.jobs.complete(job.job_id, "both", RECORD, Comparison(MessageKind.QUOTE, *sides))

    async def say(key: ConversationKey) -> None:
        await stores.feedback.add_vote(key, reply, Vote.UP, VoteSource.BUTTON)
        await stores.feedback.prefer(key, pair, Preferred.LEFT)

    await say(ADA)
    ended = replace(running, state=CanaryState.ROLLED_BACK, ended_at=utc_now())
    await say(BOB)
    for canary, count in ((ended, 1), (running, 2)):
        found = weigh(canary, await said_of(stores.database, canary))
        assert (found.people, found.new_up, found.new_wins) == (count, count, count)
