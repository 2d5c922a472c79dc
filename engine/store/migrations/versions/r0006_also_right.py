"""A match, or a second opinion that says so, may name further items that are right."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema from the revision before to this one."""
    for table in ("decision", "second_opinion"):
        op.add_column(
            table, sa.Column("also_right", sa.String(), server_default=sa.text("'[]'"), nullable=False)
        )


def downgrade() -> None:
    """Workspaces only move forward; the way back is the backup made before migrating."""
    raise NotImplementedError("restore the backup that was made before the migration")
