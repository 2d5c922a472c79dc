"""An exact test of "too many of the accepted are wrong" from draws with unequal probabilities.

The accepted listings fall into strata by how likely each was to be drawn. Within a stratum labels are
thinned to one common probability, so they are a plain random sample of it; between strata they weigh
as much as the stratum holds of the accepted. The statistic is the weighted share of wrong labels,
and its p-value is the largest probability, over all error rates of the strata that make the whole
exactly too wrong, of seeing so few: no assumption about which stratum holds the errors (the
unconditional exact test, Barnard 1945, with strata in place of groups). With one stratum it is the
binomial tail. What could hardly have been drawn counts as wrong in full.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt
from scipy import stats

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

MOST_STRATA = 3
#: Distinct inclusion probabilities considered as borders between strata.
_MOST_LEVELS = 7
#: Relative slack that undoes rounding of inclusion probabilities.
_SLACK = 1e-6
#: Error rate at which partitions are compared, before a label is read.
_TYPICAL_ERROR = 0.05
#: A further stratum must be worth this much of the estimate's spread.
_PER_STRATUM = 0.002
#: Grid of nuisance error rates: for two strata, for three (each way), and around the best.
_POINTS, _POINTS_EACH, _POINTS_NEAR = 101, 23, 21


@dataclass(frozen=True, slots=True)
class Strata:
    """How the labels above one threshold are to be read.

    ``weights`` are the strata's shares of the accepted listings and ``kept`` the labels used of
    each; ``missed`` is the share of the accepted that no label speaks for. ``effective`` is the
    number of plain labels the whole is worth.
    """

    weights: tuple[float, ...]
    kept: tuple[Bools, ...]
    missed: float
    effective: float

    @property
    def labels(self) -> int:
        """How many labels are used."""
        return sum(self.counts)

    @property
    def counts(self) -> list[int]:
        """Labels used of each stratum."""
        return [int(kept.sum()) for kept in self.kept]

    def errors(self, right: Bools) -> tuple[int, ...]:
        """Wrong labels of each stratum; ``right`` [labels]."""
        return tuple(int((~right[kept]).sum()) for kept in self.kept)

    def error_rate(self, right: Bools) -> float:
        """Estimated share of the accepted that is wrong, of those that labels speak for."""
        if not self.weights:
            return 0.0
        shares = [k / n for k, n in zip(self.errors(right), self.counts, strict=True)]
        return float(np.dot(self.weights, shares) / sum(self.weights))

    def p_value(self, right: Bools, allowed: float) -> float:
        """Largest probability of so few errors were at least ``allowed`` of the accepted wrong."""
        return exact_p_value(self.weights, self.counts, self.errors(right), allowed - self.missed)


def inclusion_levels(inclusion: Floats) -> Floats:
    """The inclusion probabilities that may part strata: the commonest, and the least."""
    positive = inclusion[inclusion > 0]
    if not len(positive):
        return np.zeros(0)
    levels, counts = np.unique(np.round(positive, 9), return_counts=True)
    if len(levels) > _MOST_LEVELS:
        levels = np.unique(np.r_[levels[np.argsort(-counts)[: _MOST_LEVELS - 1]], levels[0]])
    return np.asarray(levels)


def choose_strata(
    levels: Floats, accepted: Ints, missed: int, inclusion: Floats, coin: Floats, most: int = MOST_STRATA
) -> Strata:
    """The partition that promises the sharpest test; labels' answers have no part in it.

    Args:
        levels: ascending inclusion probabilities, from :func:`inclusion_levels`.
        accepted: [levels] accepted listings with an inclusion of that level up to the next.
        missed: accepted listings below the first level.
        inclusion: [labels] inclusion of the accepted labels.
        coin: [labels] uniform numbers fixed when they were drawn.
        most: strata at most.
    """
    total = int(accepted.sum()) + missed
    best: tuple[float, Strata] | None = None
    if total and len(inclusion):
        for count in range(1, most + 1):
            for borders in combinations(range(len(levels)), count):
                strata = _partition(levels, borders, accepted, total, inclusion, coin)
                if strata is None:
                    continue
                spread = (1 - strata.missed) * np.sqrt(_TYPICAL_ERROR / strata.effective)
                cost = 1.28 * spread + strata.missed + _PER_STRATUM * len(strata.weights)
                if best is None or cost < best[0] - 1e-12:
                    best = (float(cost), strata)
    return best[1] if best else Strata((), (), 1.0, 0.0)


def _partition(
    levels: Floats, borders: tuple[int, ...], accepted: Ints, total: int, inclusion: Floats, coin: Floats
) -> Strata | None:
    weights: list[float] = []
    kept: list[Bools] = []
    variance = 0.0
    for first, last in zip(borders, (*borders[1:], len(levels)), strict=True):
        low = levels[first] * (1 - _SLACK)
        high = levels[last] * (1 - _SLACK) if last < len(levels) else np.inf
        weight = float(accepted[first:last].sum()) / total
        mine = (inclusion >= low) & (inclusion < high)
        used = mine & (coin * inclusion < levels[first] * (1 + _SLACK))
        if not weight or not used.any():
            continue
        weights.append(weight)
        kept.append(used)
        # Expected labels, not those the coins happened to leave: the choice must not hunt for luck.
        expected = float(np.minimum(1.0, levels[first] / inclusion[mine]).sum())
        variance += weight**2 / max(expected, 0.5)
    if not weights:
        return None
    covered = sum(weights)
    return Strata(tuple(weights), tuple(kept), max(0.0, 1.0 - covered), covered**2 / variance)


def exact_p_value(
    weights: tuple[float, ...], labels: list[int], errors: tuple[int, ...], allowed: float
) -> float:
    """Largest P(weighted error share <= observed) over error rates with weighted sum ``allowed``.

    Args:
        weights: [strata] shares of the accepted, at most :data:`MOST_STRATA` of them.
        labels: [strata] at least 1 each.
        errors: [strata] wrong ones among them.
        allowed: weighted error rate on the border of the hypothesis.
    """
    if not weights or not 0 < allowed < sum(weights):
        return 1.0
    # The stratum with most labels is summed in closed form.
    order = np.argsort(-np.asarray(labels), kind="stable")
    w, n = np.asarray(weights, dtype=np.float64)[order], np.asarray(labels)[order]
    k = np.asarray(errors)[order]
    observed = float((w * k / n).sum())
    if len(w) == 1:
        return float(stats.binom.cdf(k[0], n[0], allowed / w[0]))
    most = np.minimum(1.0, allowed / w[1:])
    if len(w) == 2:
        axes = [np.linspace(0.0, most[0], _POINTS)]
    else:
        axes = [np.linspace(0.0, high, _POINTS_EACH) for high in most]
    value, at = _largest(w, n, observed, allowed, axes)
    near = [
        np.linspace(max(0.0, x - axis[1]), min(high, x + axis[1]), _POINTS_NEAR)
        for x, axis, high in zip(at, axes, most, strict=True)
    ]
    return min(1.0, max(value, _largest(w, n, observed, allowed, near)[0]))


def _largest(w: Floats, n: Ints, observed: float, allowed: float, axes: list[Floats]) -> tuple[float, Floats]:
    """Largest probability over a grid of error rates of all strata but the first, and where it is."""
    rest = np.stack([axis.ravel() for axis in np.meshgrid(*axes, indexing="ij")], axis=1)
    first = (allowed - rest @ w[1:]) / w[0]
    possible = (first >= -1e-12) & (first <= 1 + 1e-12)
    rest, first = rest[possible], np.clip(first[possible], 0.0, 1.0)
    if not len(rest):
        return 0.0, np.zeros(len(axes))
    # Every combination of errors in the other strata that leaves room for the first.
    counts = np.stack(
        [part.ravel() for part in np.meshgrid(*(np.arange(m + 1) for m in n[1:]), indexing="ij")], axis=1
    )
    room = observed - (counts / n[1:]) @ w[1:]
    counts, room = counts[room >= -1e-12], room[room >= -1e-12]
    limit = np.minimum(np.floor(np.maximum(room, 0.0) * n[0] / w[0] + 1e-9), n[0]).astype(np.int64)
    tail = stats.binom.cdf(np.arange(limit.max() + 1)[None, :], n[0], first[:, None])
    chance = tail[:, limit]
    for stratum in range(counts.shape[1]):
        pmf = stats.binom.pmf(np.arange(n[1 + stratum] + 1)[None, :], n[1 + stratum], rest[:, [stratum]])
        chance = chance * pmf[:, counts[:, stratum]]
    total = chance.sum(axis=1)
    at = int(np.argmax(total))
    return float(total[at]), rest[at]
