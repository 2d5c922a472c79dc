"""Where the certificate starts testing: planned by simulation on what the learning stream says.

On real feeds the very top of the scores holds near-twins and wrong answers, and few labels: testing
from the strictest threshold down dies at once. Starting loose is a gamble. The plan draws error
rates from their posterior, plays the whole sequence of tests on them, and starts where the coverage
reached is highest on average. No certification label is looked at, only how many there are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats
from sklearn.linear_model import LogisticRegression

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

#: Weight, in listings, of the smooth curve against the judged listings of a bin.
_SMOOTHING = 30.0
_BINS = 25
_PLAYED, _RESAMPLES = 300, 50
#: Spread, in log odds, of what the learning stream says of the rest wrongly as a whole.
_SHIFT = 0.4
#: What ending without a certificate costs, in coverage: automation that stops is worse than a little less.
_NOTHING_COSTS = 1.0
LEAST_LABELS = 20


@dataclass(frozen=True, slots=True)
class Estimates:
    """What the learning stream says: out-of-fold confidence of judged listings and whether right."""

    confidence: Floats
    right: Bools


@dataclass(frozen=True, slots=True)
class Profile:
    """Posterior of the error rate by confidence: Beta(``wrong``, ``right``) in each bin.

    The learning stream asks near the threshold, so its listings are no fair sample of those above it.
    Within a narrow bin of confidence they are; ``edges`` part the bins, ``middles`` are their medians.
    """

    edges: Floats
    middles: Floats
    right: Floats
    wrong: Floats

    def bins(self, confidence: Floats) -> Ints:
        """The bin of every listing."""
        return np.searchsorted(self.edges, confidence, "right")

    def precision(self, shares: Floats) -> tuple[float, float]:
        """Expected precision of listings so spread, and its worth in judged listings."""
        mean = self.right / (self.right + self.wrong)
        variance = mean * (1 - mean) / (self.right + self.wrong + 1)
        expected = float(shares @ mean)
        spread = float(shares**2 @ variance)
        return expected, max(5.0, expected * (1 - expected) / max(spread, 1e-9) - 1)


def smooth_precision(estimates: Estimates, confidence: Floats) -> Floats:
    """P(right) by confidence: a two-parameter logistic curve through the learning stream."""
    if len(np.unique(estimates.right)) < 2:
        return np.full(len(confidence), float(estimates.right.mean()) if len(estimates.right) else 0.0)
    curve = LogisticRegression(C=10.0).fit(_logit(estimates.confidence)[:, None], estimates.right)
    return np.asarray(curve.predict_proba(_logit(confidence)[:, None])[:, 1])


def _logit(confidence: Floats) -> Floats:
    clipped = np.clip(np.asarray(confidence, dtype=np.float64), 1e-6, 1 - 1e-6)
    return np.asarray(np.log(clipped / (1 - clipped)))


def profile(estimates: Estimates, population: Floats) -> Profile:
    """The learning stream by confidence; ``population`` [n] are confidences of all listings."""
    edges = np.unique(np.quantile(population, np.linspace(0, 1, _BINS + 1)))[1:-1]
    return _profile(estimates, edges, _middles(edges, population))


def _middles(edges: Floats, population: Floats) -> Floats:
    """Median confidence of every bin: [bins]."""
    bins = np.searchsorted(edges, population, "right")
    order = np.lexsort((population, bins))
    starts = np.searchsorted(bins[order], np.arange(len(edges) + 1), "left")
    ends = np.searchsorted(bins[order], np.arange(len(edges) + 1), "right")
    return np.asarray(population[order][np.minimum((starts + ends) // 2, len(order) - 1)])


def _profile(estimates: Estimates, edges: Floats, middles: Floats) -> Profile:
    curve = smooth_precision(estimates, middles)
    judged = np.searchsorted(edges, estimates.confidence, "right")
    seen = np.bincount(judged, minlength=len(edges) + 1)
    right = np.bincount(judged, estimates.right.astype(np.float64), len(edges) + 1)
    return Profile(
        edges=edges,
        middles=middles,
        right=right + _SMOOTHING * curve + 0.2,
        wrong=seen - right + _SMOOTHING * (1 - curve) + 0.2,
    )


def played_rates(estimates: Estimates, learnt: Profile) -> Floats:
    """Error rates of every bin of ``learnt`` that the learning stream does not rule out: [plays, bins].

    Listings are resampled before the curve is drawn through them, because the curve itself is only as
    good as they are.
    """
    random = np.random.default_rng(0)
    count, bins = len(estimates.right), len(learnt.right)
    rates = []
    for _ in range(_RESAMPLES):
        some = random.integers(0, count, count)
        resampled = Estimates(estimates.confidence[some], estimates.right[some])
        drawn = _profile(resampled, learnt.edges, learnt.middles)
        rates.append(random.beta(drawn.wrong, drawn.right, size=(_PLAYED // _RESAMPLES, bins)))
    played = np.clip(np.concatenate(rates), 1e-9, 1 - 1e-9)
    # Listings that were chosen to learn from are not quite like the others: each play errs as a whole.
    odds = np.log(played / (1 - played)) + random.normal(0.0, _SHIFT, size=(len(played), 1))
    return np.asarray(1 / (1 + np.exp(-odds)))


def largest_errors(labels: int, required: float, delta: float) -> int:
    """Most errors among ``labels`` that still refute "precision under required"; -1 where none does."""
    errors = int(stats.binom.ppf(delta, labels, 1 - required))
    return errors if stats.binom.cdf(errors, labels, 1 - required) <= delta else errors - 1


def pass_probability(labels: int, precision: float, strength: float, required: float, delta: float) -> float:
    """Chance that ``labels`` refute "precision under required".

    The precision is known only from ``strength`` judged listings, hence beta-binomial.
    """
    if labels < 1 or required >= 1:
        return 0.0
    most = largest_errors(labels, required, delta)
    if most < 0:
        return 0.0
    wrong = (1 - precision) * strength
    return float(stats.betabinom.cdf(most, labels, wrong + 0.5, strength - wrong + 0.5))


def plan_start(
    rates: Floats, newly: Floats, labels: Ints, required: Floats, coverage: Floats, delta: float
) -> int | None:
    """The threshold to start at; None where no start is expected to certify anything.

    Args:
        rates: [plays, bins] error rates by confidence, from :func:`played_rates`.
        newly: [thresholds, bins] how listings that a threshold adds to the one before are spread.
        labels: [thresholds] plain labels that the accepted labels are worth, strictest first.
        required: [thresholds] precision to show on them; 1 or more where that cannot be.
        coverage: [thresholds] share of listings accepted.
        delta: error probability of each test.
    """
    random = np.random.default_rng(0)
    added = np.diff(np.maximum.accumulate(labels), prepend=0)
    wrong = random.binomial(np.broadcast_to(added, (len(rates), len(labels))), np.clip(rates @ newly.T, 0, 1))
    reached = walk(np.cumsum(wrong, axis=1), labels, required, coverage, delta)
    value = reached.mean(axis=0) + _NOTHING_COSTS * (reached > 0).mean(axis=0)
    if value.max(initial=0.0) > 0:
        return int(np.argmax(value))
    # No play gets anywhere; what the learning stream says may be wrong, and trying costs nothing.
    possible = np.flatnonzero(_most_errors(labels, required, delta) >= 0)
    mean = np.clip(rates.mean(axis=0) @ newly.T, 0, 1)
    wrong = np.cumsum(added * mean) / np.maximum(np.cumsum(added), 1)
    return int(possible[np.argmin(wrong[possible])]) if len(possible) else None


def walk(errors: Floats, labels: Ints, required: Floats, coverage: Floats, delta: float) -> Floats:
    """The coverage certified by testing from every threshold on: [plays, thresholds].

    Args:
        errors: [plays, thresholds] wrong ones among the accepted labels.
        labels: [thresholds] accepted labels, strictest threshold first.
        required: [thresholds] precision to show on them; 1 or more where that cannot be.
        coverage: [thresholds] share of listings accepted.
        delta: error probability of each test.
    """
    passes = errors <= _most_errors(labels, required, delta)
    reached = np.zeros((len(errors), len(labels) + 1))
    for j in range(len(labels) - 1, -1, -1):
        reached[:, j] = np.where(passes[:, j], np.maximum(coverage[j], reached[:, j + 1]), 0.0)
    return reached[:, :-1]


def _most_errors(labels: Ints, required: Floats, delta: float) -> Ints:
    """Most errors with which each threshold still passes; -1 where none does: [thresholds]."""
    return np.asarray(
        [
            largest_errors(int(count), float(wanted), delta) if count >= LEAST_LABELS and wanted < 1 else -1
            for count, wanted in zip(labels, required, strict=True)
        ]
    )
