"""What the loop from votes to a better model needs: weak votes, how a text was given, and which rows went into which export."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

SPOKEN = ("command", "button", "reaction")
WEAK = ("retry", "share", "favorite")


def upgrade() -> None:
    _allow(*SPOKEN, *WEAK)
    for table in ("messages", "corrections"):
        # Of what is there already nobody knows: it counts as a message, for which the rules are the stricter ones.
        with op.batch_alter_table(table) as altered:
            altered.add_column(sa.Column("as_option", sa.Boolean(), nullable=False, server_default=sa.false()))
        with op.batch_alter_table(table) as altered:
            altered.alter_column("as_option", server_default=None)
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
    op.drop_table("exported_rows")
    op.drop_table("exports")
    for table in ("messages", "corrections"):
        with op.batch_alter_table(table) as altered:
            altered.drop_column("as_option")
    names = ", ".join(f"'{source}'" for source in WEAK)
    op.execute(sa.text(f"DELETE FROM feedback WHERE source IN ({names})"))
    _allow(*SPOKEN)


def _allow(*sources: str) -> None:
    allowed = ", ".join(f"'{source}'" for source in sources)
    with op.batch_alter_table("feedback") as feedback:
        feedback.drop_constraint(op.f("ck_feedback_source"), type_="check")
        feedback.create_check_constraint(op.f("ck_feedback_source"), f"source IN ({allowed})")
