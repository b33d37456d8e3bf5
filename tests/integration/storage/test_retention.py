"""What is kept for long enough is erased, but for what people keep; the rows and the exports made of them stay."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from sqlalchemy import func, select

from bot.chat.eligibility import TERMS_VERSION
from bot.chat.messages import JobState, MessageKind, Origin, Platform, Preferred, Vote, VoteSource
from bot.chat.ports import Comparison, PooledQuote, Side
from bot.settings import RetentionSettings
from bot.storage.column_types import utc_now
from bot.storage.export import export_rows
from bot.storage.lineage import stale_exports
from bot.storage.retention import erase_expired
from bot.storage.statistics import collect
from bot.storage.tables import Correction, Job, Message, TakenEvent
from tests.integration.storage.conftest import RECORD, Stores, key_of, on_disk

ADA, BOB = key_of("ada"), key_of("bob")
KEPT = RetentionSettings(conversation_days=100, unanswered_days=10, event_days=3)
FOR_EVER = RetentionSettings(conversation_days=0, unanswered_days=0, event_days=0)


async def age(stores: Stores, days: int) -> None:
    """Let time pass for all that was said so far."""
    async with stores.database.write() as session:
        for message in await session.scalars(select(Message)):
            message.created_at -= timedelta(days=days)
        for correction in await session.scalars(select(Correction)):
            correction.created_at -= timedelta(days=days)


async def texts(stores: Stores) -> list[str]:
    async with stores.database.read() as session:
        return list(await session.scalars(select(Message.text).order_by(Message.id)))


async def test_what_is_old_is_erased_and_what_is_new_stays(stores: Stores, path: Path) -> None:
    await stores.say(ADA, "an old secret", "I keep old secrets")
    await age(stores, 60)
    await stores.say(ADA, "younger", "so it is")
    await age(stores, 50)
    await stores.say(BOB, "hello", "hi")
    assert (await erase_expired(stores.database, KEPT)).messages == 2
    assert await texts(stores) == ["", "", "younger", "so it is", "hello", "hi"]
    assert b"secret" not in on_disk(path) and b"younger" in on_disk(path)
    assert (await erase_expired(stores.database, KEPT)).messages == 0


async def test_who_comes_back_after_years_goes_on_in_the_same_conversation(stores: Stores) -> None:
    await stores.say(ADA, "long ago", "indeed")
    await age(stores, 1_000)
    await erase_expired(stores.database, KEPT)
    await stores.say(ADA, "again", "welcome")
    assert [said.text for said in await stores.conversations.history(ADA, 10)] == ["again", "welcome"]
    assert (await collect(stores.database)).conversations == 1


async def test_nothing_is_erased_where_the_operator_keeps_everything(stores: Stores) -> None:
    await stores.say(ADA, "hello", "hi")
    await stores.jobs.accept(ADA, MessageKind.CHAT, "never answered")
    await age(stores, 10_000)
    async with stores.database.write() as session:
        taken = utc_now() - timedelta(days=10_000)
        session.add(TakenEvent(platform=Platform.DISCORD, event_id="old", taken_at=taken))
    expired = await erase_expired(stores.database, FOR_EVER)
    assert (expired.messages, expired.events) == (0, 0)
    assert await texts(stores) == ["hello", "hi", "never answered"]


async def test_favorites_outlive_the_rest_until_they_are_none_any_more(stores: Stores) -> None:
    kept = await stores.say(ADA, "tea", "Tea waits.", MessageKind.QUOTE)
    await stores.outbox.posted(1, 0, Platform.DISCORD, "lobby", "77")
    await stores.feedback.toggle_favorite(BOB, kept)  # it is said to Ada, and dear to Bob
    await stores.feedback.add_vote(ADA, kept, Vote.UP, VoteSource.BUTTON)
    await age(stores, 200)
    await erase_expired(stores.database, KEPT)
    assert await texts(stores) == ["", "Tea waits."]
    assert await stores.feedback.favorites(BOB.platform, BOB.user_id, 10) == ["Tea waits."]
    shown = await stores.outbox.shown(Platform.DISCORD, "lobby", "77")
    assert shown is not None and shown.reply_id == kept
    await stores.feedback.toggle_favorite(BOB, kept)
    await erase_expired(stores.database, KEPT)
    assert await texts(stores) == ["", ""] and await stores.outbox.shown(Platform.DISCORD, "lobby", "77") is None
    assert (await collect(stores.database)).votes_up == 1  # a vote holds no text


async def test_all_that_repeats_an_old_text_goes_with_it(stores: Stores, path: Path) -> None:
    job = await stores.jobs.accept(ADA, MessageKind.COMPARE, "my engine", origin=Origin(address="engine room"))
    await stores.jobs.start(job.job_id)
    left, right = Side("Left engine.", "old", "a" * 64), Side("Right engine.", "new", "b" * 64)
    both = Comparison(MessageKind.QUOTE, left, right)
    reply = await stores.jobs.complete(job.job_id, "Left engine.\n\nRight engine.", RECORD, both)
    await stores.outbox.try_later(reply, "the engine is busy")
    await stores.feedback.prefer(ADA, reply, Preferred.LEFT)
    await stores.feedback.correct(BOB, reply, "no engine at all", as_option=True)
    failed = await stores.jobs.accept(ADA, MessageKind.QUOTE, "engines")
    await stores.jobs.end(failed.job_id, JobState.FAILED, "InputError: engines")
    await age(stores, 200)
    await erase_expired(stores.database, KEPT)
    assert b"engine" not in on_disk(path)
    assert await stores.outbox.pending([Platform.DISCORD]) == []
    assert await stores.pool.wanted("a" * 64, 1, 10) == []
    everything = await stores.people.everything(ADA.platform, ADA.user_id)
    assert [said["preferred"] for said in everything["preferences"]] == ["left"]  # type: ignore[attr-defined]


async def test_an_old_correction_of_a_kept_reply_goes(stores: Stores, path: Path) -> None:
    kept = await stores.say(ADA, "tea", "Tea waits.", MessageKind.QUOTE)
    await stores.feedback.toggle_favorite(ADA, kept)
    await stores.feedback.correct(ADA, kept, "Lovelace would say more", as_option=True)
    await age(stores, 200)
    await erase_expired(stores.database, KEPT)
    assert b"Lovelace" not in on_disk(path) and b"Tea waits." in on_disk(path)


async def test_quotes_written_ahead_on_what_was_asked_long_ago_alone_go(stores: Stores, path: Path) -> None:
    for keyword in ("engines", "tea"):
        await stores.say(ADA, keyword, "It ends.", MessageKind.QUOTE)
        await stores.pool.put(PooledQuote(keyword, f"All of {keyword} ends.", 6), "a" * 64)
    await age(stores, 200)
    await stores.say(BOB, "tea", "Tea waits.", MessageKind.QUOTE)
    await erase_expired(stores.database, KEPT)
    assert b"engines" not in on_disk(path)
    left = await stores.pool.take("tea", "a" * 64)
    assert left is not None and left.text == "All of tea ends."


async def test_what_was_never_answered_goes_sooner_and_is_answered_no_more(stores: Stores) -> None:
    await stores.say(ADA, "answered", "yes")
    waiting = await stores.jobs.accept(ADA, MessageKind.CHAT, "still waiting")
    failed = await stores.jobs.accept(ADA, MessageKind.CHAT, "has failed")
    await stores.jobs.end(failed.job_id, JobState.FAILED, "BusyError: the queue is full")
    await age(stores, 20)
    await stores.jobs.accept(ADA, MessageKind.CHAT, "just now")
    assert (await erase_expired(stores.database, KEPT)).messages == 2
    assert await texts(stores) == ["answered", "yes", "", "", "just now"]
    assert [job.text for job in await stores.jobs.unfinished([Platform.DISCORD])] == ["just now"]
    await stores.jobs.end(waiting.job_id, JobState.FAILED, "the news of its end comes late")
    async with stores.database.read() as session:
        reasons = list(await session.scalars(select(Job.reason).order_by(Job.id)))
    assert reasons == [None, "expired", "expired", None]


async def test_events_are_forgotten_once_no_platform_repeats_them(stores: Stores) -> None:
    async with stores.database.write() as session:
        taken = utc_now() - timedelta(days=4)
        session.add(TakenEvent(platform=Platform.DISCORD, event_id="old", taken_at=taken))
    await stores.records.take_events(Platform.DISCORD, ("new",))
    assert (await erase_expired(stores.database, KEPT)).events == 1
    assert await stores.records.taken_events(Platform.DISCORD, ["old", "new"]) == {"new"}


async def test_an_export_of_what_expired_is_named_when_its_person_is_forgotten_later(
    stores: Stores, tmp_path: Path
) -> None:
    await stores.consents.record(ADA.platform, ADA.user_id, TERMS_VERSION, True)
    await stores.say(ADA, "hello", "hi")
    export = await export_rows(stores.database, tmp_path / "out", lambda key, kind, as_option: True)
    await age(stores, 200)
    await erase_expired(stores.database, KEPT)
    assert await stale_exports(stores.database) == []  # nobody asked for it: the export may be used
    await stores.people.forget(ADA.platform, ADA.user_id)
    assert [(one.name, one.rows) for one in await stale_exports(stores.database)] == [(export.name, 1)]


async def test_thousands_of_messages_are_erased_in_parts(stores: Stores) -> None:
    await stores.say(ADA, "first", "1")
    async with stores.database.write() as session:
        conversation = await session.scalar(select(Message.conversation_id))
        one = {"conversation_id": conversation, "role": "user", "kind": "chat", "text": "old"}
        session.add_all(Message(**one, created_at=utc_now() - timedelta(days=200)) for _ in range(1_203))
    assert (await erase_expired(stores.database, KEPT)).messages == 1_203
    async with stores.database.read() as session:
        assert await session.scalar(select(func.count()).where(Message.text != "")) == 2
