"""Deletes an export: its folder, and what the database knows of it; knows no model that was made of one."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import delete, select

from bot.storage.database import Database
from bot.storage.export_folder import delete_folder
from bot.storage.tables import Export, ExportedRow


async def discard_export(database: Database, name: str) -> Path | None:
    """Where the export lay; None for one that is not on record.

    Raises InputError where its folder cannot be deleted, and the export then stays on record.
    """
    async with database.write() as session:
        export = await session.scalar(select(Export).where(Export.name == name))
        if export is None:
            return None
        folder = Path(export.folder)
        await session.execute(delete(ExportedRow).where(ExportedRow.export_id == export.id))
        await session.execute(delete(Export).where(Export.id == export.id))
        delete_folder(folder, name)
    return folder
