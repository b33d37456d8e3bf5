"""Who agreed to which version of the training terms; knows nothing of what is exported.

Only a yes to the version in force, `TERMS_VERSION`, is a consent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from bot.chat.eligibility import TERMS_VERSION
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
    answers = select(Consent).where(Consent.person_id == person_id)
    found: Consent | None = await session.scalar(answers.order_by(Consent.id.desc()).limit(1))
    return found


async def newest_answer(session: AsyncSession) -> int:
    """The id of the newest answer of anybody; 0 before there is any."""
    return await session.scalar(select(func.max(Consent.id))) or 0


async def answered_after(session: AsyncSession, answer: int) -> frozenset[int]:
    """The people who said yes or no after that answer; being forgotten is a no of whoever had agreed."""
    return frozenset(await session.scalars(select(Consent.person_id).where(Consent.id > answer)))


async def consents(session: AsyncSession, person_id: int) -> bool:
    """The person said yes to the terms in force, and has not said no since."""
    consent = await newest_consent(session, person_id)
    return consent is not None and consent.granted and consent.version == TERMS_VERSION


def consenting_ids() -> Select[int]:
    """The ids of the people who consent now."""
    newest = select(func.max(Consent.id)).group_by(Consent.person_id)
    return select(Consent.person_id).where(Consent.id.in_(newest), *_in_force())


async def consenting(session: AsyncSession) -> Mapping[int, datetime]:
    """The people who consent now, and when each of them first agreed to the terms in force."""
    theirs = Consent.person_id.in_(consenting_ids())
    first = select(func.min(Consent.id)).where(theirs, *_in_force()).group_by(Consent.person_id)
    rows = await session.scalars(select(Consent).where(Consent.id.in_(first)))
    return {consent.person_id: consent.created_at for consent in rows}


def _in_force() -> tuple[ColumnElement[bool], ...]:
    """A yes to the terms in force."""
    return Consent.granted.is_(True), Consent.version == TERMS_VERSION
