"""The note that comes once with each version of the terms: where it stands, what it says, and when it comes again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.chat.messages import ConversationKey, Platform
from bot.chat.ports import NewTerms, PendingReply
from bot.chat.service import ChatService, ChatStores
from bot.platforms.address import Address
from bot.platforms.answering import Answering
from bot.platforms.catalogue import languages
from bot.platforms.first_use import FirstUse
from bot.platforms.outlet import ChatGone
from bot.platforms.rights import PrivacyFacts
from bot.settings import ChatSettings, QuoteSettings
from tests.fakes import MODEL, FakeGenerator, FakePeople, FakeStore, Script, fixed_words, says
from tests.unit.platforms.bench import Bench
from tests.unit.platforms.fakes import ADDRESS, KEY, Clock, FakeOutbox, FakeOutlet, job_of

FIRST = NewTerms(changed=False, consents=False)
ALONE = replace(ADDRESS, one_to_one=True)
COMMAND = replace(ADDRESS, token="interaction-token", token_until=2e9)


def first_use(people: FakePeople, platform: Platform = Platform.TELEGRAM, permission: str = "") -> FirstUse:
    return FirstUse(platform, people, PrivacyFacts(True, permission), FakeOutlet().small_print)


def bench(people: FakePeople, *scripts: Script, outlet: FakeOutlet | None = None) -> Bench:
    store, outbox, outlet = FakeStore(), FakeOutbox(), outlet or FakeOutlet(limit=4_096)
    stores = ChatStores(store, store, store, store)
    service = ChatService(
        MODEL, FakeGenerator(*scripts), stores, ChatSettings(), QuoteSettings(), 60.0, fixed_words=fixed_words
    )
    told = first_use(people)
    answering = Answering(Platform.TELEGRAM, service, outlet, outbox, outbox, Clock(), told)
    return Bench(store, outlet, outbox, service, answering)


async def note(
    platform: Platform, address: Address, new: NewTerms = FIRST, permission: str = "", user: str = "ada"
) -> str:
    """What stands beneath somebody's first reply."""
    told = first_use(FakePeople(new_terms=new), platform, permission)
    return await told.beneath(ConversationKey(platform, "lobby", "", user), 1, address)


async def test_it_stands_beneath_the_first_reply_and_no_other() -> None:
    b = bench(FakePeople(new_terms=FIRST), says("Good morning."), says("Good night."))
    for text in ("hello", "and now?"):
        await b.ask(text, ALONE)
        await b.until_quiet()
    first, second = b.outlet.texts()
    assert first.startswith("Good morning.\n\n(Just this once:") and first.endswith("/forget me erases it.)")
    assert second == "Good night."


async def test_whoever_was_told_sees_the_reply_alone() -> None:
    b = bench(FakePeople(), says("Good morning."))
    await b.ask("hello", ALONE)
    await b.until_quiet()
    assert b.outlet.texts() == ["Good morning."]


async def test_the_answer_to_a_command_that_all_see_is_followed_by_it() -> None:
    b = bench(FakePeople(new_terms=FIRST), says("Good morning."), says("Good night."))
    for text in ("hello", "and now?"):
        await b.ask(text, COMMAND)
        await b.until_quiet()
    reply, whispered, second = b.outlet.texts()
    assert (reply, second) == ("Good morning.", "Good night.") and whispered.startswith("Just this once:")


@pytest.mark.parametrize("address", [replace(COMMAND, private=True), replace(COMMAND, one_to_one=True)])
async def test_beneath_an_answer_that_nobody_else_sees_it_stands_too(address: Address) -> None:
    b = bench(FakePeople(new_terms=FIRST), says("Good morning."))
    await b.ask("hello", address)
    await b.until_quiet()
    (reply,) = b.outlet.texts()
    assert reply.startswith("Good morning.\n\n(Just this once:")


async def test_what_the_chat_does_not_take_is_told_with_the_next_reply() -> None:
    people = FakePeople(new_terms=FIRST)
    b = bench(people, says("Good morning."), outlet=Closed(limit=4_096))
    await b.ask("hello", ALONE)
    await b.until_quiet()
    assert b.outlet.texts() == [] and b.outbox.given_up and people.told == {}


async def test_a_whisper_that_cannot_be_said_any_more_is_told_with_the_next_reply() -> None:
    people, outlet = FakePeople(new_terms=FIRST), FakeOutlet(limit=4_096, faults=["over"])
    say = bench(people, outlet=outlet).answering.delivery.say
    told = first_use(people)
    for reply_id in (1, 2, 3):
        await told.after(KEY, reply_id, COMMAND, say)
    assert people.told == {"ada": 2} and len(outlet.texts()) == 1


async def test_a_reply_that_is_delivered_after_a_restart_says_the_same() -> None:
    people = FakePeople(new_terms=FIRST)
    texts = []
    for _ in range(2):  # the second process finds the reply unconfirmed
        b = bench(people)
        b.outbox.waiting = [PendingReply(replace(job_of(5), address=ALONE.to_json()), 9, "Written before.", 1)]
        await b.answering.resume()
        await b.until_quiet()
        texts += b.outlet.texts()
    assert texts[0] == texts[1] and "/forget me" in texts[0]


async def test_no_reply_fails_for_its_sake() -> None:
    b = bench(FakePeople(new_terms=FIRST, unavailable=True), says("Good morning."), says("Good night."))
    for address in (ALONE, COMMAND):
        await b.ask("hello", address)
        await b.until_quiet()
    assert b.outlet.texts() == ["Good morning.", "Good night."]
    assert not b.outbox.given_up


@pytest.mark.parametrize(
    ("platform", "permission", "alone", "said"),
    [
        (Platform.TELEGRAM, "", True, "Nothing of it trains a model unless you say /consent on."),
        (Platform.TELEGRAM, "", False, "Nothing that is said in groups trains a model."),
        (Platform.DISCORD, "", True, "What you type into my commands trains a model only if you say /consent on"),
        (Platform.DISCORD, "", False, "and your messages never do."),
        (Platform.DISCORD, "ticket 7", False, "Nothing of it trains a model unless you say /consent on."),
        (Platform.CONSOLE, "", True, "Nothing of it trains a model unless you say /consent on."),
    ],
)
async def test_it_says_what_may_train_a_model_there(
    platform: Platform, permission: str, alone: bool, said: str
) -> None:
    assert said in await note(platform, ALONE if alone else ADDRESS, permission=permission)


@pytest.mark.parametrize("language", languages())
@pytest.mark.parametrize("platform", list(Platform))
async def test_before_others_it_is_one_short_line_and_in_private_it_names_every_right(
    language: str, platform: Platform
) -> None:
    for changed in (False, True):
        new = NewTerms(changed, consents=False)
        short = await note(platform, replace(ADDRESS, language=language), new)
        full = await note(platform, replace(ALONE, language=language), new)
        assert short.count("\n") == full.count("\n") == 2 and len(short) < 330 and len(full) < 500
        assert "/privacy" in short and "/forget" not in short
        assert all(command in full for command in ("/mydata show", "/mydata export", "/forget me", "/consent on"))


@pytest.mark.parametrize("platform", [Platform.TELEGRAM, Platform.DISCORD])
async def test_who_has_agreed_already_is_not_asked_to(platform: Platform) -> None:
    said = await note(platform, ALONE, NewTerms(changed=False, consents=True))
    assert "s you agreed" in said and "unless" not in said and "only if" not in said


async def test_who_knew_other_terms_is_told_that_they_have_changed() -> None:
    for address in (ALONE, ADDRESS):
        assert "My terms have changed" in await note(Platform.TELEGRAM, address, NewTerms(True, False))


class Closed(FakeOutlet):
    """A chat that takes nothing from the bot."""

    async def create(self, address: Address, text: str, buttons: object, nonce: str) -> str:
        raise ChatGone("blocked")
