"""What happens between the address of a database and its use: is it ours, can it be written, is it up to date."""

from __future__ import annotations

import asyncio

from sqlalchemy import URL
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine

from bot.storage.engine import check_file, make_engine, within_no_transaction, writing
from bot.storage.failures import is_locked
from bot.storage.schema import needs_upgrade

_RETRY_S = 0.05


async def prepare(engine: AsyncEngine, url: URL, busy_timeout_ms: int) -> None:
    """Prove that the database is ours and can be written, before anything in it is changed; then upgrade it."""
    check_file(engine, url)
    async with writing(engine).begin() as connection:
        behind = await connection.run_sync(needs_upgrade)
        if not behind:
            # It changes nothing. But a file that can only be read is no obstacle to the transaction: to a write it is.
            await connection.exec_driver_sql("UPDATE alembic_version SET version_num = '' WHERE false")
    await _keep_write_ahead_log(engine, busy_timeout_ms)
    if behind:
        await _upgrade(url, busy_timeout_ms)


async def _keep_write_ahead_log(engine: AsyncEngine, busy_timeout_ms: int) -> None:
    """Let readers and the writer pass each other. SQLite does not wait for the lock that this takes, so this does."""
    clock = asyncio.get_running_loop().time
    deadline = clock() + busy_timeout_ms / 1000
    while True:
        try:
            return await within_no_transaction(engine, "PRAGMA journal_mode = WAL")
        except OperationalError as error:
            if not is_locked(error) or clock() > deadline:
                raise
        await asyncio.sleep(_RETRY_S)


async def _upgrade(url: URL, busy_timeout_ms: int) -> None:
    from bot.storage.migration import upgrade  # Alembic takes a third of a second, which most starts can save

    engine = make_engine(url, busy_timeout_ms, foreign_keys=False)
    try:
        async with writing(engine).begin() as connection:
            # Asked again under the lock: another process may have been first.
            if await connection.run_sync(needs_upgrade):
                await connection.run_sync(upgrade)
    finally:
        await engine.dispose()
