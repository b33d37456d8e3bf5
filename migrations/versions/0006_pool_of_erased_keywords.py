"""Quotes written ahead of time go with the last request for their keyword: those that outlived it are erased."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        sa.text(
            "DELETE FROM quote_pool WHERE NOT EXISTS "
            "(SELECT 1 FROM messages WHERE messages.keyword_digest = quote_pool.keyword_digest)"
        )
    )


def downgrade() -> None:
    """What was erased does not come back."""
