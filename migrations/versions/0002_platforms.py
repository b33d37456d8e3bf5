"""What Discord and Telegram need: events taken once, addresses and posts of answers, complaints, corrections."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def one_of(name: str, *values: str) -> sa.Enum:
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=16)


def platform() -> sa.Enum:
    return one_of("platform", "console", "discord", "telegram")


def upgrade() -> None:
    with op.batch_alter_table("people") as people:
        people.drop_column("display_name")  # nothing ever needed it, and what is not stored cannot leak
    with op.batch_alter_table("jobs") as jobs:
        jobs.add_column(sa.Column("style", one_of("style", "short", "long", "calm", "daring"), nullable=True))
        jobs.add_column(sa.Column("address", sa.Text(), nullable=False, server_default=""))
    with op.batch_alter_table("jobs") as jobs:
        jobs.alter_column("address", server_default=None)
    with op.batch_alter_table("feedback") as feedback:
        complaints = one_of("complaint", "off_topic", "repeats", "unkind", "other")
        feedback.add_column(sa.Column("complaint", complaints, nullable=True))

    op.create_table(
        "corrections",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("message_id", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("train_eligible", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["message_id"], ["messages.id"], name=op.f("fk_corrections_message_id_messages")),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_corrections_person_id_people")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_corrections")),
    )
    op.create_index(op.f("ix_corrections_message_id_person_id_id"), "corrections", ["message_id", "person_id", "id"])
    op.create_index(op.f("ix_corrections_person_id"), "corrections", ["person_id"])

    op.create_table(
        "posts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("job_id", sa.Integer(), nullable=False),
        sa.Column("part", sa.Integer(), nullable=False),
        sa.Column("platform", platform(), nullable=False),
        sa.Column("chat_id", sa.Text(), nullable=False),
        sa.Column("platform_message_id", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_posts_job_id_jobs")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_posts")),
        sa.UniqueConstraint("job_id", "part", name=op.f("uq_posts_job_id_part")),
    )
    op.create_index(
        op.f("ix_posts_platform_chat_id_platform_message_id"), "posts", ["platform", "chat_id", "platform_message_id"]
    )

    op.create_table(
        "taken_events",
        sa.Column("platform", platform(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("platform", "event_id", name=op.f("pk_taken_events")),
    )
    op.create_index(op.f("ix_taken_events_taken_at"), "taken_events", ["taken_at"])

    op.create_table(
        "announced_chats",
        sa.Column("platform", platform(), nullable=False),
        sa.Column("chat_id", sa.Text(), nullable=False),
        sa.Column("thread_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("platform", "chat_id", "thread_id", name=op.f("pk_announced_chats")),
    )


def downgrade() -> None:
    for table in ("announced_chats", "taken_events", "posts", "corrections"):
        op.drop_table(table)
    with op.batch_alter_table("feedback") as feedback:
        feedback.drop_constraint(op.f("ck_feedback_complaint"), type_="check")
        feedback.drop_column("complaint")
    with op.batch_alter_table("jobs") as jobs:
        jobs.drop_constraint(op.f("ck_jobs_style"), type_="check")
        jobs.drop_column("address")
        jobs.drop_column("style")
    with op.batch_alter_table("people") as people:
        people.add_column(sa.Column("display_name", sa.Text(), nullable=True))
