"""Selective prediction: what is gained by accepting only what is certain enough.

The one place that defines coverage at a precision (C@1), the risk-coverage curve and its area, so
that the certificate, the trainer, the replay and the screens cannot mean different things by them.
A listing has the confidence of its best candidate and is right or wrong; equal confidences are
always accepted together, because no threshold can part them. Nothing but numpy is imported with
this module (scipy once an exact bound is asked for).

Source: method.md section 1; El-Yaniv and Wiener 2010 (risk-coverage); Geifman and El-Yaniv 2017.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: Slack of "share >= precision" in accepted listings: only undoes the rounding of ``precision * n``.
_COUNT_SLACK = 1e-9


class SelectiveCurve(NamedTuple):
    """One row per distinct confidence, strictest threshold first; all arrays have shape [t].

    ``accepted[i]`` listings have a confidence of at least ``thresholds[i]``, ``errors[i]`` of them
    are wrong; ``coverage`` and ``precision`` are the same as shares.
    """

    thresholds: Floats
    coverage: Floats
    precision: Floats
    accepted: Ints
    errors: Ints


def selective_curve(confidence: npt.ArrayLike, right: npt.ArrayLike) -> SelectiveCurve:
    """Every threshold that makes a difference, and what would be accepted at it.

    Args:
        confidence: [n] confidence of the best candidate of each listing; any finite or infinite
            number, only the order counts (``-inf`` = has no candidate).
        right: [n] whether that candidate is right, as bool or 0/1.

    Returns:
        The curve; empty arrays when n is 0.

    Raises:
        ValueError: the shapes differ, or a confidence is NaN.
    """
    scores = np.asarray(confidence, dtype=np.float64)
    hits = np.asarray(right).astype(bool)
    if scores.ndim != 1 or scores.shape != hits.shape:
        raise ValueError(f"confidence has shape {scores.shape} and right {hits.shape}; both must be [n]")
    if np.isnan(scores).any():
        raise ValueError("a confidence is NaN; give -inf to a listing without a candidate")
    if scores.size == 0:
        none = np.zeros(0, dtype=np.float64)
        return SelectiveCurve(none, none, none, none.astype(np.int64), none.astype(np.int64))
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    last_of_tie = np.append(ranked[1:] != ranked[:-1], True)
    accepted = np.arange(1, scores.size + 1, dtype=np.int64)[last_of_tie]
    errors = np.cumsum(~hits[order], dtype=np.int64)[last_of_tie]
    return SelectiveCurve(
        thresholds=ranked[last_of_tie],
        coverage=accepted / scores.size,
        precision=1.0 - errors / accepted,
        accepted=accepted,
        errors=errors,
    )


def coverage_at(confidence: npt.ArrayLike, right: npt.ArrayLike, precision: float) -> float:
    """C@1: the largest coverage whose selective precision is at least ``precision`` (0 if none is).

    The threshold is picked with the answers in hand, so this is an oracle: no threshold could do
    better on these listings. What may be promised is the certified coverage, never this.

    Args:
        confidence: [n] as in :func:`selective_curve`.
        right: [n] as in :func:`selective_curve`.
        precision: required share of right ones among the accepted, in [0, 1].

    Raises:
        ValueError: as :func:`selective_curve`.
    """
    curve = selective_curve(confidence, right)
    good_enough = curve.accepted - curve.errors >= precision * curve.accepted - _COUNT_SLACK
    return float(curve.coverage[good_enough].max(initial=0.0))


def area_under_risk_coverage(confidence: npt.ArrayLike, right: npt.ArrayLike) -> float:
    """AURC: the mean, over listings, of the risk one runs by accepting all that are as certain.

    For listing i that is the share of wrong ones among all listings with a confidence of at least
    its own; lower is better, 0 is perfect, and a confidence without information gives the share of
    wrong ones. 0 for no listings.

    Args:
        confidence: [n] as in :func:`selective_curve`.
        right: [n] as in :func:`selective_curve`.

    Raises:
        ValueError: as :func:`selective_curve`.
    """
    curve = selective_curve(confidence, right)
    if curve.accepted.size == 0:
        return 0.0
    newly_accepted = np.diff(curve.accepted, prepend=0)
    risk = curve.errors / curve.accepted
    return float((newly_accepted * risk).sum() / curve.accepted[-1])


def clopper_pearson_bounds(successes: npt.ArrayLike, n: npt.ArrayLike, level: float) -> tuple[Floats, Floats]:
    """Exact two-sided bounds of many proportions at once; see :func:`clopper_pearson`.

    Args:
        successes: [k] integer counts, 0 <= successes <= n.
        n: [k] integer counts; 0 gives the bounds (0, 1).
        level: confidence in (0, 1), each side missing at most (1 - level) / 2.

    Returns:
        Lower and upper bounds, each [k], as shares in [0, 1].

    Raises:
        ValueError: a count is negative, successes exceed n, or the level is not in (0, 1).
    """
    from scipy.special import betaincinv  # deferred: reading DTOs must not cost a scipy import

    hits = np.asarray(successes, dtype=np.float64)
    trials = np.asarray(n, dtype=np.float64)
    if not 0.0 < level < 1.0:
        raise ValueError(f"a confidence level lies between 0 and 1, not {level}")
    if (hits < 0).any() or (hits > trials).any():
        raise ValueError("successes lie between 0 and n")
    tail = (1.0 - level) / 2.0
    misses = trials - hits
    # The beta quantiles are undefined at the ends, where the bound is the end itself.
    low = np.where(hits == 0, 0.0, betaincinv(np.maximum(hits, 1.0), misses + 1.0, tail))
    high = np.where(misses == 0, 1.0, betaincinv(hits + 1.0, np.maximum(misses, 1.0), 1.0 - tail))
    return np.asarray(low, dtype=np.float64), np.asarray(high, dtype=np.float64)


def clopper_pearson(successes: int, n: int, level: float) -> tuple[float, float]:
    """Exact two-sided confidence bounds of a proportion (Clopper and Pearson 1934).

    Args:
        successes: right ones, 0 <= successes <= n.
        n: all of them; 0 gives (0, 1).
        level: confidence in (0, 1), e.g. .9 for 5 % on each side.

    Raises:
        ValueError: as :func:`clopper_pearson_bounds`.
    """
    low, high = clopper_pearson_bounds([successes], [n], level)
    return float(low[0]), float(high[0])
