"""A canary in the running bot: real workers, the real database, and decisions that another process wrote down."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from pathlib import Path

import psutil
import pytest

from bot import operating
from bot.chat.canary import CanaryState
from bot.chat.messages import ConversationKey, MessageKind, Platform, Preferred
from bot.chat.replies import Reply
from bot.composition import Bot, chores, open_bot, open_store
from bot.errors import ModelError, WorkerCrashed
from bot.inference import worker_client
from bot.models.store import ModelStore
from bot.settings import DatabaseSettings, InferenceSettings, ModelSettings, QuoteSettings, Settings
from bot.storage.conversations import SqlConversations
from tests.model_folders import twin_of_the_embedded_model


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    made = Settings(
        model=ModelSettings(folder=tmp_path / "models"),
        database=DatabaseSettings(url=f"sqlite+aiosqlite:///{tmp_path / 'q.db'}"),
        inference=InferenceSettings(threads=1, context_tokens=2048),
        quote=QuoteSettings(candidates=1, pool_depth=0),
    )
    open_store(made).add(twin_of_the_embedded_model(tmp_path / "made", "twin"))
    return made


@pytest.fixture
async def served(settings: Settings) -> AsyncIterator[Bot]:
    async with open_bot(settings) as bot:
        await bot.worker.ready()
        yield bot


def key_of(user: str) -> ConversationKey:
    return ConversationKey(Platform.DISCORD, "lobby", "", user)


async def model_for(bot: Bot, user: str) -> str:
    async with aclosing(bot.service.quote(key_of(user), "courage")) as events:
        async for event in events:
            if isinstance(event, Reply):
                return event.model
    raise AssertionError("no reply")


async def compared(bot: Bot, user: str) -> tuple[int, str, str]:
    """The comparison's message, and the models on its left and right."""
    job = await bot.service.accept_comparison(key_of(user), "courage")
    async with aclosing(bot.service.answer(job)) as events:
        async for event in events:
            if isinstance(event, Reply):
                from sqlalchemy import select

                from bot.storage.tables import ComparedPair

                async with bot.database.read() as session:
                    pair = await session.scalar(select(ComparedPair).where(ComparedPair.message_id == event.message_id))
                assert pair is not None
                return event.message_id, pair.left_model, pair.right_model
    raise AssertionError("no reply")


async def prefer_always(bot: Bot, liked: str) -> str:
    """People compare until the bot changes something; returns what answers from then on, "" for no change."""
    for number in range(30):
        user = f"reader {number}"
        message_id, left, right = await compared(bot, user)
        assert {left, right} == {"starter", "twin"}
        preferred = Preferred.LEFT if left == liked else Preferred.RIGHT
        await bot.service.prefer(key_of(user), preferred, message_id)
        changed = await bot.operations.catch_up()
        canary = open_store(bot.settings).canary()
        if canary is not None and not canary.running:
            return changed
    raise AssertionError("thirty comparisons of one mind decided nothing")


async def test_a_canary_begun_elsewhere_answers_its_people_and_a_rollback_ends_it(
    served: Bot, settings: Settings
) -> None:
    canary = open_store(settings).try_out("twin", 0.5)  # as `quotesmith model canary` does, in another process
    assert await served.operations.catch_up() == ""
    for user in ("ada", "bob", "cyd", "dan", "eve"):
        assert await model_for(served, user) == ("twin" if canary.takes_part(key_of(user)) else "starter")

    open_store(settings).roll_back()
    await served.operations.catch_up()
    assert {await model_for(served, user) for user in ("ada", "bob", "cyd", "dan", "eve")} == {"starter"}
    figures = await served.operations.canary_figures()
    assert figures is not None and figures["state"] == "rolled_back"


async def test_a_model_that_is_liked_better_is_promoted_and_stays_so(served: Bot, settings: Settings) -> None:
    open_store(settings).try_out("twin", 0.2)
    await served.operations.catch_up()
    assert await prefer_always(served, "twin") == "twin"
    assert await model_for(served, "bob") == "twin" == open_store(settings).active_name()

    open_store(settings).roll_back()
    assert await served.operations.catch_up() == "starter"
    assert await model_for(served, "bob") == "starter"


async def test_a_model_that_is_liked_less_is_taken_back(served: Bot, settings: Settings) -> None:
    open_store(settings).try_out("twin", 0.2)
    await served.operations.catch_up()
    assert await prefer_always(served, "starter") == ""
    ended = open_store(settings).canary()
    assert ended is not None and (ended.state, ended.why) == (CanaryState.ROLLED_BACK, "people like it less")
    assert served.service.model.name == "starter"


async def test_a_canary_goes_on_after_a_restart(settings: Settings) -> None:
    canary = open_store(settings).try_out("twin", 0.5)
    part = next(user for user in map(str, range(99)) if canary.takes_part(key_of(user)))
    for _ in range(2):
        async with open_bot(settings) as bot:
            await bot.operations.catch_up()
            assert await model_for(bot, part) == "twin"


async def test_a_model_that_cannot_be_loaded_is_not_tried_out_and_the_bot_goes_on(
    served: Bot, settings: Settings
) -> None:
    open_store(settings).try_out("twin", 0.5)
    gguf = settings.model.folder / "twin" / "model.gguf"
    gguf.write_bytes(gguf.read_bytes()[:4_000])
    with pytest.raises(ModelError):
        await served.operations.catch_up()
    ended = open_store(settings).canary()
    assert ended is not None and ended.state is CanaryState.FAILED and "twin" in ended.why
    assert await served.operations.catch_up() == ""
    assert await model_for(served, "ada") == "starter"


async def test_a_model_chosen_elsewhere_answers_without_a_restart(served: Bot, settings: Settings) -> None:
    open_store(settings).use("twin")
    assert await served.operations.catch_up() == "twin"
    assert await model_for(served, "ada") == "twin"


# -- while somebody is between two questions to the model -------------------------------------------------------------

PATIENCE_S = 120.0  # what would wait for ever without the promise that is tested fails then


class Lingering:
    """A database that takes its time over the question what a person saw lately, until the test goes on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked, self.goes_on = asyncio.Event(), asyncio.Event()
        real = SqlConversations.recent_replies

        async def recent_replies(
            conversations: SqlConversations, key: ConversationKey, kind: MessageKind, limit: int
        ) -> Sequence[str]:
            self.asked.set()
            await self.goes_on.wait()
            return await real(conversations, key, kind, limit)

        monkeypatch.setattr(SqlConversations, "recent_replies", recent_replies)


async def test_a_change_of_the_model_costs_nobody_a_reply(served: Bot, monkeypatch: pytest.MonkeyPatch) -> None:
    database = Lingering(monkeypatch)
    async with asyncio.timeout(PATIENCE_S):
        reply = asyncio.create_task(model_for(served, "ada"))
        await database.asked.wait()
        assert await served.operations.use_model("twin")
        database.goes_on.set()
        assert await reply == "starter"
        while served.worker.broken is None:  # nobody needs it any more
            await asyncio.sleep(0)
        assert await model_for(served, "ada") == "twin"
    assert not await served.operations.use_model("twin")  # it answers already


async def test_the_end_of_a_canary_costs_nobody_a_reply(
    served: Bot, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    canary = open_store(settings).try_out("twin", 0.5)
    await served.operations.catch_up()
    part = next(user for user in map(str, range(99)) if canary.takes_part(key_of(user)))
    database = Lingering(monkeypatch)
    async with asyncio.timeout(PATIENCE_S):
        reply = asyncio.create_task(model_for(served, part))
        await database.asked.wait()
        open_store(settings).roll_back()
        await served.operations.catch_up()
        database.goes_on.set()
        assert await reply == "twin"
        assert await model_for(served, part) == "starter"


# -- the model that is being tried out is chosen ----------------------------------------------------------------------


async def begin_canary(bot: Bot) -> tuple[str, str]:
    """Try out the twin; returns somebody who takes part, and somebody who does not."""
    canary = open_store(bot.settings).try_out("twin", 0.5)
    await bot.operations.catch_up()
    users = [str(number) for number in range(99)]
    part = [canary.takes_part(key_of(user)) for user in users]
    return users[part.index(True)], users[part.index(False)]


@pytest.mark.parametrize("elsewhere", [True, False])
async def test_choosing_what_is_tried_out_takes_no_more_memory_and_costs_nobody_a_reply(
    served: Bot, settings: Settings, monkeypatch: pytest.MonkeyPatch, elsewhere: bool
) -> None:
    takes_part, other = await begin_canary(served)
    monkeypatch.setattr("bot.composition.available_memory", lambda: 0)
    database = Lingering(monkeypatch)
    async with asyncio.timeout(PATIENCE_S):
        replies = []
        for user in (takes_part, other):
            database.asked.clear()
            replies.append(asyncio.create_task(model_for(served, user)))
            await database.asked.wait()
        if elsewhere:  # as `quotesmith model use` does
            open_store(settings).use("twin")
            assert await served.operations.catch_up() == "twin"
        else:
            await served.operations.use_model("twin")
        database.goes_on.set()
        assert await asyncio.gather(*replies) == ["twin", "starter"]
        while served.worker.broken is None:  # nobody needs it any more
            await asyncio.sleep(0)
        assert await served.operations.catch_up() == ""
        assert {await model_for(served, user) for user in (takes_part, other)} == {"twin"}
    ended = open_store(settings).canary()
    assert ended is not None and ended.state is CanaryState.STOPPED
    assert open_store(settings).active_name() == "twin"


async def test_choosing_another_model_ends_what_is_tried_out(served: Bot, settings: Settings) -> None:
    open_store(settings).add(twin_of_the_embedded_model(settings.model.folder.parent / "third", "third", b"thirder"))
    takes_part, other = await begin_canary(served)
    open_store(settings).use("third")
    assert await served.operations.catch_up() == "third"
    assert {await model_for(served, user) for user in (takes_part, other)} == {"third"}


async def test_a_bot_that_stops_just_after_such_a_choice_leaves_no_worker_behind(settings: Settings) -> None:
    async with open_bot(settings) as bot:
        await bot.worker.ready()
        await begin_canary(bot)
        workers = psutil.Process().children()
        with bot.worker.held():  # somebody still has something to ask it
            await bot.operations.use_model("twin")
            assert psutil.Process().children() == workers
            await bot.operations.close()
            assert not any(worker.is_running() for worker in workers)


# -- workers that die at every start ----------------------------------------------------------------------------------

DIES = shutil.which("false") or "false"


@pytest.fixture
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_client, "_RESTART_PAUSE_S", 0.01)


def deaths(caplog: pytest.LogCaptureFixture) -> int:
    return sum("the model worker ended" in record.getMessage() for record in caplog.records)


@pytest.mark.usefixtures("no_pause")
async def test_a_canary_whose_worker_dies_at_every_start_has_failed(
    served: Bot, settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    open_store(settings).try_out("twin", 0.5)
    monkeypatch.setattr(sys, "executable", DIES)
    with pytest.raises(WorkerCrashed):
        await served.operations.catch_up()
    ended = open_store(settings).canary()
    assert ended is not None and ended.state is CanaryState.FAILED and "could not be started" in ended.why
    tried = deaths(caplog)
    for _ in range(3):
        assert await served.operations.catch_up() == ""
    assert deaths(caplog) == tried
    assert await model_for(served, "ada") == "starter"


@pytest.mark.usefixtures("no_pause")
async def test_choosing_what_is_tried_out_changes_nothing_where_its_worker_cannot_be_started_again(
    served: Bot, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = psutil.Process().children()
    takes_part, other = await begin_canary(served)
    (worker,) = set(psutil.Process().children()) - set(usual)
    with monkeypatch.context() as broken:
        broken.setattr(sys, "executable", DIES)
        worker.kill()
        with pytest.raises(WorkerCrashed, match="could not be started"):
            await model_for(served, takes_part)
        with pytest.raises(WorkerCrashed, match="could not be started"):
            await served.operations.use_model("twin")
        assert await model_for(served, other) == "starter" == open_store(settings).active_name()
    await served.operations.use_model("twin")
    assert {await model_for(served, user) for user in (takes_part, other)} == {"twin"}


@pytest.mark.usefixtures("no_pause")
async def test_a_choice_that_cannot_be_loaded_is_tried_again_when_something_else_was_chosen_meanwhile(
    served: Bot, settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    open_store(settings).use("twin")
    with monkeypatch.context() as broken:
        broken.setattr(sys, "executable", DIES)
        for _ in range(3):
            with pytest.raises(WorkerCrashed):
                await served.operations.catch_up()
        assert deaths(caplog) == 3  # the starts of one try
        assert await model_for(served, "ada") == "starter"
    with pytest.raises(WorkerCrashed):
        await served.operations.catch_up()
    open_store(settings).use("starter")
    assert await served.operations.catch_up() == ""
    open_store(settings).use("twin")
    assert await served.operations.catch_up() == "twin"


@pytest.mark.usefixtures("no_pause")
async def test_a_choice_that_cannot_be_loaded_is_tried_again_after_a_pause_and_told_once(
    served: Bot, settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(operating, "LOOK_AGAIN_S", 0.0)
    monkeypatch.setattr(operating, "_RETRY_S", 0.0)
    told, looks, real = asyncio.Event(), 0, ModelStore.decided

    def decided(store: ModelStore) -> object:
        nonlocal looks
        looks += 1
        if looks == 4:
            monkeypatch.setattr(sys, "executable", python)
        return real(store)

    async def tell(model: str) -> None:
        assert model == "twin"
        told.set()

    python = sys.executable
    monkeypatch.setattr(ModelStore, "decided", decided)
    monkeypatch.setattr(sys, "executable", DIES)
    open_store(settings).use("twin")
    following = asyncio.create_task(served.operations.follow(tell))
    await asyncio.wait_for(told.wait(), PATIENCE_S)
    following.cancel()
    assert sum("cannot be done" in record.getMessage() for record in caplog.records) == 1
    assert await model_for(served, "ada") == "twin"


async def test_what_is_decided_is_done_also_where_nobody_can_be_told(
    served: Bot, settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(operating, "LOOK_AGAIN_S", 0.0)
    real = ModelStore.decided

    def decided(store: ModelStore) -> object:
        monkeypatch.setattr(ModelStore, "decided", real)
        raise ZeroDivisionError("a defect")

    async def tell(model: str) -> None:
        raise BrokenPipeError("nobody reads this any more")

    monkeypatch.setattr(ModelStore, "decided", decided)
    async with asyncio.timeout(PATIENCE_S), chores(served, tell):
        for chosen in ("twin", "starter", "twin"):
            open_store(settings).use(chosen)
            while served.operations.model_in_use() != chosen:
                await asyncio.sleep(0)
    said = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert said[:2] == ["what the store says cannot be done", "not everybody is told that the model twin answers"]


async def test_choosing_the_model_that_answers_starts_it_anew_where_its_worker_could_not_be_started(
    served: Bot, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert served.worker.pid is not None
    with monkeypatch.context() as broken:
        broken.setattr(sys, "executable", DIES)
        os.kill(served.worker.pid, signal.SIGKILL)
        with pytest.raises(WorkerCrashed, match="could not be started"):
            await model_for(served, "ada")
        with pytest.raises(WorkerCrashed, match="could not be started"):
            await served.operations.use_model("starter")
    await served.operations.use_model("starter")
    assert await model_for(served, "ada") == "starter"
