"""The tables of ``workspace.db`` as typed models. Rows of these never leave ``engine.store``.

Three ideas carry the scale of a million listings and a million items:

* ``listing`` and ``item`` hold the payload; what the queue and the routes need is in the narrow
  ``listing_route``, so that paging, counting and ordering read indexes and never a title.
* The effective route, its reason and the place in the queue are generated columns of
  ``listing_route``: they follow from the machine's placement, the decision, snoozing and draws, and
  cannot contradict them.
* ``route_count`` holds the listings by feed, route and reason; triggers keep it.

Triggers and the full-text tables ``item_search`` and ``decision_search`` are not expressible as
models; they are in the migrations. ``tests/golden/schema.sql`` shows the whole.

Decisions are append-only: ``decision`` and ``decision_event`` refuse UPDATE and DELETE, and
``decision_state`` is what the events add up to. Times are ISO 8601 text in UTC.
"""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Computed, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from engine.store.schema_audits import AuditOutcomeRow, LiveAuditRow
from engine.store.schema_base import Base, table_of
from engine.store.schema_ledger import (
    ChampionEventRow,
    ImportRow,
    RateSnapshotRow,
    RefusedRowRow,
    ReleaseRow,
    SettingRow,
    TrainingRunRow,
)
from engine.store.schema_opinions import (
    AdjudicationRow,
    GoldEventRow,
    OpinionEventRow,
    OpinionStateRow,
    OverlapRow,
    SecondOpinionRow,
)
from engine.store.schema_traits import ListingTraitRow

__all__ = [
    "AdjudicationRow",
    "AliasRow",
    "AuditOutcomeRow",
    "Base",
    "CandidateListRow",
    "ChampionEventRow",
    "DecisionEventRow",
    "DecisionRow",
    "DecisionStateRow",
    "DrawRow",
    "FeedRow",
    "GoldEventRow",
    "ImportRow",
    "ItemRow",
    "ListingRouteRow",
    "ListingRow",
    "ListingTraitRow",
    "LiveAuditRow",
    "OpinionEventRow",
    "OpinionStateRow",
    "OverlapRow",
    "RateSnapshotRow",
    "RefusedRowRow",
    "ReleaseRow",
    "RouteCountRow",
    "SecondOpinionRow",
    "SettingRow",
    "TrainingRunRow",
    "table_of",
]

#: The places in the queue (``listing_route.queue``); NULL is "not waiting for a decision".
QUEUE_WAITING, QUEUE_BEHIND, QUEUE_SNOOZED, QUEUE_DRAWN = 0, 1, 2, 3

_ROUTE = "CASE WHEN decided = 1 THEN 'settled' ELSE machine_route END"
_REASON = (
    "CASE WHEN decided = 1 THEN 'decided' "
    "WHEN machine_route = 'review' AND (snoozed > 0 OR unsure = 1) THEN 'snoozed' "
    "WHEN machine_route = 'review' AND lapsed = 1 THEN 'changed' "
    "ELSE machine_reason END"
)
_QUEUE = (
    "CASE WHEN decided = 1 OR machine_route IS NULL OR machine_route <> 'review' THEN NULL "
    "WHEN snoozed = 2 THEN 2 WHEN drawn = 1 OR (reserve = 1 AND drawn = 0) THEN 3 "
    "WHEN snoozed = 1 OR unsure = 1 THEN 1 ELSE 0 END"
)


class _RecordColumns:
    """The columns of a record, short ones first: a page of ids and keys is read without the payload."""

    id: Mapped[int] = mapped_column(primary_key=True, sort_order=-3)
    external_id: Mapped[str] = mapped_column(sort_order=-2)
    content_hash: Mapped[bytes] = mapped_column(sort_order=-2)
    text_key: Mapped[str] = mapped_column(sort_order=-2)
    added_at: Mapped[str] = mapped_column(sort_order=-2)
    changed_at: Mapped[str | None] = mapped_column(sort_order=-2)
    price: Mapped[float | None] = mapped_column()
    gtin: Mapped[str]
    title: Mapped[str]
    brand: Mapped[str]
    model: Mapped[str]
    category: Mapped[str]
    image: Mapped[str]
    description: Mapped[str]
    attributes: Mapped[str]


class ItemRow(_RecordColumns, Base):
    """A product of the catalogue. ``attributes`` is a JSON object, ``content_hash`` 16 bytes."""

    __tablename__ = "item"
    __table_args__ = (
        UniqueConstraint("external_id"),
        Index("ix_item_gtin", "gtin", sqlite_where=text("gtin <> ''")),
    )


class FeedRow(Base):
    """A feed. ``imported_at`` is the time of its last import."""

    __tablename__ = "feed"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    imported_at: Mapped[str]


class ListingRow(_RecordColumns, Base):
    """An incoming product record."""

    __tablename__ = "listing"
    __table_args__ = (
        UniqueConstraint("external_id", "feed_id"),
        Index("ix_listing_feed_id", "feed_id"),
        Index("ix_listing_text_key", "text_key"),
    )

    feed_id: Mapped[int] = mapped_column(ForeignKey("feed.id"), sort_order=-1)


class ListingRouteRow(Base):
    """Where a listing stands; one row for each listing.

    ``machine_*``, ``item_id`` and the numbers are the last placement (NULL: not matched).
    ``decided``: a decision that settles it is in force; ``unsure``: one that does not.
    ``snoozed``: 0 no, 1 behind the others, 2 hidden until recalled. ``drawn``: 0 never, 1 draw open,
    2 draw answered. ``lapsed``: a decision lost its force because the listing's text changed.
    ``reserve``: kept for the random stream by lot at import, so the learning stream never asks it;
    ``inclusion`` is the probability with which the random stream would have drawn it so far.
    ``uncertainty`` is ``|confidence - 0.5|``; ``random_key`` a stored random order.
    """

    __tablename__ = "listing_route"
    __table_args__ = (
        CheckConstraint("decided IN (0, 1)", name="decided"),
        CheckConstraint("snoozed IN (0, 1, 2)", name="snoozed"),
        CheckConstraint("drawn IN (0, 1, 2)", name="drawn"),
        CheckConstraint("reserve IN (0, 1)", name="reserve"),
        CheckConstraint("machine_route IN ('automated', 'review', 'settled')", name="machine_route"),
        # All begin with the feed: one feed's queue is read from one index, and everybody's by merging
        # the feeds' (see engine.store.heads). Two sets of indexes would double what matching writes.
        Index("ix_listing_route_feed_route", "feed_id", "route"),
        Index("ix_listing_route_unmatched", "feed_id", sqlite_where=text("machine_route IS NULL")),
        Index("ix_listing_route_snoozed", "snoozed", sqlite_where=text("snoozed > 0")),
        *(
            Index(f"ix_listing_route_{order}", "feed_id", "queue", *columns, sqlite_where=text("queue < 2"))
            for order, columns in (
                ("gain", (text("priority DESC"),)),
                ("uncertain", ("uncertainty", "margin")),
                ("oldest", ()),
                ("family", ("item_id", text("confidence DESC"))),
                ("random", ("random_key",)),
            )
        ),
        Index(
            "ix_listing_route_zone",
            "feed_id",
            "confidence",
            sqlite_where=text("decided = 0 AND drawn = 0 AND machine_route IS NOT NULL"),
        ),
        Index("ix_listing_route_reserve", "feed_id", "confidence", sqlite_where=text("reserve = 1")),
    )

    listing_id: Mapped[int] = mapped_column(ForeignKey("listing.id"), primary_key=True)
    feed_id: Mapped[int] = mapped_column(ForeignKey("feed.id"))
    random_key: Mapped[int]
    reserve: Mapped[int] = mapped_column(server_default=text("0"))
    inclusion: Mapped[float] = mapped_column(server_default=text("0"))
    machine_route: Mapped[str | None]
    machine_reason: Mapped[str | None]
    item_id: Mapped[int | None] = mapped_column(ForeignKey("item.id"))
    confidence: Mapped[float | None]
    none_confidence: Mapped[float | None]
    margin: Mapped[float | None]
    uncertainty: Mapped[float | None]
    priority: Mapped[float | None]
    release_id: Mapped[str | None]
    decision_id: Mapped[int | None] = mapped_column(ForeignKey("decision.id"))
    decided: Mapped[int] = mapped_column(server_default=text("0"))
    unsure: Mapped[int] = mapped_column(server_default=text("0"))
    snoozed: Mapped[int] = mapped_column(server_default=text("0"))
    drawn: Mapped[int] = mapped_column(server_default=text("0"))
    lapsed: Mapped[int] = mapped_column(server_default=text("0"))
    route: Mapped[str | None] = mapped_column(Computed(_ROUTE, persisted=True))
    reason: Mapped[str | None] = mapped_column(Computed(_REASON, persisted=True))
    queue: Mapped[int | None] = mapped_column(Computed(_QUEUE, persisted=True))


class RouteCountRow(Base):
    """Listings by feed, effective route and reason ('' for none). Kept by triggers."""

    __tablename__ = "route_count"
    __table_args__ = ({"sqlite_with_rowid": False},)

    feed_id: Mapped[int] = mapped_column(ForeignKey("feed.id"), primary_key=True)
    route: Mapped[str] = mapped_column(primary_key=True)
    reason: Mapped[str] = mapped_column(primary_key=True)
    listings: Mapped[int]


class CandidateListRow(Base):
    """The candidates of a listing, best first, packed (see :mod:`engine.store.packing`)."""

    __tablename__ = "candidate_list"

    listing_id: Mapped[int] = mapped_column(ForeignKey("listing.id"), primary_key=True)
    candidates: Mapped[bytes]


class DrawRow(Base):
    """A listing drawn for the random stream. Never deleted.

    ``state`` is ``open``, ``answered`` (by ``decision_id``) or ``void`` (its answer lapsed with a
    changed listing). ``zone_min_confidence`` is the least confidence of the zone drawn from.
    """

    __tablename__ = "draw"
    __table_args__ = (
        CheckConstraint("probability > 0 AND probability <= 1", name="probability"),
        CheckConstraint("state IN ('open', 'answered', 'void')", name="state"),
        Index("ix_draw_open", "listing_id", unique=True, sqlite_where=text("state = 'open'")),
        Index("ix_draw_decision_id", "decision_id"),
        Index("ix_draw_listing_id", "listing_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    listing_id: Mapped[int] = mapped_column(ForeignKey("listing.id"))
    probability: Mapped[float]
    policy: Mapped[str]
    release_id: Mapped[str | None]
    zone_min_confidence: Mapped[float | None]
    drawn_at: Mapped[str]
    state: Mapped[str]
    # No foreign key: decision.draw_id points here, and two tables should not need each other first.
    decision_id: Mapped[int | None]


class DecisionRow(Base):
    """One verdict of one reviewer. Append-only; ``supersedes_id`` is the decision it replaced.

    ``shown`` is the exact candidate list on screen, packed; ``rejected`` and ``also_right`` are JSON arrays
    of item ids.
    """

    __tablename__ = "decision"
    __table_args__ = (
        CheckConstraint(
            "verdict IN ('match', 'variant', 'none', 'new_item', 'unsure', 'bad_listing')", name="verdict"
        ),
        CheckConstraint("stream IN ('random', 'learning', 'manual')", name="stream"),
        Index("ix_decision_listing_id", "listing_id"),
        Index("ix_decision_reviewer", "reviewer"),
        Index("ix_decision_verdict", "verdict"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    listing_id: Mapped[int] = mapped_column(ForeignKey("listing.id"))
    verdict: Mapped[str]
    item_id: Mapped[int | None] = mapped_column(ForeignKey("item.id"))
    reviewer: Mapped[str]
    decided_at: Mapped[str]
    stream: Mapped[str]
    release_id: Mapped[str | None]
    draw_id: Mapped[int | None] = mapped_column(ForeignKey("draw.id"))
    draw_probability: Mapped[float | None]
    supersedes_id: Mapped[int | None] = mapped_column(ForeignKey("decision.id"))
    note: Mapped[str]
    rejected: Mapped[str]
    shown: Mapped[bytes]
    also_right: Mapped[str] = mapped_column(server_default=text("'[]'"))


class DecisionEventRow(Base):
    """What happened to a decision, in order. Append-only."""

    __tablename__ = "decision_event"
    __table_args__ = (
        CheckConstraint("kind IN ('add', 'undo', 'redo', 'supersede', 'reinstate', 'lapse')", name="kind"),
        Index("ix_decision_event_decision_id", "decision_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    decision_id: Mapped[int] = mapped_column(ForeignKey("decision.id"))
    kind: Mapped[str]
    at: Mapped[str]


class DecisionStateRow(Base):
    """What a decision's events add up to: ``in_force``, ``undone``, ``superseded`` or ``lapsed``.

    ``position`` is the event that gives the decision its place in the order of undoing.
    """

    __tablename__ = "decision_state"
    __table_args__ = (
        CheckConstraint("state IN ('in_force', 'undone', 'superseded', 'lapsed')", name="state"),
        Index(
            "ix_decision_state_listing_id", "listing_id", unique=True, sqlite_where=text("state = 'in_force'")
        ),
        Index("ix_decision_state_position", "state", "position"),
        Index("ix_decision_state_reviewer_position", "reviewer", "state", "position"),
        Index("ix_decision_state_stream", "state", "stream"),
    )

    decision_id: Mapped[int] = mapped_column(ForeignKey("decision.id"), primary_key=True)
    listing_id: Mapped[int] = mapped_column(ForeignKey("listing.id"))
    reviewer: Mapped[str]
    stream: Mapped[str]
    state: Mapped[str]
    position: Mapped[int] = mapped_column(ForeignKey("decision_event.id"))


class AliasRow(Base):
    """A confirmed listing kept as a further text of its item, as long as its decision is in force."""

    __tablename__ = "alias"
    __table_args__ = (
        UniqueConstraint("decision_id"),
        Index("ix_alias_text_key", "text_key"),
        Index("ix_alias_item_id", "item_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    item_id: Mapped[int] = mapped_column(ForeignKey("item.id"))
    listing_id: Mapped[int] = mapped_column(ForeignKey("listing.id"))
    decision_id: Mapped[int] = mapped_column(ForeignKey("decision.id"))
    text_key: Mapped[str]
    withdrawn: Mapped[int] = mapped_column(server_default=text("0"))
