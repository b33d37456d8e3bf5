"""All that is stored about a person, as plain JSON values; knows no file and no platform's user objects."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sqlalchemy import Select, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from bot.chat.messages import VoteSource
from bot.storage.encryption import CORRECTION_TEXT, MESSAGE_TEXT, PAIR_TEXT, TextCipher
from bot.storage.feedback import votes_in_force
from bot.storage.tables import (
    ComparedPair,
    Consent,
    Conversation,
    Correction,
    Delivery,
    Export,
    ExportedRow,
    Generation,
    Job,
    Message,
    Person,
    Post,
    Preference,
    ToldTerms,
    Vote,
)

Entry = dict[str, object]

_EITHER = (Job.message_id, Job.reply_message_id)
_HAS_WORDS = select(Message.id).where(Message.id.in_(_EITHER), Message.text != "").exists()  # of a request


async def everything_about(session: AsyncSession, person: Person, cipher: TextCipher) -> Mapping[str, object]:
    """A list for each kind of thing, oldest first; what was erased is in none of them.

    `erased_requests` is how many requests are left without their words, as bare entries.
    """
    return {
        "known_since": person.created_at.isoformat(),
        "messages": await _messages(session, person, cipher.unseal),
        "requests": await _requests(session, person),
        "erased_requests": await _erased_requests(session, person),
        "votes": await _votes(session, person),
        "favorites": await _favorites(session, person, cipher.unseal),
        "corrections": await _corrections(session, person, cipher.unseal),
        "comparisons": await _comparisons(session, person, cipher.unseal),
        "preferences": await _preferences(session, person),
        "consents": await _consents(session, person),
        "told_terms": await _told(session, person),
        "exports": await _exports(session, person),
    }


def favorites_of(person: Person) -> Select[Vote]:
    """The votes that make a reply that is still there one of the person's favourites."""
    mine = votes_in_force().where(Vote.person_id == person.id, Vote.source == VoteSource.FAVORITE)
    return mine.join(Message, Message.id == Vote.message_id).where(Message.text != "")


async def _messages(session: AsyncSession, person: Person, unseal: Callable[[str, bytes], str]) -> list[Entry]:
    """What the person said and was told, with the model that wrote it and whether it arrived."""
    rows = select(Message, Conversation, Generation, Delivery)
    rows = rows.join(Conversation, Conversation.id == Message.conversation_id)
    rows = rows.outerjoin(Generation, Generation.message_id == Message.id)
    rows = rows.outerjoin(Delivery, Delivery.message_id == Message.id)
    rows = rows.where(Conversation.person_id == person.id, Message.text != "").order_by(Message.id)
    return [
        {
            "id": message.id,
            "answers": message.parent_id,
            "chat_id": place.chat_id,
            "thread_id": place.thread_id,
            "conversation": place.id,
            "role": str(message.role),
            "kind": str(message.kind),
            "text": unseal(message.text, MESSAGE_TEXT),
            "as_option_of_a_command": message.as_option,
            "may_be_trained_on": message.train_eligible,
            "model": generation.model_name if generation else None,
            "delivery": str(delivery.state) if delivery else None,
            "at": message.created_at.isoformat(),
        }
        for message, place, generation, delivery in (await session.execute(rows)).all()
    ]


async def _requests(session: AsyncSession, person: Person) -> list[Entry]:
    """What the person asked for and what came of it; the posts are the platform's ids of the answer's messages."""
    theirs = select(Conversation.id).where(Conversation.person_id == person.id)
    posts: dict[int, list[str]] = {}
    of_theirs = select(Post).join(Job, Job.id == Post.job_id).where(Job.conversation_id.in_(theirs))
    for post in await session.scalars(of_theirs.order_by(Post.job_id, Post.part)):
        posts.setdefault(post.job_id, []).append(post.platform_message_id)
    kept = select(Job).where(Job.conversation_id.in_(theirs), _HAS_WORDS).order_by(Job.id)
    return [
        {
            "id": job.id,
            "kind": str(job.kind),
            "style": job.style and str(job.style),
            "about": job.about and str(job.about),
            "message_id": job.message_id,
            "reply_id": job.reply_message_id,
            "state": str(job.state),
            "reason": job.reason,
            "posts": posts.get(job.id, []),
            "at": job.accepted_at.isoformat(),
            "ended_at": job.ended_at and job.ended_at.isoformat(),
        }
        for job in await session.scalars(kept)
    ]


async def _erased_requests(session: AsyncSession, person: Person) -> int:
    erased = select(func.count(Job.id)).join(Conversation, Conversation.id == Job.conversation_id)
    return await session.scalar(erased.where(Conversation.person_id == person.id, ~_HAS_WORDS)) or 0


async def _votes(session: AsyncSession, person: Person) -> list[Entry]:
    """Each verdict, those that were taken back or changed included, and what was complained of."""
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


async def _favorites(session: AsyncSession, person: Person, unseal: Callable[[str, bytes], str]) -> list[Entry]:
    """What the person kept; it may have been said to somebody else."""
    kept = favorites_of(person).with_only_columns(Vote, Message.text).order_by(Vote.id)
    return [
        {"message_id": vote.message_id, "text": unseal(text, MESSAGE_TEXT), "at": vote.created_at.isoformat()}
        for vote, text in (await session.execute(kept)).all()
    ]


async def _corrections(session: AsyncSession, person: Person, unseal: Callable[[str, bytes], str]) -> list[Entry]:
    rows = await session.scalars(select(Correction).where(Correction.person_id == person.id).order_by(Correction.id))
    return [
        {
            "message_id": row.message_id,
            "text": unseal(row.text, CORRECTION_TEXT),
            "as_option_of_a_command": row.as_option,
            "may_be_trained_on": row.train_eligible,
            "at": row.created_at.isoformat(),
        }
        for row in rows
    ]


async def _comparisons(session: AsyncSession, person: Person, unseal: Callable[[str, bytes], str]) -> list[Entry]:
    """The pairs that were shown to the person, or that they chose from elsewhere."""
    shown = select(Message.id).join(Conversation).where(Conversation.person_id == person.id)
    chosen = select(Preference.message_id).where(Preference.person_id == person.id)
    either = or_(ComparedPair.message_id.in_(shown), ComparedPair.message_id.in_(chosen))
    pairs = select(ComparedPair).where(either, ComparedPair.left_text != "").order_by(ComparedPair.message_id)
    return [
        {
            "message_id": pair.message_id,
            "about": str(pair.about),
            "left": {"text": unseal(pair.left_text, PAIR_TEXT), "model": pair.left_model},
            "right": {"text": unseal(pair.right_text, PAIR_TEXT), "model": pair.right_model},
        }
        for pair in await session.scalars(pairs)
    ]


async def _preferences(session: AsyncSession, person: Person) -> list[Entry]:
    """What the person preferred of two; the message that shows them may be somebody else's."""
    rows = await session.scalars(select(Preference).where(Preference.person_id == person.id).order_by(Preference.id))
    return [
        {"message_id": row.message_id, "preferred": str(row.preferred), "at": row.created_at.isoformat()}
        for row in rows
    ]


async def _consents(session: AsyncSession, person: Person) -> list[Entry]:
    rows = await session.scalars(select(Consent).where(Consent.person_id == person.id).order_by(Consent.id))
    return [{"version": row.version, "granted": row.granted, "at": row.created_at.isoformat()} for row in rows]


async def _told(session: AsyncSession, person: Person) -> list[Entry]:
    """Which terms the person was told, beneath which reply."""
    rows = await session.scalars(
        select(ToldTerms).where(ToldTerms.person_id == person.id).order_by(ToldTerms.created_at)
    )
    return [{"version": row.version, "message_id": row.message_id, "at": row.created_at.isoformat()} for row in rows]


async def _exports(session: AsyncSession, person: Person) -> list[Entry]:
    """The exports that hold something of the person, and of which messages; not where the operator keeps them."""
    rows = select(Export.name, Export.created_at, ExportedRow.message_id, ExportedRow.forgotten_at)
    rows = rows.join(ExportedRow, ExportedRow.export_id == Export.id).where(ExportedRow.person_id == person.id)
    found: dict[str, Entry] = {}
    ids: dict[str, list[int]] = {}
    for name, at, message_id, forgotten_at in await session.execute(rows.order_by(Export.id, ExportedRow.message_id)):
        found.setdefault(name, {"name": name, "at": at.isoformat(), "message_ids": ids.setdefault(name, [])})
        ids[name].append(message_id)
        if forgotten_at is not None:
            found[name]["erased_here_since"] = forgotten_at.isoformat()
    return list(found.values())


def exports_of(person: Person) -> Select[int]:
    """How many exports hold something of the person."""
    return select(func.count(ExportedRow.export_id.distinct())).where(ExportedRow.person_id == person.id)
