"""Routes: what the certificate allows, memory settles, and the rest is reviewed."""

from __future__ import annotations

from dataclasses import dataclass

from engine.contracts import Candidate, CertificateKind, Placement, Route, RouteReason

#: Two best candidates nearer than this are shown as a tie.
TIE_MARGIN = 0.05


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
    remembered_item: int | None,
) -> Placement:
    """Route one listing. ``candidates`` are best first."""
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

    if remembered_item is not None:
        return placed(Route.SETTLED, RouteReason.MEMORY, remembered_item)
    best_item = best.item_id if best else None
    if best and thresholds.match is not None and confidence >= thresholds.match:
        if CertificateKind.MATCH in thresholds.suspended:
            return placed(Route.REVIEW, RouteReason.SUSPENDED, best_item)
        return placed(Route.AUTOMATED, RouteReason.ABOVE_THRESHOLD, best_item)
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
