"""Routes: what the certificate allows, memory settles, and the rest is reviewed."""

from __future__ import annotations

from dataclasses import dataclass

from engine.contracts import Candidate, CertificateKind, Placement, Route, RouteReason

#: Two best candidates nearer than this are shown as a tie.
TIE_MARGIN = 0.05


@dataclass(frozen=True, slots=True)
class Thresholds:
    """What a release may automate: None = nothing of that kind is certified.

    ``both`` stands instead of the other two: the answer is the likelier of the best candidate and "not in
    catalogue" (a tie goes to the candidate), and it is automated from this probability on.
    ``suspended``: the kinds whose certificates the live audit has suspended; what they would automate
    is reviewed.
    """

    match: float | None
    none: float | None
    has_matcher: bool
    suspended: frozenset[CertificateKind] = frozenset()
    both: float | None = None

    @property
    def certified(self) -> bool:
        """Whether matches may be automated at all, but for suspensions."""
        return self.match is not None or self.both is not None

    def allows(self, confidence: float | None, none_confidence: float) -> tuple[CertificateKind, bool] | None:
        """The certificate that allows an answer, and whether that is "not in catalogue"; None to review.

        ``confidence`` is of the best candidate, None without one.
        """
        if self.both is not None:
            none = confidence is None or none_confidence > confidence
            sure = none_confidence if none or confidence is None else confidence
            return (CertificateKind.BOTH, none) if sure >= self.both else None
        if confidence is not None and self.match is not None and confidence >= self.match:
            return CertificateKind.MATCH, False
        if self.none is not None and none_confidence >= self.none:
            return CertificateKind.NONE, True
        return None


def place(
    listing_id: int,
    candidates: tuple[Candidate, ...],
    *,
    none_confidence: float,
    thresholds: Thresholds,
    remembered_item: int | None,
    unconfirmed_item: int | None = None,
    unaided: float | None = None,
) -> Placement:
    """Route one listing. ``candidates`` are best first.

    ``unaided`` is the best candidate's confidence without its nearest alias, where only that may count
    because the alias speaks for enough other listings already; None where its confidence counts as it is.
    ``remembered_item`` settles it. ``unconfirmed_item`` was confirmed for its text once only, and others
    with that text are settled by it already: an answer that rests on that confirmation waits for a
    second one, whether it comes from memory or by way of the alias.
    """
    best = candidates[0] if candidates else None
    full = best.confidence if best else 0.0
    confidence = full if unaided is None else unaided
    margin = full - (candidates[1].confidence if len(candidates) > 1 else 0.0)

    def placed(route: Route, reason: RouteReason, item_id: int | None) -> Placement:
        return Placement(
            listing_id=listing_id,
            route=route,
            reason=reason,
            item_id=item_id,
            confidence=confidence,
            none_confidence=none_confidence,
            margin=margin,
            candidates=candidates,
        )

    if remembered_item is not None:
        return placed(Route.SETTLED, RouteReason.MEMORY, remembered_item)
    best_item = best.item_id if best else None
    if best and best.via_alias and best.item_id == unconfirmed_item:
        return placed(Route.REVIEW, RouteReason.UNCONFIRMED, best_item)
    allowed = thresholds.allows(confidence if best else None, none_confidence)
    if allowed is not None:
        kind, none = allowed
        answer = None if none else best_item
        if kind in thresholds.suspended:
            return placed(Route.REVIEW, RouteReason.SUSPENDED, answer)
        reason = RouteReason.NOT_IN_CATALOGUE if none else RouteReason.ABOVE_THRESHOLD
        return placed(Route.AUTOMATED, reason, answer)
    if best is None:
        return placed(Route.REVIEW, RouteReason.NO_CANDIDATES, None)
    if unaided is not None and thresholds.allows(full, none_confidence) is not None:
        return placed(Route.REVIEW, RouteReason.UNCONFIRMED, best_item)
    if not thresholds.has_matcher:
        return placed(Route.REVIEW, RouteReason.NO_MATCHER, best_item)
    if not thresholds.certified:
        return placed(Route.REVIEW, RouteReason.NO_CERTIFICATE, best_item)
    if margin < TIE_MARGIN and confidence > TIE_MARGIN:
        return placed(Route.REVIEW, RouteReason.TIE, best_item)
    return placed(Route.REVIEW, RouteReason.BELOW_THRESHOLD, best_item)
