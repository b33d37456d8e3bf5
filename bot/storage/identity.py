"""The row of a person: found, or begun; knows nothing of what the person did."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from bot.chat.messages import Platform
from bot.storage.tables import Person


async def find_person(session: AsyncSession, platform: Platform, user_id: str) -> Person | None:
    """The person, or their tombstone."""
    return await session.scalar(select(Person).where(Person.platform == platform, Person.platform_user_id == user_id))


async def ensure_person(session: AsyncSession, platform: Platform, user_id: str) -> Person:
    """The person, new if need be; somebody forgotten who comes back begins anew under the old row."""
    person = await find_person(session, platform, user_id)
    if person is None:
        person = Person(platform=platform, platform_user_id=user_id)
        session.add(person)
        await session.flush()
    person.forgotten_at = None
    return person
