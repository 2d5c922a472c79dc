"""Shares estimated from audits that were drawn with different probabilities, with honest intervals.

An audit stands for 1 / inclusion listings. Where every listing had the same chance of being drawn, the
audits are a simple random sample and the interval is the exact one of Clopper and Pearson. Where the
chances differ no exact interval is known; the one of Fay and Feuer (Statistics in Medicine 16, 1997)
for a weighted sum of Poisson counts keeps its level in every case they and others tried. The listing
that was least likely to be drawn, drawn or not, sets how much an unseen error may weigh.

So that a handful of listings that were hardly ever drawn from do not spoil everything, a report sets
them apart: from some inclusion probability down they count as not reached, right or wrong as may be,
and audits of them are left out. :class:`Reach` picks that probability without looking at an answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from engine.contracts import Estimate
from engine.contracts.selective import clopper_pearson

#: Confidence level of intervals in reports.
LEVEL = 0.9
#: A share is not named on fewer audits than this.
LEAST_AUDITS = 10
#: Nor where its interval is wider than this.
WIDEST = 0.5
#: Inclusion probabilities that differ by less than this, relatively, are the same.
_SAME = 1e-6
#: Shares of the audits that are given up at most where a level is picked.
_LEVELS = (0.0, 0.02, 0.05, 0.1, 0.25, 0.5)


@dataclass(frozen=True, slots=True)
class ReachedPart:
    """Listings above a threshold: from which inclusion probability on audits reach them, and how well.

    ``unreached`` is the share of them below that probability, ``least_inclusion`` the smallest
    probability of the others; None where audits reach none.
    """

    level: float
    unreached: float
    least_inclusion: float | None


class Reach:
    """How far audits reach into the listings they were drawn from.

    Args:
        confidence: [m] of every listing that might have been drawn.
        inclusion: [m] the probability with which each would have been drawn, 0 for never.
        audited_confidence: [n] of the audits.
        audited_inclusion: [n] the same of the audits.
    """

    def __init__(
        self,
        confidence: npt.NDArray[np.float64],
        inclusion: npt.NDArray[np.float64],
        audited_confidence: npt.NDArray[np.float64],
        audited_inclusion: npt.NDArray[np.float64],
    ) -> None:
        order = np.argsort(-confidence, kind="stable")
        self._confidence, inclusion = confidence[order], inclusion[order]
        self._audited_confidence, self._audited_inclusion = audited_confidence, audited_inclusion
        chances = audited_inclusion if audited_inclusion.size else np.ones(1)
        self._levels = np.unique(np.quantile(chances, _LEVELS, method="lower")) * (1 - _SAME)
        self._reached = [np.cumsum(inclusion >= level) for level in self._levels]
        self._least = [
            np.minimum.accumulate(np.where(inclusion >= level, inclusion, np.inf)) for level in self._levels
        ]

    def coverage(self, thresholds: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """The share of listings at or above each threshold: [t]."""
        above = np.searchsorted(-self._confidence, -thresholds, side="right")
        return np.asarray(above / max(1, self._confidence.size))

    def above(self, threshold: float) -> ReachedPart:
        """The level that leaves least in doubt at and above a threshold."""
        listings = int(np.searchsorted(-self._confidence, -threshold, side="right"))
        mine = self._audited_inclusion[self._audited_confidence >= threshold]
        best, least_doubt = ReachedPart(0.0, 1.0, None), np.inf
        if not listings:
            return ReachedPart(0.0, 0.0, None)
        for level, reached, least in zip(self._levels, self._reached, self._least, strict=True):
            used = mine[mine >= level]
            if not used.size or not reached[listings - 1]:
                continue
            unreached = 1 - float(reached[listings - 1]) / listings
            rarest = float(least[listings - 1])
            # Where no error is seen, the bound is three of the heaviest weights.
            doubt = unreached + (1 - unreached) * 3 / rarest / float((1 / used).sum())
            if doubt < least_doubt:
                best, least_doubt = ReachedPart(float(level), unreached, rarest), doubt
        return best


class Interval(NamedTuple):
    """A share in [0, 1] with its bounds and how they were made (see :class:`Estimate`)."""

    share: float
    low: float
    high: float
    method: str


def share_interval(
    hit: npt.ArrayLike,
    inclusion: npt.ArrayLike,
    *,
    level: float = LEVEL,
    least_inclusion: float | None = None,
    unreached: float = 0.0,
) -> Interval:
    """The share of listings that are hits, from audits of them.

    Args:
        hit: [n] whether each audited listing is a hit.
        inclusion: [n] probability with which each was drawn, in (0, 1].
        level: two-sided confidence in (0, 1).
        least_inclusion: smallest probability above 0 of all listings that the share is about, audited
            or not; the audits' own when not given.
        unreached: share of those listings that could not have been drawn at all, in [0, 1]. They may be
            hits or not: the bounds allow for both, the share is of the others.

    Returns:
        The share and its bounds; (0, 0, 1, "none") for no audits.

    Raises:
        ValueError: the shapes differ, or a probability is not in (0, 1].
    """
    hits = np.asarray(hit).astype(bool)
    chances = np.asarray(inclusion, dtype=np.float64)
    if hits.ndim != 1 or hits.shape != chances.shape:
        raise ValueError(f"hit has shape {hits.shape} and inclusion {chances.shape}; both must be [n]")
    if not hits.size:
        return Interval(0.0, 0.0, 1.0, "none")
    if not ((chances > 0) & (chances <= 1)).all():
        raise ValueError("inclusion probabilities lie above 0 and at most at 1")
    least = float(chances.min()) if least_inclusion is None else min(least_inclusion, float(chances.min()))
    if float(chances.max()) <= least * (1 + _SAME):
        low, high = clopper_pearson(int(hits.sum()), hits.size, level)
        share, method = float(hits.mean()), "exact"
    else:
        total = float((1 / chances).sum())
        weights = 1 / chances / total
        heaviest = 1 / least / total
        share, method = float(weights[hits].sum()), "weighted"
        # The rarer outcome is the one that is nearly Poisson.
        if share <= 0.5:
            low, high = fay_feuer(weights[hits], heaviest, level)
        else:
            miss_low, miss_high = fay_feuer(weights[~hits], heaviest, level)
            low, high = 1 - miss_high, 1 - miss_low
    reached = 1.0 - unreached
    return Interval(share, reached * low, reached * high + unreached, method)


def fay_feuer(weights: npt.NDArray[np.float64], heaviest: float, level: float) -> tuple[float, float]:
    """Bounds of a sum of Poisson counts, each of a known weight; in [0, 1] because it is a share here.

    Args:
        weights: [k] the weight of every event that was counted.
        heaviest: the largest weight that an event could have had.
        level: two-sided confidence in (0, 1).

    Source: Fay and Feuer 1997, "Confidence intervals for directly standardized rates: a method based on
    the gamma distribution"; with equal weights it is Garwood's exact Poisson interval.
    """
    from scipy.stats import chi2  # deferred: slow to import

    tail = (1.0 - level) / 2.0
    rate, variance = float(weights.sum()), float((weights**2).sum())
    low = 0.0
    if rate > 0:
        low = variance / (2 * rate) * float(chi2.ppf(tail, 2 * rate**2 / variance))
    rate, variance = rate + heaviest, variance + heaviest**2
    high = variance / (2 * rate) * float(chi2.ppf(1 - tail, 2 * rate**2 / variance))
    return min(1.0, low), min(1.0, high)


def estimate(interval: Interval, audits: int, least: int = LEAST_AUDITS) -> Estimate:
    """An interval as what a report says: words instead of a share where audits are few or say little."""
    share: float | None = None
    bounds = f"{_whole(interval.low)}–{_whole(interval.high)} %, {counted(audits, 'audit')}"
    if not audits:
        said = "no audits yet"
    elif audits < least:
        said = f"too few to say: {counted(audits, 'audit')}"
    elif interval.high - interval.low > WIDEST:
        said = f"too uncertain to say ({bounds})"
    else:
        share = interval.share
        said = f"{_whole(share)} % ({bounds})"
    return Estimate(share, interval.low, interval.high, audits, interval.method, said)


def counted(number: int, noun: str) -> str:
    """``1 audit``, ``1,234 audits``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _whole(share: float) -> str:
    return f"{100 * share:.0f}"
