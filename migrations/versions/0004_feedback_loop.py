"""The loop from votes to a better model: weak votes, comparisons, how a text was given, which rows were exported."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

SPOKEN = ("command", "button", "reaction")
KINDS = ("chat", "quote")
WEAK = ("retry", "share", "favorite")


def upgrade() -> None:
    _allow("feedback", "source", *SPOKEN, *WEAK)
    for table in ("messages", "jobs"):
        _allow(table, "kind", *KINDS, "compare")
    for table in ("messages", "corrections"):
        # Of what is there already nobody knows: it counts as a message, for which the rules are the stricter ones.
        with op.batch_alter_table(table) as altered:
            altered.add_column(sa.Column("as_option", sa.Boolean(), nullable=False, server_default=sa.false()))
        with op.batch_alter_table(table) as altered:
            altered.alter_column("as_option", server_default=None)
    op.create_table(
        "compared_pairs",
        sa.Column("message_id", sa.Integer(), nullable=False),
        sa.Column("about", _one_of("kind", *KINDS, "compare"), nullable=False),
        *(
            sa.Column(f"{side}_{what}", sa.Text(), nullable=False)
            for what in ("text", "model", "sha256")
            for side in ("left", "right")
        ),
        sa.ForeignKeyConstraint(["message_id"], ["messages.id"], name=op.f("fk_compared_pairs_message_id_messages")),
        sa.PrimaryKeyConstraint("message_id", name=op.f("pk_compared_pairs")),
    )
    op.create_table(
        "preferences",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("message_id", sa.Integer(), nullable=False),
        sa.Column("preferred", _one_of("preferred", "left", "right", "both", "neither"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["message_id"], ["compared_pairs.message_id"], name=op.f("fk_preferences_message_id_compared_pairs")
        ),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_preferences_person_id_people")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_preferences")),
    )
    op.create_index(op.f("ix_preferences_message_id_person_id_id"), "preferences", ["message_id", "person_id", "id"])
    op.create_index(op.f("ix_preferences_person_id"), "preferences", ["person_id"])
    op.create_table(
        "exports",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("folder", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_exports")),
        sa.UniqueConstraint("name", name=op.f("uq_exports_name")),
    )
    op.create_table(
        "exported_rows",
        sa.Column("export_id", sa.Integer(), nullable=False),
        sa.Column("message_id", sa.Integer(), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["export_id"], ["exports.id"], name=op.f("fk_exported_rows_export_id_exports")),
        sa.ForeignKeyConstraint(["message_id"], ["messages.id"], name=op.f("fk_exported_rows_message_id_messages")),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_exported_rows_person_id_people")),
        sa.PrimaryKeyConstraint("export_id", "message_id", "person_id", name=op.f("pk_exported_rows")),
    )
    op.create_index(op.f("ix_exported_rows_person_id_export_id"), "exported_rows", ["person_id", "export_id"])


def downgrade() -> None:
    for table in ("exported_rows", "exports", "preferences", "compared_pairs"):
        op.drop_table(table)
    comparing = "SELECT id FROM messages WHERE kind = 'compare'"
    for table, column in (("deliveries", "message_id"), ("generations", "message_id"), ("feedback", "message_id")):
        op.execute(sa.text(f"DELETE FROM {table} WHERE {column} IN ({comparing})"))
    op.execute(sa.text("DELETE FROM posts WHERE job_id IN (SELECT id FROM jobs WHERE kind = 'compare')"))
    for table in ("jobs", "messages"):
        op.execute(sa.text(f"DELETE FROM {table} WHERE kind = 'compare'"))
    for table in ("messages", "corrections"):
        with op.batch_alter_table(table) as altered:
            altered.drop_column("as_option")
    names = ", ".join(f"'{source}'" for source in WEAK)
    op.execute(sa.text(f"DELETE FROM feedback WHERE source IN ({names})"))
    _allow("feedback", "source", *SPOKEN)
    for table in ("messages", "jobs"):
        _allow(table, "kind", *KINDS)


def _one_of(name: str, *values: str) -> sa.Enum:
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=16)


def _allow(table: str, column: str, *values: str) -> None:
    name, allowed = op.f(f"ck_{table}_{column}"), ", ".join(f"'{value}'" for value in values)
    with op.batch_alter_table(table) as altered:
        altered.drop_constraint(name, type_="check")
        altered.create_check_constraint(name, f"{column} IN ({allowed})")
