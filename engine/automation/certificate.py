"""The certificate: "precision >= p with confidence 1 - delta at threshold t, from n labels".

Learn-then-Test for selective precision (Angelopoulos et al., arXiv 2110.01052; applied to selective
risk in 2207.01609). Labels of the random stream test H_t: "precision above t is under p" with the
exact binomial tail, thresholds one after the other in an order fixed by the learning stream alone,
and testing stops at the first H_t that is not rejected. So the family-wise error is at most delta.

Two things make it efficient and keep it valid:

* **The order.** On real feeds the very top of the scores holds near-twins and wrong answers, so
  testing from the strictest threshold down dies at once. Testing starts where the learning stream
  says that the test is most likely to pass, and moves to ever looser thresholds.
* **The sample.** Random draws are made where automation might happen, so their inclusion
  probabilities differ. Labels are thinned to one common probability (a coin fixed per draw, blind
  to the answer); listings that could hardly have been drawn count as wrong in full.

The listings that certify are drawn from a reserve fixed at import that the learning stream never
touches: otherwise learning would take the hard listings out and flatter the rest.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import stats
from sklearn.linear_model import LogisticRegression

from engine.contracts import Certificate, CertificateKind

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

_GRID = 60
#: Weight, in listings, of the smooth precision estimate against the raw one at each threshold.
_SMOOTHING = 30.0
_LEAST_ACCEPTED = 20
#: Chance of passing that "labels missing" aims for.
_WANTED_POWER = 0.8


@dataclass(frozen=True, slots=True)
class Estimates:
    """What the learning stream says: out-of-fold confidence of judged listings and whether right."""

    confidence: Floats
    right: Bools


@dataclass(frozen=True, slots=True)
class Audits:
    """Judged listings of the random stream.

    ``inclusion`` is the probability with which each was drawn, ``coin`` a uniform number in [0, 1)
    fixed when it was drawn.
    """

    confidence: Floats
    right: Bools
    inclusion: Floats
    coin: Floats


@dataclass(frozen=True, slots=True)
class Population:
    """The reserve, judged or not: confidence and inclusion probability of every listing."""

    confidence: Floats
    inclusion: Floats


@dataclass(frozen=True, slots=True)
class _Test:
    """One threshold, with what can be said of it before a label is read."""

    threshold: float
    coverage: float
    required: float
    kept: Bools
    accepted: int
    expected_precision: float
    strength: float


def _largest_errors(accepted: int, required: float, delta: float) -> int:
    """Most errors among ``accepted`` that still reject H_t; -1 where none does."""
    errors = int(stats.binom.ppf(delta, accepted, 1 - required))
    return errors if stats.binom.cdf(errors, accepted, 1 - required) <= delta else errors - 1


def pass_probability(
    accepted: int, precision: float, strength: float, required: float, delta: float
) -> float:
    """Chance that ``accepted`` labels reject H_t.

    The precision is known only from ``strength`` judged listings, hence beta-binomial.
    """
    if accepted < 1 or required >= 1:
        return 0.0
    most = _largest_errors(accepted, required, delta)
    if most < 0:
        return 0.0
    wrong = (1 - precision) * strength
    return float(stats.betabinom.cdf(most, accepted, wrong + 0.5, strength - wrong + 0.5))


def smooth_precision(estimates: Estimates, confidence: Floats) -> Floats:
    """P(right) by confidence: a two-parameter logistic curve through the learning stream."""
    if len(np.unique(estimates.right)) < 2:
        return np.full(len(confidence), float(estimates.right.mean()) if len(estimates.right) else 0.0)
    curve = LogisticRegression(C=10.0).fit(_logit(estimates.confidence)[:, None], estimates.right)
    return np.asarray(curve.predict_proba(_logit(confidence)[:, None])[:, 1])


def _logit(confidence: Floats) -> Floats:
    clipped = np.clip(np.asarray(confidence, dtype=np.float64), 1e-6, 1 - 1e-6)
    return np.asarray(np.log(clipped / (1 - clipped)))


def _common_inclusion(population: Population, audits: Audits, threshold: float) -> tuple[float, float]:
    """``(c, share)``: thin labels to inclusion c; ``share`` of the accepted had at least c.

    Picks the c that leaves most labels after paying for the share that counts as wrong.
    """
    inclusion = population.inclusion[population.confidence >= threshold]
    mine = audits.inclusion[audits.confidence >= threshold]
    if not len(inclusion) or not len(mine):
        return 1.0, 0.0
    best = (1.0, 0.0, -1.0)
    for level in np.unique(np.quantile(mine, [0.0, 0.02, 0.05, 0.1, 0.25, 0.5], method="lower")):
        if level <= 0:
            continue
        share = float((inclusion >= level * (1 - 1e-9)).mean())
        usable = float(np.minimum(1.0, level / mine[mine >= level * (1 - 1e-9)]).sum())
        # Every per cent that counts as wrong costs far more than a per cent of the labels.
        value = usable * max(0.0, 1 - 20 * (1 - share))
        if value > best[2]:
            best = (float(level), share, value)
    return best[0], best[1]


def _tests(estimates: Estimates, audits: Audits, population: Population, precision: float) -> list[_Test]:
    thresholds = np.unique(np.quantile(population.confidence, 1 - np.linspace(0.02, 1.0, _GRID)))[::-1]
    smooth = smooth_precision(estimates, population.confidence)
    tests = []
    for threshold in thresholds:
        inside = population.confidence >= threshold
        judged = estimates.confidence >= threshold
        smoothed = float(smooth[inside].mean())
        count = int(judged.sum())
        expected = (float(estimates.right[judged].sum()) + _SMOOTHING * smoothed) / (count + _SMOOTHING)
        level, share = _common_inclusion(population, audits, float(threshold))
        kept = (
            (audits.confidence >= threshold)
            & (audits.inclusion >= level * (1 - 1e-9))
            & (audits.coin * audits.inclusion < level * (1 + 1e-9))
        )
        tests.append(
            _Test(
                threshold=float(threshold),
                coverage=float(inside.mean()),
                required=precision / share if share > 0 else 2.0,
                kept=kept,
                accepted=int(kept.sum()),
                expected_precision=expected,
                strength=count + _SMOOTHING,
            )
        )
    return tests


def certify(
    estimates: Estimates,
    audits: Audits,
    population: Population,
    *,
    precision: float,
    delta: float,
    kind: CertificateKind = CertificateKind.MATCH,
) -> Certificate:
    """The loosest threshold that the labels certify, or how many labels are missing.

    Args:
        estimates: the learning stream, which fixes the order of testing.
        audits: the random stream, which is tested.
        population: the reserve the audits were drawn from.
        precision: required precision p, in (0, 1).
        delta: allowed probability of a wrong certificate, in (0, 1).
        kind: what is certified.
    """
    none_yet = Certificate(
        kind=kind,
        precision=precision,
        delta=delta,
        threshold=None,
        labels=len(audits.right),
        accepted=0,
        errors=0,
        p_value=None,
        lower_bound=None,
        expected_coverage=0.0,
        labels_missing=None,
        delta_spent=0.0,
    )
    if not len(population.confidence) or not len(estimates.right):
        return none_yet
    tests = _tests(estimates, audits, population, precision)
    chances = [
        pass_probability(t.accepted, t.expected_precision, t.strength, t.required, delta)
        if t.accepted >= _LEAST_ACCEPTED
        else 0.0
        for t in tests
    ]
    passed: tuple[_Test, int, float] | None = None
    start = int(np.argmax(chances))
    if chances[start] > 0:
        for test in tests[start:]:
            errors = int((~audits.right[test.kept]).sum())
            p_value = (
                float(stats.binom.cdf(errors, test.accepted, 1 - test.required)) if test.required < 1 else 1.0
            )
            if p_value > delta:
                break
            passed = (test, errors, p_value)
    if passed is None:
        return replace(none_yet, labels_missing=_labels_missing(tests, len(audits.right), delta))
    test, errors, p_value = passed
    lower = stats.beta.ppf(delta, test.accepted - errors, errors + 1) * (precision / test.required)
    return replace(
        none_yet,
        threshold=test.threshold,
        accepted=test.accepted,
        errors=errors,
        p_value=p_value,
        lower_bound=float(lower),
        expected_coverage=test.coverage,
        labels_missing=0,
        delta_spent=delta,
    )


def _labels_missing(tests: list[_Test], labels: int, delta: float) -> int | None:
    """More random decisions until some threshold passes with a chance of 80 %; None = no number would."""
    for factor in (1.25, 1.5, 2, 2.5, 3, 4, 5, 7, 10, 15, 20):
        for test in tests:
            share = test.accepted / labels if labels else test.coverage
            accepted = int(share * max(labels, 40) * factor)
            required = min(test.required, 0.999)
            if accepted < _LEAST_ACCEPTED:
                continue
            # The estimate sharpens with further decisions too.
            strength = test.strength * factor
            if (
                pass_probability(accepted, test.expected_precision, strength, required, delta)
                >= _WANTED_POWER
            ):
                return max(1, int(max(labels, 40) * factor) - labels)
    return None


def zone_floor(estimates: Estimates, population: Population, *, precision: float) -> float | None:
    """Confidence from which a listing might be automated one day; None while nothing is known.

    Random draws are made above it. It is generous: a little below the precision that is required,
    and a tenth wider, because draws outside a zone cannot be made up for later.
    """
    if len(estimates.right) < 40 or not len(population.confidence):
        return None
    order = np.sort(population.confidence)[::-1]
    smooth = smooth_precision(estimates, order)
    running = np.cumsum(smooth) / np.arange(1, len(order) + 1)
    reach = np.flatnonzero(running >= precision - 0.03)
    share = (int(reach[-1]) + 1) / len(order) if len(reach) else 0.0
    share = min(1.0, max(1.1 * share, 0.3))
    return float(order[min(len(order) - 1, int(np.ceil(share * len(order))) - 1)])
