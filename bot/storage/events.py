"""What people did on the platforms, taken once each; knows nothing of what it was."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from bot.chat.messages import Platform
from bot.chat.ports import SeenBefore
from bot.storage.column_types import utc_now
from bot.storage.tables import TakenEvent

KEPT = timedelta(days=3)  # platforms repeat themselves for a day at most (Telegram keeps its updates that long)


async def take_events(session: AsyncSession, platform: Platform, event_ids: Sequence[str]) -> None:
    """Take all of them, or raise SeenBefore when one was taken already."""
    if not event_ids:
        return
    taken = select(TakenEvent.event_id).where(TakenEvent.platform == platform, TakenEvent.event_id.in_(event_ids))
    if await session.scalar(taken.limit(1)) is not None:
        raise SeenBefore
    session.add_all([TakenEvent(platform=platform, event_id=event_id) for event_id in dict.fromkeys(event_ids)])
    await session.flush()


async def drop_old_events(session: AsyncSession) -> None:
    """Forget what no platform repeats any more."""
    await session.execute(delete(TakenEvent).where(TakenEvent.taken_at < utc_now() - KEPT))
