"""Quotes written ahead of time and which keywords they are wanted for; knows nobody who asks."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from sqlalchemy import and_, func, select

from bot.chat.ports import PooledQuote, QuotePool
from bot.storage.column_types import storable, utc_now
from bot.storage.database import Database
from bot.storage.encryption import MESSAGE_TEXT, TextCipher
from bot.storage.tables import Message, WrittenQuote

_KEYWORD = b"quote_pool.keyword"
_TEXT = b"quote_pool.text"
_ASKED_AT_LEAST = 2  # what was asked for once may never be asked for again
_LOOK_BACK = 10_000  # requests for quotes that decide what is popular: what nobody asks for any more drops out


class SqlQuotePool(QuotePool):
    """The port `QuotePool` on the database. Keywords are compared, and given back, as `normal_keyword` writes them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def take(self, keyword: str, model_sha256: str) -> PooledQuote | None:
        """Return the oldest unserved quote, and empty its row but for the digest."""
        keyword = normal_keyword(keyword)
        cipher = self._database.cipher
        waiting = (
            select(WrittenQuote)
            .where(WrittenQuote.keyword_digest == keyword_digest(cipher, keyword))
            .where(WrittenQuote.model_sha256 == model_sha256, WrittenQuote.served_at.is_(None))
            .order_by(WrittenQuote.id)
            .limit(1)
        )
        async with self._database.read() as session:  # where there is none, nobody waits for the turn to write
            if await session.scalar(waiting.with_only_columns(WrittenQuote.id)) is None:
                return None
        async with self._database.write() as session:
            row = await session.scalar(waiting.with_for_update(skip_locked=True))
            if row is None:
                return None
            quote = PooledQuote(keyword, cipher.unseal(row.text, _TEXT), row.tokens)
            # From now on it is the reply to somebody, and must not outlive that reply here.
            row.served_at, row.text = utc_now(), ""
        return quote

    async def put(self, quote: PooledQuote, model_sha256: str) -> bool:
        """Add a quote; False for one that is ignored; see the port."""
        cipher = self._database.cipher
        row = WrittenQuote(
            keyword_digest=keyword_digest(cipher, quote.keyword),
            model_sha256=model_sha256,
            text=cipher.seal(quote.text, _TEXT),
            text_digest=cipher.digest(quote.text, _TEXT),
            tokens=quote.tokens,
        )
        same = select(WrittenQuote.id).where(
            WrittenQuote.keyword_digest == row.keyword_digest,
            WrittenQuote.model_sha256 == model_sha256,
            WrittenQuote.text_digest == row.text_digest,
        )
        asked = select(Message.id).where(Message.keyword_digest == row.keyword_digest).limit(1)
        async with self._database.write() as session:
            # While it was written, whoever asked may have been forgotten: it would outlive them here.
            new = await session.scalar(asked) is not None and await session.scalar(same) is None
            if new:
                session.add(row)
        return new

    async def wanted(self, model_sha256: str, depth: int, limit: int) -> Sequence[str]:
        """Of the `limit` keywords asked for most, those that have fewer than `depth` quotes waiting; see the port.

        Counted from the requests themselves, so a person who is forgotten takes theirs along.
        """
        digest = Message.keyword_digest
        recent = select(Message.id, digest).where(digest.is_not(None)).order_by(Message.id.desc()).limit(_LOOK_BACK)
        asked = recent.subquery()
        newest, count = func.max(asked.c.id).label("newest"), func.count().label("count")
        popular = (
            select(asked.c.keyword_digest, newest, count)
            .group_by(asked.c.keyword_digest)
            .having(count >= _ASKED_AT_LEAST)
            .order_by(count.desc(), newest.desc())
            .limit(max(limit, 0))
            .subquery()
        )
        waiting = and_(
            WrittenQuote.keyword_digest == popular.c.keyword_digest,
            WrittenQuote.model_sha256 == model_sha256,
            WrittenQuote.served_at.is_(None),
        )
        short = (
            select(Message.text)
            .join(popular, popular.c.newest == Message.id)
            .outerjoin(WrittenQuote, waiting)
            .group_by(Message.text, popular.c.count, popular.c.newest)
            .having(func.count(WrittenQuote.id) < depth)
            .order_by(popular.c.count.desc(), popular.c.newest.desc())
        )
        async with self._database.read() as session:
            texts = (await session.scalars(short)).all()
        return [normal_keyword(self._database.cipher.unseal(text, MESSAGE_TEXT)) for text in texts]


def normal_keyword(keyword: str) -> str:
    """The keyword with one spelling for all ways of writing it: composed, case folded, single spaces."""
    return " ".join(unicodedata.normalize("NFKC", storable(keyword)).casefold().split())


def keyword_digest(cipher: TextCipher, keyword: str) -> str:
    """What all spellings of a keyword have in common, without telling the keyword."""
    return cipher.digest(normal_keyword(keyword), _KEYWORD)
