"""What was said, for each conversation key; knows no job and no vote."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Select, or_, select, union
from sqlalchemy.ext.asyncio import AsyncSession

from bot.chat.messages import ConversationKey, MessageKind, Role, StoredMessage
from bot.chat.ports import Conversations
from bot.storage.column_types import utc_now
from bot.storage.database import Database
from bot.storage.encryption import MESSAGE_TEXT
from bot.storage.identity import ensure_person
from bot.storage.tables import Conversation, Delivery, DeliveryState, Message, Person


class SqlConversations(Conversations):
    """The port `Conversations` on the database. Erased messages are never among the answers."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def history(self, key: ConversationKey, limit: int, up_to: int | None = None) -> Sequence[StoredMessage]:
        """The newest `limit` chat messages since the last start_over, oldest first; none later than message `up_to`."""
        active = conversations_of(key).where(Conversation.closed_at.is_(None))
        newest = (
            select(Message)
            .where(Message.conversation_id == active.scalar_subquery())
            .where(Message.kind == MessageKind.CHAT, Message.text != "")
            .order_by(Message.id.desc())
            .limit(max(limit, 0))
        )
        if up_to is not None:
            newest = newest.where(Message.id <= up_to)
        async with self._database.read() as session:
            messages = (await session.scalars(newest)).all()
        return [self._stored(message) for message in reversed(messages)]

    async def start_over(self, key: ConversationKey) -> None:
        """Close the active conversation and open a new one; what was said stays."""
        async with self._database.write() as session:
            conversation = await active_conversation(session, key)
            conversation.closed_at = utc_now()
            await session.flush()  # first the closing: there is one active conversation at any moment
            await active_conversation(session, key)

    async def recent_replies(self, key: ConversationKey, kind: MessageKind, limit: int) -> Sequence[str]:
        """The newest replies of that kind that this person saw, newest first: those to them anywhere on the platform.

        Of quotes also those to others in this chat and thread, until these start over. One that could not be delivered
        was never seen and does not count.
        """
        to_them = (
            select(Conversation.id)
            .join(Person, Person.id == Conversation.person_id)
            .where(Person.platform == key.platform, Person.platform_user_id == key.user_id)
        )
        # Only open ones: those are found by an index, and a chat has as many as people.
        before_them = select(Conversation.id).where(
            *(Conversation.platform == key.platform, Conversation.chat_id == key.chat_id),
            *(Conversation.thread_id == key.thread_id, Conversation.closed_at.is_(None)),
        )
        seen = union(to_them, before_them) if kind is MessageKind.QUOTE else to_them
        replies = (
            select(Message.text)
            .outerjoin(Delivery, Delivery.message_id == Message.id)
            .where(Message.conversation_id.in_(seen))
            .where(Message.role == Role.ASSISTANT, Message.kind == kind, Message.text != "")
            .where(or_(Delivery.state.is_(None), Delivery.state != DeliveryState.FAILED))
            .order_by(Message.id.desc())
            .limit(max(limit, 0))
        )
        async with self._database.read() as session:
            texts = (await session.scalars(replies)).all()
        return [self._database.cipher.unseal(text, MESSAGE_TEXT) for text in texts]

    def _stored(self, message: Message) -> StoredMessage:
        text = self._database.cipher.unseal(message.text, MESSAGE_TEXT)
        return StoredMessage(message.id, message.parent_id, message.role, message.kind, text)


def conversations_of(key: ConversationKey) -> Select[int]:
    """The ids of the key's conversations, the closed ones too."""
    return (
        select(Conversation.id)
        .join(Person, Person.id == Conversation.person_id)
        .where(Person.platform == key.platform, Person.platform_user_id == key.user_id)
        .where(Conversation.platform == key.platform)
        .where(Conversation.chat_id == key.chat_id, Conversation.thread_id == key.thread_id)
    )


async def active_conversation(session: AsyncSession, key: ConversationKey) -> Conversation:
    """The key's open conversation, new if need be, as may be the person."""
    person = await ensure_person(session, key.platform, key.user_id)
    active = conversations_of(key).where(Conversation.closed_at.is_(None))
    conversation = await session.scalar(select(Conversation).where(Conversation.id == active.scalar_subquery()))
    if conversation is None:
        conversation = Conversation(
            platform=key.platform, chat_id=key.chat_id, thread_id=key.thread_id, person_id=person.id
        )
        session.add(conversation)
        await session.flush()
    return conversation
