"""What a person is told, sees and takes along of what is stored about them."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from bot.chat.eligibility import TERMS_VERSION
from bot.chat.messages import Complaint, MessageKind, Preferred, Vote, VoteSource
from bot.chat.ports import Comparison, NewTerms, Side
from bot.storage.database import Database
from bot.storage.export import export_rows
from tests.integration.storage.conftest import RECORD, Stores, key_of, stores_over, url_of

ADA, BOB = key_of("ada"), key_of("bob")
FIRST = NewTerms(changed=False, consents=False)


async def tell(stores: Stores, reply: int, user_id: str = "ada") -> NewTerms | None:
    return await stores.people.tell_terms(ADA.platform, user_id, reply)


async def agree(stores: Stores, version: str = TERMS_VERSION) -> None:
    await stores.consents.record(ADA.platform, ADA.user_id, version, True)


async def test_the_terms_are_told_beneath_one_reply_only_over_restarts_too(path: Path) -> None:
    database = await Database.open(url_of(path))
    stores = stores_over(database)
    first, second = await stores.say(ADA, "hello", "hi"), await stores.say(ADA, "more", "and more")
    assert await tell(stores, first) == FIRST and await tell(stores, second) is None
    await database.close()
    again = await Database.open(url_of(path))
    stores = stores_over(again)
    assert await tell(stores, second) is None
    assert await tell(stores, first) == FIRST  # that very reply, which is shown once more, says the same
    await again.close()


async def test_of_two_replies_at_once_one_tells(stores: Stores) -> None:
    replies = [await stores.say(ADA, f"{number}", "hi") for number in range(6)]
    told = await asyncio.gather(*(tell(stores, reply) for reply in replies))
    assert [new for new in told if new] == [FIRST]


async def test_what_did_not_arrive_is_told_with_the_next_reply(stores: Stores) -> None:
    first, second = await stores.say(ADA, "hello", "hi"), await stores.say(ADA, "more", "and more")
    await tell(stores, first)
    await stores.people.terms_not_told(ADA.platform, ADA.user_id, second)  # that was another one
    assert await tell(stores, second) is None
    await stores.people.terms_not_told(ADA.platform, ADA.user_id, first)
    assert await tell(stores, second) == FIRST


async def test_everybody_is_told_for_themselves(stores: Stores) -> None:
    await tell(stores, await stores.say(ADA, "hello", "hi"))
    assert await tell(stores, await stores.say(BOB, "hello", "hi"), "bob") == FIRST


async def test_new_terms_are_told_anew_and_make_an_old_consent_void(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    reply = await stores.say(ADA, "hello", "hi")
    await agree(stores)
    assert await tell(stores, reply) == NewTerms(changed=False, consents=True)
    for module in ("people", "consents"):
        monkeypatch.setattr(f"bot.storage.{module}.TERMS_VERSION", "a later one")
    assert not (await stores.people.overview(ADA.platform, ADA.user_id)).consents
    later = await stores.say(ADA, "more", "and more")
    assert await tell(stores, later) == NewTerms(changed=True, consents=False)
    assert await tell(stores, await stores.say(ADA, "again", "yes")) is None
    said = (await stores.people.everything(ADA.platform, ADA.user_id))["messages"]
    assert isinstance(said, list) and [one["may_be_trained_on"] for one in said[2:]] == [False] * 4


async def test_who_agreed_before_there_was_a_note_is_told_that_it_no_longer_counts(stores: Stores) -> None:
    await agree(stores, "2001-01")
    assert await tell(stores, await stores.say(ADA, "hello", "hi")) == NewTerms(changed=True, consents=False)


async def test_nothing_is_noted_of_strangers_and_of_who_is_forgotten(stores: Stores) -> None:
    assert await tell(stores, 1) is None
    reply = await stores.say(ADA, "hello", "hi")
    await tell(stores, reply)
    await stores.people.forget(ADA.platform, ADA.user_id)
    assert await tell(stores, reply) is None
    assert (await taken_along(stores))["told_terms"] == []
    assert await tell(stores, await stores.say(ADA, "back again", "hi")) == FIRST


async def taken_along(stores: Stores) -> dict[str, Any]:
    """What Ada takes along, as the file holds it."""
    everything = await stores.people.everything(ADA.platform, ADA.user_id)
    found: dict[str, Any] = json.loads(json.dumps(everything))
    return found


async def test_a_person_takes_along_everything_and_nothing_of_others(sealed: Stores, tmp_path: Path) -> None:
    await agree(sealed)
    reply = await sealed.say(ADA, "my words", "your reply")
    await sealed.outbox.posted(1, 0, ADA.platform, "lobby", "77")
    await sealed.outbox.try_later(reply, "no network")
    of_bob = await sealed.say(BOB, "tea", "Tea waits.", MessageKind.QUOTE)
    job = await sealed.jobs.accept(ADA, MessageKind.COMPARE, "rain")
    await sealed.jobs.start(job.job_id)
    sides = Side("Rain falls.", "old", "a" * 64), Side("Rain sings.", "new", "b" * 64)
    compared = await sealed.jobs.complete(job.job_id, "two", RECORD, Comparison(MessageKind.QUOTE, *sides))
    await sealed.feedback.complain(ADA, reply, Complaint.REPEATS, VoteSource.BUTTON)
    await sealed.feedback.add_vote(ADA, reply, Vote.UP, VoteSource.REACTION)
    await sealed.feedback.toggle_favorite(ADA, of_bob)
    await sealed.feedback.correct(ADA, reply, "a better reply", as_option=True)
    await sealed.feedback.prefer(ADA, compared, Preferred.RIGHT)
    await tell(sealed, reply)
    export = await export_rows(sealed.database, tmp_path / "out", lambda key, kind, as_option: True)

    found = await taken_along(sealed)
    assert [said["text"] for said in found["messages"]] == ["my words", "your reply", "rain", "two"]
    assert found["messages"][1]["model"] == "starter" and found["messages"][1]["delivery"] == "pending"
    assert [(one["kind"], one["state"], one["posts"]) for one in found["requests"]] == [
        ("chat", "done", ["77"]),
        ("compare", "done", []),
    ]
    assert [(one["value"], one["source"], one["complaint"]) for one in found["votes"]] == [
        (-1, "button", "repeats"),
        (1, "reaction", None),
        (1, "favorite", None),
    ]
    assert [one["text"] for one in found["favorites"]] == ["Tea waits."]
    assert [one["text"] for one in found["corrections"]] == ["a better reply"]
    assert [(one["left"]["text"], one["right"]["model"]) for one in found["comparisons"]] == [("Rain falls.", "new")]
    assert [one["preferred"] for one in found["preferences"]] == ["right"]
    assert [(one["version"], one["granted"]) for one in found["consents"]] == [(TERMS_VERSION, True)]
    assert [(one["version"], one["message_id"]) for one in found["told_terms"]] == [(TERMS_VERSION, reply)]
    assert [(one["name"], one["message_ids"]) for one in found["exports"]] == [(export.name, [reply, compared])]
    assert found["erased_requests"] == 0
    assert "tea" not in json.dumps(found) and str(tmp_path) not in json.dumps(found)
    counted = await sealed.people.overview(ADA.platform, ADA.user_id)
    assert (counted.messages, counted.replies, counted.corrections, counted.consents) == (2, 2, 1, True)
    assert (counted.favorites, counted.preferences, counted.exports) == (1, 1, 1)


async def test_what_stays_of_who_is_forgotten_is_named_to_them(stores: Stores, tmp_path: Path) -> None:
    await agree(stores)
    await stores.say(ADA, "my words", "your reply")
    await export_rows(stores.database, tmp_path / "out", lambda key, kind, as_option: True)
    await stores.people.forget(ADA.platform, ADA.user_id)
    found = await taken_along(stores)
    empty = ("messages", "requests", "votes", "favorites", "corrections", "comparisons", "preferences", "told_terms")
    assert all(found[kind] == [] for kind in empty) and found["erased_requests"] == 1
    assert [one["granted"] for one in found["consents"]] == [True, False]
    assert found["exports"][0]["erased_here_since"]
