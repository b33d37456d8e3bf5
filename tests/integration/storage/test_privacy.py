"""Forgetting a person, and exporting what people agreed to."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from sqlalchemy import select

from bot.chat.eligibility import TERMS_VERSION
from bot.chat.messages import ConversationKey, MessageKind, Origin, Platform, Preferred, QuoteSource, Vote, VoteSource
from bot.chat.ports import Comparison, PooledQuote, Side
from bot.errors import InputError
from bot.platforms.catalogue import Texts
from bot.platforms.rights import PrivacyFacts, Rights
from bot.storage.database import Database
from bot.storage.export import export_rows
from bot.storage.jobs import SqlJobLedger, never
from bot.storage.lineage import stale_exports
from bot.storage.statistics import collect
from bot.storage.tables import WrittenQuote
from tests.integration.storage.conftest import RECORD, Stores, key_of, on_disk, stores_over, url_of

ADA, BOB = key_of("ada"), key_of("bob")


async def test_nothing_of_a_forgotten_person_is_left(stores: Stores, path: Path) -> None:
    for chat in ("lobby", "den"):
        key = key_of("ada", chat)
        reply = await stores.say(key, "my secret engine", "I will keep your engine")
        await stores.feedback.add_vote(key, reply, Vote.UP, VoteSource.COMMAND)
        await stores.feedback.correct(key, reply, "Lovelace would say more", as_option=True)
    await stores.say(ADA, "engines", "An engine hums.", MessageKind.QUOTE)
    await stores.say(ADA, "engines", "An engine hums on.", MessageKind.QUOTE)
    await stores.say(BOB, "hello", "hi")
    report = await stores.people.forget(ADA.platform, ADA.user_id)
    assert (report.messages, report.conversations, report.feedback, report.known) == (8, 2, 2, True)
    assert report.corrections == 2  # those of their own replies too
    counted = await collect(stores.database)
    assert (counted.people, counted.conversations, counted.messages, counted.votes_up) == (1, 1, 2, 0)
    assert await stores.pool.wanted("a" * 64, 1, 10) == []
    kept = on_disk(path)
    assert not any(word in kept for word in (b"engine", b"Lovelace")) and b"hello" in kept


async def test_a_quote_from_the_pool_does_not_outlive_the_person_it_was_served_to(stores: Stores, path: Path) -> None:
    await stores.say(BOB, "tea", "Tea waits.", MessageKind.QUOTE)
    await stores.pool.put(PooledQuote("tea", "A kettle sings of leaving.", 6), "a" * 64)
    served = await stores.pool.take("tea", "a" * 64)
    assert served is not None
    await stores.say(ADA, "tea", served.text, MessageKind.QUOTE)
    await stores.people.forget(ADA.platform, ADA.user_id)
    assert b"kettle" not in on_disk(path)


async def pooled(stores: Stores) -> list[str]:
    """The texts of the pool: those of served quotes are empty."""
    async with stores.database.read() as session:
        return list(await session.scalars(select(WrittenQuote.text).order_by(WrittenQuote.id)))


async def test_quotes_written_ahead_on_what_nobody_else_asks_for_go_with_a_person(stores: Stores, path: Path) -> None:
    for key in (ADA, BOB):
        await stores.say(key, "tea", "Tea waits.", MessageKind.QUOTE)
    await stores.say(ADA, "my divorce from Horst Meier", "It ends.", MessageKind.QUOTE)
    for keyword, text in (("my divorce from Horst Meier", "Horst Meier is gone."), ("tea", "A kettle sings.")):
        await stores.pool.put(PooledQuote(keyword, text, 6), "a" * 64)
        await stores.pool.put(PooledQuote(keyword, "It was served.", 6), "b" * 64)
        assert await stores.pool.take(keyword, "b" * 64) is not None
    await stores.people.forget(ADA.platform, ADA.user_id)
    assert await pooled(stores) == ["A kettle sings.", ""]  # of the others not even a digest, which proves a guess
    assert b"Horst" not in on_disk(path)
    await stores.people.forget(BOB.platform, BOB.user_id)
    assert await pooled(stores) == []


async def test_a_quote_that_is_written_ahead_while_its_person_is_forgotten_is_not_kept(stores: Stores) -> None:
    for _ in range(2):
        await stores.say(ADA, "Horst Meier", "It ends.", MessageKind.QUOTE)
    (keyword,) = await stores.pool.wanted("a" * 64, 1, 10)
    await stores.people.forget(ADA.platform, ADA.user_id)
    assert not await stores.pool.put(PooledQuote(keyword, "Horst Meier is gone.", 6), "a" * 64)
    assert await pooled(stores) == []


async def test_who_said_nothing_is_told_of_what_else_was_erased(stores: Stores) -> None:
    rights = Rights(ADA.platform, stores.people, PrivacyFacts(encrypted=False, discord_permission=""))

    async def forget_bob() -> str:
        return (await rights.forgotten(BOB.user_id, Texts("en"))).removesuffix(
            " None of the words are left, only your id and bare entries (when, where, of what kind), so that what was "
            "made of them can be found."
        )

    pair = await compare(stores, ADA, "tea")
    await stores.feedback.correct(BOB, pair, "Tea helps.", as_option=True)
    assert await forget_bob() == "Erased: 0 messages, 0 votes, 1 correction."
    await stores.feedback.prefer(BOB, pair, Preferred.LEFT)
    assert await forget_bob() == "Erased: 0 messages, 0 votes, 1 comparison."
    await rights.consent(BOB.user_id, True, Texts("en"))
    assert await forget_bob() == "Erased: 0 messages, 0 votes. Your consent to training is withdrawn."
    assert await forget_bob() == "Nothing was stored about you."


async def test_forgetting_a_stranger_says_so(stores: Stores) -> None:
    assert not (await stores.people.forget(Platform.TELEGRAM, "42")).known


async def test_who_comes_back_begins_anew(stores: Stores) -> None:
    await stores.say(ADA, "before", "before")
    await stores.people.forget(ADA.platform, ADA.user_id)
    await stores.say(ADA, "after", "after")
    assert [m.text for m in await stores.conversations.history(ADA, 10)] == ["after", "after"]


def anywhere(key: ConversationKey, kind: MessageKind, as_option: bool) -> bool:
    return True


def votes_of(row: dict[str, Any]) -> list[tuple[int, str]]:
    return [(vote["value"], vote["source"]) for vote in row["votes"]]


async def exported(stores: Stores, out: Path) -> list[dict[str, Any]]:
    await export_rows(stores.database, out, anywhere)
    return [json.loads(line) for line in (out / "rows.jsonl").read_text().splitlines()]


async def test_only_what_was_said_under_consent_is_exported(stores: Stores, tmp_path: Path) -> None:
    await stores.say(ADA, "before consent", "no")
    await stores.consents.record(ADA.platform, ADA.user_id, TERMS_VERSION, True)
    reply = await stores.say(ADA, "hello", "hi")
    await stores.say(ADA, "courage", "Courage is a habit.", MessageKind.QUOTE)
    await stores.say(BOB, "never asked", "no")
    await stores.feedback.add_vote(ADA, reply, Vote.UP, VoteSource.BUTTON)
    rows = await exported(stores, tmp_path / "out")
    assert [row["messages"] for row in rows] == [
        [{"role": "user", "content": "hello"}, {"role": "assistant", "content": "hi"}],
        [{"role": "user", "content": "courage"}, {"role": "assistant", "content": "Courage is a habit."}],
    ]
    assert [(row["kind"], votes_of(row)) for row in rows] == [("chat", [(1, "button")]), ("quote", [])]
    text = (tmp_path / "out" / "rows.jsonl").read_text()
    assert "ada" not in text and "lobby" not in text
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert (manifest["rows"], manifest["people"], manifest["with_votes"]) == (2, 1, 1)


async def test_a_handle_that_was_given_before_consent_is_taken_out_of_what_repeats_it(
    stores: Stores, tmp_path: Path
) -> None:
    await stores.say(ADA, "I am @quirin_tag, and ill", "Oh no.")
    await stores.consents.record(ADA.platform, ADA.user_id, TERMS_VERSION, True)
    reply = await stores.say(ADA, "say something nice", "Get better, quirin_tag.")
    await stores.feedback.correct(ADA, reply, "Get well soon, Quirin_Tag!", as_option=True)
    (row,) = await exported(stores, tmp_path / "out")
    assert row["messages"][-1]["content"] == "Get better, <HANDLE>."
    assert row["corrections"][0]["text"] == "Get well soon, <HANDLE>!"


async def test_consent_that_was_withdrawn_takes_everything_along(stores: Stores, tmp_path: Path) -> None:
    await stores.consents.record(ADA.platform, ADA.user_id, TERMS_VERSION, True)
    await stores.say(ADA, "hello", "hi")
    await stores.consents.record(ADA.platform, ADA.user_id, TERMS_VERSION, False)
    assert await exported(stores, tmp_path / "out") == []


async def test_a_person_has_another_pseudonym_in_every_export(stores: Stores, tmp_path: Path) -> None:
    await stores.consents.record(ADA.platform, ADA.user_id, TERMS_VERSION, True)
    await stores.say(ADA, "hello", "hi")
    await stores.say(ADA, "more", "and more")
    first, second = [await exported(stores, tmp_path / name) for name in ("one", "two")]
    assert len({row["person"] for row in first}) == 1 and first[0]["person"] != second[0]["person"]
    assert [message["content"] for message in first[1]["messages"]] == ["hello", "hi", "more", "and more"]


async def test_an_export_shows_what_each_reply_answers_even_when_people_do_not_wait(
    stores: Stores, tmp_path: Path
) -> None:
    await stores.consents.record(ADA.platform, ADA.user_id, TERMS_VERSION, True)
    await stores.say(ADA, "zero", "0")
    jobs = [await stores.jobs.accept(ADA, MessageKind.CHAT, text) for text in ("one", "two", "never answered", "three")]
    for index, reply in ((1, "2"), (0, "1"), (3, "3")):
        await stores.jobs.start(jobs[index].job_id)
        await stores.jobs.complete(jobs[index].job_id, reply, RECORD)
    rows = await exported(stores, tmp_path / "out")
    assert [[message["content"] for message in row["messages"]] for row in rows] == [
        ["zero", "0"],
        ["zero", "0", "two", "2"],
        ["zero", "0", "one", "1"],
        ["zero", "0", "two", "2", "one", "1", "three", "3"],
    ]


async def test_votes_of_people_who_did_not_agree_are_not_exported(stores: Stores, tmp_path: Path) -> None:
    await stores.consents.record(ADA.platform, ADA.user_id, TERMS_VERSION, True)
    reply = await stores.say(ADA, "hello", "hi")
    await stores.feedback.add_vote(ADA, reply, Vote.UP, VoteSource.BUTTON)
    await stores.feedback.add_vote(BOB, reply, Vote.DOWN, VoteSource.BUTTON)
    assert [votes_of(row) for row in await exported(stores, tmp_path / "one")] == [[(1, "button")]]
    await stores.consents.record(BOB.platform, BOB.user_id, TERMS_VERSION, True)
    assert [votes_of(row) for row in await exported(stores, tmp_path / "two")] == [[(1, "button"), (-1, "button")]]


async def test_places_that_are_not_for_training_are_not_exported(stores: Stores, tmp_path: Path) -> None:
    await stores.consents.record(ADA.platform, ADA.user_id, TERMS_VERSION, True)
    private = SqlJobLedger(stores.database)  # a ledger that was told no rule trains on nothing
    job = await private.accept(ADA, MessageKind.CHAT, "between us")
    await private.start(job.job_id)
    await private.complete(job.job_id, "of course", RECORD)
    assert await exported(stores, tmp_path / "out") == []


async def test_an_export_of_sealed_texts_can_be_read(sealed: Stores, tmp_path: Path) -> None:
    await sealed.consents.record(ADA.platform, ADA.user_id, TERMS_VERSION, True)
    await sealed.say(ADA, "hello", "hi")
    rows = await exported(sealed, tmp_path / "out")
    assert [message["content"] for message in rows[0]["messages"]] == ["hello", "hi"]
    assert rows[0]["model_sha256"] == RECORD.model_sha256


async def test_an_export_never_overwrites(stores: Stores, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    await exported(stores, tmp_path / "out")  # an empty folder is as good as none
    before = (tmp_path / "out" / "manifest.json").read_bytes()
    with pytest.raises(InputError, match="not empty"):
        await export_rows(stores.database, tmp_path / "out", anywhere)
    (tmp_path / "file").write_text("mine")
    for wrong in (tmp_path / "file", tmp_path / "file" / "below", tmp_path / ("x" * 300)):
        with pytest.raises(InputError):
            await export_rows(stores.database, wrong, anywhere)
    assert (tmp_path / "out" / "manifest.json").read_bytes() == before
    assert sorted(entry.name for entry in tmp_path.iterdir() if entry.name.startswith(".")) == []


async def test_what_is_refused_is_counted_by_reason(stores: Stores, tmp_path: Path) -> None:
    await stores.say(ADA, "before consent", "no")
    await stores.consents.record(ADA.platform, ADA.user_id, TERMS_VERSION, True)
    kept = await stores.say(ADA, "hello", "hi")
    reply = await stores.say(BOB, "never asked", "no")
    await stores.feedback.add_vote(BOB, kept, Vote.DOWN, VoteSource.BUTTON)
    await stores.feedback.correct(BOB, reply, "say it so", as_option=True)
    summary = await export_rows(stores.database, tmp_path / "out", anywhere)
    assert summary.rows == 1 and summary.refused == {
        "its person does not consent now": 3,
        "its person had not consented when it was written": 1,
    }
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["refused"] == summary.refused


async def test_the_rules_of_the_place_are_asked_again_at_the_export(stores: Stores, tmp_path: Path) -> None:
    await stores.consents.record(ADA.platform, ADA.user_id, TERMS_VERSION, True)
    await stores.say(ADA, "hello", "hi")
    refused = await export_rows(stores.database, tmp_path / "never", never)
    assert (refused.rows, refused.refused) == (0, {"the rules of its platform or place forbid it": 1})
    by_option = SqlJobLedger(stores.database, anywhere)
    job = await by_option.accept(ADA, MessageKind.QUOTE, "tea", origin=Origin(as_option=True))
    await by_option.start(job.job_id)
    await by_option.complete(job.job_id, "Tea waits.", RECORD)

    def options_only(key: ConversationKey, kind: MessageKind, as_option: bool) -> bool:
        return as_option

    found = await export_rows(stores.database, tmp_path / "options", options_only)
    assert (found.rows, sum(found.refused.values())) == (1, 1)


async def test_a_fixed_reply_is_never_exported(stores: Stores, tmp_path: Path) -> None:
    await stores.consents.record(ADA.platform, ADA.user_id, TERMS_VERSION, True)
    job = await stores.jobs.accept(ADA, MessageKind.CHAT, "you are stupid")
    await stores.jobs.start(job.job_id)
    await stores.jobs.complete(job.job_id, "Let us be kind.", replace(RECORD, source=QuoteSource.RULE))
    summary = await export_rows(stores.database, tmp_path / "out", anywhere)
    assert summary.rows == 0 and list(summary.refused.values()) == [1]


async def test_corrections_and_weak_votes_are_exported_with_their_source(stores: Stores, tmp_path: Path) -> None:
    await stores.consents.record(ADA.platform, ADA.user_id, TERMS_VERSION, True)
    reply = await stores.say(ADA, "hello", "hi")
    await stores.feedback.correct(ADA, reply, "hello there", as_option=True)
    await stores.feedback.correct(ADA, reply, "good morning", as_option=True)
    await stores.feedback.add_vote(ADA, reply, Vote.UP, VoteSource.BUTTON)
    await stores.feedback.add_vote(ADA, reply, Vote.DOWN, VoteSource.REACTION)
    await stores.feedback.toggle_favorite(ADA, reply)
    (row,) = await exported(stores, tmp_path / "out")
    assert row["corrections"] == [{"person": row["person"], "text": "good morning"}]
    assert votes_of(row) == [(-1, "reaction"), (1, "favorite")]


async def test_exports_that_hold_something_of_forgotten_people_are_named(stores: Stores, tmp_path: Path) -> None:
    for person in (ADA, BOB):
        await stores.consents.record(person.platform, person.user_id, TERMS_VERSION, True)
    reply = await stores.say(ADA, "hello", "hi")
    await stores.say(ADA, "more", "and more")
    first = await export_rows(stores.database, tmp_path / "first", anywhere)
    await stores.feedback.add_vote(BOB, reply, Vote.UP, VoteSource.BUTTON)
    second = await export_rows(stores.database, tmp_path / "second", anywhere)
    assert await stale_exports(stores.database) == []
    await stores.people.forget(BOB.platform, BOB.user_id)
    (stale,) = await stale_exports(stores.database)
    assert (stale.name, stale.folder, stale.rows) == (second.name, str(tmp_path / "second"), 1)
    await stores.people.forget(ADA.platform, ADA.user_id)
    found = await stale_exports(stores.database)
    assert [(one.name, one.rows) for one in found] == [(first.name, 2), (second.name, 2)]
    after = await export_rows(stores.database, tmp_path / "after", anywhere)
    assert after.rows == 0


async def test_exports_that_hold_something_of_people_who_do_not_consent_now_are_named(
    stores: Stores, tmp_path: Path
) -> None:
    for person in (ADA, BOB):
        await stores.consents.record(person.platform, person.user_id, TERMS_VERSION, True)
    reply = await stores.say(ADA, "hello", "hi")
    await stores.say(ADA, "more", "and more")
    await stores.feedback.add_vote(BOB, reply, Vote.UP, VoteSource.BUTTON)
    export = await export_rows(stores.database, tmp_path / "out", anywhere)

    async def named() -> list[tuple[str, int, int]]:
        return [(one.name, one.rows, one.withdrawn) for one in await stale_exports(stores.database)]

    await stores.consents.record(BOB.platform, BOB.user_id, TERMS_VERSION, False)
    assert await named() == [(export.name, 0, 1)]
    await stores.consents.record(BOB.platform, BOB.user_id, TERMS_VERSION, True)
    assert await named() == []
    await stores.consents.record(BOB.platform, BOB.user_id, "of other terms", True)
    await stores.people.forget(ADA.platform, ADA.user_id)
    assert await named() == [(export.name, 2, 1)]


async def forget_ada(stores: Stores) -> None:
    await stores.people.forget(ADA.platform, ADA.user_id)


async def withdraw_ada(stores: Stores) -> None:
    await stores.consents.record(ADA.platform, ADA.user_id, TERMS_VERSION, False)


@pytest.mark.parametrize("takes_it_back", [forget_ada, withdraw_ada])
async def test_who_takes_consent_back_while_an_export_is_read_is_not_in_it(
    takes_it_back: Callable[[Stores], Awaitable[None]], stores: Stores, path: Path, tmp_path: Path
) -> None:
    async def meanwhile() -> None:  # the bot, in another process
        database = await Database.open(url_of(path), busy_timeout_ms=1)
        await takes_it_back(stores_over(database))
        await database.close()

    asked: list[ConversationKey] = []

    def rule(key: ConversationKey, kind: MessageKind, as_option: bool) -> bool:
        if not asked:
            bot = Thread(target=asyncio.run, args=(meanwhile(),))
            bot.start()
            bot.join()
        asked.append(key)
        return True

    for person in (ADA, BOB):
        await stores.consents.record(person.platform, person.user_id, TERMS_VERSION, True)
        await stores.say(person, f"the secret of {person.user_id}", "ok")
    summary = await export_rows(stores.database, tmp_path / "out", rule)
    assert (summary.rows, summary.people) == (1, 1)
    exported = on_disk(tmp_path / "out" / "rows.jsonl")
    assert b"the secret of bob" in exported and b"the secret of ada" not in exported
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["data", "out"]
    assert (await stores.people.everything(ADA.platform, ADA.user_id))["exports"] == []
    assert len((await stores.people.everything(BOB.platform, BOB.user_id))["exports"]) == 1  # type: ignore[arg-type]


async def compare(stores: Stores, key: ConversationKey, asked: str) -> int:
    job = await stores.jobs.accept(key, MessageKind.COMPARE, asked)
    await stores.jobs.start(job.job_id)
    left, right = Side("Tea waits.", "old", "a" * 64), Side("Tea sings.", "new", "b" * 64)
    text = "Tea waits.\n\nTea sings."
    return await stores.jobs.complete(job.job_id, text, RECORD, Comparison(MessageKind.QUOTE, left, right))


async def test_a_comparison_is_exported_with_the_last_word_of_each_person_who_agrees(
    stores: Stores, tmp_path: Path
) -> None:
    await stores.consents.record(ADA.platform, ADA.user_id, TERMS_VERSION, True)
    reply, unsaid = await compare(stores, ADA, "tea"), await compare(stores, ADA, "rain")
    for preferred in (Preferred.LEFT, Preferred.RIGHT):
        await stores.feedback.prefer(ADA, reply, preferred)
    await stores.feedback.prefer(BOB, reply, Preferred.NEITHER)
    summary = await export_rows(stores.database, tmp_path / "out", anywhere)
    assert (summary.rows, summary.pairs, summary.people) == (0, 1, 1) and unsaid != reply
    assert summary.refused == {"its person does not consent now": 1}  # what Bob preferred
    (line,) = (tmp_path / "out" / "pairs.jsonl").read_text().splitlines()
    pair = json.loads(line)
    assert (pair["kind"], pair["asked"]) == ("quote", "tea")
    assert (pair["left"]["text"], pair["right"]["text"]) == ("Tea waits.", "Tea sings.")
    assert pair["right"]["model_sha256"] == "b" * 64
    assert [said["preferred"] for said in pair["preferences"]] == ["right"]


async def test_a_forgotten_comparison_leaves_no_text_and_no_preference(stores: Stores, path: Path) -> None:
    reply = await compare(stores, ADA, "tea")
    await stores.feedback.prefer(ADA, reply, Preferred.LEFT)
    await stores.feedback.prefer(BOB, reply, Preferred.LEFT)
    assert (await stores.people.everything(BOB.platform, BOB.user_id))["preferences"]
    await stores.people.forget(BOB.platform, BOB.user_id)
    assert b"Tea sings" in on_disk(path)
    await stores.people.forget(ADA.platform, ADA.user_id)
    assert b"Tea" not in on_disk(path)
    with pytest.raises(InputError):
        await stores.feedback.prefer(BOB, reply, Preferred.LEFT)


async def test_an_export_that_cannot_be_written_is_not_on_record(stores: Stores, tmp_path: Path) -> None:
    await stores.consents.record(ADA.platform, ADA.user_id, TERMS_VERSION, True)
    await stores.say(ADA, "hello", "hi")
    (tmp_path / "file").write_text("mine")
    with pytest.raises(InputError):
        await export_rows(stores.database, tmp_path / "file", anywhere)
    await stores.people.forget(ADA.platform, ADA.user_id)
    assert await stale_exports(stores.database) == []
