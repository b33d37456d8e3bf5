"""Which exports hold something of people who were forgotten or do not consent now; knows no model and no folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, case, distinct, func, or_, select

from bot.storage.consents import consenting_ids
from bot.storage.database import Database
from bot.storage.tables import Export, ExportedRow


@dataclass(frozen=True, slots=True)
class StaleExport:
    """An export, where it was written to, and how many of its rows hold something of whom.

    `rows` are of people who were forgotten since, `withdrawn` of others who do not consent to training now.
    """

    name: str
    folder: str
    created_at: datetime
    rows: int
    withdrawn: int


async def stale_exports(database: Database) -> Sequence[StaleExport]:
    """The exports that hold something of people who were forgotten or do not consent now, the oldest first."""
    forgotten = ExportedRow.forgotten_at.is_not(None)
    withdrawn = ~forgotten & ExportedRow.person_id.not_in(consenting_ids())
    found = select(Export.name, Export.folder, Export.created_at, _rows(forgotten), _rows(withdrawn))
    found = found.join(ExportedRow, ExportedRow.export_id == Export.id).where(or_(forgotten, withdrawn))
    async with database.read() as session:
        grouped = await session.execute(found.group_by(Export.id).order_by(Export.id))
        return [StaleExport(*row) for row in grouped.all()]


def _rows(which: ColumnElement[bool]) -> ColumnElement[int]:
    """How many rows of an export have such a part."""
    return func.count(distinct(case((which, ExportedRow.message_id))))
