"""The risk-coverage curve of judged listings, by confidence and by similarity alone."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from engine.contracts import RiskCoverage
from engine.contracts.selective import clopper_pearson_bounds, selective_curve
from engine.reporting.weighted import Reach, share_interval

#: Confidence level of the pointwise bounds.
BAND_LEVEL = 0.9
#: More points than this cannot be told apart on a screen.
MOST_POINTS = 400

Floats = npt.NDArray[np.float64]


def risk_coverage(
    confidence: npt.ArrayLike,
    similarity: npt.ArrayLike,
    right: npt.ArrayLike,
    similarity_right: npt.ArrayLike | None = None,
    most_points: int = MOST_POINTS,
    *,
    inclusion: npt.ArrayLike | None = None,
    reserve: tuple[Floats, Floats] | None = None,
) -> RiskCoverage:
    """Selective precision against coverage at every threshold, strictest first.

    Random draws are made where automation might happen, so judged listings are not spread like the
    listings they stand for. With ``inclusion`` and ``reserve`` the curve is of listings: coverage by
    confidence is counted on the reserve, coverage by similarity and every precision are of decisions
    weighted by 1 / inclusion, and the bounds allow for listings that could not, or hardly, have been
    drawn. Without them every decision counts once, and the bounds are Clopper and Pearson's.

    Args:
        confidence: [n] confidence of each judged listing's best candidate.
        similarity: [n] highest similarity of its candidates.
        right: [n] whether the best candidate by confidence is the reviewer's match.
        similarity_right: [n] the same for the best by similarity; ``right`` when not given.
        most_points: longer curves are thinned to so many points, evenly in decisions, ends kept.
        inclusion: [n] probability with which each was drawn, in (0, 1].
        reserve: [m] confidence and [m] inclusion probability (0: never) of all that might have been drawn.

    Returns:
        The curve with pointwise bounds at level .9; empty tuples for no labels.

    Raises:
        ValueError: the shapes differ, a score is NaN, or only one of inclusion and reserve is given.
    """
    if (inclusion is None) != (reserve is None):
        raise ValueError("inclusion and reserve belong together: give both or neither")
    hits = np.asarray(right).astype(bool)
    similarity_hits = hits if similarity_right is None else np.asarray(similarity_right).astype(bool)
    curve = selective_curve(confidence, hits)
    by_similarity = selective_curve(similarity, similarity_hits)
    kept = _thinned(curve.accepted, most_points)
    kept_similarity = _thinned(by_similarity.accepted, most_points)
    thresholds = curve.thresholds[kept]
    if inclusion is None or reserve is None:
        coverage, precision = curve.coverage[kept], curve.precision[kept]
        accepted, errors = curve.accepted[kept], curve.errors[kept]
        low, high = clopper_pearson_bounds(accepted - errors, accepted, BAND_LEVEL)
        similarity_coverage = by_similarity.coverage[kept_similarity]
        similarity_precision = by_similarity.precision[kept_similarity]
    else:
        scores = np.asarray(confidence, dtype=np.float64)
        chances = np.asarray(inclusion, dtype=np.float64)
        if chances.shape != hits.shape:
            raise ValueError(f"inclusion has shape {chances.shape} and right {hits.shape}; both must be [n]")
        reach = Reach(*reserve, scores, chances)
        coverage = reach.coverage(thresholds)
        _, precision = _weighted(scores, hits, chances, thresholds)
        low, high = _band(scores, hits, chances, thresholds, reach)
        # The bounds leave the rarest draws out and the precision does not: it never lies outside them.
        low, high = np.minimum(low, precision), np.maximum(high, precision)
        reached = float((reserve[1] > 0).mean()) if reserve[1].size else 1.0
        share, similarity_precision = _weighted(
            np.asarray(similarity, dtype=np.float64),
            similarity_hits,
            chances,
            by_similarity.thresholds[kept_similarity],
        )
        similarity_coverage = reached * share
    return RiskCoverage(
        coverage=_floats(coverage),
        precision=_floats(precision),
        low=_floats(low),
        high=_floats(high),
        # -inf (no candidate) accepts everything; JSON has no word for it, and no confidence is below 0.
        thresholds=_floats(np.maximum(thresholds, -1.0)),
        similarity_coverage=_floats(similarity_coverage),
        similarity_precision=_floats(similarity_precision),
        labels=int(hits.size),
        accepted=tuple(int(number) for number in curve.accepted[kept]),
    )


def _weighted(
    scores: Floats, hits: npt.NDArray[np.bool_], inclusion: Floats, thresholds: Floats
) -> tuple[Floats, Floats]:
    """Share of the weight at or above each threshold, and share of that which is right: [t] each."""
    if not scores.size:
        return np.zeros(0), np.zeros(0)
    order = np.argsort(-scores, kind="stable")
    weight = (1 / inclusion)[order]
    total, right = np.cumsum(weight), np.cumsum(weight * hits[order])
    last = np.searchsorted(-scores[order], -thresholds, side="right") - 1
    return np.asarray(total[last] / total[-1]), np.asarray(right[last] / total[last])


def _band(
    scores: Floats, hits: npt.NDArray[np.bool_], inclusion: Floats, thresholds: Floats, reach: Reach
) -> tuple[Floats, Floats]:
    """Bounds of the precision at and above each threshold: [t] each."""
    low, high = np.zeros(thresholds.size), np.ones(thresholds.size)
    for at, threshold in enumerate(thresholds):
        part = reach.above(float(threshold))
        mine = (scores >= threshold) & (inclusion >= part.level)
        if part.least_inclusion is None or not mine.any():
            continue
        _, low[at], high[at], _ = share_interval(
            hits[mine],
            inclusion[mine],
            level=BAND_LEVEL,
            least_inclusion=part.least_inclusion,
            unreached=part.unreached,
        )
    return low, high


def _thinned(accepted: npt.NDArray[np.int64], most: int) -> npt.NDArray[np.int64]:
    """Positions of at most ``most`` points, evenly spread in decisions, first and last among them."""
    if accepted.size <= most:
        return np.arange(accepted.size, dtype=np.int64)
    wanted = np.linspace(accepted[0], accepted[-1], most)
    return np.unique(np.searchsorted(accepted, wanted)).astype(np.int64)


def _floats(values: Floats) -> tuple[float, ...]:
    return tuple(float(value) for value in values)
