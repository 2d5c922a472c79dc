"""The tables of the live audit: what is being watched, and what each audit found."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from engine.store.schema_base import Base


class LiveAuditRow(Base):
    """The watch over one certificate; of each kind the last one is current.

    ``accepted`` and ``errors`` are the certification labels it is held against, ``choice`` the champion
    event of the owner (promote, roll back) that it began under, ``draws_before`` the last draw that
    does not count. Suspended: since when, after which decision and under which release the alarm was
    raised; ``attempts`` counts the certificates that did not end it.
    """

    __tablename__ = "live_audit"
    __table_args__ = (CheckConstraint("kind IN ('match', 'none', 'both')", name="kind"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    release_id: Mapped[str] = mapped_column(ForeignKey("release.id"))
    opened_at: Mapped[str]
    precision: Mapped[float]
    accepted: Mapped[int]
    errors: Mapped[int]
    choice: Mapped[int]
    draws_before: Mapped[int]
    suspended_at: Mapped[str | None]
    suspended_after: Mapped[int | None]
    suspended_release: Mapped[str | None]
    attempts: Mapped[int] = mapped_column(server_default=text("0"))


class AuditOutcomeRow(Base):
    """What the machine had said of a drawn listing when a decision answered the draw; was it right?

    It counts while the decision is in force or has lapsed.

    ``position`` orders the outcomes: the first decision that answered the draw. ``item_id`` is the
    machine's answer, NULL for "not in the catalogue".
    """

    __tablename__ = "audit_outcome"
    __table_args__ = (
        Index("ix_audit_outcome_live_audit_id_position", "live_audit_id", "position"),
        Index("ix_audit_outcome_draw_id", "draw_id"),
    )

    decision_id: Mapped[int] = mapped_column(ForeignKey("decision.id"), primary_key=True)
    live_audit_id: Mapped[int] = mapped_column(ForeignKey("live_audit.id"))
    draw_id: Mapped[int] = mapped_column(ForeignKey("draw.id"))
    position: Mapped[int]
    release_id: Mapped[str | None]
    item_id: Mapped[int | None]
    confidence: Mapped[float]
    right: Mapped[int]
