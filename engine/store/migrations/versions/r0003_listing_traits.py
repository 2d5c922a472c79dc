"""Listing traits: what the segment report counts by."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

# Traits are derived: whatever rules a later Alcove reads them by, filling the table anew is right.
from engine.store.traits import keep_all_traits

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema from the revision before to this one."""
    op.create_table(
        "listing_trait",
        sa.Column("listing_id", sa.Integer(), nullable=False),
        sa.Column("brand", sa.String(), nullable=False),
        sa.Column("category", sa.String(), nullable=False),
        sa.Column("pack", sa.Integer(), nullable=False),
        sa.Column("model_code", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["listing_id"], ["listing.id"], name=op.f("fk_listing_trait_listing_id")),
        sa.PrimaryKeyConstraint("listing_id", name=op.f("pk_listing_trait")),
    )
    keep_all_traits(op.get_bind())


def downgrade() -> None:
    """Workspaces only move forward; the way back is the backup made before migrating."""
    raise NotImplementedError("restore the backup that was made before the migration")
