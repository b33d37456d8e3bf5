"""Who agreed to which version of the training terms; knows nothing of what is exported."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from bot.chat.messages import Platform
from bot.storage.database import Database
from bot.storage.identity import ensure_person, find_person
from bot.storage.tables import Consent


@dataclass(frozen=True, slots=True)
class ConsentGiven:
    """The newest answer of a person, and the version of the terms that it was an answer to."""

    version: str
    granted: bool


class Consents:
    """Answers are only ever added; the newest of a person is the one in force."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def record(self, platform: Platform, user_id: str, version: str, granted: bool) -> None:
        """Add a yes or no to that version of the terms."""
        async with self._database.write() as session:
            person = await ensure_person(session, platform, user_id)
            session.add(Consent(person_id=person.id, version=version, granted=granted))

    async def current(self, platform: Platform, user_id: str) -> ConsentGiven | None:
        """The newest answer, or None from somebody who was never asked."""
        async with self._database.read() as session:
            person = await find_person(session, platform, user_id)
            consent = await newest_consent(session, person.id) if person else None
        return ConsentGiven(consent.version, consent.granted) if consent else None


async def newest_consent(session: AsyncSession, person_id: int) -> Consent | None:
    """The answer of the person that is in force."""
    found: Consent | None = await session.scalar(newest_consents().where(Consent.person_id == person_id))
    return found


async def consents(session: AsyncSession, person_id: int) -> bool:
    """The person said yes, and has not said no since."""
    consent = await newest_consent(session, person_id)
    return consent is not None and consent.granted


def newest_consents() -> Select[Consent]:
    """The answer in force of each person."""
    newest = select(func.max(Consent.id)).group_by(Consent.person_id)
    return select(Consent).where(Consent.id.in_(newest))
