"""What a comparison is of: whether two quotes or two replies are wanted cannot always be seen in the words."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    kinds = sa.Enum("chat", "quote", "compare", name="about", native_enum=False, create_constraint=True, length=16)
    with op.batch_alter_table("jobs") as jobs:
        jobs.add_column(sa.Column("about", kinds, nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("jobs") as jobs:
        jobs.drop_constraint(op.f("ck_jobs_about"), type_="check")
        jobs.drop_column("about")
