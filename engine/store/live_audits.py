"""Live audits: what is being watched, what the audits found, and what a suspension does to routes."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
from sqlalchemy import Connection, bindparam, func, insert, select, update

from engine.contracts.matching import CertificateKind, Promise, Route, RouteReason
from engine.store.decision_log import IN_FORCE, LAPSED
from engine.store.packing import is_in, now, unpack_candidates
from engine.store.schema import (
    AuditOutcomeRow,
    CandidateListRow,
    ChampionEventRow,
    DecisionRow,
    DecisionStateRow,
    DrawRow,
    FeedRow,
    ItemRow,
    ListingRouteRow,
    ListingRow,
    LiveAuditRow,
    ReleaseRow,
    table_of,
)

_AUDIT = table_of(LiveAuditRow)
_OUTCOME = table_of(AuditOutcomeRow)
#: What the machine had automated, by the kind of certificate that allowed it.
_AUTOMATED_AS = {
    CertificateKind.MATCH: (RouteReason.ABOVE_THRESHOLD,),
    CertificateKind.NONE: (RouteReason.NOT_IN_CATALOGUE,),
    CertificateKind.BOTH: (RouteReason.ABOVE_THRESHOLD, RouteReason.NOT_IN_CATALOGUE),
}


@dataclass(frozen=True, slots=True)
class StoredLiveAudit:
    """A row of ``live_audit``."""

    id: int
    kind: CertificateKind
    release_id: str
    opened_at: str
    precision: float
    accepted: int
    errors: int
    choice: int
    draws_before: int
    suspended_at: str | None
    suspended_after: int | None
    suspended_release: str | None
    attempts: int


@dataclass(frozen=True, slots=True)
class AuditOutcome:
    """One audit: the decision that answered the draw, what the machine had said, whether it was right."""

    decision_id: int
    live_audit_id: int
    draw_id: int
    position: int
    release_id: str | None
    item_id: int | None
    confidence: float
    right: bool


@dataclass(frozen=True, slots=True)
class SampledListing:
    """What drift is measured on: first word and brand, best similarity and confidence."""

    title: str
    brand: str
    similarity: float
    confidence: float


class LiveAudits:
    """The watch over the certificates."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    # -- what is watched -----------------------------------------------------------------------

    def current(self, kind: CertificateKind) -> StoredLiveAudit | None:
        """The current watch of a kind, or None before the first certificate."""
        row = self._connection.execute(
            select(_AUDIT)
            .where(_AUDIT.c.kind == CertificateKind(kind).value)
            .order_by(_AUDIT.c.id.desc())
            .limit(1)
        ).first()
        return None if row is None else StoredLiveAudit(row[0], CertificateKind(row[1]), *row[2:])

    def kinds_in_force(self) -> tuple[CertificateKind, ...]:
        """The kinds of certificates that the champion's promise is made of; all while it has none.

        The watch over a certificate that was given up with its promise rests.
        """
        saved = self._connection.execute(
            select(ReleaseRow.certificate)
            .join(ChampionEventRow, ChampionEventRow.release_id == ReleaseRow.id)
            .order_by(ChampionEventRow.id.desc())
            .limit(1)
        ).scalar()
        if saved is None:
            return tuple(CertificateKind)
        together = json.loads(saved)["kind"] == CertificateKind.BOTH.value
        return (Promise.TOGETHER if together else Promise.EACH).kinds

    def suspended(self) -> frozenset[CertificateKind]:
        """The kinds of certificates under which nothing may be automated now."""
        audits = (self.current(kind) for kind in self.kinds_in_force())
        return frozenset(a.kind for a in audits if a is not None and a.suspended_at is not None)

    def open(
        self, kind: CertificateKind, release_id: str, *, precision: float, accepted: int, errors: int
    ) -> None:
        """Begin a new watch: from the next draw on, against these certification labels."""
        last_draw = self._connection.execute(select(func.max(DrawRow.id))).scalar() or 0
        self._connection.execute(
            insert(_AUDIT).values(
                kind=CertificateKind(kind).value,
                release_id=release_id,
                opened_at=now(),
                precision=precision,
                accepted=accepted,
                errors=errors,
                choice=self.last_choice(),
                draws_before=last_draw,
            )
        )

    def last_choice(self) -> int:
        """The number of the last champion event that was the owner's (promote, roll back); 0: none."""
        newest = select(func.max(ChampionEventRow.id)).where(
            ChampionEventRow.action.in_(("promote", "rollback"))
        )
        return self._connection.execute(newest).scalar() or 0

    def suspend(self, audit_id: int, release_id: str | None) -> None:
        """Note that the alarm was raised after the newest decision."""
        newest = self._connection.execute(select(func.max(DecisionRow.id))).scalar() or 0
        self._set(audit_id, suspended_at=now(), suspended_after=newest, suspended_release=release_id)

    def lift(self, audit_id: int) -> None:
        """Note that the audits do not bear the alarm out any more."""
        self._set(audit_id, suspended_at=None, suspended_after=None, suspended_release=None, attempts=0)

    def note_attempt(self, audit_id: int, release_id: str, attempts: int) -> None:
        """Note that a new certificate did not end the suspension."""
        self._set(audit_id, suspended_release=release_id, attempts=attempts)

    def _set(self, audit_id: int, **values: str | int | None) -> None:
        self._connection.execute(update(_AUDIT).where(_AUDIT.c.id == audit_id).values(**values))

    # -- what the audits found -----------------------------------------------------------------

    def answered_after(self, decision_id: int) -> list[int]:
        """Decisions after a number that answer a draw, in order."""
        rows = self._connection.execute(
            select(DecisionRow.id)
            .where(DecisionRow.id > decision_id, DecisionRow.draw_id.is_not(None))
            .order_by(DecisionRow.id)
        )
        return list(rows.scalars())

    def outcome_of_draw(self, draw_id: int) -> AuditOutcome | None:
        """What was noted when the draw was answered for the first time, or None."""
        row = self._connection.execute(
            select(*_OUTCOME.c).where(_OUTCOME.c.draw_id == draw_id).order_by(_OUTCOME.c.decision_id).limit(1)
        ).first()
        return None if row is None else AuditOutcome(*row)

    def add(self, outcome: AuditOutcome) -> None:
        """Note an outcome."""
        self._connection.execute(
            insert(_OUTCOME).values(
                decision_id=outcome.decision_id,
                live_audit_id=outcome.live_audit_id,
                draw_id=outcome.draw_id,
                position=outcome.position,
                release_id=outcome.release_id,
                item_id=outcome.item_id,
                confidence=outcome.confidence,
                right=int(outcome.right),
            )
        )

    def outcomes(self, audit_id: int, after_decision: int = 0) -> list[tuple[bool, int]]:
        """Whether each audit found the answer wrong, with its feed, in order.

        A decision that was undone or decided again takes its outcome out; one that lapsed because the
        listing changed since was true of the listing then, and keeps it.
        """
        rows = self._connection.execute(
            select(_OUTCOME.c.right, ListingRouteRow.feed_id)
            .join(DecisionStateRow, DecisionStateRow.decision_id == _OUTCOME.c.decision_id)
            .join(ListingRouteRow, ListingRouteRow.listing_id == DecisionStateRow.listing_id)
            .where(
                _OUTCOME.c.live_audit_id == audit_id,
                _OUTCOME.c.decision_id > after_decision,
                DecisionStateRow.state.in_((IN_FORCE, LAPSED)),
            )
            .order_by(_OUTCOME.c.position)
        )
        return [(not right, feed) for right, feed in rows]

    def by_answer(self, audit_id: int) -> dict[CertificateKind, tuple[int, int]]:
        """How many audits of a watch found a match or "not in the catalogue", and how many were wrong."""
        said_none = _OUTCOME.c.item_id.is_(None)
        rows = self._connection.execute(
            select(said_none, func.count(), func.sum(1 - _OUTCOME.c.right))
            .join(DecisionStateRow, DecisionStateRow.decision_id == _OUTCOME.c.decision_id)
            .where(_OUTCOME.c.live_audit_id == audit_id, DecisionStateRow.state.in_((IN_FORCE, LAPSED)))
            .group_by(said_none)
        )
        return {
            CertificateKind.NONE if none else CertificateKind.MATCH: (audits, wrong)
            for none, audits, wrong in rows
        }

    # -- what follows for routes ---------------------------------------------------------------

    def put_back(self, kind: CertificateKind) -> int:
        """Send everything automated under a certificate to review; how many listings that were.

        Listings that a decision has settled stay settled, but would come back to review as well.
        """
        sent = self._connection.execute(
            update(ListingRouteRow)
            .where(
                ListingRouteRow.machine_route == Route.AUTOMATED.value,
                ListingRouteRow.machine_reason.in_([reason.value for reason in _AUTOMATED_AS[kind]]),
            )
            .values(machine_route=Route.REVIEW.value, machine_reason=RouteReason.SUSPENDED.value)
        )
        return sent.rowcount

    def let_through(self, kind: CertificateKind) -> int:
        """Automate again what a suspension had sent to review; how many listings that were."""
        passed = 0
        for reason in _AUTOMATED_AS[kind]:
            # A suspended "not in the catalogue" is the one that has no item.
            item = ListingRouteRow.item_id
            answered = item.is_(None) if reason is RouteReason.NOT_IN_CATALOGUE else item.is_not(None)
            passed += self._connection.execute(
                update(ListingRouteRow)
                .where(ListingRouteRow.machine_reason == RouteReason.SUSPENDED.value, answered)
                .values(machine_route=Route.AUTOMATED.value, machine_reason=reason.value)
            ).rowcount
        return passed

    # -- what drift is measured on -------------------------------------------------------------

    def catalogue_brands(self, limit: int = 1_000_000) -> list[str]:
        """The distinct brands of the catalogue, as they are written."""
        rows = self._connection.execute(
            select(ItemRow.brand).where(ItemRow.brand != "").distinct().limit(limit)
        )
        return list(rows.scalars())

    def unbranded_titles(self, limit: int = 100_000) -> list[str]:
        """Titles of items that have no brand."""
        rows = self._connection.execute(select(ItemRow.title).where(ItemRow.brand == "").limit(limit))
        return list(rows.scalars())

    def matched_feeds(self) -> list[tuple[int, str]]:
        """Number and name of the feeds, oldest first."""
        rows = self._connection.execute(select(FeedRow.id, FeedRow.name).order_by(FeedRow.id))
        return [(id_, name) for id_, name in rows]

    def sample(self, feed_id: int, limit: int) -> list[SampledListing]:
        """Up to ``limit`` matched listings of a feed drawn by lot, the same ones every time."""
        ends = select(func.min(ListingRow.id), func.max(ListingRow.id)).where(ListingRow.feed_id == feed_id)
        first, last = (int(end or 0) for end in self._connection.execute(ends).one())
        if last - first < 4 * limit:
            places = np.random.default_rng(feed_id).permutation(np.arange(first, last + 1))
        else:
            places = np.random.default_rng(feed_id).integers(first, last + 1, size=limit)
        # Looked up one by one in the index: a scan would read a million rows for a few hundred.
        following = select(func.min(ListingRow.id)).where(
            ListingRow.feed_id == feed_id, ListingRow.id >= bindparam("place")
        )
        ids: dict[int, None] = {}
        for place in places.tolist():
            found = self._connection.execute(following, {"place": place}).scalar()
            if found is not None:
                ids.setdefault(found)
            if len(ids) >= limit:
                break
        rows = self._connection.execute(
            select(
                ListingRow.title, ListingRow.brand, ListingRouteRow.confidence, CandidateListRow.candidates
            )
            .join(ListingRouteRow, ListingRouteRow.listing_id == ListingRow.id)
            .join(CandidateListRow, CandidateListRow.listing_id == ListingRow.id)
            .where(is_in(ListingRow.id, list(ids)), ListingRouteRow.machine_route.is_not(None))
            .order_by(ListingRow.id)
        )
        return [
            SampledListing(
                title=title,
                brand=brand,
                similarity=max((c.similarity for c in unpack_candidates(packed)), default=0.0),
                confidence=confidence or 0.0,
            )
            for title, brand, confidence, packed in rows
        ]
