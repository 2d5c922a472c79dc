"""Routes: what the certificate allows, memory settles, and the rest is reviewed."""

from __future__ import annotations

from dataclasses import dataclass

from engine.contracts import Candidate, CertificateKind, Placement, Remembered, Route, RouteReason

#: Two best candidates nearer than this are shown as a tie.
TIE_MARGIN = 0.05
#: So many listings one confirmation settles from memory, and so many more it may carry over the
#: threshold as an alias, before a second one agrees. If it was wrong, those are what it does.
ALONE_FROM_MEMORY = 3
ALONE_AS_ALIAS = 2


@dataclass(frozen=True, slots=True)
class Thresholds:
    """What a release may automate: None = nothing of that kind is certified.

    ``suspended``: the kinds whose certificates the live audit has suspended; what they would automate
    is reviewed.
    """

    match: float | None
    none: float | None
    has_matcher: bool
    suspended: frozenset[CertificateKind] = frozenset()


def place(
    listing_id: int,
    candidates: tuple[Candidate, ...],
    *,
    none_confidence: float,
    thresholds: Thresholds,
    remembered: Remembered | None,
    rests_on_one: bool = False,
) -> Placement:
    """Route one listing.

    Args:
        listing_id: its number.
        candidates: best first.
        none_confidence: that no item matches.
        thresholds: what may be automated.
        remembered: what confirmations of the same text say, None where there are none.
        rests_on_one: the best candidate owes its confidence to one alias that has carried enough.
    """
    best = candidates[0] if candidates else None
    confidence = best.confidence if best else 0.0
    margin = confidence - (candidates[1].confidence if len(candidates) > 1 else 0.0)

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

    best_item = best.item_id if best else None
    if remembered is not None and remembered.item_id is None:
        return placed(Route.REVIEW, RouteReason.CONTRADICTED, best_item)
    if remembered is not None and remembered.settles:
        return placed(Route.SETTLED, RouteReason.MEMORY, remembered.item_id)
    if best and thresholds.match is not None and confidence >= thresholds.match:
        if CertificateKind.MATCH in thresholds.suspended:
            return placed(Route.REVIEW, RouteReason.SUSPENDED, best_item)
        if rests_on_one or (remembered is not None and remembered.item_id != best_item):
            return placed(Route.REVIEW, RouteReason.ONE_CONFIRMATION, best_item)
        return placed(Route.AUTOMATED, RouteReason.ABOVE_THRESHOLD, best_item)
    if remembered is not None:
        return placed(Route.REVIEW, RouteReason.ONE_CONFIRMATION, remembered.item_id)
    if thresholds.none is not None and none_confidence >= thresholds.none:
        if CertificateKind.NONE in thresholds.suspended:
            return placed(Route.REVIEW, RouteReason.SUSPENDED, None)
        return placed(Route.AUTOMATED, RouteReason.NOT_IN_CATALOGUE, None)
    if best is None:
        return placed(Route.REVIEW, RouteReason.NO_CANDIDATES, None)
    if not thresholds.has_matcher:
        return placed(Route.REVIEW, RouteReason.NO_MATCHER, best_item)
    if thresholds.match is None:
        return placed(Route.REVIEW, RouteReason.NO_CERTIFICATE, best_item)
    if margin < TIE_MARGIN and confidence > TIE_MARGIN:
        return placed(Route.REVIEW, RouteReason.TIE, best_item)
    return placed(Route.REVIEW, RouteReason.BELOW_THRESHOLD, best_item)
