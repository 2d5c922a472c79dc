"""The tables of second opinions: what was drawn to be asked again, what was answered, what is gold.

Nothing here acts on a listing: the decision in force is in ``decision_state`` alone.
"""

from __future__ import annotations

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from engine.store.schema_base import Base


class OverlapRow(Base):
    """A decision drawn by lot to be asked again of another reviewer. Never deleted.

    ``state`` is ``open`` or ``answered``. An open one is asked only while its decision is in force.
    """

    __tablename__ = "overlap"
    __table_args__ = (
        CheckConstraint("probability > 0 AND probability <= 1", name="probability"),
        CheckConstraint("state IN ('open', 'answered')", name="state"),
        UniqueConstraint("decision_id"),
        Index("ix_overlap_open", "id", sqlite_where=text("state = 'open'")),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    decision_id: Mapped[int] = mapped_column(ForeignKey("decision.id"))
    listing_id: Mapped[int] = mapped_column(ForeignKey("listing.id"))
    probability: Mapped[float]
    policy: Mapped[str]
    drawn_at: Mapped[str]
    state: Mapped[str]


class SecondOpinionRow(Base):
    """A blind verdict of another reviewer on a decided listing. Append-only.

    ``shown`` is the exact candidate list on screen, packed; ``rejected`` and ``also_right`` are JSON arrays
    of item ids.
    """

    __tablename__ = "second_opinion"
    __table_args__ = (
        CheckConstraint(
            "verdict IN ('match', 'variant', 'none', 'new_item', 'unsure', 'bad_listing')", name="verdict"
        ),
        Index("ix_second_opinion_decision_id", "decision_id"),
        Index("ix_second_opinion_listing_id", "listing_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    decision_id: Mapped[int] = mapped_column(ForeignKey("decision.id"))
    overlap_id: Mapped[int | None] = mapped_column(ForeignKey("overlap.id"))
    listing_id: Mapped[int] = mapped_column(ForeignKey("listing.id"))
    verdict: Mapped[str]
    item_id: Mapped[int | None] = mapped_column(ForeignKey("item.id"))
    reviewer: Mapped[str]
    decided_at: Mapped[str]
    release_id: Mapped[str | None]
    note: Mapped[str]
    rejected: Mapped[str]
    shown: Mapped[bytes]
    also_right: Mapped[str] = mapped_column(server_default=text("'[]'"))


class OpinionEventRow(Base):
    """What happened to a second opinion, in order. Append-only.

    ``after_event`` is the last event of any decision before it, so that decisions and second opinions
    are undone in the one order in which they were made.
    """

    __tablename__ = "opinion_event"
    __table_args__ = (
        CheckConstraint("kind IN ('add', 'undo', 'redo')", name="kind"),
        Index("ix_opinion_event_opinion_id", "opinion_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    opinion_id: Mapped[int] = mapped_column(ForeignKey("second_opinion.id"))
    kind: Mapped[str]
    after_event: Mapped[int]
    at: Mapped[str]


class OpinionStateRow(Base):
    """What a second opinion's events add up to: ``given`` or ``undone``.

    ``position`` is the event that gives it its place in the order of undoing.
    """

    __tablename__ = "opinion_state"
    __table_args__ = (
        CheckConstraint("state IN ('given', 'undone')", name="state"),
        Index(
            "ix_opinion_state_asked_once",
            "listing_id",
            "reviewer",
            unique=True,
            sqlite_where=text("state = 'given'"),
        ),
        Index("ix_opinion_state_position", "state", "position"),
        Index("ix_opinion_state_differs", "opinion_id", sqlite_where=text("state = 'given' AND differs = 1")),
    )

    opinion_id: Mapped[int] = mapped_column(ForeignKey("second_opinion.id"), primary_key=True)
    listing_id: Mapped[int] = mapped_column(ForeignKey("listing.id"))
    reviewer: Mapped[str]
    differs: Mapped[int]
    state: Mapped[str]
    position: Mapped[int] = mapped_column(ForeignKey("opinion_event.id"))


class GoldEventRow(Base):
    """A decision was marked as certain, or not any more; the last event of a decision counts. Append-only."""

    __tablename__ = "gold_event"
    __table_args__ = (
        CheckConstraint("gold IN (0, 1)", name="gold"),
        Index("ix_gold_event_decision_id", "decision_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    decision_id: Mapped[int] = mapped_column(ForeignKey("decision.id"))
    gold: Mapped[int]
    reviewer: Mapped[str]
    at: Mapped[str]


class AdjudicationRow(Base):
    """A decision that settled the disagreement of an earlier decision and a second opinion. Append-only."""

    __tablename__ = "adjudication"
    __table_args__ = (Index("ix_adjudication_opinion_id", "opinion_id"),)

    decision_id: Mapped[int] = mapped_column(ForeignKey("decision.id"), primary_key=True)
    opinion_id: Mapped[int] = mapped_column(ForeignKey("second_opinion.id"))
