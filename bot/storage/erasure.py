"""How content leaves the database while the rows stay, so that exports made of them can be named.

Knows no policy: what is erased is a person's, who asked for it, or is named by whoever calls.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import CursorResult, Delete, Select, Update, delete, distinct, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from bot.chat.messages import JobState
from bot.chat.ports import ForgetReport
from bot.storage.column_types import utc_now
from bot.storage.consents import newest_consent
from bot.storage.tables import (
    ComparedPair,
    Consent,
    Conversation,
    Correction,
    Delivery,
    DeliveryState,
    ExportedRow,
    Generation,
    Job,
    Message,
    Person,
    Post,
    Preference,
    ToldTerms,
    Vote,
    WrittenQuote,
)
from bot.storage.transitions import FORGOTTEN

_Ids = Select[int] | Sequence[int]


@dataclass(frozen=True, slots=True)
class Erased:
    """How many messages lost their text, and how many requests were cancelled for it."""

    messages: int = 0
    jobs: int = 0


async def erase(session: AsyncSession, person: Person) -> ForgetReport:
    """Empty all that the person said and was told; the row of the person becomes a tombstone."""
    theirs = select(Conversation.id).where(Conversation.person_id == person.id)
    conversations = await _conversations_with_text(session, theirs)
    # Before their messages are emptied: what is told of them afterwards is found by these rows.
    await _mark_exported(session, person.id)
    await _run(session, delete(ToldTerms).where(ToldTerms.person_id == person.id))
    # Before their messages too, with which all corrections of those go, whoever's they are.
    corrections = await _run(session, delete(Correction).where(Correction.person_id == person.id))
    erased = await erase_messages(session, _words_of(theirs), FORGOTTEN)
    feedback = await _run(session, delete(Vote).where(Vote.person_id == person.id))
    preferences = await _run(session, delete(Preference).where(Preference.person_id == person.id))
    await _close_conversations(session, person.id)
    consent = await _withdraw_consent(session, person.id)
    person.forgotten_at = utc_now()
    return ForgetReport(
        erased.messages,
        conversations,
        feedback,
        erased.jobs,
        corrections=corrections,
        preferences=preferences,
        consent=consent,
    )


async def erase_messages(session: AsyncSession, ids: _Ids, reason: str) -> Erased:
    """Empty those messages and whatever repeats, describes or corrects their text; `reason` is why their jobs end."""
    # The hash of a prompt goes too: whoever guesses the prompt could prove it with the hash.
    prompts = update(Generation).where(Generation.message_id.in_(ids), Generation.prompt_sha256 != "")
    await _run(session, prompts.values(prompt_sha256=""))
    await _run(session, delete(Correction).where(Correction.message_id.in_(ids)))
    pairs = update(ComparedPair).where(ComparedPair.message_id.in_(ids), ComparedPair.left_text != "")
    await _run(session, pairs.values(left_text="", right_text=""))
    # Before the digests are gone from the messages.
    await _run(session, _written_ahead_for(ids))
    texts = update(Message).where(Message.id.in_(ids), Message.text != "")
    messages = await _run(session, texts.values(text="", keyword_digest=None, train_eligible=False))
    return Erased(messages, await _end_unfinished(session, ids, reason))


def _written_ahead_for(ids: _Ids) -> Delete:
    """The quotes written ahead, served or not, on what those messages alone ask for: they may well repeat it."""
    theirs = select(Message.keyword_digest).where(Message.id.in_(ids), Message.keyword_digest.is_not(None))
    same = Message.keyword_digest == WrittenQuote.keyword_digest
    still_asked = select(Message.id).where(same, Message.id.not_in(ids)).exists()
    return delete(WrittenQuote).where(WrittenQuote.keyword_digest.in_(theirs), ~still_asked)


def _words_of(theirs: Select[int]) -> Select[int]:
    """The messages of those conversations, and where somebody else asked in the same words, with the replies to that.

    It does not depend on what erasing changes.
    """
    own, repeated, found = aliased(Message), aliased(Message), aliased(Message)
    own_ids = select(own.id).where(own.conversation_id.in_(theirs))
    repeated_ids = select(repeated.id).where(repeated.repeats_id.in_(own_ids))
    either = or_(found.conversation_id.in_(theirs), found.id.in_(repeated_ids), found.parent_id.in_(repeated_ids))
    return select(found.id).where(either)


async def _conversations_with_text(session: AsyncSession, theirs: Select[int]) -> int:
    count = select(func.count(distinct(Message.conversation_id)))
    return await session.scalar(count.where(Message.conversation_id.in_(theirs), Message.text != "")) or 0


async def _mark_exported(session: AsyncSession, person_id: int) -> None:
    parts = update(ExportedRow).where(ExportedRow.person_id == person_id, ExportedRow.forgotten_at.is_(None))
    await _run(session, parts.values(forgotten_at=utc_now()))


async def _end_unfinished(session: AsyncSession, ids: _Ids, reason: str) -> int:
    """Cancel what waits or runs. A reason may quote the person, so the reasons of all that ended go too."""
    jobs = update(Job).where(or_(Job.message_id.in_(ids), Job.reply_message_id.in_(ids)))
    unfinished = jobs.where(Job.state.in_((JobState.ACCEPTED, JobState.RUNNING)))
    cancelled = await _run(session, unfinished.values(state=JobState.CANCELLED, reason=reason, ended_at=utc_now()))
    await _run(session, jobs.where(Job.reason != reason).values(reason=reason))
    await _run(session, jobs.where(Job.address != "").values(address=""))
    deliveries = update(Delivery).where(Delivery.message_id.in_(ids))
    pending = deliveries.where(Delivery.state == DeliveryState.PENDING)
    await _run(session, pending.values(state=DeliveryState.FAILED, reason=reason))
    await _run(session, deliveries.where(Delivery.reason != reason).values(reason=reason))
    # A reply that is kept, though what it answers is not, is still where it stands.
    unanswered = Job.message_id.in_(ids) & Job.reply_message_id.is_(None)
    gone = select(Job.id).where(or_(Job.reply_message_id.in_(ids), unanswered))
    await _run(session, delete(Post).where(Post.job_id.in_(gone)))
    return cancelled


async def _close_conversations(session: AsyncSession, person_id: int) -> None:
    still_open = update(Conversation).where(Conversation.person_id == person_id, Conversation.closed_at.is_(None))
    await _run(session, still_open.values(closed_at=utc_now()))


async def _withdraw_consent(session: AsyncSession, person_id: int) -> bool:
    """Consent is asked for again when the person comes back; was there any?"""
    consent = await newest_consent(session, person_id)
    if consent is None or not consent.granted:
        return False
    session.add(Consent(person_id=person_id, version=consent.version, granted=False))
    return True


async def _run(session: AsyncSession, statement: Update | Delete) -> int:
    """The number of rows that the statement touched."""
    result = await session.execute(statement, execution_options={"synchronize_session": False})
    return cast("CursorResult[Any]", result).rowcount
