"""What a person may know, take along, allow and erase; knows no platform's user objects."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from bot.chat.messages import Platform, Role
from bot.chat.ports import DataOverview, ForgetReport, PersonalData
from bot.storage.consents import Consents, consents
from bot.storage.database import Database
from bot.storage.encryption import CORRECTION_TEXT, MESSAGE_TEXT
from bot.storage.erasure import erase
from bot.storage.identity import find_person
from bot.storage.tables import Consent, Conversation, Correction, Message, Person, Preference, Vote

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
            present = _messages(person).where(Message.text != "").subquery()
            by_role = await session.execute(select(present.c.role, func.count()).group_by(present.c.role))
            counts: dict[Role, int] = dict(by_role.all())
            votes = select(func.count(Vote.message_id.distinct())).where(Vote.person_id == person.id)
            corrections = select(func.count(Correction.id)).where(Correction.person_id == person.id)
            return DataOverview(
                messages=counts.get(Role.USER, 0),
                replies=counts.get(Role.ASSISTANT, 0),
                votes=await session.scalar(votes) or 0,
                corrections=await session.scalar(corrections) or 0,
                first_at=await session.scalar(select(func.min(present.c.created_at))),
                consents=await consents(session, person.id),
            )

    async def everything(self, platform: Platform, user_id: str) -> Mapping[str, object]:
        """All that is stored about the person, as plain JSON values, oldest first."""
        who: dict[str, object] = {"platform": str(platform), "user_id": user_id}
        async with self._database.read() as session:
            person = await find_person(session, platform, user_id)
            if person is None:
                return who
            return {
                **who,
                "known_since": person.created_at.isoformat(),
                "messages": await self._said(session, person),
                "votes": await _votes(session, person),
                "corrections": await self._corrections(session, person),
                "preferences": await _preferences(session, person),
                "consents": await _consents(session, person),
            }

    async def record_consent(self, platform: Platform, user_id: str, version: str, granted: bool) -> None:
        """Add a yes or no to that version of the training terms."""
        await Consents(self._database).record(platform, user_id, version, granted)

    async def forget(self, platform: Platform, user_id: str) -> ForgetReport:
        """Erase what the person said, what was said to them and their votes; leave a tombstone.

        What is unfinished is cancelled. Somebody unknown is no error: the report says so.
        """
        async with self._database.write() as session:
            person = await find_person(session, platform, user_id)
            report = await erase(session, person) if person else ForgetReport(known=False)
        await self._database.empty_log()
        return report

    async def _said(self, session: AsyncSession, person: Person) -> list[dict[str, object]]:
        places = select(Conversation).where(Conversation.person_id == person.id)
        conversations = {place.id: place for place in await session.scalars(places)}
        messages = await session.scalars(_messages(person).where(Message.text != "").order_by(Message.id))
        return [self._message(message, conversations[message.conversation_id]) for message in messages]

    def _message(self, message: Message, place: Conversation) -> dict[str, object]:
        return {
            "id": message.id,
            "answers": message.parent_id,
            "chat_id": place.chat_id,
            "thread_id": place.thread_id,
            "role": str(message.role),
            "kind": str(message.kind),
            "text": self._database.cipher.unseal(message.text, MESSAGE_TEXT),
            "may_be_trained_on": message.train_eligible,
            "at": message.created_at.isoformat(),
        }

    async def _corrections(self, session: AsyncSession, person: Person) -> list[dict[str, object]]:
        rows = await session.scalars(
            select(Correction).where(Correction.person_id == person.id).order_by(Correction.id)
        )
        unseal = self._database.cipher.unseal
        return [
            {
                "message_id": row.message_id,
                "text": unseal(row.text, CORRECTION_TEXT),
                "may_be_trained_on": row.train_eligible,
                "at": row.created_at.isoformat(),
            }
            for row in rows
        ]


def _messages(person: Person) -> Select[Message]:
    return select(Message).join(Conversation).where(Conversation.person_id == person.id)


async def _votes(session: AsyncSession, person: Person) -> list[dict[str, object]]:
    rows = await session.scalars(select(Vote).where(Vote.person_id == person.id).order_by(Vote.id))
    return [
        {
            "message_id": row.message_id,
            "value": row.value,
            "source": str(row.source),
            "complaint": row.complaint and str(row.complaint),
            "at": row.created_at.isoformat(),
        }
        for row in rows
    ]


async def _preferences(session: AsyncSession, person: Person) -> list[dict[str, object]]:
    """What the person preferred of two; the message that shows them may be somebody else's."""
    rows = await session.scalars(select(Preference).where(Preference.person_id == person.id).order_by(Preference.id))
    return [
        {"message_id": row.message_id, "preferred": str(row.preferred), "at": row.created_at.isoformat()}
        for row in rows
    ]


async def _consents(session: AsyncSession, person: Person) -> list[dict[str, object]]:
    rows = await session.scalars(select(Consent).where(Consent.person_id == person.id).order_by(Consent.id))
    return [{"version": row.version, "granted": row.granted, "at": row.created_at.isoformat()} for row in rows]
