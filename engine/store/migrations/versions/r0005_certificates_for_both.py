"""A watch may be over a certificate for both kinds of answers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema from the revision before to this one."""
    # SQLite cannot change a check: both tables are made again, the one that refers to the other too.
    for table in ("audit_outcome", "live_audit"):
        op.execute(f"CREATE TEMPORARY TABLE kept_{table} AS SELECT * FROM {table}")
        op.drop_table(table)
    op.create_table(
        "live_audit",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("release_id", sa.String(), nullable=False),
        sa.Column("opened_at", sa.String(), nullable=False),
        sa.Column("precision", sa.Double(), nullable=False),
        sa.Column("accepted", sa.Integer(), nullable=False),
        sa.Column("errors", sa.Integer(), nullable=False),
        sa.Column("choice", sa.Integer(), nullable=False),
        sa.Column("draws_before", sa.Integer(), nullable=False),
        sa.Column("suspended_at", sa.String(), nullable=True),
        sa.Column("suspended_after", sa.Integer(), nullable=True),
        sa.Column("suspended_release", sa.String(), nullable=True),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.CheckConstraint("kind IN ('match', 'none', 'both')", name=op.f("ck_live_audit_kind")),
        sa.ForeignKeyConstraint(["release_id"], ["release.id"], name=op.f("fk_live_audit_release_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_live_audit")),
    )
    op.create_table(
        "audit_outcome",
        sa.Column("decision_id", sa.Integer(), nullable=False),
        sa.Column("live_audit_id", sa.Integer(), nullable=False),
        sa.Column("draw_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("release_id", sa.String(), nullable=True),
        sa.Column("item_id", sa.Integer(), nullable=True),
        sa.Column("confidence", sa.Double(), nullable=False),
        sa.Column("right", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["decision_id"], ["decision.id"], name=op.f("fk_audit_outcome_decision_id")),
        sa.ForeignKeyConstraint(
            ["live_audit_id"], ["live_audit.id"], name=op.f("fk_audit_outcome_live_audit_id")
        ),
        sa.ForeignKeyConstraint(["draw_id"], ["draw.id"], name=op.f("fk_audit_outcome_draw_id")),
        sa.PrimaryKeyConstraint("decision_id", name=op.f("pk_audit_outcome")),
    )
    op.create_index(
        "ix_audit_outcome_live_audit_id_position", "audit_outcome", ["live_audit_id", "position"]
    )
    op.create_index("ix_audit_outcome_draw_id", "audit_outcome", ["draw_id"])
    for table in ("live_audit", "audit_outcome"):
        op.execute(f"INSERT INTO {table} SELECT * FROM temp.kept_{table}")
        op.execute(f"DROP TABLE temp.kept_{table}")


def downgrade() -> None:
    """Workspaces only move forward; the way back is the backup made before migrating."""
    raise NotImplementedError("restore the backup that was made before the migration")
