"""Which exports hold something of people who were forgotten since; knows no model and no folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select

from bot.storage.database import Database
from bot.storage.tables import Export, ExportedRow


@dataclass(frozen=True, slots=True)
class StaleExport:
    """An export, where it was written to, and how many of its rows hold something of forgotten people."""

    name: str
    folder: str
    created_at: datetime
    rows: int


async def stale_exports(database: Database) -> Sequence[StaleExport]:
    """The exports that hold something of forgotten people, the oldest first."""
    rows = func.count(ExportedRow.message_id.distinct())
    found = select(Export.name, Export.folder, Export.created_at, rows)
    found = found.join(ExportedRow, ExportedRow.export_id == Export.id).where(ExportedRow.forgotten_at.is_not(None))
    async with database.read() as session:
        grouped = await session.execute(found.group_by(Export.id).order_by(Export.id))
        return [StaleExport(*row) for row in grouped.all()]
