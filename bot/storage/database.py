"""The open database: its transactions, its cipher and what must be true before it is used; knows no subject."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Self

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker

from bot.errors import DataKeyError
from bot.storage.encryption import TextCipher
from bot.storage.engine import make_engine, make_folder, parse_url, within_no_transaction, writing
from bot.storage.failures import translated
from bot.storage.opening import prepare
from bot.storage.schema import revision
from bot.storage.tables import Meta

_KEY_CHECK = "data_key_check"
_KEY_CHECK_COLUMN = b"meta.data_key_check"


class Database:
    """A migrated database; made with `open`. One write at a time, reads beside it."""

    def __init__(self, engine: AsyncEngine, cipher: TextCipher) -> None:
        self.cipher = cipher
        self._engine = engine
        self._readers = async_sessionmaker(engine, expire_on_commit=False)
        self._writers = async_sessionmaker(writing(engine), expire_on_commit=False)
        # SQLite has one writer. Waiting here is fair and costs no thread; SQLite's own wait, by polling, is neither
        # and remains for other processes.
        self._turn = asyncio.Lock()

    @classmethod
    async def open(cls, url: str, *, data_key: bytes | None = None, busy_timeout_ms: int = 5_000) -> Self:
        """Create or open the database and bring it to the newest revision.

        Raises DatabaseUnavailable when it cannot be used, and DataKeyError when it was written with another key.
        """
        address = parse_url(url)
        make_folder(address)
        engine = make_engine(address, busy_timeout_ms)
        database = cls(engine, TextCipher(data_key))
        try:
            with translated():
                await prepare(engine, address, busy_timeout_ms)
            await database._check_key()
        except BaseException:
            await engine.dispose()
            raise
        return database

    async def close(self) -> None:
        """Let go of all connections."""
        with translated():
            await self._engine.dispose()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncSession]:
        """A transaction that sees one state of the database; errors come out as StorageError."""
        with translated():
            async with self._readers.begin() as session:
                yield session

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncSession]:
        """A transaction that alone may write, kept whole or not at all; errors come out as StorageError."""
        async with self._turn:
            with translated():
                async with self._writers.begin() as session:
                    yield session

    async def revision(self) -> str | None:
        """The revision of the schema."""
        async with self.read() as session:
            return await (await session.connection()).run_sync(revision)

    async def size_bytes(self) -> int:
        """What the database takes on the disk, without the log that is not yet part of it."""
        async with self.read() as session:
            pages = await session.scalar(text("PRAGMA page_count"))
            return int(pages) * int(await session.scalar(text("PRAGMA page_size")))

    async def copy_to(self, path: Path) -> None:
        """Write one state of the database into a new or empty file.

        Unlike the backup interface, which copies whole pages, this copies rows, so nothing erased comes along; and it
        does not begin anew when somebody writes meanwhile.
        """
        with translated():
            await within_no_transaction(self._engine, "VACUUM INTO ?", str(path))

    async def empty_log(self) -> None:
        """Fold the write-ahead log into the file, so that erased text is not left in it.

        It gives way to whoever reads for longer than the busy timeout; `retention` does it again every day.
        """
        async with self._turn:
            with translated():
                await within_no_transaction(self._engine, "PRAGMA wal_checkpoint(TRUNCATE)")

    async def _check_key(self) -> None:
        """Notice a missing or wrong key now and not at the first read; a first key leaves its proof behind."""
        async with self.write() as session:
            proof = await session.get(Meta, _KEY_CHECK)
            if proof is None:
                if self.cipher.has_key:
                    session.add(Meta(name=_KEY_CHECK, value=self.cipher.seal(_KEY_CHECK, _KEY_CHECK_COLUMN)))
                return
            if not self.cipher.has_key:
                raise DataKeyError("The database is encrypted: set the data key that it was written with.")
            try:
                self.cipher.unseal(proof.value, _KEY_CHECK_COLUMN)
            except DataKeyError as error:
                raise DataKeyError("The data key is not the one that the database was written with.") from error
