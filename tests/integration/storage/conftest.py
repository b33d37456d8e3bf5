"""A real database file with the real migrations, and what the tests put into it."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from bot.chat.generation import Finished, FinishReason, Sampling
from bot.chat.messages import ConversationKey, MessageKind, Platform, QuoteSource
from bot.chat.ports import GenerationRecord
from bot.storage.consents import Consents
from bot.storage.conversations import SqlConversations
from bot.storage.database import Database
from bot.storage.deliveries import Deliveries
from bot.storage.feedback import SqlFeedback
from bot.storage.jobs import SqlJobLedger
from bot.storage.people import People
from bot.storage.platform_records import SqlPlatformRecords
from bot.storage.quote_pool import SqlQuotePool

KEY = bytes(range(32))
FINISHED = Finished(FinishReason.END, 20, 12, 9, 0.1, 0.2, 0.5, prompt_sha256="c" * 64, seed=7)
RECORD = GenerationRecord("starter", "a" * 64, Sampling(), QuoteSource.GENERATED, 1, FINISHED)


def url_of(path: Path) -> str:
    return f"sqlite+aiosqlite:///{path}"


def key_of(user: str, chat: str = "lobby", thread: str = "", platform: Platform = Platform.DISCORD) -> ConversationKey:
    return ConversationKey(platform, chat, thread, user)


@dataclass(frozen=True, slots=True)
class Stores:
    """Every port over one database."""

    database: Database
    jobs: SqlJobLedger
    conversations: SqlConversations
    feedback: SqlFeedback
    pool: SqlQuotePool
    people: People
    consents: Consents
    records: SqlPlatformRecords
    outbox: Deliveries

    async def say(self, key: ConversationKey, text: str, reply: str, kind: MessageKind = MessageKind.CHAT) -> int:
        """A request and its reply; returns the reply's id."""
        job = await self.jobs.accept(key, kind, text)
        await self.jobs.start(job.job_id)
        return await self.jobs.complete(job.job_id, reply, RECORD)


def stores_over(database: Database) -> Stores:
    return Stores(
        database,
        SqlJobLedger(database, may_train=lambda key, kind, as_option: True),
        SqlConversations(database),
        SqlFeedback(database, may_train=lambda key, kind, as_option: as_option),
        SqlQuotePool(database),
        People(database),
        Consents(database),
        SqlPlatformRecords(database),
        Deliveries(database),
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "quotesmith.db"


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty database, to be copied: the migrations take longer than most tests."""

    async def make(path: Path) -> Path:
        await (await Database.open(url_of(path))).close()
        return path

    return asyncio.run(make(tmp_path_factory.mktemp("migrated") / "quotesmith.db"))


@pytest.fixture
async def stores(path: Path, migrated: Path) -> AsyncIterator[Stores]:
    path.parent.mkdir()
    shutil.copy(migrated, path)
    database = await Database.open(url_of(path))
    yield stores_over(database)
    await database.close()


@pytest.fixture
async def sealed(path: Path) -> AsyncIterator[Stores]:
    """The same, encrypted."""
    database = await Database.open(url_of(path), data_key=KEY)
    yield stores_over(database)
    await database.close()


def on_disk(path: Path) -> bytes:
    """Everything that the database has left in its folder."""
    return b"".join(file.read_bytes() for file in path.parent.iterdir())
