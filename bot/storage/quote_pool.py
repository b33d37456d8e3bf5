"""Quotes written ahead of time and which keywords they are wanted for; knows nobody who asks."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Sequence

from sqlalchemy import and_, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from bot.chat.ports import PooledQuote, QuotePool
from bot.storage.column_types import storable, utc_now
from bot.storage.database import Database
from bot.storage.tables import KeywordRequest, WrittenQuote

_ASKED_AT_LEAST = 2  # what was asked for once may never be asked for again


class SqlQuotePool(QuotePool):
    """The port `QuotePool` on the database. Keywords are compared, and given back, as `normal_keyword` writes them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def take(self, keyword: str, model_sha256: str) -> PooledQuote | None:
        """Return the oldest unserved quote, and empty its row but for the hash."""
        waiting = (
            select(WrittenQuote)
            .where(WrittenQuote.keyword == normal_keyword(keyword), WrittenQuote.model_sha256 == model_sha256)
            .where(WrittenQuote.served_at.is_(None))
            .order_by(WrittenQuote.id)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        async with self._database.write() as session:
            row = await session.scalar(waiting)
            if row is None:
                return None
            quote = PooledQuote(row.keyword, row.text, row.tokens)
            # From now on it is the reply to somebody, and must not outlive that reply here.
            row.served_at, row.text = utc_now(), ""
        return quote

    async def put(self, quote: PooledQuote, model_sha256: str) -> bool:
        """Add a quote; False for one that stands there already, or did until it was served: it is ignored."""
        keyword, text = normal_keyword(quote.keyword), storable(quote.text)
        row = WrittenQuote(keyword=keyword, model_sha256=model_sha256, text=text, tokens=quote.tokens)
        row.text_sha256 = hashlib.sha256(text.encode()).hexdigest()
        same = select(WrittenQuote.id).where(
            WrittenQuote.keyword == row.keyword,
            WrittenQuote.model_sha256 == model_sha256,
            WrittenQuote.text_sha256 == row.text_sha256,
        )
        async with self._database.write() as session:
            known = await session.scalar(same) is not None
            if not known:
                session.add(row)
        return not known

    async def wanted(self, model_sha256: str, depth: int, limit: int) -> Sequence[str]:
        """Of the `limit` keywords asked for most, those that have fewer than `depth` quotes waiting; see the port."""
        waiting = and_(WrittenQuote.model_sha256 == model_sha256, WrittenQuote.served_at.is_(None))
        popular = (
            select(KeywordRequest.keyword, KeywordRequest.count, KeywordRequest.last_asked_at)
            .where(KeywordRequest.count >= _ASKED_AT_LEAST)
            .order_by(KeywordRequest.count.desc(), KeywordRequest.last_asked_at.desc())
            .limit(max(limit, 0))
            .subquery()
        )
        keywords = (
            select(popular.c.keyword)
            .outerjoin(WrittenQuote, and_(WrittenQuote.keyword == popular.c.keyword, waiting))
            .group_by(popular.c.keyword, popular.c.count, popular.c.last_asked_at)
            .having(func.count(WrittenQuote.id) < depth)
            .order_by(popular.c.count.desc(), popular.c.last_asked_at.desc())
        )
        async with self._database.read() as session:
            return (await session.scalars(keywords)).all()


def normal_keyword(keyword: str) -> str:
    """The keyword with one spelling for all ways of writing it: composed, case folded, single spaces."""
    return " ".join(unicodedata.normalize("NFKC", storable(keyword)).casefold().split())


async def count_request(session: AsyncSession, keyword: str) -> None:
    """Note that the keyword was asked for once more."""
    keyword = normal_keyword(keyword)
    if not keyword:
        return
    request = await session.get(KeywordRequest, keyword, with_for_update=True)
    if request is None:
        session.add(KeywordRequest(keyword=keyword, count=1, last_asked_at=utc_now()))
    else:
        request.count += 1
        request.last_asked_at = utc_now()
