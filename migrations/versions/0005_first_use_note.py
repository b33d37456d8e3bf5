"""Who was told which version of the terms, whose words a request repeats, and what of exports was forgotten since."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "told_terms",
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("message_id", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["message_id"], ["messages.id"], name=op.f("fk_told_terms_message_id_messages")),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_told_terms_person_id_people")),
        sa.PrimaryKeyConstraint("person_id", "version", name=op.f("pk_told_terms")),
    )
    with op.batch_alter_table("messages") as messages:
        messages.add_column(sa.Column("repeats_id", sa.Integer(), nullable=True))
        messages.create_foreign_key(op.f("fk_messages_repeats_id_messages"), "messages", ["repeats_id"], ["id"])
    op.create_index(op.f("ix_messages_repeats_id"), "messages", ["repeats_id"])
    with op.batch_alter_table("exported_rows") as rows:
        rows.add_column(sa.Column("forgotten_at", sa.DateTime(timezone=True), nullable=True))
    # Until now a person's own row alone said so, and no longer did once they were back.
    op.execute(
        sa.text(
            "UPDATE exported_rows SET forgotten_at = "
            "(SELECT forgotten_at FROM people WHERE people.id = exported_rows.person_id)"
        )
    )


def downgrade() -> None:
    with op.batch_alter_table("exported_rows") as rows:
        rows.drop_column("forgotten_at")
    op.drop_index(op.f("ix_messages_repeats_id"), "messages")
    with op.batch_alter_table("messages") as messages:
        messages.drop_constraint(op.f("fk_messages_repeats_id_messages"), type_="foreignkey")
        messages.drop_column("repeats_id")
    op.drop_table("told_terms")
