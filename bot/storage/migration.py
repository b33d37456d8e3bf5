"""Runs the Alembic migrations on an open connection; the only importer of Alembic, itself imported when needed."""

from __future__ import annotations

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection

from bot.storage.schema import MIGRATIONS


def configuration(connection: Connection) -> Config:
    """The settings of Alembic, with the connection that `migrations/env.py` is to use."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def upgrade(connection: Connection) -> None:
    """Bring the schema to the newest revision, inside the transaction of the connection."""
    command.upgrade(configuration(connection), "head")
