"""Which revision a database is at and which ones this version knows; reads file names, so needs no Alembic."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from bot.errors import DatabaseUnavailable

MIGRATIONS = Path(__file__).parents[2] / "migrations"  # beside the package


def known_revisions() -> list[str]:
    """The revisions of this version, oldest first: the numbers that the files of the migrations begin with."""
    revisions = sorted(file.stem.partition("_")[0] for file in (MIGRATIONS / "versions").glob("[0-9]*_*.py"))
    if not revisions:
        raise DatabaseUnavailable(f"This installation lacks the folder of database migrations, {MIGRATIONS}.")
    return revisions


def needs_upgrade(connection: Connection) -> bool:
    """Whether the newest revision is yet to come; raises DatabaseUnavailable when the database is not ours."""
    revisions = known_revisions()
    found = revision(connection)
    if found is not None and found not in revisions:
        raise DatabaseUnavailable(
            f"The database is at revision {found}, which this version of Quotesmith does not know: "
            "update Quotesmith, or choose another file."
        )
    return found != revisions[-1]


def revision(connection: Connection) -> str | None:
    """The revision that the database is at, None for an empty one; raises DatabaseUnavailable for a foreign one."""
    tables = inspect(connection).get_table_names()
    if "alembic_version" in tables:
        found: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
        return found
    if tables:
        raise DatabaseUnavailable("The database holds the tables of another program: choose another file.")
    return None
