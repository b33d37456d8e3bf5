"""From an accepted request to the finished reply in the chat: watched, cancelled, failed, parked, resumed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import pytest

from bot.chat.generation import Queued, TextDelta
from bot.chat.messages import JobState, Platform
from bot.chat.ports import PendingReply
from bot.chat.service import ChatService, ChatStores
from bot.errors import GenerationError, WorkerCrashed
from bot.platforms.address import Address
from bot.platforms.answering import Answering
from bot.platforms.lanes import Lanes
from bot.platforms.outlet import Button
from bot.platforms.painter import Painter
from bot.platforms.posts import Posts
from bot.platforms.serving import serve
from bot.settings import ChatSettings, QuoteSettings
from tests.fakes import MODEL, FakeGenerator, FakeStore, Script, Stall, fixed_words, says
from tests.unit.platforms.bench import Bench
from tests.unit.platforms.fakes import ADDRESS, KEY, Clock, FakeOutbox, FakeOutlet, job_of


def bench(*scripts: Script, outlet: FakeOutlet | None = None) -> Bench:
    store, outbox = FakeStore(), FakeOutbox()
    outlet = outlet or FakeOutlet()
    stores = ChatStores(store, store, store, store)
    service = ChatService(
        MODEL, FakeGenerator(*scripts), stores, ChatSettings(), QuoteSettings(), 60.0, fixed_words=fixed_words
    )
    return Bench(store, outlet, outbox, service, Answering(Platform.TELEGRAM, service, outlet, outbox, outbox, Clock()))


async def test_a_quick_answer_is_one_message_with_its_buttons() -> None:
    b = bench(says("Good ", "morning."))
    job_id = await b.ask()
    await b.until_quiet()
    (post,) = b.outlet.chats["lobby"].values()
    assert post.text == "Good morning." and post.buttons[-1] == f"again:{job_id}"
    assert b.store.states == [JobState.DONE] and b.outbox.confirmed


async def test_which_is_better_is_asked_of_two_only() -> None:
    b = bench(*[says("Tea waits for nobody."), says("A kettle sings of leaving.")] * 2)
    for text in ("tea", "I want to kill myself"):
        b.answering.answer(await b.service.accept_comparison(KEY, text), ADDRESS)
        await b.until_quiet()
    two, fixed = b.outlet.chats["lobby"].values()
    assert [button.partition(":")[0] for button in two.buttons] == ["prefer"] * 4
    assert fixed.text == "[crisis en]"
    assert [button.partition(":")[0] for button in fixed.buttons] == ["good", "bad", "again"]


async def test_a_failed_answer_says_why_and_can_be_asked_for_again() -> None:
    b = bench([GenerationError("The model found no fitting words this time.")])
    job_id = await b.ask()
    await b.until_quiet()
    (post,) = b.outlet.chats["lobby"].values()
    assert post.text == "The model found no fitting words this time." and post.buttons == [f"again:{job_id}"]


async def test_a_defect_is_admitted_without_a_traceback() -> None:
    b = bench([ZeroDivisionError("secret detail")])
    await b.ask()
    await b.until_quiet()
    assert b.outlet.texts()[0].startswith("Something went wrong inside the bot")


async def test_why_there_is_no_answer_is_said_whatever_is_pressed_meanwhile() -> None:
    taken, begun = asyncio.Event(), asyncio.Event()

    class Slow(FakeOutlet):
        async def create(self, address: Address, text: str, buttons: Sequence[Button], nonce: str) -> str:
            begun.set()
            await taken.wait()
            return await super().create(address, text, buttons, nonce)

    b = bench([GenerationError("The model found no fitting words this time.")], outlet=Slow())
    job_id = await b.ask()
    await begun.wait()
    assert b.store.states == [JobState.FAILED]
    b.answering.cancel(job_id)
    taken.set()
    await b.until_quiet()
    assert b.outlet.texts() == ["The model found no fitting words this time."]


async def test_cancelling_says_so_and_leaves_nothing_half_written() -> None:
    b = bench([TextDelta("Half a"), Stall()])
    job_id = await b.ask()
    while b.store.states != [JobState.RUNNING]:
        await asyncio.sleep(0)
    assert b.answering.asker(job_id) == "ada" and list(b.answering.of_person("ada")) == [job_id]
    b.answering.cancel(job_id)
    await b.until_quiet()
    assert b.outlet.texts() == ["Stopped."] and b.store.states == [JobState.CANCELLED]
    assert b.answering.asker(job_id) is None


@pytest.mark.parametrize("steps", range(8))
async def test_what_is_stopped_is_never_answered_by_the_next_start_however_early_it_is(steps: int) -> None:
    b = bench([TextDelta("Half a"), Stall()])
    job_id = await b.ask()
    for _ in range(steps):
        await asyncio.sleep(0)
    b.answering.cancel(job_id)
    await b.until_quiet()
    assert b.outlet.texts() == ["Stopped."] and b.store.states == [JobState.CANCELLED]


async def test_an_answer_is_given_though_nobody_can_tell_for_a_while_where_it_was_begun() -> None:
    b = bench(says("Good morning."))
    job_id = await b.ask()
    await b.outlet.create(ADDRESS, "third in line", (), "x")
    await b.outbox.posted(job_id, 0, Platform.TELEGRAM, "lobby", "1")
    b.outbox.away = ["posts"]
    await b.until_quiet()
    assert b.outlet.texts() == ["Good morning."] and b.store.states == [JobState.DONE]


async def test_a_reply_that_is_on_record_is_shown_whatever_is_pressed_meanwhile() -> None:
    shown = asyncio.Event()

    class Slow(FakeOutlet):
        async def typing(self, address: Address) -> None:  # the painter's last look lasts until the test says so
            await shown.wait()

    b = bench(says("Good morning."), outlet=Slow())
    job_id = await b.ask()
    while b.store.states != [JobState.DONE]:
        await asyncio.sleep(0)
    for _ in range(20):  # the news of it passes from task to task
        await asyncio.sleep(0)
    assert b.answering.asker(job_id) is None  # so the button says that it is over
    b.answering.cancel(job_id)
    shown.set()
    await b.until_quiet()
    assert b.outlet.texts() == ["Good morning."] and "Stopped." not in b.outlet.seen and b.outbox.confirmed


async def test_what_is_stopped_while_it_is_put_on_record_is_shown() -> None:
    b = bench(says("Good morning."))
    b.store.pauses = 9  # longer than a cancelled task takes to end on its own
    job_id = await b.ask()

    def press_twice() -> None:
        b.answering.cancel(job_id)
        asyncio.get_running_loop().call_soon(b.answering.cancel, job_id)

    b.store.before["complete"] = press_twice
    await b.until_quiet()
    assert b.store.states == [JobState.DONE] and b.outbox.confirmed
    assert b.outlet.texts() == ["Good morning."] and "Stopped." not in b.outlet.seen


async def test_what_is_stopped_and_cannot_be_put_on_record_is_stopped() -> None:
    b = bench(says("Good morning."))
    b.store.unavailable = {"complete"}
    job_id = await b.ask()
    b.store.before["complete"] = lambda: b.answering.cancel(job_id)
    await b.until_quiet()
    assert b.store.states == [JobState.FAILED] and b.outlet.texts() == ["Stopped."]


async def test_a_bot_that_stops_while_a_reply_is_put_on_record_leaves_it_to_the_next_start() -> None:
    b = bench(says("Good morning."))
    await b.ask()
    stopping: list[asyncio.Task[None]] = []
    b.store.before["complete"] = lambda: stopping.append(asyncio.create_task(b.answering.stop(0.0)))
    await b.until_quiet()
    await stopping[0]
    assert b.store.states == [JobState.DONE] and b.outlet.texts() == [] and not b.outbox.confirmed


async def test_stopping_parks_what_is_under_way_and_says_nothing() -> None:
    b = bench([TextDelta("Half a"), Stall()])
    await b.ask()
    while b.store.states != [JobState.RUNNING]:
        await asyncio.sleep(0)
    b.service.park()
    await b.answering.stop(0.0)
    assert b.store.states == [JobState.ACCEPTED] and b.outlet.texts() == []


@pytest.mark.parametrize("steps", range(8))
async def test_what_a_person_stops_while_the_bot_stops_is_not_answered_by_the_next_start(steps: int) -> None:
    b = bench([TextDelta("Half a"), Stall()])
    job_id = await b.ask()
    b.service.park()
    stopping = asyncio.create_task(b.answering.stop(60.0))
    for _ in range(steps):
        await asyncio.sleep(0)
    b.answering.cancel(job_id)
    await stopping
    assert b.store.states == [JobState.CANCELLED] and b.outlet.texts() == ["Stopped."]


async def test_a_stop_of_the_bot_that_is_cut_short_says_nothing_of_what_is_left_to_the_next_start() -> None:
    b = bench([TextDelta("Half a"), Stall()])
    await b.ask()
    b.service.park()
    stopping = asyncio.create_task(b.answering.stop(60.0))
    while b.store.states != [JobState.RUNNING]:
        await asyncio.sleep(0)
    stopping.cancel()
    await asyncio.wait([stopping])
    for task in asyncio.all_tasks() - {asyncio.current_task()}:  # as the end of the event loop does
        task.cancel()
    await b.until_quiet()
    assert b.store.states == [JobState.ACCEPTED] and b.outlet.texts() == []


async def test_who_gets_no_answer_while_the_bot_stops_is_told_why() -> None:
    b = bench([GenerationError("The model found no fitting words this time.")])
    job_id = await b.ask()
    b.service.park()
    await b.answering.stop(60.0)
    (post,) = b.outlet.chats["lobby"].values()
    assert post.text == "The model found no fitting words this time." and post.buttons == [f"again:{job_id}"]
    assert b.store.states == [JobState.FAILED]


async def test_what_is_cut_off_by_a_worker_that_ends_with_the_bot_is_left_to_the_next_start() -> None:
    b = bench([WorkerCrashed("The model worker stopped.")])
    await b.ask()
    b.service.park()
    await b.answering.stop(60.0)
    assert b.store.states == [JobState.ACCEPTED] and b.outlet.texts() == []


async def test_nobody_is_told_that_it_is_stopped_what_the_next_start_answers() -> None:
    b = bench([WorkerCrashed("The model worker stopped.")])
    job_id = await b.ask()
    b.service.park()
    while not b.service.parked(job_id):
        await asyncio.sleep(0)
    b.answering.cancel(job_id)
    await b.answering.stop(60.0)
    assert b.store.states == [JobState.ACCEPTED] and b.outlet.texts() == []


async def test_the_next_start_goes_on_into_the_same_message() -> None:
    b = bench(says("Good morning."))
    job = replace(await b.service.accept_chat(KEY, "hello"), address=ADDRESS.to_json())
    await b.outlet.create(ADDRESS, "third in line", (), "x")
    await b.outbox.posted(job.job_id, 0, Platform.TELEGRAM, "lobby", "1")
    b.outbox.left = [job]
    await b.answering.resume()
    await b.answering.resume()  # a platform that connects again resumes nothing
    await b.until_quiet()
    assert b.outlet.texts() == ["Good morning."]


async def test_the_next_start_delivers_what_was_written_before() -> None:
    b = bench()
    b.outbox.waiting = [PendingReply(job_of(5), 9, "Written before the stop.", 1)]
    await b.answering.resume()
    await b.until_quiet()
    assert b.outlet.texts() == ["Written before the stop."] and b.outbox.confirmed == {9}


async def test_what_was_left_at_an_unreadable_address_keeps_nothing_else_back() -> None:
    b = bench(says("Good morning."))
    accepted = [await b.service.accept_chat(KEY, "hello") for _ in range(3)]
    unreadable = ["{", '{"chat_id": "lobby", "user_id": "ada", "of_a_later_version": 1}']
    b.outbox.left = [
        replace(job, address=address) for job, address in zip(accepted, [*unreadable, ADDRESS.to_json()], strict=True)
    ]
    b.outbox.waiting = [
        PendingReply(replace(job_of(5), address="[]"), 8, "Not to be shown anywhere.", 1),
        PendingReply(job_of(6), 9, "Written before the stop.", 1),
    ]
    await b.answering.resume()
    await b.until_quiet()
    assert sorted(b.outlet.texts()) == ["Good morning.", "Written before the stop."]
    assert b.store.states == [JobState.ACCEPTED, JobState.ACCEPTED, JobState.DONE]


class Resuming:
    """A platform that goes on with what was left and then holds, as the real ones do."""

    platform = Platform.TELEGRAM

    def __init__(self, answering: Answering) -> None:
        self._answering = answering
        self.holding = asyncio.Event()

    async def run(self, connected: Callable[[], None]) -> None:
        await self._answering.resume()
        self.holding.set()
        await asyncio.Event().wait()

    async def close(self) -> None:
        return None


@pytest.mark.parametrize("call", ["pending", "unfinished"])
async def test_what_was_left_waits_for_a_database_that_is_away_and_is_not_lost(call: str) -> None:
    b = bench(says("Good morning."))
    b.outbox.waiting = [PendingReply(job_of(5), 9, "Written before the stop.", 1)]
    b.outbox.left = [await b.service.accept_chat(KEY, "hello")]
    b.outbox.away = [call]
    lines: list[str] = []
    platform = Resuming(b.answering)
    serving = asyncio.create_task(serve([platform], lines.append, Clock(), first_pause_s=0.0))
    await platform.holding.wait()
    await b.until_quiet()
    serving.cancel()
    await asyncio.wait([serving])
    why = "Telegram: what is left from before cannot be read, so it waits: The database cannot be opened."
    assert lines == [f"{why} Trying again in 0 s."]
    assert sorted(b.outlet.texts()) == ["Good morning.", "Written before the stop."]


# -- what is seen meanwhile -------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Watching:
    """A painter whose looks a test takes one by one."""

    painter: Painter
    outlet: FakeOutlet
    clock: Clock

    async def look(self, seconds: float = 5.0) -> None:
        self.clock.now += seconds
        await self.painter._look()


async def watching(
    *, drafts: bool = False, address: Address = ADDRESS, posts: Sequence[str] = (), limit: int = 100
) -> Watching:
    clock, outlet, outbox = Clock(), FakeOutlet(has_drafts=drafts, limit=limit), FakeOutbox()
    for part, post_id in enumerate(posts):
        await outlet.create(address, "…", (), post_id)
        await outbox.posted(1, part, Platform.TELEGRAM, address.chat_id, post_id)
    shown = Posts(outlet, outbox, job_of(), address)
    await shown.load()
    return Watching(Painter(outlet, shown, Lanes(clock), address, 1, clock), outlet, clock)


async def test_who_waits_is_told_the_place_and_can_cancel() -> None:
    w = await watching()
    w.painter.take(Queued(3, 12.0))
    await w.look(0.1)
    assert w.outlet.texts() == [] and w.outlet.typed == 1  # it may be over before a notice is of use
    await w.look()
    (post,) = w.outlet.chats["lobby"].values()
    assert post.text == "third in line, about 12 s" and post.buttons == ["stop:1"]


async def test_the_text_grows_in_the_place_of_the_notice() -> None:
    w = await watching()
    w.painter.take(Queued(2, None))
    await w.look()
    w.painter.take(TextDelta("Good "))
    await w.look()
    w.painter.take(TextDelta("morning."))
    await w.look()
    assert w.outlet.seen == ["…", "second in line", "Good", "Good morning."] and len(w.outlet.texts()) == 1


async def test_a_growing_text_that_is_longer_than_a_message_shows_its_beginning() -> None:
    w = await watching(limit=30)
    w.painter.take(TextDelta("A first sentence. A second one that is too long."))
    await w.look()
    assert w.outlet.texts() == ["A first sentence. …"]


async def test_in_private_the_text_grows_as_a_draft_which_is_kept_alive() -> None:
    w = await watching(drafts=True)
    await w.look(0.0)
    w.painter.take(TextDelta("Good "))
    await w.look()
    await w.look()
    await w.look(25.0)
    assert w.outlet.drafted == ["", "Good", "Good"] and w.outlet.texts() == []


async def test_who_waits_in_private_gets_a_message_that_can_carry_a_button() -> None:
    w = await watching(drafts=True)
    w.painter.take(Queued(4, None))
    await w.look()
    assert w.outlet.texts() == ["fourth in line"]


async def test_progress_that_cannot_be_shown_is_no_harm() -> None:
    w = await watching(posts=("1",))
    w.outlet.faults = ["gone", "lost", "cooldown"]
    w.painter.take(TextDelta("Good morning."))
    await w.look()
    await w.look()
    await w.look()
    assert w.outlet.texts() in (["Good morning."], [])


async def test_a_quote_in_german_waits_in_german() -> None:
    w = await watching(address=replace(ADDRESS, language="de"))
    w.painter.take(Queued(2, 3.0))
    await w.look()
    assert w.outlet.texts() == ["an zweiter Stelle, etwa 3 s"]


def test_an_address_survives_the_process() -> None:
    address = Address("1", "2", thread_id="3", token="t", token_until=4.5, private=True, language="de")
    assert Address.from_json(address.to_json()) == address
