"""Counts of everything that is stored; knows nobody by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from bot.chat.messages import JobState, MessageKind, Role, Vote
from bot.storage.database import Database
from bot.storage.encryption import SEALED
from bot.storage.feedback import current_votes
from bot.storage.tables import Generation, Job, Message, Person, WrittenQuote


@dataclass(frozen=True, slots=True)
class Statistics:
    """What is stored now: erased messages, conversations that hold none else, and forgotten people do not count.

    `messages` are those of people and of the bot together; `quotes` and `replies` are the bot's, for keywords and in
    chats. `tokens_written` is of all replies ever. `votes_*` count the votes in force, on erased replies too: a vote
    goes only with who gave it. `pooled_quotes` are those not yet served, `database_bytes` is the size of the file.
    """

    people: int
    conversations: int
    messages: int
    encrypted_messages: int
    quotes: int
    replies: int
    votes_up: int
    votes_down: int
    jobs: Mapping[JobState, int]
    pooled_quotes: int
    tokens_written: int
    first_message_at: datetime | None
    last_message_at: datetime | None
    database_bytes: int


async def collect(database: Database) -> Statistics:
    """Count everything, in one state of the database."""
    database_bytes = await database.size_bytes()
    present = select(func.count(Message.id)).where(Message.text != "")
    by_bot = present.where(Message.role == Role.ASSISTANT)
    votes = current_votes()
    vote_count = select(func.count()).select_from(votes)
    async with database.read() as session:
        return Statistics(
            people=await _count(session, select(func.count(Person.id)).where(Person.forgotten_at.is_(None))),
            conversations=await _count(
                session, select(func.count(Message.conversation_id.distinct())).where(Message.text != "")
            ),
            messages=await _count(session, present),
            encrypted_messages=await _count(session, present.where(Message.text.startswith(SEALED))),
            quotes=await _count(session, by_bot.where(Message.kind == MessageKind.QUOTE)),
            replies=await _count(session, by_bot.where(Message.kind == MessageKind.CHAT)),
            votes_up=await _count(session, vote_count.where(votes.c.value == int(Vote.UP))),
            votes_down=await _count(session, vote_count.where(votes.c.value == int(Vote.DOWN))),
            jobs=await _jobs(session),
            pooled_quotes=await _count(
                session, select(func.count(WrittenQuote.id)).where(WrittenQuote.served_at.is_(None))
            ),
            tokens_written=await _count(session, select(func.sum(Generation.completion_tokens))),
            first_message_at=await session.scalar(select(func.min(Message.created_at)).where(Message.text != "")),
            last_message_at=await session.scalar(select(func.max(Message.created_at)).where(Message.text != "")),
            database_bytes=database_bytes,
        )


async def _count(session: AsyncSession, query: Select[Any]) -> int:
    return await session.scalar(query) or 0


async def _jobs(session: AsyncSession) -> Mapping[JobState, int]:
    """The number of jobs in each state, also where it is none."""
    counts = dict.fromkeys(JobState, 0)
    for state, count in await session.execute(select(Job.state, func.count(Job.id)).group_by(Job.state)):
        counts[state] = count
    return counts
