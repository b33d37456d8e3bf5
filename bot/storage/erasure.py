"""How a person's content leaves the database while the rows stay, so that exports made of them can be named."""

from __future__ import annotations

from typing import Any, cast

from sqlalchemy import ColumnElement, CursorResult, Delete, Select, Update, delete, distinct, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

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
    Generation,
    Job,
    Message,
    Person,
    Post,
    Preference,
    Vote,
)
from bot.storage.transitions import FORGOTTEN

_Ids = Select[int]


async def erase(session: AsyncSession, person: Person) -> ForgetReport:
    """Empty all that the person said and was told; the row of the person becomes a tombstone."""
    theirs = select(Conversation.id).where(Conversation.person_id == person.id)
    report = ForgetReport(
        conversations=await _conversations_with_text(session, theirs),
        messages=await _erase_messages(session, theirs),
        feedback=await _run(session, delete(Vote).where(Vote.person_id == person.id)),
        jobs=await _end_unfinished(session, theirs),
    )
    await _run(session, delete(Correction).where(_by_or_about(person, theirs)))
    await _erase_comparisons(session, person, theirs)
    await _run(session, delete(Post).where(Post.job_id.in_(select(Job.id).where(Job.conversation_id.in_(theirs)))))
    await _close_conversations(session, person.id)
    await _withdraw_consent(session, person.id)
    person.forgotten_at = utc_now()
    return report


def _by_or_about(person: Person, theirs: _Ids) -> ColumnElement[bool]:
    """The person's corrections, and those of others to what was said to the person."""
    about = select(Message.id).where(Message.conversation_id.in_(theirs))
    return or_(Correction.person_id == person.id, Correction.message_id.in_(about))


async def _conversations_with_text(session: AsyncSession, theirs: _Ids) -> int:
    count = select(func.count(distinct(Message.conversation_id)))
    return await session.scalar(count.where(Message.conversation_id.in_(theirs), Message.text != "")) or 0


async def _erase_messages(session: AsyncSession, theirs: _Ids) -> int:
    of_theirs = Message.conversation_id.in_(theirs)
    # The hash of a prompt goes too: whoever guesses the prompt could prove it with the hash.
    prompts = update(Generation).where(Generation.message_id.in_(select(Message.id).where(of_theirs)))
    await _run(session, prompts.values(prompt_sha256=""))
    texts = update(Message).where(of_theirs, Message.text != "")
    return await _run(session, texts.values(text="", keyword_digest=None, train_eligible=False))


async def _erase_comparisons(session: AsyncSession, person: Person, theirs: _Ids) -> None:
    """What was compared for the person, and what they preferred anywhere."""
    shown = select(Message.id).where(Message.conversation_id.in_(theirs))
    await _run(session, delete(Preference).where(Preference.person_id == person.id))
    pairs = update(ComparedPair).where(ComparedPair.message_id.in_(shown), ComparedPair.left_text != "")
    await _run(session, pairs.values(left_text="", right_text=""))


async def _end_unfinished(session: AsyncSession, theirs: _Ids) -> int:
    """Cancel what waits or runs. A reason may quote the person, so the reasons of all that ended go too."""
    jobs = update(Job).where(Job.conversation_id.in_(theirs))
    unfinished = jobs.where(Job.state.in_((JobState.ACCEPTED, JobState.RUNNING)))
    cancelled = await _run(session, unfinished.values(state=JobState.CANCELLED, reason=FORGOTTEN, ended_at=utc_now()))
    await _run(session, jobs.where(Job.reason.is_not(None)).values(reason=FORGOTTEN))
    await _run(session, jobs.where(Job.address != "").values(address=""))
    deliveries = update(Delivery).where(
        Delivery.message_id.in_(select(Message.id).where(Message.conversation_id.in_(theirs)))
    )
    pending = deliveries.where(Delivery.state == DeliveryState.PENDING)
    await _run(session, pending.values(state=DeliveryState.FAILED, reason=FORGOTTEN))
    await _run(session, deliveries.where(Delivery.reason.is_not(None)).values(reason=FORGOTTEN))
    return cancelled


async def _close_conversations(session: AsyncSession, person_id: int) -> None:
    still_open = update(Conversation).where(Conversation.person_id == person_id, Conversation.closed_at.is_(None))
    await _run(session, still_open.values(closed_at=utc_now()))


async def _withdraw_consent(session: AsyncSession, person_id: int) -> None:
    """Consent is asked for again when the person comes back."""
    consent = await newest_consent(session, person_id)
    if consent is not None and consent.granted:
        session.add(Consent(person_id=person_id, version=consent.version, granted=False))


async def _run(session: AsyncSession, statement: Update | Delete) -> int:
    """The number of rows that the statement touched."""
    result = await session.execute(statement, execution_options={"synchronize_session": False})
    return cast("CursorResult[Any]", result).rowcount
