"""What the platforms keep: events taken once, answers and where they stand, votes as people change them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update

from bot.chat.eligibility import TERMS_VERSION
from bot.chat.messages import Complaint, JobState, MessageKind, Origin, Platform, Style, Vote, VoteSource
from bot.chat.ports import Comparison, Place, PooledQuote, SeenBefore, Side
from bot.errors import InputError
from bot.storage.column_types import utc_now
from bot.storage.database import Database
from bot.storage.feedback import current_votes
from bot.storage.schema import known_revisions
from bot.storage.statistics import collect
from bot.storage.tables import Correction, Delivery, DeliveryState, Job, Message, WrittenQuote
from bot.storage.tables import Vote as VoteRow
from tests.integration.storage.conftest import KEY, RECORD, Stores, key_of, on_disk, stores_over, url_of

ADA, BOB = key_of("ada"), key_of("bob")


def origin(*events: str, address: str = "") -> Origin:
    return Origin(events, address)


async def test_an_event_is_taken_once_and_only_on_its_own_platform(stores: Stores) -> None:
    assert await stores.records.take_events(Platform.TELEGRAM, ("update:1", "message:9"))
    assert not await stores.records.take_events(Platform.TELEGRAM, ("update:1",))
    assert await stores.records.take_events(Platform.DISCORD, ("update:1",))
    assert not await stores.records.take_events(Platform.TELEGRAM, ("update:2", "message:9"))
    assert await stores.records.take_events(Platform.TELEGRAM, ("update:2",))  # what was refused took nothing


async def test_a_message_that_is_brought_again_makes_no_second_job(stores: Stores) -> None:
    await stores.jobs.accept(ADA, MessageKind.CHAT, "hello", origin=origin("update:1", "message:9"))
    for events in (("update:1",), ("update:2", "message:9")):
        with pytest.raises(SeenBefore):
            await stores.jobs.accept(ADA, MessageKind.CHAT, "hello", origin=origin(*events))
    assert len(await stores.jobs.unfinished([Platform.DISCORD])) == 1
    assert await stores.records.take_events(Platform.DISCORD, ("update:2",))  # what was refused as a whole took nothing


async def test_a_job_keeps_all_that_answering_it_needs(sealed: Stores, path: Path) -> None:
    said = origin("message:1", address='{"token": "interaction-token"}')
    accepted = await sealed.jobs.accept(ADA, MessageKind.QUOTE, "tea", style=Style.SHORT, origin=said)
    (left,) = await sealed.jobs.unfinished([Platform.DISCORD])
    assert left == accepted and left.style is Style.SHORT and left.address == said.address
    assert b"interaction-token" not in on_disk(path)


async def test_what_can_no_longer_be_unsealed_keeps_nothing_else_from_going_on(sealed: Stores) -> None:
    replies = [await sealed.say(key, "hello", "hi") for key in (ADA, BOB)]
    lost = await sealed.jobs.accept(ADA, MessageKind.CHAT, "and then?", origin=origin(address='{"chat_id": "1"}'))
    kept = await sealed.jobs.accept(BOB, MessageKind.CHAT, "and then?")
    async with sealed.database.write() as session:
        (await session.get_one(Message, replies[0])).text = (await session.get_one(Job, lost.job_id)).address
    async with sealed.database.write() as session:
        (await session.get_one(Job, lost.job_id)).address = (await session.get_one(Message, replies[1])).text
    for _ in range(2):
        assert [reply.reply_id for reply in await sealed.outbox.pending([Platform.DISCORD])] == replies[1:]
        assert await sealed.jobs.unfinished([Platform.DISCORD]) == [kept]
    async with sealed.database.read() as session:
        delivery = await session.scalar(select(Delivery).where(Delivery.message_id == replies[0]))
        job = await session.get_one(Job, lost.job_id)
    assert delivery is not None and (delivery.state, job.state) == (DeliveryState.FAILED, JobState.FAILED)
    assert "cannot be read" in (delivery.reason or "") and "cannot be read" in (job.reason or "")


async def test_a_parked_job_goes_on_at_the_next_start(stores: Stores) -> None:
    job = await stores.jobs.accept(ADA, MessageKind.CHAT, "hello")
    await stores.jobs.start(job.job_id)
    await stores.jobs.park(job.job_id)
    await stores.jobs.start(job.job_id)  # nothing is running any more
    await stores.jobs.end(job.job_id, JobState.CANCELLED, "given up")
    await stores.jobs.park(job.job_id)  # what has ended stays ended
    assert not await stores.jobs.unfinished([Platform.DISCORD])


async def test_another_reply_answers_the_same_message(stores: Stores) -> None:
    reply = await stores.say(ADA, "hello", "hi")
    await stores.say(ADA, "and then?", "then this")
    again = await stores.jobs.accept_again(ADA, 1)
    await stores.jobs.start(again.job_id)
    other = await stores.jobs.complete(again.job_id, "good day", RECORD)
    history = await stores.conversations.history(ADA, 10)
    parents = {message.id: message.parent_id for message in history}
    assert (again.text, again.message_id) == ("hello", parents[reply]) and parents[other] == parents[reply]


async def test_another_quote_is_asked_for_by_whoever_wants_it(stores: Stores) -> None:
    await stores.say(ADA, "tea", "A kettle sings.", MessageKind.QUOTE)
    again = await stores.jobs.accept_again(BOB, 1)
    assert (again.key, again.text, again.kind) == (BOB, "tea", MessageKind.QUOTE)


async def test_what_is_compared_stays_known_over_a_restart_and_when_it_is_asked_once_more(stores: Stores) -> None:
    compare = MessageKind.COMPARE
    await stores.say(ADA, "what is courage?", "It waits.", MessageKind.QUOTE)
    quotes = await stores.jobs.accept_again(BOB, 1, kind=compare)
    replies = await stores.jobs.accept(ADA, compare, "Who are you?", about=MessageKind.CHAT)
    again = [await stores.jobs.accept_again(ADA, quotes.job_id, kind=kind) for kind in (None, compare)]
    left = await stores.jobs.unfinished([Platform.DISCORD])
    assert left == [quotes, replies, *again]
    assert [job.about for job in left] == [MessageKind.QUOTE, MessageKind.CHAT, MessageKind.QUOTE, MessageKind.QUOTE]


async def test_which_replies_on_their_way_show_two_is_known_after_a_restart(stores: Stores) -> None:
    two = Comparison(MessageKind.QUOTE, *(Side(text, "starter", "a" * 64) for text in ("Tea waits.", "Rain taps.")))
    for comparison in (two, None):  # where fixed words are the answer, there are no two
        job = await stores.jobs.accept(ADA, MessageKind.COMPARE, "tea", about=MessageKind.QUOTE)
        await stores.jobs.start(job.job_id)
        await stores.jobs.complete(job.job_id, "what is shown", RECORD, comparison)
    assert [reply.shows_two for reply in await stores.outbox.pending([Platform.DISCORD])] == [True, False]


async def test_nobody_reaches_into_the_conversation_of_another(stores: Stores) -> None:
    await stores.say(ADA, "hello", "hi")
    with pytest.raises(InputError, match="Only who asked"):
        await stores.jobs.accept_again(BOB, 1)
    for key, job_id in ((replace(ADA, chat_id="elsewhere"), 1), (ADA, 99)):
        with pytest.raises(InputError, match="no longer stored"):
            await stores.jobs.accept_again(key, job_id)
    await stores.people.forget(ADA.platform, ADA.user_id)
    with pytest.raises(InputError, match="no longer stored"):
        await stores.jobs.accept_again(ADA, 1)


async def test_a_message_of_the_bot_leads_to_its_reply(stores: Stores) -> None:
    job = await stores.jobs.accept(ADA, MessageKind.CHAT, "hello")
    for part, post_id in enumerate(("70", "71", "72")):
        await stores.outbox.posted(job.job_id, part, Platform.DISCORD, "lobby", post_id)
    await stores.outbox.posted(job.job_id, 1, Platform.DISCORD, "lobby", "99")  # somebody deleted 71
    assert await stores.outbox.posts(job.job_id) == ["70", "99", "72"]
    waiting = await stores.outbox.shown(Platform.DISCORD, "lobby", "99")
    assert waiting is not None and waiting.key == ADA and waiting.reply_id is None
    await stores.jobs.start(job.job_id)
    reply = await stores.jobs.complete(job.job_id, "hi", RECORD)
    shown = await stores.outbox.shown(Platform.DISCORD, "lobby", "70")
    assert shown is not None and shown.reply_id == reply
    for platform, chat, post in ((Platform.TELEGRAM, "lobby", "70"), (Platform.DISCORD, "den", "70")):
        assert await stores.outbox.shown(platform, chat, post) is None
    (pending,) = await stores.outbox.pending([Platform.DISCORD])
    assert (pending.reply_id, pending.text, pending.job.job_id) == (reply, "hi", job.job_id)


async def test_an_answer_that_moves_leaves_its_messages_behind(sealed: Stores) -> None:
    job = await sealed.jobs.accept(ADA, MessageKind.CHAT, "hello", origin=origin(address="first"))
    await sealed.outbox.posted(job.job_id, 0, Platform.DISCORD, "lobby", "70")
    await sealed.outbox.moved(job.job_id, "second")
    assert await sealed.outbox.posts(job.job_id) == []
    (left,) = await sealed.jobs.unfinished([Platform.DISCORD])
    assert left.address == "second"


async def in_force(stores: Stores) -> list[tuple[int, int, int]]:
    async with stores.database.read() as session:
        votes = current_votes()
        rows = await session.execute(select(votes.c.person_id, votes.c.message_id, votes.c.value))
        return [tuple(row) for row in rows]


async def test_a_vote_is_toggled_and_withdrawn_by_adding_rows(stores: Stores) -> None:
    reply = await stores.say(ADA, "hello", "hi")
    button, reaction = VoteSource.BUTTON, VoteSource.REACTION
    assert await stores.feedback.toggle_vote(ADA, reply, Vote.UP, button) is Vote.UP
    assert await stores.feedback.toggle_vote(ADA, reply, Vote.DOWN, button) is Vote.DOWN
    assert await stores.feedback.toggle_vote(ADA, reply, Vote.DOWN, button) is Vote.NONE
    await stores.feedback.add_vote(ADA, reply, Vote.UP, reaction)
    assert not await stores.feedback.withdraw_vote(ADA, reply, Vote.DOWN, reaction)
    assert await stores.feedback.withdraw_vote(ADA, reply, Vote.UP, reaction)
    await stores.feedback.complain(ADA, reply, Complaint.UNKIND, button)
    async with stores.database.read() as session:
        rows = list(await session.scalars(select(VoteRow).order_by(VoteRow.id)))
    assert [row.value for row in rows] == [1, -1, 0, 1, 0, -1] and rows[-1].complaint is Complaint.UNKIND
    assert [value for _, _, value in await in_force(stores)] == [-1]


async def test_a_vote_is_taken_back_the_way_it_was_given(stores: Stores) -> None:
    reply = await stores.say(ADA, "hello", "hi")
    button, reaction = VoteSource.BUTTON, VoteSource.REACTION
    await stores.feedback.add_vote(ADA, reply, Vote.UP, reaction)
    assert await stores.feedback.toggle_vote(ADA, reply, Vote.UP, button) is Vote.UP
    assert not await stores.feedback.withdraw_vote(ADA, reply, Vote.UP, reaction)
    assert [value for _, _, value in await in_force(stores)] == [1]
    assert await stores.feedback.toggle_vote(ADA, reply, Vote.UP, button) is Vote.NONE


async def test_who_takes_back_what_they_never_said_stays_unknown_or_forgotten(stores: Stores) -> None:
    reply = await stores.say(ADA, "hello", "hi")
    cyd = key_of("cyd")
    await stores.feedback.add_vote(BOB, reply, Vote.UP, VoteSource.REACTION)
    await stores.people.forget(BOB.platform, BOB.user_id)
    for key in (BOB, cyd):
        assert not await stores.feedback.withdraw_vote(key, reply, Vote.UP, VoteSource.REACTION)
    assert (await collect(stores.database)).people == 1
    assert await stores.people.everything(cyd.platform, "cyd") == {"platform": "discord", "user_id": "cyd"}


async def test_a_correction_is_sealed_and_trained_on_only_with_consent(sealed: Stores, path: Path) -> None:
    reply = await sealed.say(ADA, "hello", "hi")
    await sealed.feedback.correct(ADA, reply, "good morning to you", as_option=True)
    await sealed.consents.record(ADA.platform, ADA.user_id, TERMS_VERSION, True)
    await sealed.feedback.correct(ADA, reply, "good morning to you all", as_option=False)
    await sealed.feedback.correct(ADA, reply, "good morning, everybody", as_option=True)
    async with sealed.database.read() as session:
        rows = list(await session.scalars(select(Correction).order_by(Correction.id)))
    assert [row.train_eligible for row in rows] == [False, False, True]
    assert b"good morning" not in on_disk(path)
    with pytest.raises(InputError, match="no such reply"):
        await sealed.feedback.correct(replace(ADA, chat_id="den"), reply, "x", as_option=True)


async def test_places_and_announcements_are_remembered(stores: Stores) -> None:
    await stores.say(ADA, "hello", "hi")
    await stores.say(key_of("bob", "lobby", "thread"), "hello", "hi")
    recent = await stores.records.places(Platform.DISCORD, utc_now() - timedelta(hours=1))
    assert set(recent) == {Place("lobby", ""), Place("lobby", "thread")}
    assert not await stores.records.places(Platform.DISCORD, utc_now() + timedelta(hours=1))
    for wanted in (True, True, False, True):
        await stores.records.announce_in(Platform.DISCORD, Place("lobby", ""), wanted)
    assert await stores.records.announced_places(Platform.DISCORD) == [Place("lobby", "")]
    assert await stores.records.announced_places(Platform.TELEGRAM) == []


async def test_one_persons_keywords_are_offered_to_that_person_only(stores: Stores) -> None:
    for key, keyword in ((ADA, "my secret"), (ADA, "Tea"), (BOB, "tea"), (BOB, "rain")):
        await stores.say(key, keyword, f"About {keyword} and more.", MessageKind.QUOTE)
    assert await stores.records.popular_keywords(ADA, 10) == ["tea", "my secret"]
    assert await stores.records.popular_keywords(key_of("cy"), 10) == ["tea"]


async def test_a_person_sees_and_takes_along_everything(sealed: Stores) -> None:
    nobody = await sealed.people.overview(Platform.DISCORD, "ada")
    assert (nobody.messages, nobody.consents) == (0, False)
    reply = await sealed.say(ADA, "hello", "hi")
    await sealed.say(BOB, "not ada's", "no")
    await sealed.feedback.complain(ADA, reply, Complaint.REPEATS, VoteSource.BUTTON)
    await sealed.feedback.correct(ADA, reply, "good day", as_option=True)
    await sealed.people.record_consent(Platform.DISCORD, "ada", TERMS_VERSION, True)
    found = await sealed.people.overview(Platform.DISCORD, "ada")
    assert (found.messages, found.replies, found.votes, found.corrections, found.consents) == (1, 1, 1, 1, True)
    everything = str(await sealed.people.everything(Platform.DISCORD, "ada"))
    for part in ("'hello'", "'hi'", "'good day'", "'repeats'", "'granted': True"):
        assert part in everything
    assert "not ada's" not in everything


async def test_a_database_of_the_first_version_is_brought_up_to_date(path: Path) -> None:
    from alembic import command

    from bot.storage.engine import writing
    from bot.storage.migration import configuration

    database = await Database.open(url_of(path), data_key=KEY)
    async with writing(database._engine).begin() as connection:
        await connection.run_sync(lambda sync: command.downgrade(configuration(sync), "0001"))
    await database.close()
    again = await Database.open(url_of(path), data_key=KEY)
    assert await again.revision() == known_revisions()[-1]
    await again.close()


async def test_an_upgrade_erases_the_quotes_written_ahead_on_what_was_erased_before(path: Path) -> None:
    from alembic import command

    from bot.storage.engine import writing
    from bot.storage.migration import configuration

    stores = stores_over(await Database.open(url_of(path)))
    for keyword in ("Horst Meier", "tea"):
        await stores.say(ADA, keyword, "It ends.", MessageKind.QUOTE)
        await stores.pool.put(PooledQuote(keyword, f"All of {keyword} ends.", 6), "a" * 64)
    async with writing(stores.database._engine).begin() as connection:
        await connection.execute(update(Message).where(Message.text == "Horst Meier").values(keyword_digest=None))
        await connection.run_sync(lambda sync: command.downgrade(configuration(sync), "0005"))
    await stores.database.close()
    again = await Database.open(url_of(path))
    async with again.read() as session:
        assert list(await session.scalars(select(WrittenQuote.text))) == ["All of tea ends."]
    await again.close()
