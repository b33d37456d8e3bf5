"""Votes on replies: rows are added, never changed; knows no button and no reaction."""

from __future__ import annotations

from sqlalchemy import Subquery, func, select

from bot.chat.messages import ConversationKey, Role, Vote, VoteSource
from bot.chat.ports import Feedback
from bot.errors import InputError
from bot.storage.conversations import conversations_of
from bot.storage.database import Database
from bot.storage.identity import ensure_person
from bot.storage.tables import Conversation, Message
from bot.storage.tables import Vote as VoteRow

_LARGEST_ID = 2**63 - 1  # more does not fit into a column, and so was never given out


class SqlFeedback(Feedback):
    """The port `Feedback` on the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def latest_reply(self, key: ConversationKey) -> int | None:
        """The id of the newest reply (chat or quote) in this chat and thread to this person, also before start_over."""
        replies = select(func.max(Message.id)).where(
            Message.conversation_id.in_(conversations_of(key)), Message.role == Role.ASSISTANT, Message.text != ""
        )
        async with self._database.read() as session:
            return await session.scalar(replies)

    async def add_vote(self, key: ConversationKey, message_id: int, vote: Vote, source: VoteSource) -> None:
        """Append a vote; raises InputError when the bot never wrote that message in that chat, or it was erased.

        Everybody in the chat may vote. Elsewhere the number of a message can only be a guess.
        """
        if not 0 < message_id <= _LARGEST_ID:
            raise InputError("There is no such reply of the bot to vote on.")
        reply = (
            select(Message.id)
            .join(Conversation, Conversation.id == Message.conversation_id)
            .where(Message.id == message_id, Message.role == Role.ASSISTANT, Message.text != "")
            .where(Conversation.platform == key.platform, Conversation.chat_id == key.chat_id)
        )
        async with self._database.write() as session:
            if await session.scalar(reply) is None:
                raise InputError("There is no such reply of the bot to vote on.")
            person = await ensure_person(session, key.platform, key.user_id)
            session.add(VoteRow(person_id=person.id, message_id=message_id, source=source, value=int(vote)))


def current_votes() -> Subquery:
    """The person_id, message_id and value of the vote in force of each person on each reply."""
    newest = select(func.max(VoteRow.id)).group_by(VoteRow.person_id, VoteRow.message_id)
    return select(VoteRow.person_id, VoteRow.message_id, VoteRow.value).where(VoteRow.id.in_(newest)).subquery()
