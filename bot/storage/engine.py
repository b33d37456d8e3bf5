"""An engine whose SQLite connections keep foreign keys, wait for a lock and begin as they are told; knows no table."""

from __future__ import annotations

import os
import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, event, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from bot.errors import DatabaseUnavailable
from bot.storage.failures import CANNOT_BE_OPENED

_BEGIN = "sqlite_begin"  # an execution option of ours: the statement that a transaction starts with


def parse_url(text: str) -> URL:
    """The address of a database, with the async driver; raises DatabaseUnavailable for what cannot be used."""
    try:
        url = make_url(text)
    except ArgumentError as error:
        raise DatabaseUnavailable(
            "The database address cannot be read: write it as sqlite+aiosqlite:///path/to/quotesmith.db."
        ) from error
    if url.get_backend_name() != "sqlite":
        raise DatabaseUnavailable("The database must be SQLite: write its address as sqlite+aiosqlite:///path/to/file.")
    if url.database in (None, "", ":memory:") or "mode=memory" in text:
        raise DatabaseUnavailable("The database needs a file: in memory every connection would see another one.")
    return url.set(drivername="sqlite+aiosqlite")


def make_folder(url: URL) -> None:
    """Create the folder of a database file, and the file for its owner alone; DatabaseUnavailable for no folder."""
    if url.database is None or url.database.startswith("file:"):
        return
    folder = Path(url.database).parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DatabaseUnavailable(f"The folder of the database, {folder}, cannot be created.") from error
    with suppress(OSError):  # it is there already, or cannot be: SQLite finds out, and says what is wrong
        # An empty file is a new database, and what SQLite puts beside it gets the same mode.
        os.close(os.open(url.database, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))


def make_engine(url: URL, busy_timeout_ms: int, *, foreign_keys: bool = True) -> AsyncEngine:
    """An engine that shows no values in its errors.

    A migration that rebuilds a table needs `foreign_keys` off, which SQLite allows outside of transactions only.
    Raises DatabaseUnavailable for an option in the address that the driver cannot use.
    """
    try:
        engine = create_async_engine(url, hide_parameters=True, connect_args={"timeout": busy_timeout_ms / 1000})
    except (ArgumentError, TypeError, ValueError) as error:
        raise _unusable_option(error) from error

    @event.listens_for(engine.sync_engine, "connect")
    def prepare(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # the driver begins nothing by itself; `begin` below does
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA foreign_keys = {'ON' if foreign_keys else 'OFF'}")
        cursor.execute("PRAGMA secure_delete = ON")  # what a person had erased is overwritten, not only unlinked
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection: Connection) -> None:
        statement = connection.get_execution_options().get(_BEGIN, "BEGIN")
        if statement:
            connection.exec_driver_sql(statement)

    return engine


def check_file(engine: AsyncEngine, url: URL) -> None:
    """Raise DatabaseUnavailable for what SQLite cannot open.

    Asked before the async driver is, whose thread would not be waited for then, and could complain on the terminal.
    """
    (file,), options = engine.dialect.create_connect_args(url)
    try:
        sqlite3.connect(file, **options).close()
    except sqlite3.Error as error:
        raise DatabaseUnavailable(CANNOT_BE_OPENED) from error
    except (OverflowError, TypeError, ValueError) as error:
        raise _unusable_option(error) from error


def _unusable_option(error: Exception) -> DatabaseUnavailable:
    return DatabaseUnavailable(
        f"The database address, database.url, has an option that cannot be used ({error}): leave out what stands "
        "behind its question mark; for how long to wait there is database.busy_timeout_ms."
    )


def writing(engine: AsyncEngine) -> AsyncEngine:
    """The engine for transactions that write: they take the lock at once, as a reader cannot wait for it."""
    return engine.execution_options(**{_BEGIN: "BEGIN IMMEDIATE"})


async def within_no_transaction(engine: AsyncEngine, statement: str, *values: str) -> None:
    """Run what SQLite refuses inside of a transaction."""
    async with engine.execution_options(**{_BEGIN: ""}).connect() as connection:
        await connection.exec_driver_sql(statement, values)
