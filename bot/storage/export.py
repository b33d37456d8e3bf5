"""Chooses what people agreed to have trained on and writes it into an export folder; judges no quality."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from uuid import uuid4

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from bot.chat.messages import ConversationKey, MessageKind, QuoteSource, Role
from bot.storage.column_types import utc_now
from bot.storage.consents import answered_after, consenting, newest_answer
from bot.storage.database import Database
from bot.storage.encryption import CORRECTION_TEXT, MESSAGE_TEXT, PAIR_TEXT
from bot.storage.export_folder import Row, write_folder
from bot.storage.feedback import votes_in_force
from bot.storage.jobs import TrainingRule
from bot.storage.personal_data import names_in, without_personal_data
from bot.storage.tables import (
    ComparedPair,
    Conversation,
    Correction,
    Export,
    ExportedRow,
    Generation,
    Message,
    Person,
    Preference,
    Vote,
)

_Agreed = Mapping[int, datetime]  # by person, since when

FORMAT = 2
HISTORY_EXCHANGES = 10  # of a conversation, before what the reply answers


class Refusal(StrEnum):
    """Why something is not in an export; the values are what its manifest says."""

    NO_CONSENT = "its person does not consent now"
    NO_CONSENT_THEN = "its person had not consented when it was written"
    NOT_THERE = "the rules of its platform or place forbid it"
    FIXED_REPLY = "a fixed reply to a crisis, an insult or a harmful request"


@dataclass(frozen=True, slots=True)
class ExportSummary:
    """What an export folder holds: replies with what they answer, comparisons, people; what was refused, and why.

    Replies, votes, preferences and corrections are refused each for itself.
    """

    name: str
    rows: int
    pairs: int
    people: int
    refused: Mapping[str, int]


@dataclass(slots=True)
class _Found:
    """Rows, whose part is in each, and what was refused; `answer` is the newest yes or no that it goes by."""

    answer: int
    rows: list[Row] = field(default_factory=list)
    pairs: list[Row] = field(default_factory=list)
    parts: set[tuple[int, int]] = field(default_factory=set)  # message id, person id
    refused: Counter[Refusal] = field(default_factory=Counter)


async def export_rows(database: Database, out: Path, may_train: TrainingRule) -> ExportSummary:
    """Write `rows.jsonl`, a line for each reply, `pairs.jsonl`, one for each comparison, and `manifest.json`.

    The folder appears whole or not at all.

    A reply counts when its person had agreed when they asked for it and agrees now, both to the terms in force, and the
    rules of its place allow it now too; a vote when its person agrees now; a correction as a reply does. "Now" is when
    the export is put on record: it is read anew if somebody in it takes consent back before that. Personal data
    that patterns find (addresses, numbers, tokens, handles) are replaced by their kind, such as `<EMAIL>`, and so are
    the names of handles and addresses wherever else they stand in their conversation. People stand in it under a
    pseudonym that another export does not repeat. Which messages and whose parts went into it stays in
    the database, so that the export can be named when one of them is erased. Raises InputError when `out` is there and
    not empty, or cannot be written.
    """
    while True:
        async with database.read() as session:
            found = await _find(session, database, may_train)
        try:
            return await _write(database, out, found)
        except _ConsentChanged:
            continue  # read anew, without whoever took it back


class _ConsentChanged(Exception):
    """Somebody whose part is in what was read said yes or no to training since, or was forgotten."""


async def _write(database: Database, out: Path, found: _Found) -> ExportSummary:
    """Put it on record and into the folder. Raises `_ConsentChanged`, and then leaves neither."""
    name = uuid4().hex
    people = {row["person"] for row in [*found.rows, *found.pairs]}
    refused = {str(reason): count for reason, count in sorted(found.refused.items())}
    manifest = {
        "format": FORMAT,
        "export": name,
        "exported_at": utc_now().isoformat(),
        "rows": len(found.rows),
        "pairs": len(found.pairs),
        "people": len(people),
        **_counts(found.rows),
        "refused": refused,
    }
    folder = str(out.resolve())  # noqa: ASYNC240 - writing the export blocks as well, and nothing else runs beside it
    with write_folder(out, found.rows, found.pairs, manifest):
        # On record before the folder appears: there must be no export that nobody knows of.
        await _record(database, name, folder, found)
    return ExportSummary(name, len(found.rows), len(found.pairs), len(people), refused)


async def _record(database: Database, name: str, folder: str, found: _Found) -> None:
    """Note whose parts are in it, which forgetting marks from then on. Raises `_ConsentChanged`."""
    async with database.write() as session:
        if not (await answered_after(session, found.answer)).isdisjoint(person_id for _, person_id in found.parts):
            raise _ConsentChanged
        export = Export(name=name, folder=folder)
        session.add(export)
        await session.flush()
        session.add_all(
            ExportedRow(export_id=export.id, message_id=message_id, person_id=person_id)
            for message_id, person_id in sorted(found.parts)
        )


async def _find(session: AsyncSession, database: Database, may_train: TrainingRule) -> _Found:
    """The rows, oldest first; all of one state of the database."""
    found, agreed = _Found(await newest_answer(session)), await consenting(session)
    salt = secrets.token_bytes(32)

    def pseudonym(person_id: int) -> str:
        return hmac.new(salt, str(person_id).encode(), hashlib.sha256).hexdigest()[:16]

    messages = select(Message, Conversation, Person.platform_user_id, Generation)
    messages = messages.join(Conversation, Conversation.id == Message.conversation_id)
    messages = messages.join(Person, Person.id == Conversation.person_id)
    messages = messages.outerjoin(Generation, Generation.message_id == Message.id).where(Message.text != "")
    told = (await session.execute(messages.order_by(Message.conversation_id, Message.id))).all()
    texts: dict[int, str] = {}
    replies = []
    for message, place, user_id, generation in told:
        key = ConversationKey(place.platform, place.chat_id, place.thread_id, user_id)
        why_not = _why_not(message, agreed, place.person_id, may_train(key, message.kind, message.as_option))
        if message.role is Role.ASSISTANT and why_not is None and generation and generation.source is QuoteSource.RULE:
            why_not = Refusal.FIXED_REPLY
        if why_not is None:
            texts[message.id] = database.cipher.unseal(message.text, MESSAGE_TEXT)
            replies.append((message, place, generation))
        elif message.role is Role.ASSISTANT:
            found.refused[why_not] += 1
    exported = {place.id for _, place, _ in replies}
    names = _names_given(database, [row[0] for row in told if row[1].id in exported])
    texts = {message.id: without_personal_data(texts[message.id], names[place.id]) for message, place, _ in replies}
    votes = await _votes(session, agreed, found.refused)
    corrections = await _corrections(session, database, agreed, may_train, names, found.refused)
    compared = [(message, place) for message, place, _ in replies if message.kind is MessageKind.COMPARE]
    preferences = await _preferences(session, agreed, found.refused)
    pairs = {pair.message_id: pair for pair in await session.scalars(select(ComparedPair))}
    for message, place in compared:
        said = preferences.get(message.id)
        if said and message.parent_id in texts:
            pair, asked = pairs[message.id], texts[message.parent_id]
            row = _pair(database, message, pair, asked, names[place.id], said, pseudonym)
            found.pairs.append(row | {"person": pseudonym(place.person_id)})
            found.parts |= {
                (message.id, person_id) for person_id in (place.person_id, *(one.person_id for one in said))
            }
    replies = [reply for reply in replies if reply[0].kind is not MessageKind.COMPARE]
    for row, message, person_id in _rows(replies, texts):
        row["person"] = pseudonym(person_id)
        mine, better = votes.get(message.id, []), corrections.get(message.id, [])
        row["votes"] = [_vote(vote, pseudonym) for vote in mine]
        row["corrections"] = [{"person": pseudonym(who), "text": text} for who, text in better]
        found.parts |= {(message.id, person_id), *((message.id, vote.person_id) for vote in mine)}
        found.parts |= {(message.id, who) for who, _ in better}
        found.rows.append(row)
    return found


def _names_given(database: Database, said: Iterable[Message]) -> Mapping[int, Collection[str]]:
    """By conversation, the names in all that was said there, agreed to or not: any reply may repeat them."""
    names: dict[int, set[str]] = {}
    for message in said:
        text = database.cipher.unseal(message.text, MESSAGE_TEXT)
        names.setdefault(message.conversation_id, set()).update(names_in(text))
    return names


def _why_not(row: Message | Correction, agreed: _Agreed, person_id: int, allowed: bool) -> Refusal | None:
    if not allowed:
        return Refusal.NOT_THERE
    if person_id not in agreed:
        return Refusal.NO_CONSENT
    # What was written under earlier terms was agreed to under those, and not for what is exported now.
    under_these_terms = row.train_eligible and row.created_at >= agreed[person_id]
    return None if under_these_terms else Refusal.NO_CONSENT_THEN


def _rows(
    replies: Sequence[tuple[Message, Conversation, Generation | None]], texts: Mapping[int, str]
) -> Iterator[tuple[Row, Message, int]]:
    """A row for each reply to something that is there too, with its message and whose conversation it is."""
    said: dict[int, list[tuple[int, list[Row]]]] = {}  # what was asked and answered so far, by conversation
    for message, place, generation in replies:
        asked_id = message.parent_id
        if message.role is not Role.ASSISTANT or asked_id is None or asked_id not in texts:
            continue
        exchange = [_turn(Role.USER, texts[asked_id]), _turn(Role.ASSISTANT, texts[message.id])]
        earlier: list[Row] = []
        if message.kind is MessageKind.CHAT:
            exchanges = said.setdefault(message.conversation_id, [])
            # Somebody who does not wait for a reply may ask more, which is then no part of what the reply answers.
            for before_id, turns in exchanges[-HISTORY_EXCHANGES:]:
                earlier += turns if before_id < asked_id else []
            exchanges.append((asked_id, exchange))
        row: Row = {
            "id": message.id,
            "kind": str(message.kind),
            "messages": [*earlier, *exchange],
            "model": generation.model_name if generation else "",
            "model_sha256": generation.model_sha256 if generation else "",
            "written_at": message.created_at.isoformat(),
        }
        yield row, message, place.person_id


async def _preferences(
    session: AsyncSession, agreed: _Agreed, refused: Counter[Refusal]
) -> dict[int, list[Preference]]:
    """By comparison, the last word of each person who agrees now."""
    newest = select(func.max(Preference.id)).group_by(Preference.message_id, Preference.person_id)
    said: dict[int, list[Preference]] = {}
    for preference in await session.scalars(
        select(Preference).where(Preference.id.in_(newest)).order_by(Preference.id)
    ):
        if preference.person_id in agreed:
            said.setdefault(preference.message_id, []).append(preference)
        else:
            refused[Refusal.NO_CONSENT] += 1
    return said


def _pair(
    database: Database,
    message: Message,
    pair: ComparedPair,
    asked: str,
    names: Collection[str],
    said: Sequence[Preference],
    pseudonym: Callable[[int], str],
) -> Row:
    left, right = (
        without_personal_data(database.cipher.unseal(text, PAIR_TEXT), names)
        for text in (pair.left_text, pair.right_text)
    )
    return {
        "id": message.id,
        "kind": str(pair.about),
        "asked": asked,
        "left": _side(left, pair.left_model, pair.left_sha256),
        "right": _side(right, pair.right_model, pair.right_sha256),
        "preferences": [
            {"person": pseudonym(one.person_id), "preferred": str(one.preferred), "at": one.created_at.isoformat()}
            for one in said
        ],
        "written_at": message.created_at.isoformat(),
    }


def _side(text: str, model: str, sha256: str) -> Row:
    return {"text": text, "model": model, "model_sha256": sha256}


async def _votes(session: AsyncSession, agreed: _Agreed, refused: Counter[Refusal]) -> dict[int, list[Vote]]:
    """By reply, the votes in force of the people who agree now."""
    votes: dict[int, list[Vote]] = {}
    for vote in await session.scalars(votes_in_force().order_by(Vote.id)):
        if vote.person_id in agreed:
            votes.setdefault(vote.message_id, []).append(vote)
        else:
            refused[Refusal.NO_CONSENT] += 1
    return votes


async def _corrections(
    session: AsyncSession,
    database: Database,
    agreed: _Agreed,
    may_train: TrainingRule,
    names: Mapping[int, Collection[str]],
    refused: Counter[Refusal],
) -> dict[int, list[tuple[int, str]]]:
    """By reply, each person's newest correction that may be trained on; `names` by conversation."""
    found = select(Correction, Message.kind, Conversation, Person.platform_user_id)
    found = found.join(Message, Message.id == Correction.message_id)
    found = found.join(Conversation, Conversation.id == Message.conversation_id)
    found = found.join(Person, Person.id == Correction.person_id).order_by(Correction.id)
    newest: dict[tuple[int, int], str] = {}
    for correction, kind, place, user_id in (await session.execute(found)).all():
        key = ConversationKey(place.platform, place.chat_id, place.thread_id, user_id)
        allowed = may_train(key, kind, correction.as_option)
        why_not = _why_not(correction, agreed, correction.person_id, allowed)
        if why_not is None:
            text = database.cipher.unseal(correction.text, CORRECTION_TEXT)
            given = {*names.get(place.id, ()), *names_in(text)}
            newest[correction.message_id, correction.person_id] = without_personal_data(text, given)
        else:
            refused[why_not] += 1
    by_reply: dict[int, list[tuple[int, str]]] = {}
    for (message_id, person_id), text in newest.items():
        by_reply.setdefault(message_id, []).append((person_id, text))
    return by_reply


def _vote(vote: Vote, pseudonym: Callable[[int], str]) -> Row:
    return {
        "person": pseudonym(vote.person_id),
        "value": vote.value,
        "source": str(vote.source),
        "complaint": str(vote.complaint) if vote.complaint else "",
        "at": vote.created_at.isoformat(),
    }


def _turn(role: Role, text: str) -> Row:
    return {"role": str(role), "content": text}


def _counts(rows: Sequence[Row]) -> Row:
    kinds = Counter(row["kind"] for row in rows)
    return {
        "quotes": kinds[MessageKind.QUOTE],
        "replies": kinds[MessageKind.CHAT],
        "with_votes": sum(bool(row["votes"]) for row in rows),
        "with_corrections": sum(bool(row["corrections"]) for row in rows),
    }
