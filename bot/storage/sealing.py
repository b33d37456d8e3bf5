"""Encrypts what was stored before there was a data key; knows which columns hold words, and not what they say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, func, inspect, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from bot.storage.database import Database
from bot.storage.encryption import CORRECTION_TEXT, JOB_ADDRESS, MESSAGE_TEXT, PAIR_TEXT, SEALED, TextCipher
from bot.storage.quote_pool import keyword_digest
from bot.storage.tables import ComparedPair, Correction, Job, Message, Table, WrittenQuote

_AT_ONCE = 500  # rows in one transaction: whoever waits to write waits for no more
_SEALED_COLUMNS: Mapping[type[Table], Mapping[str, bytes]] = {
    Message: {"text": MESSAGE_TEXT},
    Correction: {"text": CORRECTION_TEXT},
    ComparedPair: {"left_text": PAIR_TEXT, "right_text": PAIR_TEXT},
    Job: {"address": JOB_ADDRESS},
}


async def seal_stored(database: Database) -> int:
    """Encrypt all text that was stored without a key, part by part; returns how many rows held any.

    Without a key it does nothing. Quotes written ahead are dropped: by the digest that the key gives their keyword they
    would never be found. Nothing of the old text is left in the file or in its write-ahead log. Raises StorageError.
    """
    if not database.cipher.has_key:
        return 0
    sealed = 0
    for table in _SEALED_COLUMNS:
        sealed += await _seal_table(database, table)
    async with database.write() as session:
        await session.execute(delete(WrittenQuote).where(_plain(WrittenQuote.text)))
    await database.empty_log()
    return sealed


async def _seal_table(database: Database, table: type[Table]) -> int:
    (key,) = inspect(table).primary_key
    plain = or_(*(_plain(getattr(table, name)) for name in _SEALED_COLUMNS[table]))
    sealed, after = 0, 0
    while True:
        async with database.read() as session:
            part = select(key).where(plain, key > after).order_by(key).limit(_AT_ONCE)
            ids = list(await session.scalars(part))
        if not ids:
            return sealed
        async with database.write() as session:
            # Asked once more: meanwhile one may have been erased.
            rows = (await session.scalars(select(table).where(plain, key.in_(ids)))).all()
            for row in rows:
                if isinstance(row, Message):
                    await _renew_digest(session, row, database.cipher)
                _seal_row(row, database.cipher)
        sealed, after = sealed + len(rows), ids[-1]


def _seal_row(row: Any, cipher: TextCipher) -> None:
    for name, column in _SEALED_COLUMNS[type(row)].items():
        stored = getattr(row, name)
        if not stored.startswith(SEALED):
            setattr(row, name, cipher.seal(cipher.unseal(stored, column), column))


async def _renew_digest(session: AsyncSession, message: Message, cipher: TextCipher) -> None:
    """Without a key a digest can be guessed; what was written ahead for it, or served, goes with it."""
    if message.keyword_digest is not None:
        old = WrittenQuote.keyword_digest == message.keyword_digest
        await session.execute(delete(WrittenQuote).where(old))
        message.keyword_digest = keyword_digest(cipher, cipher.unseal(message.text, MESSAGE_TEXT))


def _plain(column: InstrumentedAttribute[str]) -> ColumnElement[bool]:
    """Some text that is not encrypted; LIKE would take capital letters for the mark too."""
    return and_(column != "", func.substr(column, 1, len(SEALED)) != SEALED)
