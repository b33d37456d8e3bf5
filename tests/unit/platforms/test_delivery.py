"""A finished reply arrives once and whole, whatever goes wrong on its way."""

from __future__ import annotations

import asyncio
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.chat.messages import Platform
from bot.chat.ports import PendingReply
from bot.platforms.address import Address
from bot.platforms.catalogue import Texts
from bot.platforms.delivery import Delivery
from bot.platforms.lanes import Lanes
from bot.platforms.outlet import Button, ChatGone, ChatUnreachable
from tests.unit.platforms.fakes import ADDRESS, Clock, FakeOutbox, FakeOutlet, Fault, job_of

REPLY = "The tide comes in. " * 12
FAULTS: st.SearchStrategy[list[Fault]] = st.lists(
    st.sampled_from(["cooldown", "lost", "unanswered", "gone"]), max_size=12
)


def delivery(outlet: FakeOutlet, outbox: FakeOutbox) -> Delivery:
    return Delivery(outlet, outbox, Lanes(Clock()), first_pause_s=0.0)


async def delivered(outlet: FakeOutlet, outbox: FakeOutbox, text: str = REPLY) -> None:
    await delivery(outlet, outbox).deliver(PendingReply(job_of(), 7, text, 0), ADDRESS)


async def test_a_long_reply_is_several_messages_and_only_the_last_has_buttons() -> None:
    outlet, outbox = FakeOutlet(), FakeOutbox()
    await delivered(outlet, outbox)
    posts = list(outlet.chats["lobby"].values())
    assert " ".join(post.text for post in posts) == REPLY.strip()
    assert [bool(post.buttons) for post in posts] == [False, False, True]
    assert posts[-1].buttons == ["good:7", "bad:7", "again:1"] and outbox.confirmed == {7}


@given(FAULTS, st.booleans())
def test_whatever_fails_the_complete_reply_stands_there_once(faults: list[Fault], remembers_nonces: bool) -> None:
    outlet = FakeOutlet(faults=list(faults), remembers_nonces=remembers_nonces)
    outbox = FakeOutbox()
    asyncio.run(delivered(outlet, outbox))
    texts = [text for text in outlet.texts() if text != "…"]  # a placeholder may be left over, an answer may not
    assert sorted(" ".join(texts).split()) == sorted(REPLY.split())
    assert outbox.confirmed == {7}


@given(FAULTS, st.integers(1, 8), st.booleans())
def test_a_process_that_is_killed_on_the_way_leaves_no_second_reply(
    faults: list[Fault], killed_after: int, remembers_nonces: bool
) -> None:
    outlet = FakeOutlet(faults=list(faults), remembers_nonces=remembers_nonces)
    outbox = FakeOutbox()

    async def killed_and_started_again() -> None:
        first = asyncio.create_task(delivered(outlet, outbox))
        for _ in range(killed_after):
            await asyncio.sleep(0)
        first.cancel()
        await asyncio.wait([first])
        if 7 not in outbox.confirmed:
            await delivered(outlet, outbox)

    asyncio.run(killed_and_started_again())
    texts = [text for text in outlet.texts() if text != "…"]
    assert sorted(" ".join(texts).split()) == sorted(REPLY.split())


async def test_an_address_that_is_over_gives_way_to_the_one_that_lasts() -> None:
    outlet, outbox = FakeOutlet(faults=["over"], remembers_nonces=True), FakeOutbox()
    await outbox.posted(1, 0, Platform.DISCORD, "lobby", "77")
    brief = Address("lobby", "ada", token="t")
    await delivery(outlet, outbox).deliver(PendingReply(job_of(), 7, "Good morning.", 0), brief)
    assert outlet.texts() == ["Good morning."] and outbox.confirmed == {7}
    assert Address.from_json(outbox.addresses[1]) == Address("lobby", "ada", mention=True)


async def test_a_chat_that_is_closed_to_the_bot_is_given_up_with_the_reason() -> None:
    class Closed(FakeOutlet):
        async def create(self, *_: object) -> str:
            raise ChatGone("bot was blocked by the user")

    outbox = FakeOutbox()
    await delivered(Closed(), outbox)
    assert outbox.given_up == {7: "bot was blocked by the user"} and not outbox.confirmed


async def test_an_error_that_nobody_foresaw_does_not_go_on_for_ever() -> None:
    class Broken(FakeOutlet):
        async def create(self, *_: object) -> str:
            raise ZeroDivisionError("oops")

    outbox = FakeOutbox()
    await delivered(Broken(), outbox)
    assert outbox.given_up == {7: "ZeroDivisionError: oops"}


async def test_a_sentence_that_may_have_arrived_is_not_said_twice() -> None:
    outlet = FakeOutlet(faults=["unanswered"])
    assert await delivery(outlet, FakeOutbox()).say(ADDRESS, "Too fast.") is None
    assert outlet.texts() == ["Too fast."]


async def test_a_sentence_is_repeated_where_repeating_is_safe() -> None:
    outlet = FakeOutlet(faults=["unanswered", "lost"], remembers_nonces=True)
    assert await delivery(outlet, FakeOutbox()).say(ADDRESS, "Too fast.") is not None
    assert outlet.texts() == ["Too fast."]


async def test_something_long_is_said_in_several_messages_with_the_buttons_under_the_last() -> None:
    outlet = FakeOutlet(faults=["cooldown"])
    said = await delivery(outlet, FakeOutbox()).say(ADDRESS, REPLY, [Button("why", "why:7")])
    posts = outlet.chats["lobby"]
    assert " ".join(outlet.texts()) == REPLY.strip() and list(posts)[-1] == said
    assert [post.buttons for post in posts.values()] == [[], [], ["why:7"]]


async def test_something_long_of_which_a_part_may_be_missing_does_not_go_on() -> None:
    outlet = FakeOutlet(faults=["unanswered"])
    assert await delivery(outlet, FakeOutbox()).say(ADDRESS, REPLY) is None
    [begun] = outlet.texts()
    assert REPLY.startswith(begun) and len(begun) <= outlet.limit


@pytest.mark.parametrize("error", [ChatUnreachable("no network"), ChatGone("left")])
async def test_a_sentence_that_cannot_be_said_is_let_go(error: Exception) -> None:
    class Down(FakeOutlet):
        async def create(self, *_: object) -> str:
            raise error

    assert await delivery(Down(), FakeOutbox()).say(ADDRESS, "Too fast.") is None


DATA = {"user_id": "ada", "messages": [str(number) for number in range(400)], "votes": []}


async def test_data_that_is_too_large_for_one_file_is_handed_over_in_several() -> None:
    outlet = FakeOutlet(faults=["cooldown"])
    await delivery(outlet, FakeOutbox()).hand_over(ADDRESS, "Here it is.", DATA)
    assert len(outlet.files) > 1 and all(len(file.content) <= outlet.file_limit for file in outlet.files)
    parts = [json.loads(file.content) for file in outlet.files]
    assert [message for part in parts for message in part["messages"]] == DATA["messages"]
    assert outlet.texts() == ["Here it is."] * len(outlet.files)


async def test_who_does_not_get_all_of_their_data_is_told_so() -> None:
    outlet = FakeOutlet(faults=["lost"], limit=1_000)
    await delivery(outlet, FakeOutbox()).hand_over(ADDRESS, "Here it is.", DATA)
    assert outlet.files == [] and outlet.texts() == [Texts("en")("mydata-not-sent")]
