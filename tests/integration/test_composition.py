"""The bot as it is put together: real worker, real database, and what memory allows."""

from __future__ import annotations

import asyncio
import logging
from contextlib import aclosing
from datetime import datetime, timedelta
from pathlib import Path

import pytest

import bot.composition
from bot.chat.messages import ConversationKey, MessageKind, Platform, QuoteSource
from bot.chat.replies import Reply
from bot.composition import (
    STARTER,
    Bot,
    _drop_typed,
    _erase_expired,
    _seal_stored,
    _write_ahead,
    chores,
    open_bot,
    open_database,
    worker_options,
)
from bot.errors import DataKeyError, ModelNotFound, ModelTooLarge
from bot.models.folder import model_header, read_folder
from bot.models.memory import bytes_needed
from bot.settings import (
    DatabaseSettings,
    InferenceSettings,
    ModelSettings,
    RetentionSettings,
    Secrets,
    Settings,
)
from bot.storage.conversations import SqlConversations
from bot.storage.database import Database
from bot.storage.jobs import SqlJobLedger


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(
        model=ModelSettings(folder=tmp_path / "models"),
        database=DatabaseSettings(url=f"sqlite+aiosqlite:///{tmp_path / 'q.db'}"),
        inference=InferenceSettings(threads=1, context_tokens=2048),
    )


def key_of(user: str) -> ConversationKey:
    return ConversationKey(Platform.CONSOLE, "terminal", "", user)


async def quote(served: Bot, user: str, keyword: str) -> Reply:
    async with aclosing(served.service.quote(key_of(user), keyword)) as events:
        async for event in events:
            if isinstance(event, Reply):
                return event
    raise AssertionError("no reply")


async def test_what_is_asked_for_often_waits_already_written(settings: Settings) -> None:
    async with open_bot(settings) as served:
        await served.worker.ready()
        assert not await served.service.write_ahead()
        for user in ("ada", "bob"):
            assert (await quote(served, user, "Courage")).source is QuoteSource.GENERATED
        while await served.service.write_ahead():  # until enough wait: one may be what ada or bob has just read here
            pass
        served_at_once = await quote(served, "cy", "courage")
        assert served_at_once.source is QuoteSource.POOL
        assert (await quote(served, "cy", "courage")).text != served_at_once.text


async def test_what_was_typed_at_the_terminal_is_erased_with_the_rest(settings: Settings, tmp_path: Path) -> None:
    typed = tmp_path / "history"
    typed.write_text(f"# {datetime.now() - timedelta(days=31)}\n+old\n# {datetime.now()}\n+young\n")
    _drop_typed(typed, 0)
    assert "+old" in typed.read_text()  # where the operator keeps everything
    database = await open_database(settings)
    chore = asyncio.create_task(_erase_expired(database, RetentionSettings(conversation_days=30), typed))
    while "+old" in typed.read_text():
        assert not chore.done()
        await asyncio.sleep(0)
    chore.cancel()
    await asyncio.wait([chore])
    await database.close()
    assert "+young" in typed.read_text()


async def test_what_was_stored_before_there_was_a_key_is_encrypted_while_the_bot_serves(
    settings: Settings, tmp_path: Path
) -> None:
    before = await open_database(settings)
    await SqlJobLedger(before).accept(key_of("ada"), MessageKind.CHAT, "my cat is called Turing")
    await before.close()
    sealed = settings.model_copy(update={"secrets": Secrets.model_validate({"data_key": "5" * 64})})

    async def tell(model: str) -> None:
        raise AssertionError(f"{model} answers")

    async with asyncio.timeout(60), open_bot(sealed) as served, chores(served, tell):
        while any(b"Turing" in file.read_bytes() for file in tmp_path.glob("q.db*")):
            await asyncio.sleep(0)
        (kept,) = await SqlConversations(served.database).history(key_of("ada"), 10)
        assert kept.text == "my cat is called Turing"


class Stumbling:
    """A database that a defect keeps from being used the first time."""

    def __init__(self, database: Database) -> None:
        self._database, self._stumbled = database, False

    def __getattr__(self, name: str) -> object:
        if not self._stumbled:
            self._stumbled = True
            raise ZeroDivisionError("a defect")
        return getattr(self._database, name)


@pytest.mark.parametrize("chore", ["erased", "encrypted"])
async def test_a_defect_in_a_daily_chore_costs_one_day(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, chore: str
) -> None:
    monkeypatch.setattr(bot.composition, "_DAY_S", 0.0)
    before = await open_database(settings)
    await SqlJobLedger(before).accept(key_of("ada"), MessageKind.CHAT, "my cat is called Turing")
    await before.close()
    sealed = settings.model_copy(update={"secrets": Secrets.model_validate({"data_key": "5" * 64})})
    database = await open_database(sealed)
    stumbling: Database = Stumbling(database)  # type: ignore[assignment]
    daily = _erase_expired(stumbling, RetentionSettings(), tmp_path / "none")
    doing, done = (daily, "and erased: 0 messages") if chore == "erased" else (_seal_stored(stumbling), "now: 1 texts")
    with caplog.at_level(logging.INFO, "bot.composition"):
        task = asyncio.create_task(doing)
        while not any(done in record.getMessage() for record in caplog.records):
            assert not task.done()
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
    await database.close()
    assert f"is not {chore} today" in caplog.records[0].getMessage() and "a defect" in caplog.text
    daily.close()


async def test_a_defect_in_writing_ahead_is_told_once_and_it_goes_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(bot.composition, "_LOOK_AGAIN_S", 0.0)
    went_on = asyncio.Event()

    class Service:
        times = 0

        async def write_ahead(self) -> bool:
            self.times += 1
            if self.times <= 3:
                raise ZeroDivisionError("a defect")
            went_on.set()
            return False

    task = asyncio.create_task(_write_ahead(Service()))  # type: ignore[arg-type]
    await asyncio.wait([task, asyncio.create_task(went_on.wait())], return_when=asyncio.FIRST_COMPLETED)
    assert not task.done()
    task.cancel()
    await asyncio.wait([task])
    assert [record.getMessage() for record in caplog.records] == ["no quote was written ahead"]


async def test_memory_that_is_short_makes_the_cache_smaller(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    model = read_folder(STARTER)
    with caplog.at_level(logging.WARNING):
        assert worker_options(settings, model).context_tokens == 2048 and not caplog.records
        whole = bytes_needed(model_header(model.path), 2048, settings.inference.batch_tokens)
        monkeypatch.setattr(bot.composition, "available_memory", lambda: whole - 1)
        assert worker_options(settings, model).context_tokens < 2048
    assert len(caplog.records) == 1 and "memory is short" in caplog.text
    monkeypatch.setattr(bot.composition, "available_memory", lambda: 50 * 10**6)
    with pytest.raises(ModelTooLarge, match="starter needs about"):
        worker_options(settings, model)


async def test_what_cannot_be_opened_leaves_nothing_running(settings: Settings) -> None:
    with pytest.raises(ModelNotFound, match="gpt-9"):
        async with open_bot(settings, "gpt-9"):
            raise AssertionError("it opened")
    wrong = settings.model_copy(update={"secrets": Secrets.model_validate({"data_key": "short"})})
    with pytest.raises(DataKeyError, match="QUOTESMITH_DATA_KEY") as error:
        async with open_bot(wrong):
            raise AssertionError("it opened")
    assert "short" not in str(error.value)
