"""Votes on replies: rows are added, never changed; knows no button and no reaction."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Select, Subquery, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from bot.chat.messages import Complaint, ConversationKey, Platform, Preferred, Role, Vote, VoteSource
from bot.chat.ports import Feedback
from bot.errors import InputError
from bot.storage.consents import consents
from bot.storage.conversations import conversations_of
from bot.storage.database import Database
from bot.storage.encryption import CORRECTION_TEXT, MESSAGE_TEXT
from bot.storage.identity import ensure_person, find_person
from bot.storage.jobs import TrainingRule, never
from bot.storage.tables import ComparedPair, Conversation, Correction, Message, Preference
from bot.storage.tables import Vote as VoteRow

WEAK = [source for source in VoteSource if source.weak]
_LARGEST_ID = 2**63 - 1  # more does not fit into a column, and so was never given out


class SqlFeedback(Feedback):
    """The port `Feedback` on the database."""

    def __init__(self, database: Database, may_train: TrainingRule = never) -> None:
        self._database = database
        self._may_train = may_train

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
        async with self._database.write() as session:
            person_id = await _voter(session, key, message_id)
            session.add(VoteRow(person_id=person_id, message_id=message_id, source=source, value=int(vote)))

    async def toggle_vote(self, key: ConversationKey, message_id: int, vote: Vote, source: VoteSource) -> Vote:
        """Append the vote, or NONE where it is the one in force and came the same way; returns what is in force now."""
        async with self._database.write() as session:
            person_id = await _voter(session, key, message_id)
            if await _is_in_force(session, person_id, message_id, vote, source):
                vote = Vote.NONE
            session.add(VoteRow(person_id=person_id, message_id=message_id, source=source, value=int(vote)))
        return vote

    async def withdraw_vote(self, key: ConversationKey, message_id: int, vote: Vote, source: VoteSource) -> bool:
        """Append NONE where that vote is the one in force and came the same way; False where it is not.

        Of somebody unknown or forgotten nothing is noted: there is no vote of theirs to take back.
        """
        async with self._database.write() as session:
            await _check_reply(session, key, message_id)
            person = await find_person(session, key.platform, key.user_id)
            if person is None or not await _is_in_force(session, person.id, message_id, vote, source):
                return False
            session.add(VoteRow(person_id=person.id, message_id=message_id, source=source, value=int(Vote.NONE)))
        return True

    async def toggle_favorite(self, key: ConversationKey, message_id: int) -> bool:
        """Make the reply one of the person's favourites, or none any more; returns whether it is one now."""
        async with self._database.write() as session:
            person_id = await _voter(session, key, message_id)
            is_one = await _weak_in_force(session, person_id, message_id, VoteSource.FAVORITE) is Vote.UP
            value = int(Vote.NONE if is_one else Vote.UP)
            session.add(VoteRow(person_id=person_id, message_id=message_id, source=VoteSource.FAVORITE, value=value))
        return not is_one

    async def share(self, key: ConversationKey, message_id: int) -> str:
        """Note that the person passes the reply on, once; returns its text."""
        async with self._database.write() as session:
            person_id = await _voter(session, key, message_id)
            if await _weak_in_force(session, person_id, message_id, VoteSource.SHARE) is Vote.NONE:
                up = int(Vote.UP)
                session.add(VoteRow(person_id=person_id, message_id=message_id, source=VoteSource.SHARE, value=up))
            text = (await session.get_one(Message, message_id)).text
        return self._database.cipher.unseal(text, MESSAGE_TEXT)

    async def favorites(self, platform: Platform, user_id: str, limit: int) -> Sequence[str]:
        """The person's favourites, the newest first, from all chats of the platform."""
        async with self._database.read() as session:
            person = await find_person(session, platform, user_id)
            if person is None:
                return []
            mine = votes_in_force().where(VoteRow.person_id == person.id, VoteRow.source == VoteSource.FAVORITE)
            texts = mine.join(Message, Message.id == VoteRow.message_id).where(Message.text != "")
            newest = texts.with_only_columns(Message.text).order_by(VoteRow.id.desc()).limit(limit)
            return [self._database.cipher.unseal(text, MESSAGE_TEXT) for text in await session.scalars(newest)]

    async def prefer(self, key: ConversationKey, message_id: int, preferred: Preferred) -> None:
        """Append which of the two replies in that message a person likes better."""
        async with self._database.write() as session:
            person_id = await _voter(session, key, message_id)
            if await session.get(ComparedPair, message_id) is None:
                raise InputError("There are no two replies to compare.", "nothing-to-compare")
            session.add(Preference(person_id=person_id, message_id=message_id, preferred=preferred))

    async def complain(self, key: ConversationKey, message_id: int, complaint: Complaint, source: VoteSource) -> None:
        """Append a bad vote that says what was wrong."""
        async with self._database.write() as session:
            person_id = await _voter(session, key, message_id)
            vote = VoteRow(person_id=person_id, message_id=message_id, source=source, value=int(Vote.DOWN))
            vote.complaint = complaint
            session.add(vote)

    async def correct(self, key: ConversationKey, message_id: int, text: str, *, as_option: bool) -> None:
        """Append what the person would rather have read."""
        sealed = self._database.cipher.seal(text, CORRECTION_TEXT)
        async with self._database.write() as session:
            person_id = await _voter(session, key, message_id)
            kind = await session.scalar(select(Message.kind).where(Message.id == message_id))
            assert kind is not None  # the voter's message is there
            eligible = self._may_train(key, kind, as_option) and await consents(session, person_id)
            correction = Correction(person_id=person_id, message_id=message_id, text=sealed, train_eligible=eligible)
            correction.as_option = as_option
            session.add(correction)


async def _voter(session: AsyncSession, key: ConversationKey, message_id: int) -> int:
    """The id of the person who votes, new if need be; InputError when there is no such reply in that chat."""
    await _check_reply(session, key, message_id)
    return (await ensure_person(session, key.platform, key.user_id)).id


async def _check_reply(session: AsyncSession, key: ConversationKey, message_id: int) -> None:
    """Raise InputError when there is no such reply in that chat."""
    if not 0 < message_id <= _LARGEST_ID:
        raise _no_such_reply()
    reply = (
        select(Message.id)
        .join(Conversation, Conversation.id == Message.conversation_id)
        .where(Message.id == message_id, Message.role == Role.ASSISTANT, Message.text != "")
        .where(Conversation.platform == key.platform, Conversation.chat_id == key.chat_id)
    )
    if await session.scalar(reply) is None:
        raise _no_such_reply()


def _no_such_reply() -> InputError:
    return InputError("There is no such reply of the bot to vote on.", "no-such-reply")


async def _is_in_force(session: AsyncSession, person_id: int, message_id: int, vote: Vote, source: VoteSource) -> bool:
    """Whether that is the spoken vote of the person, and was given that way.

    Who says by a button too what their sign says takes nothing back; the sign taken back then, the button's vote stays.
    """
    mine = select(VoteRow).where(VoteRow.person_id == person_id, VoteRow.message_id == message_id)
    newest = await session.scalar(mine.where(VoteRow.source.not_in(WEAK)).order_by(VoteRow.id.desc()).limit(1))
    return newest is not None and (newest.value, newest.source) == (vote, source)


async def _weak_in_force(session: AsyncSession, person_id: int, message_id: int, source: VoteSource) -> Vote:
    """The weak vote of the person of that source."""
    mine = select(VoteRow.value).where(VoteRow.person_id == person_id, VoteRow.message_id == message_id)
    return Vote(await session.scalar(mine.where(VoteRow.source == source).order_by(VoteRow.id.desc()).limit(1)) or 0)


def current_votes() -> Subquery:
    """The person_id, message_id and value of the spoken vote in force of each person on each reply."""
    return (
        select(VoteRow.person_id, VoteRow.message_id, VoteRow.value).where(VoteRow.id.in_(_newest_spoken())).subquery()
    )


def votes_in_force() -> Select[VoteRow]:
    """The spoken vote in force of each person on each reply, and beside it the newest weak one of each source."""
    weak = select(func.max(VoteRow.id)).where(VoteRow.source.in_(WEAK))
    newest_weak = weak.group_by(VoteRow.person_id, VoteRow.message_id, VoteRow.source)
    either = or_(VoteRow.id.in_(_newest_spoken()), VoteRow.id.in_(newest_weak))
    return select(VoteRow).where(either, VoteRow.value != int(Vote.NONE))


def _newest_spoken() -> Select[int]:
    spoken = select(func.max(VoteRow.id)).where(VoteRow.source.not_in(WEAK))
    return spoken.group_by(VoteRow.person_id, VoteRow.message_id)
