"""A reply may be a fixed sentence, which no model wrote."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _allow("generated", "pool", "rule")


def downgrade() -> None:
    op.execute(sa.text("UPDATE generations SET source = 'generated' WHERE source = 'rule'"))
    _allow("generated", "pool")


def _allow(*sources: str) -> None:
    allowed = ", ".join(f"'{source}'" for source in sources)
    with op.batch_alter_table("generations") as generations:
        generations.drop_constraint(op.f("ck_generations_source"), type_="check")
        generations.create_check_constraint(op.f("ck_generations_source"), f"source IN ({allowed})")
