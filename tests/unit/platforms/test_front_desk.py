"""What people type reaches the right part, once, and whoever is refused is told why in one sentence."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.chat.eligibility import TERMS_VERSION
from bot.chat.messages import JobState, Platform, Role, Style
from bot.chat.ports import Place
from bot.chat.service import ChatService, ChatStores
from bot.errors import InputError, StorageError
from bot.platforms.access import AccessLists
from bot.platforms.address import Address
from bot.platforms.commands import IN_CHATS, Action, Command, parse
from bot.platforms.errands import Outcome
from bot.platforms.front_desk import DeskSettings, FrontDesk, Records
from bot.platforms.incoming import Incoming
from bot.platforms.outlet import AddressOver, Button, ChatCooldown, ChatGone, ChatUnreachable, PostGone
from bot.platforms.rights import PrivacyFacts
from bot.settings import ChatSettings, LimitSettings, QuoteSettings
from tests.fakes import MODEL, FakeGenerator, FakePeople, FakeStore, Script, Stall, fixed_words, says
from tests.unit.platforms.fakes import ADDRESS, KEY, Clock, FakeOutbox, FakeOutlet
from tests.unit.platforms.records import FakeRecords

EVERYBODY = AccessLists(operators=("root",))


@dataclass(slots=True)
class FakeOperations:
    """Two models and no counts."""

    used: str = "starter"
    canary: Mapping[str, int | str] | None = None

    async def canary_figures(self) -> Mapping[str, int | str] | None:
        return self.canary

    async def statistics(self) -> Mapping[str, int | str]:
        names = "people conversations quotes replies votes_up votes_down done failed cancelled running"
        return {"model": self.used, **dict.fromkeys(f"{names} pooled_quotes tokens_written".split(), 3)}

    def models(self) -> Sequence[str]:
        return ["starter", "bigger"]

    def model_in_use(self) -> str:
        return self.used

    async def use_model(self, name: str) -> bool:
        before, self.used = self.used, name
        return name != before


@dataclass(slots=True)
class Bench:
    """The real desk and service between fakes; `shown` is what errands had to say."""

    desk: FrontDesk
    store: FakeStore
    outlet: FakeOutlet
    records: FakeRecords
    people: FakePeople
    operations: FakeOperations
    clock: Clock
    shown: list[Outcome] = field(default_factory=list)
    said: int = 0

    async def say(self, text: str, user: str = "ada", *, private: bool = True) -> list[str]:
        """Somebody says something; returns everything that they see then."""
        self.said += 1
        await self.desk.message(self.incoming(text, user, private=private), self._show)
        while self.desk.answering.busy:
            await asyncio.sleep(0)
        return [outcome.text for outcome in self.shown] + self.outlet.texts()

    def incoming(self, text: str, user: str = "ada", *, private: bool = True) -> Incoming:
        address = replace(ADDRESS, user_id=user, one_to_one=private)
        return Incoming(replace(KEY, user_id=user), (f"message:{self.said}",), address, text, ("lobby",))

    async def _show(self, incoming: Incoming, outcome: Outcome) -> None:
        self.shown.append(outcome)


def bench(*scripts: Script, lists: AccessLists = EVERYBODY, limits: LimitSettings | None = None) -> Bench:
    store, outlet, outbox, records, people = (
        FakeStore(),
        FakeOutlet(limit=4_096),
        FakeOutbox(),
        FakeRecords(),
        FakePeople(),
    )
    stores = ChatStores(store, store, store, store)
    service = ChatService(
        MODEL, FakeGenerator(*scripts), stores, ChatSettings(), QuoteSettings(), 60.0, fixed_words=fixed_words
    )
    operations, clock = FakeOperations(), Clock()
    settings = DeskSettings(lists, limits or LimitSettings(), PrivacyFacts(True, ""))
    kept = Records(outbox, outbox, people, records)

    class Announcer:
        async def announce(self, sentence: str, **values: str) -> None:
            await desk.announce(sentence, **values)

    desk = FrontDesk(Platform.TELEGRAM, outlet, service, kept, settings, operations, Announcer(), clock)
    return Bench(desk, store, outlet, records, people, operations, clock)


async def test_a_message_is_answered() -> None:
    assert await bench(says("Good morning.")).say("hello") == ["Good morning."]


async def test_a_quote_is_asked_for_with_a_style() -> None:
    b = bench(says("Courage is small and close."))
    assert await b.say("/quote courage #short") == ["Courage is small and close."]
    assert parse("/quote courage #Short", IN_CHATS) == Command(Action.QUOTE, "courage", Style.SHORT)
    assert parse("/quote #courage", IN_CHATS) == Command(Action.QUOTE, "#courage")


async def test_the_same_message_twice_is_answered_once() -> None:
    b = bench(says("Good morning."))
    message = b.incoming("hello")
    for _ in range(2):
        await b.desk.message(message, b._show)
    while b.desk.answering.busy:
        await asyncio.sleep(0)
    assert b.outlet.texts() == ["Good morning."] and len(b.store.jobs) == 1


@pytest.mark.parametrize("away_at", [1, 2])
async def test_what_breaks_off_while_it_is_taken_is_dealt_with_when_it_comes_again(away_at: int) -> None:
    b = bench()
    b.records.away_at = away_at
    message = replace(b.incoming("/forget me"), events=("update:1", "message:9"))
    for _ in range(3):
        with suppress(StorageError):
            await b.desk.message(message, b._show)
        while b.desk.answering.busy:
            await asyncio.sleep(0)
    assert b.people.forgotten == ["ada"] and len(b.shown) == 1


async def test_an_errand_that_is_taken_is_done_however_soon_the_bot_ends() -> None:
    b = bench(says("Good morning."))
    await b.say("hello")
    b.said += 1
    b.store.pauses = 50
    await b.desk.message(b.incoming("/new"), b._show)
    await b.desk.stop(0.0)
    assert await b.store.history(KEY, 10) == []


async def test_an_errand_that_is_cut_off_is_done_when_it_comes_again() -> None:
    b = bench(says("Good morning."))
    await b.say("hello")
    b.said += 1
    beginning = b.incoming("/new")
    taking = asyncio.create_task(b.desk.message(beginning, b._show))
    b.store.before = {"start_over": taking.cancel}
    with suppress(asyncio.CancelledError):
        await taking
    assert len(await b.store.history(KEY, 10)) == 2 and b.shown == []
    for _ in range(2):
        await b.desk.message(beginning, b._show)
        while b.desk.answering.busy:
            await asyncio.sleep(0)
    assert await b.store.history(KEY, 10) == [] and len(b.shown) == 1


async def test_an_errand_that_cannot_be_stored_is_done_when_it_comes_again() -> None:
    b = bench(says("Good morning."))
    await b.say("hello")
    b.said += 1
    b.store.unavailable = {"start_over"}
    with pytest.raises(StorageError):
        await b.desk.message(b.incoming("/new"), b._show)
    b.store.unavailable = set()
    await b.desk.message(b.incoming("/new"), b._show)
    while b.desk.answering.busy:
        await asyncio.sleep(0)
    assert await b.store.history(KEY, 10) == [] and len(b.shown) == 1


async def test_while_a_model_is_loaded_others_are_answered() -> None:
    b = bench(says("Good morning."))
    loaded = asyncio.Event()

    class Slow(FakeOperations):
        async def use_model(self, name: str) -> bool:
            return await loaded.wait()

    b.desk.errands._operations = Slow()
    await b.desk.message(b.incoming("/model use bigger", "root"), b._show)
    b.said += 1
    await b.desk.message(b.incoming("hello"), b._show)
    while b.outlet.texts() != ["Good morning."]:
        await asyncio.sleep(0)
    assert b.shown == []
    loaded.set()
    while b.desk.answering.busy:
        await asyncio.sleep(0)
    assert [outcome.text for outcome in b.shown] == ["bigger answers from now on."]


async def test_who_is_kept_out_changes_nothing() -> None:
    b = bench(lists=AccessLists(deny=("ada",)))
    for typed in ("/consent on", "/forget me"):
        await b.say(typed)
    assert b.people.consents == [] and b.people.forgotten == []


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("/help", "What I do:"),
        ("/start", "Hello, I am Quotesmith"),
        ("/new", "A new conversation"),
        ("/privacy", "encrypted, on a machine of their own"),
        ("/consent on", "may train a better model"),
        ("/consent off", "nothing that you wrote"),
        ("/consent", "Say /consent on / off."),
        ("/mydata show", "2 messages, 2 replies, a vote on 1 reply"),
        ("/mydata export", "Everything that is stored about you."),
        ("/forget me", "Erased: 4 messages, 1 vote."),
        ("/forget", "Say /forget me."),
        ("/cancel", "This is over already."),
        ("/good", "There is no reply to vote on yet."),
        ("/stats", "Only the bot's operators may do that"),
        ("/model use bigger", "Only the bot's operators may do that"),
        ("/quote", "Say what the quote should be about"),
        ("/quotes sea", "did you mean /quote?"),
        ("/xyzzy", "There is no command /xyzzy; there are /chat, /quote"),
        ("   ", "A message needs some text."),
        ("x" * 10_001, "at most 10,000 characters; this one has 10,001"),
        ("/quote " + "x" * 81, "at most 80 characters; this one has 81"),
    ],
)
async def test_every_command_and_every_mistake_gets_its_sentence(typed: str, said: str) -> None:
    (answer,) = await bench().say(typed)
    assert said in answer


async def test_consent_is_recorded_with_the_version_of_its_words() -> None:
    b = bench()
    await b.say("/consent on")
    await b.say("/consent OFF")
    assert b.people.consents == [("ada", TERMS_VERSION, True), ("ada", TERMS_VERSION, False)]


async def test_what_is_stored_is_shown_to_nobody_else() -> None:
    b = bench()
    assert "our private chat" in (await b.say("/mydata show", private=False))[0]
    await b.say("/mydata export")
    assert b.shown[-1].data is not None and "hello" in str(b.shown[-1].data["messages"])


async def test_favorites_are_listed_one_a_line() -> None:
    b = bench(says("Tea helps whoever waits for it."), says("Rain taps on every window alike."))
    for keyword in ("tea", "rain"):
        await b.say(f"/quote {keyword}")
    for number, entry in b.store.messages.items():
        if entry.message.role is Role.ASSISTANT:
            await b.store.toggle_favorite(KEY, number)
    await b.say("/favorites")
    rain, tea = "⭐ Rain taps on every window alike.", "⭐ Tea helps whoever waits for it."
    assert b.shown[-1].text == f"Your newest favourites:\n{rain}\n{tea}"


async def test_what_was_kept_in_private_is_listed_to_nobody_else() -> None:
    b = bench(says("My divorce helps whoever waits for it."))
    await b.say("/quote my divorce")
    await b.store.toggle_favorite(KEY, max(b.store.messages))
    await b.say("/favorites", private=False)
    assert b.shown[-1].text == "That is between the two of us: write it to me in our private chat."
    await b.say("/favorites")
    assert b.shown[-1].text == "Your favourite:\n⭐ My divorce helps whoever waits for it."


async def test_who_kept_nothing_is_told_how() -> None:
    assert await bench().say("/favorites") == ["You have no favourites yet: press ⭐ under a quote."]


async def test_forgetting_stops_what_is_under_way_for_that_person() -> None:
    b = bench([Stall()])
    await b.desk.message(b.incoming("hello"), b._show)
    while b.store.states != [JobState.RUNNING]:
        await asyncio.sleep(0)
    erased, stopped = await b.say("/forget me")
    assert erased.startswith("Erased: 4 messages, 1 vote.") and stopped == "Stopped."


async def test_operators_look_at_counts_and_change_the_model() -> None:
    b = bench()
    assert "starter answers. People: 3" in (await b.say("/stats", "root"))[0]
    await b.say("/announce on", "root")
    assert b.records.announced == [Place("lobby", "")]
    seen = await b.say("/model use bigger", "root")
    assert b.operations.used == "bigger" and "A new model answers from now on: bigger." in seen
    assert "▸ bigger" in (await b.say("/model list", "root"))[3]
    assert "/stats" in (await b.say("/help", "root"))[4]


async def test_a_model_that_answers_already_is_announced_to_nobody() -> None:
    b = bench()
    await b.say("/announce on", "root")
    assert (await b.say("/model use starter", "root"))[1:] == ["starter answers from now on."]


async def test_what_is_announced_is_said_in_all_chats_that_can_be_reached() -> None:
    out_of_reach = {"left": ChatGone(), "away": ChatUnreachable(), "closed": ChatCooldown(9.0), "moved": AddressOver()}
    out_of_reach["thread deleted"] = PostGone()

    class Refusing(FakeOutlet):
        async def create(self, address: Address, text: str, buttons: Sequence[Button], nonce: str) -> str:
            if address.chat_id in out_of_reach:
                raise out_of_reach[address.chat_id]
            return await super().create(address, text, buttons, nonce)

    b = bench()
    b.desk.outlet = outlet = Refusing()
    b.records.announced = [Place(chat, "") for chat in (*out_of_reach, "lobby")]
    await b.desk.announce("announce-model", model="bigger")
    assert outlet.texts() == ["A new model answers from now on: bigger."]


async def test_operators_see_what_the_votes_show_of_a_model_that_is_tried_out() -> None:
    b = bench()
    votes = {"new_up": 5, "new_down": 1, "old_up": 9, "old_down": 8, "new_wins": 3, "old_wins": 2}
    b.operations.canary = {"model": "bigger", "against": "starter", "share": 20, "state": "running", **votes}
    told = (await b.say("/stats", "root"))[0]
    assert "Being tried out: bigger, for 20 % of the people; starter answers the others." in told
    assert "Votes on bigger: 5 good, 1 bad. On starter: 9 good, 8 bad. Side by side: 3 to 2." in told


async def test_operators_are_not_told_that_a_model_was_taken_back_which_they_chose() -> None:
    b = bench()
    votes = {"new_up": 5, "new_down": 1, "old_up": 9, "old_down": 8, "new_wins": 3, "old_wins": 2}
    b.operations.used = "bigger"
    b.operations.canary = {"model": "bigger", "against": "starter", "share": 20, "state": "stopped", **votes}
    told = (await b.say("/stats", "root"))[0]
    assert told.startswith("bigger answers.") and "taken back" not in told
    assert "bigger was tried out until an operator chose what answers everybody; starter answered the others" in told


async def test_who_asks_too_often_is_told_when_to_come_back() -> None:
    scripts = [says(f"Good morning, number {number}.") for number in range(3)]
    b = bench(*scripts, limits=LimitSettings(requests_per_minute=2))
    for _ in range(2):
        await b.say("hello")
    assert (await b.say("hello"))[-1] == "That was more than 2 requests in a minute; try again in 60 s."
    b.clock.now += 60.0
    assert (await b.say("hello"))[-1] == "Good morning, number 2."


async def test_who_waits_for_too_much_is_told_so() -> None:
    b = bench([Stall()], limits=LimitSettings(waiting_per_person=1))
    await b.desk.message(b.incoming("hello"), b._show)
    while b.store.states != [JobState.RUNNING]:
        await asyncio.sleep(0)
    b.said += 1
    with pytest.raises(Exception, match="You already wait for 1 replies"):
        await b.desk.ask(b.incoming("more"), Command(Action.CHAT, "more"))
    for job_id in b.desk.answering.of_person("ada"):
        b.desk.answering.cancel(job_id)


@pytest.mark.parametrize(
    ("limits", "users", "said"),
    [
        (LimitSettings(waiting_per_person=4), ["ada"] * 12, "You already wait for 4 replies"),
        (LimitSettings(waiting_per_chat=4), [f"p{number}" for number in range(12)], "This chat already waits for 4"),
    ],
)
async def test_messages_that_come_at_once_are_not_let_in_past_the_limit(
    limits: LimitSettings, users: list[str], said: str
) -> None:
    b = bench(*[[Stall()] for _ in users], limits=limits)
    b.store.pauses = 9  # all of them are looked at before the first is on record
    messages = []
    for user in users:
        b.said += 1
        messages.append(b.incoming("hello", user))
    await asyncio.gather(*(b.desk.message(message, b._show) for message in messages))
    assert len(b.store.states) == 4
    while len(b.outlet.texts()) < 8:
        await asyncio.sleep(0)
    assert all(text.startswith(said) for text in b.outlet.texts())
    await b.desk.stop(0.0)


@pytest.mark.parametrize(
    ("lists", "said"),
    [
        (AccessLists(deny=("ada",)), "The bot's operator does not let me answer you."),
        (AccessLists(allow=("club",)), "The bot's operator lets me answer in chosen places only"),
    ],
)
async def test_who_is_kept_out_is_told_so(lists: AccessLists, said: str) -> None:
    for typed in ("hello", "/help"):
        assert (await bench(lists=lists).say(typed))[0].startswith(said)


async def test_in_a_quiet_chat_the_answer_is_for_the_person_alone() -> None:
    b = bench(lists=AccessLists(quiet=("lobby",)))
    seen: list[bool] = []

    class Private(FakeOutlet):
        async def create(self, address, text, buttons, nonce):  # type: ignore[no-untyped-def]
            seen.append(address.private)
            return "1"

    b.desk.answering.delivery._outlet = Private()
    await b.say("hello", private=False)
    assert seen == [True]


async def test_a_bot_that_stops_takes_nothing_more() -> None:
    b = bench()
    await b.desk.stop(0.0)
    assert await b.say("hello") == [] and b.store.jobs == {}
    with pytest.raises(Exception, match="about to be restarted"):
        await b.desk.ask(b.incoming("hello"), Command(Action.CHAT, "hello"))


async def test_keywords_are_suggested_from_what_people_ask_for() -> None:
    b = bench()
    b.records.keywords = ["courage", "encouragement", "sea"]
    assert await b.desk.suggestions(KEY, "Cour", 25) == ["courage", "encouragement"]
    assert await b.desk.suggestions(KEY, "", 2) == ["courage", "encouragement"]
    assert b.records.looked_up == 1  # typing on asks the database no second time


async def test_a_database_that_is_away_is_no_reason_to_lose_a_message() -> None:
    b = bench()
    b.store.unavailable = {"accept"}
    assert "cannot be opened" in (await b.say("hello"))[0]


@given(st.text(max_size=200))
async def test_whatever_is_typed_gets_exactly_one_answer(typed: str) -> None:
    b = bench(says("The sea is wide and patient."))
    assert len(await b.say(typed)) == 1


def test_an_unknown_command_is_an_error_of_the_person() -> None:
    with pytest.raises(InputError):
        parse("/quit", IN_CHATS)
