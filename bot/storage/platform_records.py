"""What is known of a platform besides its conversations: events, places, announcements, wanted keywords."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import func, select

from bot.chat.messages import ConversationKey, Platform
from bot.chat.ports import Place, PlatformRecords, SeenBefore
from bot.storage.database import Database
from bot.storage.encryption import MESSAGE_TEXT
from bot.storage.events import take_events
from bot.storage.quote_pool import normal_keyword
from bot.storage.tables import AnnouncedChat, Conversation, Message, Person, TakenEvent

_LOOK_BACK = 10_000  # requests for quotes that decide what is popular
_PEOPLE = 2  # who asked for a keyword before others are offered it: one person's words stay with that person


class SqlPlatformRecords(PlatformRecords):
    """The port `PlatformRecords` on the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def take_events(self, platform: Platform, event_ids: Sequence[str]) -> bool:
        """Take all of them, or none and return False when one was taken before."""
        try:
            async with self._database.write() as session:
                await take_events(session, platform, event_ids)
        except SeenBefore:
            return False
        return True

    async def taken_events(self, platform: Platform, event_ids: Sequence[str]) -> Collection[str]:
        """Those of them that were taken before."""
        taken = select(TakenEvent.event_id).where(TakenEvent.platform == platform, TakenEvent.event_id.in_(event_ids))
        async with self._database.read() as session:
            return set(await session.scalars(taken))

    async def places(self, platform: Platform, since: datetime) -> Sequence[Place]:
        """Where somebody talked to the bot since then."""
        rows = (
            select(Conversation.chat_id, Conversation.thread_id)
            .join(Message, Message.conversation_id == Conversation.id)
            .where(Conversation.platform == platform, Message.created_at >= since)
            .distinct()
        )
        async with self._database.read() as session:
            return [Place(chat_id, thread_id) for chat_id, thread_id in await session.execute(rows)]

    async def announce_in(self, platform: Platform, place: Place, wanted: bool) -> None:
        """Tell that place from now on what changes about the bot, or no longer."""
        async with self._database.write() as session:
            chat = await session.get(AnnouncedChat, (platform, place.chat_id, place.thread_id))
            if wanted and chat is None:
                session.add(AnnouncedChat(platform=platform, chat_id=place.chat_id, thread_id=place.thread_id))
            elif not wanted and chat is not None:
                await session.delete(chat)

    async def announced_places(self, platform: Platform) -> Sequence[Place]:
        """The places that want to be told."""
        rows = select(AnnouncedChat).where(AnnouncedChat.platform == platform).order_by(AnnouncedChat.chat_id)
        async with self._database.read() as session:
            return [Place(chat.chat_id, chat.thread_id) for chat in await session.scalars(rows)]

    async def popular_keywords(self, key: ConversationKey, limit: int) -> Sequence[str]:
        """Keywords that this person, or at least two people, asked quotes for; the most wanted first."""
        digest = Message.keyword_digest
        recent = (
            select(Message.id, digest, Conversation.person_id, Person.platform, Person.platform_user_id)
            .join(Conversation, Conversation.id == Message.conversation_id)
            .join(Person, Person.id == Conversation.person_id)
            .where(digest.is_not(None))
            .order_by(Message.id.desc())
            .limit(_LOOK_BACK)
            .subquery()
        )
        asked_by = func.count(recent.c.person_id.distinct())
        own = func.max((recent.c.platform == key.platform) & (recent.c.platform_user_id == key.user_id))
        newest = func.max(recent.c.id)
        wanted = (
            select(newest.label("id"))
            .group_by(recent.c.keyword_digest)
            .having((asked_by >= _PEOPLE) | (own == 1))
            .order_by(asked_by.desc(), newest.desc())
            .limit(limit)
        )
        async with self._database.read() as session:
            ids = list(await session.scalars(wanted))
            texts = dict((await session.execute(select(Message.id, Message.text).where(Message.id.in_(ids)))).all())
        return [normal_keyword(self._database.cipher.unseal(texts[one], MESSAGE_TEXT)) for one in ids]
