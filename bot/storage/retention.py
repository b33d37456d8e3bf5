"""Erases what was kept for long enough, by the operator's settings; knows nobody's wishes, which `erasure` serves."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Select, delete, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from bot.chat.messages import Role, VoteSource
from bot.settings import RetentionSettings
from bot.storage.column_types import utc_now
from bot.storage.database import Database
from bot.storage.erasure import erase_messages
from bot.storage.events import drop_events
from bot.storage.feedback import votes_in_force
from bot.storage.tables import Correction, Message, Vote
from bot.storage.transitions import EXPIRED

_AT_ONCE = 500  # messages in one transaction: whoever waits to write waits for no more


@dataclass(frozen=True, slots=True)
class Expired:
    """What was erased: messages, and the ids of events."""

    messages: int
    events: int


async def erase_expired(database: Database, kept: RetentionSettings) -> Expired:
    """Erase what is older than the settings say, and what is left of erased text in the write-ahead log.

    Favourites stay, whoever's they are, and so do votes, which hold no text.
    """
    now, messages, events = utc_now(), 0, 0
    if kept.conversation_days:
        before = now - timedelta(days=kept.conversation_days)
        messages += await _erase(database, _said(before))
        async with database.write() as session:
            await session.execute(delete(Correction).where(Correction.created_at < before))
    if kept.unanswered_days:
        messages += await _erase(database, _unanswered(now - timedelta(days=kept.unanswered_days)))
    if kept.event_days:
        async with database.write() as session:
            events = await drop_events(session, now - timedelta(days=kept.event_days))
    await database.empty_log()
    return Expired(messages, events)


async def _erase(database: Database, which: Select[int]) -> int:
    """Part by part, so that people are answered in between; returns how many messages were erased."""
    erased, after = 0, 0
    while ids := await _next(database, which, after):
        async with database.write() as session:
            erased += (await erase_messages(session, await _still(session, which, ids), EXPIRED)).messages
        after = ids[-1]
    return erased


async def _next(database: Database, which: Select[int], after: int) -> list[int]:
    part = which.where(Message.id > after).order_by(Message.id).limit(_AT_ONCE)
    async with database.read() as session:
        return list(await session.scalars(part))


async def _still(session: AsyncSession, which: Select[int], ids: list[int]) -> list[int]:
    """Those that are to be erased even now: meanwhile one may have been made a favourite, or answered."""
    return list(await session.scalars(which.where(Message.id.in_(ids))))


def _said(before: datetime) -> Select[int]:
    """What was said by then, but for favourites."""
    favorites = votes_in_force().where(Vote.source == VoteSource.FAVORITE).with_only_columns(Vote.message_id)
    return select(Message.id).where(Message.created_at < before, Message.text != "", Message.id.not_in(favorites))


def _unanswered(before: datetime) -> Select[int]:
    """What somebody asked by then and got no reply to."""
    reply = aliased(Message)
    answered = select(reply.id).where(reply.parent_id == Message.id).exists()
    return select(Message.id).where(
        Message.created_at < before, Message.text != "", Message.role == Role.USER, ~answered
    )
