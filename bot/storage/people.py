"""Who the people are, until they ask to be forgotten; knows no platform's user objects."""

from __future__ import annotations

from bot.chat.messages import Platform
from bot.storage.database import Database
from bot.storage.erasure import ForgetReport, erase
from bot.storage.identity import ensure_person, find_person


class People:
    """The people of all platforms."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def remember_name(self, platform: Platform, user_id: str, display_name: str) -> None:
        """Keep the name that the person shows on the platform."""
        async with self._database.write() as session:
            person = await ensure_person(session, platform, user_id)
            person.display_name = display_name

    async def forget(self, platform: Platform, user_id: str) -> ForgetReport:
        """Erase what the person said, what was said to them, their name and their votes; leave a tombstone.

        What is unfinished is cancelled. Somebody unknown is no error: the report says so.
        """
        async with self._database.write() as session:
            person = await find_person(session, platform, user_id)
            report = await erase(session, person) if person else ForgetReport(known=False)
        await self._database.empty_log()
        return report
