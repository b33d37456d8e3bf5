"""Writes what people agreed to have trained on into an export folder; decides nothing about its quality."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import shutil
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import select

from bot.chat.messages import MessageKind, Role
from bot.errors import InputError
from bot.storage.column_types import utc_now
from bot.storage.consents import newest_consents
from bot.storage.database import Database
from bot.storage.encryption import MESSAGE_TEXT
from bot.storage.feedback import current_votes
from bot.storage.tables import Consent, Conversation, Generation, Message

ROWS_FILE, MANIFEST_FILE, FORMAT = "rows.jsonl", "manifest.json", 1
HISTORY_EXCHANGES = 10  # of a conversation, before what the reply answers

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ExportSummary:
    """What an export folder holds: replies with what they answer, of how many people."""

    rows: int
    people: int


async def export_rows(database: Database, out: Path) -> ExportSummary:
    """Write `rows.jsonl`, a line for each reply, and `manifest.json`; the folder appears whole or not at all.

    A reply counts when its person had agreed when they asked for it and agrees now, a vote when its person agrees now.
    People stand in it under a pseudonym that another export does not repeat. Raises InputError when `out` is there and
    not empty, or cannot be written.
    """
    rows = [row async for row in _rows(database)]
    summary = ExportSummary(len(rows), len({row["person"] for row in rows}))
    manifest = {"format": FORMAT, "file": ROWS_FILE, **_counts(rows), "exported_at": utc_now().isoformat()}
    manifest |= {"rows": summary.rows, "people": summary.people}
    _write(out, rows, manifest)
    return summary


async def _rows(database: Database) -> AsyncIterator[Row]:
    """The rows, oldest first; all of one state of the database."""
    agreed = newest_consents().where(Consent.granted).with_only_columns(Consent.person_id)
    eligible = (
        select(Message, Conversation.person_id, Generation.model_name, Generation.model_sha256)
        .join(Conversation, Conversation.id == Message.conversation_id)
        .outerjoin(Generation, Generation.message_id == Message.id)
        .where(Message.train_eligible, Message.text != "", Conversation.person_id.in_(agreed))
        .order_by(Message.conversation_id, Message.id)
    )
    votes = current_votes()
    counted = select(votes.c.message_id, votes.c.value).where(votes.c.person_id.in_(agreed))
    salt = secrets.token_bytes(32)
    async with database.read() as session:
        found = (await session.execute(eligible)).all()
        given = (await session.execute(counted)).all()
    up = Counter(message_id for message_id, value in given if value > 0)
    down = Counter(message_id for message_id, value in given if value < 0)
    texts = {message.id: database.cipher.unseal(message.text, MESSAGE_TEXT) for message, *_ in found}
    said: dict[int, list[tuple[int, list[Row]]]] = {}  # what was asked and answered so far, by conversation
    for message, person_id, model_name, model_sha256 in found:
        asked_id = message.parent_id
        if message.role is not Role.ASSISTANT or asked_id not in texts:
            continue
        exchange = [_turn(Role.USER, texts[asked_id]), _turn(Role.ASSISTANT, texts[message.id])]
        earlier: list[Row] = []
        if message.kind is MessageKind.CHAT:
            exchanges = said.setdefault(message.conversation_id, [])
            # Somebody who does not wait for a reply may ask more, which is then no part of what the reply answers.
            for before_id, turns in exchanges[-HISTORY_EXCHANGES:]:
                earlier += turns if before_id < asked_id else []
            exchanges.append((asked_id, exchange))
        yield {
            "id": message.id,
            "kind": str(message.kind),
            "person": hmac.new(salt, str(person_id).encode(), hashlib.sha256).hexdigest()[:16],
            "messages": [*earlier, *exchange],
            "votes_up": up[message.id],
            "votes_down": down[message.id],
            "model": model_name or "",
            "model_sha256": model_sha256 or "",
            "written_at": message.created_at.isoformat(),
        }


def _turn(role: Role, text: str) -> Row:
    return {"role": str(role), "content": text}


def _counts(rows: list[Row]) -> Row:
    kinds = Counter(row["kind"] for row in rows)
    return {
        "quotes": kinds[MessageKind.QUOTE],
        "replies": kinds[MessageKind.CHAT],
        "with_votes": sum(bool(row["votes_up"] or row["votes_down"]) for row in rows),
    }


def _write(out: Path, rows: list[Row], manifest: Row) -> None:
    try:
        if out.exists() and not (out.is_dir() and not any(out.iterdir())):
            raise InputError(f"{out} is there and not empty: name a folder that is new or empty.")
        out.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))  # its owner alone may read it
        try:
            with (work / ROWS_FILE).open("w", encoding="utf-8") as file:
                file.writelines(_lines(rows))
            (work / MANIFEST_FILE).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
            work.replace(out)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    except OSError as error:
        raise InputError(f"The export cannot be written to {out}: {error.strerror or error}.") from error


def _lines(rows: list[Row]) -> Iterator[str]:
    for row in rows:
        yield json.dumps(row, ensure_ascii=False) + "\n"
