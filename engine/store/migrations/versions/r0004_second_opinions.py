"""Second opinions, gold decisions and adjudications."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_APPEND_ONLY = ("second_opinion", "opinion_event", "gold_event", "adjudication")


def _reference(table: str, column: str, other: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{other}.id"], name=op.f(f"fk_{table}_{column}"))


def upgrade() -> None:
    """Bring the schema from the revision before to this one."""
    op.create_table(
        "overlap",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("decision_id", sa.Integer(), nullable=False),
        sa.Column("listing_id", sa.Integer(), nullable=False),
        sa.Column("probability", sa.Double(), nullable=False),
        sa.Column("policy", sa.String(), nullable=False),
        sa.Column("drawn_at", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.CheckConstraint("probability > 0 AND probability <= 1", name=op.f("ck_overlap_probability")),
        sa.CheckConstraint("state IN ('open', 'answered')", name=op.f("ck_overlap_state")),
        _reference("overlap", "decision_id", "decision"),
        _reference("overlap", "listing_id", "listing"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_overlap")),
        sa.UniqueConstraint("decision_id", name=op.f("uq_overlap_decision_id")),
    )
    op.create_index("ix_overlap_open", "overlap", ["id"], sqlite_where=sa.text("state = 'open'"))
    op.create_table(
        "second_opinion",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("decision_id", sa.Integer(), nullable=False),
        sa.Column("overlap_id", sa.Integer(), nullable=True),
        sa.Column("listing_id", sa.Integer(), nullable=False),
        sa.Column("verdict", sa.String(), nullable=False),
        sa.Column("item_id", sa.Integer(), nullable=True),
        sa.Column("reviewer", sa.String(), nullable=False),
        sa.Column("decided_at", sa.String(), nullable=False),
        sa.Column("release_id", sa.String(), nullable=True),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("rejected", sa.String(), nullable=False),
        sa.Column("shown", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint(
            "verdict IN ('match', 'variant', 'none', 'new_item', 'unsure', 'bad_listing')",
            name=op.f("ck_second_opinion_verdict"),
        ),
        _reference("second_opinion", "decision_id", "decision"),
        _reference("second_opinion", "overlap_id", "overlap"),
        _reference("second_opinion", "listing_id", "listing"),
        _reference("second_opinion", "item_id", "item"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_second_opinion")),
    )
    op.create_index("ix_second_opinion_decision_id", "second_opinion", ["decision_id"])
    op.create_index("ix_second_opinion_listing_id", "second_opinion", ["listing_id"])
    op.create_table(
        "opinion_event",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("opinion_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("after_event", sa.Integer(), nullable=False),
        sa.Column("at", sa.String(), nullable=False),
        sa.CheckConstraint("kind IN ('add', 'undo', 'redo')", name=op.f("ck_opinion_event_kind")),
        _reference("opinion_event", "opinion_id", "second_opinion"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_opinion_event")),
    )
    op.create_index("ix_opinion_event_opinion_id", "opinion_event", ["opinion_id"])
    op.create_table(
        "opinion_state",
        sa.Column("opinion_id", sa.Integer(), nullable=False),
        sa.Column("listing_id", sa.Integer(), nullable=False),
        sa.Column("reviewer", sa.String(), nullable=False),
        sa.Column("differs", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.CheckConstraint("state IN ('given', 'undone')", name=op.f("ck_opinion_state_state")),
        _reference("opinion_state", "opinion_id", "second_opinion"),
        _reference("opinion_state", "listing_id", "listing"),
        _reference("opinion_state", "position", "opinion_event"),
        sa.PrimaryKeyConstraint("opinion_id", name=op.f("pk_opinion_state")),
    )
    op.create_index(
        "ix_opinion_state_asked_once",
        "opinion_state",
        ["listing_id", "reviewer"],
        unique=True,
        sqlite_where=sa.text("state = 'given'"),
    )
    op.create_index("ix_opinion_state_position", "opinion_state", ["state", "position"])
    op.create_index(
        "ix_opinion_state_differs",
        "opinion_state",
        ["opinion_id"],
        sqlite_where=sa.text("state = 'given' AND differs = 1"),
    )
    op.create_table(
        "gold_event",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("decision_id", sa.Integer(), nullable=False),
        sa.Column("gold", sa.Integer(), nullable=False),
        sa.Column("reviewer", sa.String(), nullable=False),
        sa.Column("at", sa.String(), nullable=False),
        sa.CheckConstraint("gold IN (0, 1)", name=op.f("ck_gold_event_gold")),
        _reference("gold_event", "decision_id", "decision"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_gold_event")),
    )
    op.create_index("ix_gold_event_decision_id", "gold_event", ["decision_id"])
    op.create_table(
        "adjudication",
        sa.Column("decision_id", sa.Integer(), nullable=False),
        sa.Column("opinion_id", sa.Integer(), nullable=False),
        _reference("adjudication", "decision_id", "decision"),
        _reference("adjudication", "opinion_id", "second_opinion"),
        sa.PrimaryKeyConstraint("decision_id", name=op.f("pk_adjudication")),
    )
    op.create_index("ix_adjudication_opinion_id", "adjudication", ["opinion_id"])
    for table in _APPEND_ONLY:
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} BEGIN\n"
                f"    SELECT raise(ABORT, '{table} is append-only');\nEND"
            )


def downgrade() -> None:
    """Workspaces only move forward; the way back is the backup made before migrating."""
    raise NotImplementedError("restore the backup that was made before the migration")
