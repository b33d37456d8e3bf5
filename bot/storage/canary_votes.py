"""Finds what people said of the two models of a canary while it ran; weighs nothing."""

from __future__ import annotations

from sqlalchemy import func, select

from bot.chat.canary import Canary, ModelsCompared, VoteOnModel
from bot.chat.messages import MessageKind, QuoteSource
from bot.chat.messages import Vote as VoteValue
from bot.storage.database import Database
from bot.storage.feedback import WEAK
from bot.storage.tables import ComparedPair, Generation, Message, Preference, Vote


async def said_of(database: Database, canary: Canary) -> list[VoteOnModel | ModelsCompared]:
    """Spoken votes and comparisons, each as they were said, of replies that were written since the canary began.

    What is said after its end is none of them, though both models may answer on. Fixed replies are no model's, and a
    vote on a comparison as a whole says nothing of either side.
    """
    votes = (
        select(Vote, Generation.model_sha256)
        .join(Message, Message.id == Vote.message_id)
        .join(Generation, Generation.message_id == Vote.message_id)
        .where(Generation.model_sha256.in_((canary.sha256, canary.against_sha256)))
        .where(Generation.source != QuoteSource.RULE, Message.kind != MessageKind.COMPARE)
        .where(Vote.source.not_in(WEAK), Message.created_at >= canary.begun_at)
        .order_by(Vote.id)
    )
    compared = (
        select(Preference, ComparedPair)
        .join(ComparedPair, ComparedPair.message_id == Preference.message_id)
        .join(Message, Message.id == Preference.message_id)
        .where(ComparedPair.left_sha256 != ComparedPair.right_sha256, Message.created_at >= canary.begun_at)
        .order_by(Preference.id)
    )
    if canary.ended_at is not None:
        votes = votes.where(Vote.created_at <= canary.ended_at)
        compared = compared.where(Preference.created_at <= canary.ended_at)
    said: list[VoteOnModel | ModelsCompared] = []
    async with database.read() as session:
        for vote, sha256 in (await session.execute(votes)).all():
            said.append(VoteOnModel(vote.person_id, sha256, VoteValue(vote.value), vote.created_at))
        for one, pair in (await session.execute(compared)).all():
            sides = (pair.left_sha256, pair.right_sha256)
            said.append(ModelsCompared(one.person_id, one.message_id, *sides, one.preferred, one.created_at))
    return said


async def newest_words(database: Database) -> tuple[int, int]:
    """The newest vote and the newest preference of all: while they stay the same, nobody has said anything more."""
    async with database.read() as session:
        vote = await session.scalar(select(func.max(Vote.id)))
        preference = await session.scalar(select(func.max(Preference.id)))
    return vote or 0, preference or 0
