"""What Alembic runs for every command: takes the caller's connection, inside whose transaction everything happens."""

from __future__ import annotations

from alembic import context

from bot.storage.tables import Table

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Table.metadata,
    render_as_batch=True,  # SQLite alters a table by rebuilding it
    transactional_ddl=True,  # as SQLite can, once the driver begins no transactions of its own
)
with context.begin_transaction():
    context.run_migrations()
