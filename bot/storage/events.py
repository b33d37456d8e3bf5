"""What people did on the platforms, taken once each; knows nothing of what it was."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast

from sqlalchemy import CursorResult, delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from bot.chat.messages import Platform
from bot.chat.ports import SeenBefore
from bot.storage.tables import TakenEvent


async def take_events(session: AsyncSession, platform: Platform, event_ids: Sequence[str]) -> None:
    """Take all of them, or raise SeenBefore when one was taken already."""
    if not event_ids:
        return
    taken = select(TakenEvent.event_id).where(TakenEvent.platform == platform, TakenEvent.event_id.in_(event_ids))
    if await session.scalar(taken.limit(1)) is not None:
        raise SeenBefore
    session.add_all([TakenEvent(platform=platform, event_id=event_id) for event_id in dict.fromkeys(event_ids)])
    await session.flush()


async def drop_events(session: AsyncSession, before: datetime) -> int:
    """Forget what was taken before that time, which no platform may repeat any more; returns how many there were."""
    result = await session.execute(delete(TakenEvent).where(TakenEvent.taken_at < before))
    return cast("CursorResult[Any]", result).rowcount
