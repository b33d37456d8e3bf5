"""Buttons and reactions: each vote is its person's own, changeable, and bound to the reply."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.chat.messages import Complaint, ConversationKey, MessageKind, Platform, Preferred, Vote, VoteSource
from bot.chat.ports import PendingReply, SeenBefore, ShownReply
from bot.chat.service import ChatService, ChatStores
from bot.errors import BusyError, DatabaseUnavailable, InputError, QuotesmithError
from bot.platforms.access import AccessLists
from bot.platforms.admission import Admission
from bot.platforms.answering import Answering
from bot.platforms.catalogue import Texts
from bot.platforms.incoming import Incoming, vote_of
from bot.platforms.outlet import reply_buttons
from bot.platforms.presses import FollowUp, Presses, why_buttons
from bot.settings import ChatSettings, LimitSettings, QuoteSettings
from tests.fakes import MODEL, FakeGenerator, FakeStore, Stall, fixed_words, says
from tests.unit.platforms.fakes import ADDRESS, KEY, Clock, FakeOutbox, FakeOutlet, job_of
from tests.unit.platforms.records import FakeRecords

BOB = replace(KEY, user_id="bob")
EVERYBODY = AccessLists()
HERE = ("lobby", "club")  # the chat, and what it belongs to


@dataclass(slots=True)
class Bench:
    """The real service and presses over fakes, with one reply of the bot in the chat."""

    store: FakeStore
    outbox: FakeOutbox
    presses: Presses
    answering: Answering
    reply_id: int
    job_id: int
    pressed: int = 0

    def by(self, key: ConversationKey = KEY) -> Incoming:
        self.pressed += 1
        return Incoming(key, (f"press:{self.pressed}",), replace(ADDRESS, user_id=key.user_id))


async def bench(
    lists: AccessLists = EVERYBODY, kind: MessageKind = MessageKind.CHAT, limits: LimitSettings | None = None
) -> Bench:
    store, outbox = FakeStore(), FakeOutbox()
    stores = ChatStores(store, store, store, store)
    second = [says("A kettle sings of leaving.")] * 3 if kind is MessageKind.COMPARE else []
    generator = FakeGenerator(says("Tea helps whoever waits for it."), *second, [Stall()])
    service = ChatService(MODEL, generator, stores, ChatSettings(), QuoteSettings(), 60.0, fixed_words=fixed_words)
    asking = service.chat(KEY, "hello") if kind is MessageKind.CHAT else service.quote(KEY, "tea")
    if kind is MessageKind.COMPARE:
        asking = service.answer(await service.accept_comparison(KEY, "tea"))
    reply_id = [event async for event in asking][-1].message_id  # type: ignore[union-attr]
    clock = Clock()
    answering = Answering(Platform.TELEGRAM, service, FakeOutlet(), outbox, outbox, clock)
    admission = Admission(lists, limits or LimitSettings(), answering, clock)
    job_id = next(iter(store.jobs))
    outbox.at = {job_id: {0: ("lobby", "77")}}
    outbox.replies = {job_id: ShownReply(job_id, KEY, reply_id)}
    presses = Presses(Platform.TELEGRAM, service, answering, admission, outbox, FakeRecords(), look_again_s=0.0)
    return Bench(store, outbox, presses, answering, reply_id, job_id)


async def test_a_good_and_a_bad_vote_of_two_people_stand_beside_each_other() -> None:
    b = await bench()
    said = await b.presses.press(b.by(), f"good:{b.reply_id}")
    assert said.notice == "Thank you, noted as good." and said.follow_up is None
    said = await b.presses.press(b.by(BOB), f"bad:{b.reply_id}")
    assert said.follow_up is FollowUp.WHY and said.reply_id == b.reply_id
    assert (b.store.in_force(KEY, b.reply_id), b.store.in_force(BOB, b.reply_id)) == (Vote.UP, Vote.DOWN)
    assert {source for *_, source in b.store.votes} == {VoteSource.BUTTON}


async def test_the_same_button_again_takes_the_vote_back() -> None:
    b = await bench()
    for expected in (Vote.DOWN, Vote.NONE, Vote.DOWN):
        await b.presses.press(b.by(), f"bad:{b.reply_id}")
        assert b.store.in_force(KEY, b.reply_id) is expected
    assert len(b.store.votes) == 3  # rows are added, never changed


async def test_a_press_that_is_repeated_by_the_platform_counts_once() -> None:
    b = await bench()
    press = b.by()
    await b.presses.press(press, f"good:{b.reply_id}")
    with pytest.raises(SeenBefore):
        await b.presses.press(press, f"good:{b.reply_id}")
    assert b.store.in_force(KEY, b.reply_id) is Vote.UP


async def test_only_who_voted_says_why() -> None:
    b = await bench()
    buttons = why_buttons(Texts("en"), b.reply_id, "ada")
    assert [button.label for button in buttons][:2] == ["off topic", "repeats itself"]
    for button in buttons:
        with pytest.raises(InputError, match="Only who voted"):
            await b.presses.press(b.by(BOB), button.data)
    await b.presses.press(b.by(), buttons[0].data)
    assert b.store.complaints == [(KEY, b.reply_id, Complaint.OFF_TOPIC)]


async def test_better_words_are_kept_beside_the_reply() -> None:
    b = await bench()
    assert await b.presses.correct(b.by(), b.reply_id, " Tea helps, always. ") == Texts("en")("corrected")
    assert b.store.corrections == [(KEY, b.reply_id, "Tea helps, always.")]


async def test_another_reply_is_for_who_asked_another_quote_for_everybody() -> None:
    b = await bench()
    assert (await b.presses.press(b.by(), f"again:{b.job_id}")).job is not None
    with pytest.raises(InputError, match="Only who asked"):
        await b.presses.press(b.by(BOB), f"again:{b.job_id}")
    quote = await bench(kind=MessageKind.QUOTE)
    again = (await quote.presses.press(quote.by(BOB), f"again:{quote.job_id}")).job
    assert again is not None and (again.text, again.key) == ("tea", BOB)


@pytest.mark.parametrize("limits", [LimitSettings(requests_per_minute=1), LimitSettings(chat_requests_per_minute=1)])
async def test_asking_again_counts_as_a_request_only_where_it_is_one(limits: LimitSettings) -> None:
    b = await bench(limits=limits)
    again = f"again:{b.job_id}"
    for _ in range(3):
        with pytest.raises(InputError, match="Only who asked"):
            await b.presses.press(b.by(BOB), again)
    b.store.unavailable = {"accept_again"}
    with pytest.raises(DatabaseUnavailable):
        await b.presses.press(b.by(), again)
    b.store.unavailable = set()
    assert (await b.presses.press(b.by(), again)).job is not None
    with pytest.raises(BusyError, match="more than 1 requests in a minute"):
        await b.presses.press(b.by(), again)


async def test_a_press_for_another_reply_that_the_platform_repeats_is_no_request() -> None:
    b = await bench(limits=LimitSettings(requests_per_minute=2))
    press = b.by()
    await b.presses.press(press, f"again:{b.job_id}")
    for _ in range(3):
        with pytest.raises(SeenBefore):
            await b.presses.press(press, f"again:{b.job_id}")
    assert (await b.presses.press(b.by(), f"again:{b.job_id}")).job is not None


async def test_a_quote_is_kept_until_it_is_pressed_again() -> None:
    b = await bench(kind=MessageKind.QUOTE)
    assert "Kept among your favourites" in (await b.presses.press(b.by(), f"keep:{b.reply_id}")).notice
    assert b.store.in_force(KEY, b.reply_id, VoteSource.FAVORITE) is Vote.UP
    assert b.store.in_force(KEY, b.reply_id) is Vote.NONE  # nothing was said of it
    assert (await b.presses.press(b.by(), f"keep:{b.reply_id}")).notice == "Taken out of your favourites."
    assert b.store.in_force(KEY, b.reply_id, VoteSource.FAVORITE) is Vote.NONE


async def test_a_shared_quote_is_handed_on_and_noted() -> None:
    b = await bench(kind=MessageKind.QUOTE)
    assert (await b.presses.press(b.by(BOB), f"share:{b.reply_id}")).shared == "Tea helps whoever waits for it."
    assert b.store.in_force(BOB, b.reply_id, VoteSource.SHARE) is Vote.UP


async def test_which_of_two_is_better_is_noted_for_whoever_says_so() -> None:
    b = await bench(kind=MessageKind.COMPARE)
    for button in reply_buttons(Texts("en"), PendingReply(job_of(b.job_id), b.reply_id, "", 0, shows_two=True)):
        assert (await b.presses.press(b.by(BOB), button.data)).notice == "Thank you, noted."
    assert [preferred for _, _, preferred in b.store.preferences] == list(Preferred)
    with pytest.raises(InputError, match="another version"):
        await b.presses.press(b.by(), f"prefer:{b.reply_id}:middle")


async def test_a_reply_alone_has_nothing_to_compare() -> None:
    b = await bench()
    with pytest.raises(InputError, match="no two replies"):
        await b.presses.press(b.by(), f"prefer:{b.reply_id}:left")


async def test_a_quote_may_be_compared_by_anybody_and_that_is_no_bad_vote() -> None:
    b = await bench(kind=MessageKind.QUOTE)
    job = (await b.presses.press(b.by(BOB), f"compare:{b.job_id}")).job
    assert job is not None and (job.kind, job.text, job.key) == (MessageKind.COMPARE, "tea", BOB)
    assert b.store.votes == []


async def test_what_is_over_cannot_be_stopped() -> None:
    b = await bench()
    assert (await b.presses.press(b.by(), f"stop:{b.job_id}")).notice == "This is over already."


async def test_somebody_who_is_kept_out_does_not_vote() -> None:
    b = await bench(AccessLists(deny=("bob",)))
    with pytest.raises(InputError):
        await b.presses.press(b.by(BOB), f"good:{b.reply_id}")
    await b.presses.react("bob", "lobby", "77", Vote.NONE, Vote.UP, HERE)
    assert b.store.votes == []


@pytest.mark.parametrize(
    ("lists", "vote"),
    [
        (AccessLists(allow=("club",)), Vote.UP),
        (AccessLists(allow=("elsewhere",)), Vote.NONE),
        (AccessLists(deny=("club",)), Vote.NONE),
        (AccessLists(deny=("elsewhere",)), Vote.UP),
    ],
)
async def test_a_reaction_counts_where_what_its_chat_belongs_to_is_let_in(lists: AccessLists, vote: Vote) -> None:
    b = await bench(lists)
    await b.presses.react("bob", "lobby", "77", Vote.NONE, Vote.UP, HERE)
    assert b.store.in_force(BOB, b.reply_id) is vote


async def test_a_reaction_votes_and_taking_it_back_takes_the_vote_back() -> None:
    b = await bench()
    for before, after in ((Vote.NONE, Vote.UP), (Vote.UP, Vote.DOWN), (Vote.DOWN, Vote.NONE)):
        await b.presses.react("bob", "lobby", "77", before, after, HERE)
        assert b.store.in_force(BOB, b.reply_id) is after
    assert [source for *_, source in b.store.votes] == [VoteSource.REACTION] * 3


async def test_taking_back_a_reaction_leaves_a_later_vote_by_button_alone() -> None:
    b = await bench()
    await b.presses.react("ada", "lobby", "77", Vote.NONE, Vote.UP, HERE)
    await b.presses.press(b.by(), f"bad:{b.reply_id}")
    await b.presses.react("ada", "lobby", "77", Vote.UP, Vote.NONE, HERE)
    assert b.store.in_force(KEY, b.reply_id) is Vote.DOWN


async def test_reactions_to_a_reply_that_is_being_written_count_in_their_order_once_it_is_there() -> None:
    b = await bench()
    job = (await b.presses.press(b.by(), f"again:{b.job_id}")).job
    assert job is not None
    b.answering.answer(job, ADDRESS)
    b.outbox.at[job.job_id] = {0: ("lobby", "78")}
    b.outbox.replies[job.job_id] = ShownReply(job.job_id, KEY, None)
    b.store.votes.clear()  # to ask again was one
    await b.presses.react("ada", "lobby", "78", Vote.NONE, Vote.DOWN, HERE)
    await b.presses.react("ada", "lobby", "78", Vote.DOWN, Vote.NONE, HERE)
    for _ in range(20):
        await asyncio.sleep(0)
    assert b.store.votes == []
    b.outbox.replies[job.job_id] = ShownReply(job.job_id, KEY, b.reply_id)
    await b.presses.react("ada", "lobby", "78", Vote.NONE, Vote.UP, HERE)
    b.answering.cancel(job.job_id)
    while b.answering.busy:
        await asyncio.sleep(0)
    assert [vote for _, _, vote, _ in b.store.votes] == [Vote.DOWN, Vote.NONE, Vote.UP]


async def test_a_reaction_to_a_reply_that_is_never_written_is_let_go() -> None:
    b = await bench()
    b.outbox.at = {b.job_id: {0: ("lobby", "78")}}
    b.outbox.replies = {b.job_id: ShownReply(b.job_id, KEY, None)}
    b.answering.spawn(asyncio.sleep(0), "something else")
    await b.presses.react("ada", "lobby", "78", Vote.NONE, Vote.DOWN, HERE)
    while b.answering.busy:
        await asyncio.sleep(0)
    assert b.store.votes == []


async def test_a_button_that_agrees_with_the_sign_before_it_takes_nothing_back() -> None:
    b = await bench()
    await b.presses.react("ada", "lobby", "77", Vote.NONE, Vote.DOWN, HERE)
    said = await b.presses.press(b.by(), f"bad:{b.reply_id}")
    assert said.follow_up is FollowUp.WHY
    await b.presses.react("ada", "lobby", "77", Vote.DOWN, Vote.NONE, HERE)
    assert b.store.in_force(KEY, b.reply_id) is Vote.DOWN


async def test_a_reaction_to_somebody_elses_message_is_none_of_ours() -> None:
    b = await bench()
    await b.presses.react("bob", "lobby", "78", Vote.NONE, Vote.UP, HERE)
    assert b.store.votes == []


@given(st.text(max_size=80))
async def test_whatever_a_button_carries_ends_in_a_sentence_or_a_deed(data: str) -> None:
    b = await bench()
    try:
        await b.presses.press(b.by(), data)
    except QuotesmithError as error:
        assert str(error)


@pytest.mark.parametrize(
    ("signs", "vote"),
    [
        (["👍"], Vote.UP),
        (["👍🏽"], Vote.UP),
        (["❤️"], Vote.UP),
        (["❤"], Vote.UP),
        (["👎"], Vote.DOWN),
        (["🤷"], Vote.NONE),
        ([], Vote.NONE),
        (["👍", "👎"], Vote.DOWN),
        (["👎", "🤷"], Vote.DOWN),
    ],
)
def test_the_usual_signs_are_votes(signs: list[str], vote: Vote) -> None:
    assert vote_of(signs) is vote
