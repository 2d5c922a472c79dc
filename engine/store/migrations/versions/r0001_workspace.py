"""Everything a workspace holds."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from engine.store.migrations.r0001_search_and_counts import SEARCH_TABLES, TRIGGERS

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

def upgrade() -> None:
    """Bring the schema from the revision before to this one."""
    op.create_table(
        "feed",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("imported_at", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_feed")),
        sa.UniqueConstraint("name", name=op.f("uq_feed_name")),
    )
    op.create_table(
        "import",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("feed", sa.String(), nullable=False),
        sa.Column("path", sa.String(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("added", sa.Integer(), nullable=False),
        sa.Column("updated", sa.Integer(), nullable=False),
        sa.Column("unchanged", sa.Integer(), nullable=False),
        sa.Column("refused_total", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_import")),
    )
    op.create_table(
        "item",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("external_id", sa.String(), nullable=False),
        sa.Column("content_hash", sa.LargeBinary(), nullable=False),
        sa.Column("text_key", sa.String(), nullable=False),
        sa.Column("added_at", sa.String(), nullable=False),
        sa.Column("changed_at", sa.String(), nullable=True),
        sa.Column("price", sa.Double(), nullable=True),
        sa.Column("gtin", sa.String(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("brand", sa.String(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("category", sa.String(), nullable=False),
        sa.Column("image", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=False),
        sa.Column("attributes", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_item")),
        sa.UniqueConstraint("external_id", name=op.f("uq_item_external_id")),
    )
    op.create_index("ix_item_gtin", "item", ["gtin"], sqlite_where=sa.text("gtin <> ''"))

    op.create_table(
        "rate_snapshot",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", sa.String(), nullable=False),
        sa.Column("release_id", sa.String(), nullable=True),
        sa.Column("listings", sa.Integer(), nullable=False),
        sa.Column("coverage", sa.Double(), nullable=False),
        sa.Column("none_rate", sa.Double(), nullable=False),
        sa.Column("memory_rate", sa.Double(), nullable=False),
        sa.Column("automation_rate", sa.Double(), nullable=False),
        sa.Column("decisions", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rate_snapshot")),
    )
    op.create_table(
        "release",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("created_at", sa.String(), nullable=False),
        sa.Column("manifest", sa.String(), nullable=False),
        sa.Column("certificate", sa.String(), nullable=True),
        sa.Column("none_certificate", sa.String(), nullable=True),
        sa.Column("gate", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_release")),
        sa.UniqueConstraint("id", name=op.f("uq_release_id")),
    )
    op.create_table(
        "setting",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("value", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_setting")),
    )
    op.create_table(
        "training_run",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("recipe", sa.String(), nullable=False),
        sa.Column("seed", sa.Integer(), nullable=False),
        sa.Column("device", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("pairs", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.String(), nullable=False),
        sa.Column("folder", sa.String(), nullable=False),
        sa.Column("message", sa.String(), nullable=False),
        sa.Column("release_id", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_training_run")),
        sa.UniqueConstraint("id", name=op.f("uq_training_run_id")),
    )
    op.create_table(
        "champion_event",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", sa.String(), nullable=False),
        sa.Column("release_id", sa.String(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.CheckConstraint(
            "action IN ('first', 'promote', 'rollback', 'refit')", name=op.f("ck_champion_event_action")
        ),
        sa.ForeignKeyConstraint(["release_id"], ["release.id"], name=op.f("fk_champion_event_release_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_champion_event")),
    )
    op.create_table(
        "listing",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("external_id", sa.String(), nullable=False),
        sa.Column("content_hash", sa.LargeBinary(), nullable=False),
        sa.Column("text_key", sa.String(), nullable=False),
        sa.Column("added_at", sa.String(), nullable=False),
        sa.Column("changed_at", sa.String(), nullable=True),
        sa.Column("feed_id", sa.Integer(), nullable=False),
        sa.Column("price", sa.Double(), nullable=True),
        sa.Column("gtin", sa.String(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("brand", sa.String(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("category", sa.String(), nullable=False),
        sa.Column("image", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=False),
        sa.Column("attributes", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["feed_id"], ["feed.id"], name=op.f("fk_listing_feed_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_listing")),
        sa.UniqueConstraint("external_id", "feed_id", name=op.f("uq_listing_external_id_feed_id")),
    )
    op.create_index("ix_listing_feed_id", "listing", ["feed_id"])
    op.create_index("ix_listing_text_key", "listing", ["text_key"])

    op.create_table(
        "refused_row",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("import_id", sa.Integer(), nullable=False),
        sa.Column("row", sa.Integer(), nullable=False),
        sa.Column("column", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["import_id"], ["import.id"], name=op.f("fk_refused_row_import_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refused_row")),
    )
    op.create_index("ix_refused_row_import_id", "refused_row", ["import_id"])

    op.create_table(
        "route_count",
        sa.Column("feed_id", sa.Integer(), nullable=False),
        sa.Column("route", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("listings", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["feed_id"], ["feed.id"], name=op.f("fk_route_count_feed_id")),
        sa.PrimaryKeyConstraint("feed_id", "route", "reason", name=op.f("pk_route_count")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "candidate_list",
        sa.Column("listing_id", sa.Integer(), nullable=False),
        sa.Column("candidates", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["listing_id"], ["listing.id"], name=op.f("fk_candidate_list_listing_id")),
        sa.PrimaryKeyConstraint("listing_id", name=op.f("pk_candidate_list")),
    )
    op.create_table(
        "draw",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("listing_id", sa.Integer(), nullable=False),
        sa.Column("probability", sa.Double(), nullable=False),
        sa.Column("policy", sa.String(), nullable=False),
        sa.Column("release_id", sa.String(), nullable=True),
        sa.Column("zone_min_confidence", sa.Double(), nullable=True),
        sa.Column("drawn_at", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("decision_id", sa.Integer(), nullable=True),
        sa.CheckConstraint("state IN ('open', 'answered', 'void')", name=op.f("ck_draw_state")),
        sa.CheckConstraint("probability > 0 AND probability <= 1", name=op.f("ck_draw_probability")),
        sa.ForeignKeyConstraint(["listing_id"], ["listing.id"], name=op.f("fk_draw_listing_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_draw")),
    )
    op.create_index("ix_draw_decision_id", "draw", ["decision_id"])
    op.create_index("ix_draw_listing_id", "draw", ["listing_id"])
    op.create_index(
        "ix_draw_open", "draw", ["listing_id"], unique=True, sqlite_where=sa.text("state = 'open'")
    )

    op.create_table(
        "decision",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("listing_id", sa.Integer(), nullable=False),
        sa.Column("verdict", sa.String(), nullable=False),
        sa.Column("item_id", sa.Integer(), nullable=True),
        sa.Column("reviewer", sa.String(), nullable=False),
        sa.Column("decided_at", sa.String(), nullable=False),
        sa.Column("stream", sa.String(), nullable=False),
        sa.Column("release_id", sa.String(), nullable=True),
        sa.Column("draw_id", sa.Integer(), nullable=True),
        sa.Column("draw_probability", sa.Double(), nullable=True),
        sa.Column("supersedes_id", sa.Integer(), nullable=True),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("rejected", sa.String(), nullable=False),
        sa.Column("shown", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("stream IN ('random', 'learning', 'manual')", name=op.f("ck_decision_stream")),
        sa.CheckConstraint(
            "verdict IN ('match', 'variant', 'none', 'new_item', 'unsure', 'bad_listing')",
            name=op.f("ck_decision_verdict"),
        ),
        sa.ForeignKeyConstraint(["draw_id"], ["draw.id"], name=op.f("fk_decision_draw_id")),
        sa.ForeignKeyConstraint(["item_id"], ["item.id"], name=op.f("fk_decision_item_id")),
        sa.ForeignKeyConstraint(["listing_id"], ["listing.id"], name=op.f("fk_decision_listing_id")),
        sa.ForeignKeyConstraint(["supersedes_id"], ["decision.id"], name=op.f("fk_decision_supersedes_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_decision")),
    )
    op.create_index("ix_decision_listing_id", "decision", ["listing_id"])
    op.create_index("ix_decision_reviewer", "decision", ["reviewer"])
    op.create_index("ix_decision_verdict", "decision", ["verdict"])

    op.create_table(
        "alias",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("item_id", sa.Integer(), nullable=False),
        sa.Column("listing_id", sa.Integer(), nullable=False),
        sa.Column("decision_id", sa.Integer(), nullable=False),
        sa.Column("text_key", sa.String(), nullable=False),
        sa.Column("withdrawn", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.ForeignKeyConstraint(["decision_id"], ["decision.id"], name=op.f("fk_alias_decision_id")),
        sa.ForeignKeyConstraint(["item_id"], ["item.id"], name=op.f("fk_alias_item_id")),
        sa.ForeignKeyConstraint(["listing_id"], ["listing.id"], name=op.f("fk_alias_listing_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alias")),
        sa.UniqueConstraint("decision_id", name=op.f("uq_alias_decision_id")),
    )
    op.create_index("ix_alias_item_id", "alias", ["item_id"])
    op.create_index("ix_alias_text_key", "alias", ["text_key"])

    op.create_table(
        "decision_event",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("decision_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("at", sa.String(), nullable=False),
        sa.CheckConstraint(
            "kind IN ('add', 'undo', 'redo', 'supersede', 'reinstate', 'lapse')",
            name=op.f("ck_decision_event_kind"),
        ),
        sa.ForeignKeyConstraint(["decision_id"], ["decision.id"], name=op.f("fk_decision_event_decision_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_decision_event")),
    )
    op.create_index("ix_decision_event_decision_id", "decision_event", ["decision_id"])

    op.create_table(
        "listing_route",
        sa.Column("listing_id", sa.Integer(), nullable=False),
        sa.Column("feed_id", sa.Integer(), nullable=False),
        sa.Column("random_key", sa.Integer(), nullable=False),
        sa.Column("reserve", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("inclusion", sa.Double(), server_default=sa.text("0"), nullable=False),
        sa.Column("machine_route", sa.String(), nullable=True),
        sa.Column("machine_reason", sa.String(), nullable=True),
        sa.Column("item_id", sa.Integer(), nullable=True),
        sa.Column("confidence", sa.Double(), nullable=True),
        sa.Column("none_confidence", sa.Double(), nullable=True),
        sa.Column("margin", sa.Double(), nullable=True),
        sa.Column("uncertainty", sa.Double(), nullable=True),
        sa.Column("priority", sa.Double(), nullable=True),
        sa.Column("release_id", sa.String(), nullable=True),
        sa.Column("decision_id", sa.Integer(), nullable=True),
        sa.Column("decided", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("unsure", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("snoozed", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("drawn", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("lapsed", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column(
            "route",
            sa.String(),
            sa.Computed("CASE WHEN decided = 1 THEN 'settled' ELSE machine_route END", persisted=True),
            nullable=True,
        ),
        sa.Column(
            "reason",
            sa.String(),
            sa.Computed(
                "CASE WHEN decided = 1 THEN 'decided' WHEN machine_route = 'review' AND (snoozed > 0 OR unsure = 1) THEN 'snoozed' WHEN machine_route = 'review' AND lapsed = 1 THEN 'changed' ELSE machine_reason END",
                persisted=True,
            ),
            nullable=True,
        ),
        sa.Column(
            "queue",
            sa.Integer(),
            sa.Computed(
                "CASE WHEN decided = 1 OR machine_route IS NULL OR machine_route <> 'review' THEN NULL WHEN snoozed = 2 THEN 2 WHEN drawn = 1 OR (reserve = 1 AND drawn = 0) THEN 3 WHEN snoozed = 1 OR unsure = 1 THEN 1 ELSE 0 END",
                persisted=True,
            ),
            nullable=True,
        ),
        sa.CheckConstraint(
            "machine_route IN ('automated', 'review', 'settled')", name=op.f("ck_listing_route_machine_route")
        ),
        sa.CheckConstraint("decided IN (0, 1)", name=op.f("ck_listing_route_decided")),
        sa.CheckConstraint("drawn IN (0, 1, 2)", name=op.f("ck_listing_route_drawn")),
        sa.CheckConstraint("reserve IN (0, 1)", name=op.f("ck_listing_route_reserve")),
        sa.CheckConstraint("snoozed IN (0, 1, 2)", name=op.f("ck_listing_route_snoozed")),
        sa.ForeignKeyConstraint(["decision_id"], ["decision.id"], name=op.f("fk_listing_route_decision_id")),
        sa.ForeignKeyConstraint(["feed_id"], ["feed.id"], name=op.f("fk_listing_route_feed_id")),
        sa.ForeignKeyConstraint(["item_id"], ["item.id"], name=op.f("fk_listing_route_item_id")),
        sa.ForeignKeyConstraint(["listing_id"], ["listing.id"], name=op.f("fk_listing_route_listing_id")),
        sa.PrimaryKeyConstraint("listing_id", name=op.f("pk_listing_route")),
    )
    indexes: tuple[tuple[str, list[str | sa.TextClause], str | None], ...] = (
        ("feed_route", ["feed_id", "route"], None),
        ("unmatched", ["feed_id"], "machine_route IS NULL"),
        ("snoozed", ["snoozed"], "snoozed > 0"),
        ("gain", ["feed_id", "queue", sa.text("priority DESC")], "queue < 2"),
        ("uncertain", ["feed_id", "queue", "uncertainty", "margin"], "queue < 2"),
        ("oldest", ["feed_id", "queue"], "queue < 2"),
        ("family", ["feed_id", "queue", "item_id", sa.text("confidence DESC")], "queue < 2"),
        ("random", ["feed_id", "queue", "random_key"], "queue < 2"),
        ("zone", ["feed_id", "confidence"], "decided = 0 AND drawn = 0 AND machine_route IS NOT NULL"),
        ("reserve", ["feed_id", "confidence"], "reserve = 1"),
    )
    for name, columns, where in indexes:
        op.create_index(
            f"ix_listing_route_{name}",
            "listing_route",
            columns,
            sqlite_where=None if where is None else sa.text(where),
        )

    op.create_table(
        "decision_state",
        sa.Column("decision_id", sa.Integer(), nullable=False),
        sa.Column("listing_id", sa.Integer(), nullable=False),
        sa.Column("reviewer", sa.String(), nullable=False),
        sa.Column("stream", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "state IN ('in_force', 'undone', 'superseded', 'lapsed')", name=op.f("ck_decision_state_state")
        ),
        sa.ForeignKeyConstraint(["decision_id"], ["decision.id"], name=op.f("fk_decision_state_decision_id")),
        sa.ForeignKeyConstraint(["listing_id"], ["listing.id"], name=op.f("fk_decision_state_listing_id")),
        sa.ForeignKeyConstraint(["position"], ["decision_event.id"], name=op.f("fk_decision_state_position")),
        sa.PrimaryKeyConstraint("decision_id", name=op.f("pk_decision_state")),
    )
    op.create_index(
        "ix_decision_state_listing_id",
        "decision_state",
        ["listing_id"],
        unique=True,
        sqlite_where=sa.text("state = 'in_force'"),
    )
    op.create_index("ix_decision_state_position", "decision_state", ["state", "position"])
    op.create_index(
        "ix_decision_state_reviewer_position", "decision_state", ["reviewer", "state", "position"]
    )
    op.create_index("ix_decision_state_stream", "decision_state", ["state", "stream"])
    for statement in (*SEARCH_TABLES, *TRIGGERS):
        op.execute(statement)


def downgrade() -> None:
    """Workspaces only move forward; the way back is the backup made before migrating."""
    raise NotImplementedError("restore the backup that was made before the migration")
