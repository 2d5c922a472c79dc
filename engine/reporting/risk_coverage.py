"""The risk-coverage curve of judged listings, by confidence and by similarity alone."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from engine.contracts import RiskCoverage
from engine.contracts.selective import clopper_pearson_bounds, selective_curve

#: Confidence level of the pointwise bounds.
BAND_LEVEL = 0.9
#: More points than this cannot be told apart on a screen.
MOST_POINTS = 400


def risk_coverage(
    confidence: npt.ArrayLike,
    similarity: npt.ArrayLike,
    right: npt.ArrayLike,
    similarity_right: npt.ArrayLike | None = None,
    most_points: int = MOST_POINTS,
) -> RiskCoverage:
    """Selective precision against coverage at every threshold, strictest first.

    Args:
        confidence: [n] confidence of each judged listing's best candidate.
        similarity: [n] highest similarity of its candidates.
        right: [n] whether the best candidate by confidence is the reviewer's match.
        similarity_right: [n] the same for the best by similarity; ``right`` when not given.
        most_points: longer curves are thinned to so many points, evenly in coverage, ends kept.

    Returns:
        The curve with pointwise Clopper-Pearson bounds at level .9; empty tuples for no labels.

    Raises:
        ValueError: the shapes differ or a score is NaN.
    """
    curve = selective_curve(confidence, right)
    by_similarity = selective_curve(similarity, right if similarity_right is None else similarity_right)
    kept = _thinned(curve.accepted, most_points)
    kept_similarity = _thinned(by_similarity.accepted, most_points)
    accepted, errors = curve.accepted[kept], curve.errors[kept]
    low, high = clopper_pearson_bounds(accepted - errors, accepted, BAND_LEVEL)
    return RiskCoverage(
        coverage=_floats(curve.coverage[kept]),
        precision=_floats(curve.precision[kept]),
        low=_floats(low),
        high=_floats(high),
        # -inf (no candidate) accepts everything; JSON has no word for it, and no confidence is below 0.
        thresholds=_floats(np.maximum(curve.thresholds[kept], -1.0)),
        similarity_coverage=_floats(by_similarity.coverage[kept_similarity]),
        similarity_precision=_floats(by_similarity.precision[kept_similarity]),
        labels=int(np.asarray(right).size),
    )


def _thinned(accepted: npt.NDArray[np.int64], most: int) -> npt.NDArray[np.int64]:
    """Positions of at most ``most`` points, evenly spread in coverage, first and last among them."""
    if accepted.size <= most:
        return np.arange(accepted.size, dtype=np.int64)
    wanted = np.linspace(accepted[0], accepted[-1], most)
    return np.unique(np.searchsorted(accepted, wanted)).astype(np.int64)


def _floats(values: npt.NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(float(value) for value in values)
