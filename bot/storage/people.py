"""What a person may know, take along, allow and erase; knows no platform's user objects."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from bot.chat.eligibility import TERMS_VERSION
from bot.chat.messages import Platform, Role
from bot.chat.ports import DataOverview, ForgetReport, NewTerms, PersonalData
from bot.storage.consents import Consents, consents, newest_consent
from bot.storage.database import Database
from bot.storage.erasure import erase
from bot.storage.identity import find_person
from bot.storage.tables import Conversation, Correction, Message, Person, Preference, ToldTerms, Vote
from bot.storage.takeout import everything_about, exports_of, favorites_of

_NOTHING = DataOverview(0, 0, 0, 0, None, False)


class People(PersonalData):
    """The port `PersonalData` on the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def overview(self, platform: Platform, user_id: str) -> DataOverview:
        """What is stored about the person."""
        async with self._database.read() as session:
            person = await find_person(session, platform, user_id)
            if person is None:
                return _NOTHING
            theirs = select(Message).join(Conversation).where(Conversation.person_id == person.id)
            present = theirs.where(Message.text != "").subquery()
            by_role = await session.execute(select(present.c.role, func.count()).group_by(present.c.role))
            counts: dict[Role, int] = dict(by_role.all())
            votes = select(func.count(Vote.message_id.distinct())).where(Vote.person_id == person.id)
            corrections = select(func.count(Correction.id)).where(Correction.person_id == person.id)
            preferences = select(func.count(Preference.message_id.distinct())).where(Preference.person_id == person.id)
            favorites = select(func.count()).select_from(favorites_of(person).with_only_columns(Vote.id).subquery())
            return DataOverview(
                messages=counts.get(Role.USER, 0),
                replies=counts.get(Role.ASSISTANT, 0),
                votes=await session.scalar(votes) or 0,
                corrections=await session.scalar(corrections) or 0,
                first_at=await session.scalar(select(func.min(present.c.created_at))),
                consents=await consents(session, person.id),
                preferences=await session.scalar(preferences) or 0,
                favorites=await session.scalar(favorites) or 0,
                exports=await session.scalar(exports_of(person)) or 0,
            )

    async def everything(self, platform: Platform, user_id: str) -> Mapping[str, object]:
        """All that is stored about the person, as plain JSON values, oldest first."""
        who: dict[str, object] = {"platform": str(platform), "user_id": user_id}
        async with self._database.read() as session:
            person = await find_person(session, platform, user_id)
            if person is None:
                return who
            return {**who, **await everything_about(session, person, self._database.cipher)}

    async def record_consent(self, platform: Platform, user_id: str, version: str, granted: bool) -> None:
        """Add a yes or no to that version of the training terms."""
        await Consents(self._database).record(platform, user_id, version, granted)

    async def tell_terms(self, platform: Platform, user_id: str, reply_id: int) -> NewTerms | None:
        """Note that the person is told the terms in force beneath that reply; see the port."""
        async with self._database.read() as session:  # nearly everybody was told: that takes no writer's turn
            person = await _present(session, platform, user_id)
            told = await session.get(ToldTerms, (person.id, TERMS_VERSION)) if person else None
            if person is None or (told is not None and told.message_id != reply_id):
                return None
        async with self._database.write() as session:
            person = await _present(session, platform, user_id)
            if person is None:
                return None
            told = await session.get(ToldTerms, (person.id, TERMS_VERSION))
            if told is None:
                told = ToldTerms(person_id=person.id, version=TERMS_VERSION, message_id=reply_id)
                session.add(told)
            if told.message_id != reply_id:
                return None
            return NewTerms(await _knew_others(session, person.id), await consents(session, person.id))

    async def terms_not_told(self, platform: Platform, user_id: str, reply_id: int) -> None:
        """That reply did not reach the person: they are told with another one."""
        async with self._database.write() as session:
            person = await find_person(session, platform, user_id)
            told = await session.get(ToldTerms, (person.id, TERMS_VERSION)) if person else None
            if told is not None and told.message_id == reply_id:
                await session.delete(told)

    async def forget(self, platform: Platform, user_id: str) -> ForgetReport:
        """Erase what the person said, what was said to them and their votes; leave a tombstone.

        What is unfinished is cancelled. Somebody unknown is no error: the report says so.
        """
        async with self._database.write() as session:
            person = await find_person(session, platform, user_id)
            report = await erase(session, person) if person else ForgetReport(known=False)
        await self._database.empty_log()
        return report


async def _present(session: AsyncSession, platform: Platform, user_id: str) -> Person | None:
    """The person, unless they were forgotten: nothing is noted of who is."""
    person = await find_person(session, platform, user_id)
    return person if person is not None and person.forgotten_at is None else None


async def _knew_others(session: AsyncSession, person_id: int) -> bool:
    """The person was told of earlier terms, or agreed to them."""
    earlier = select(ToldTerms).where(ToldTerms.person_id == person_id, ToldTerms.version != TERMS_VERSION).limit(1)
    if await session.scalar(earlier) is not None:
        return True
    consent = await newest_consent(session, person_id)
    return consent is not None and consent.granted and consent.version != TERMS_VERSION
