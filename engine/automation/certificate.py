"""The certificate: "precision >= p with confidence 1 - delta at threshold t, from n labels".

Learn-then-Test for selective precision (Angelopoulos et al., arXiv 2110.01052; applied to selective
risk in 2207.01609). Labels of the random stream test H_t: "precision above t is under p", thresholds one
after the other, and testing stops at the first H_t that is not rejected. The order is fixed by the
learning stream alone, so the family-wise error is at most delta.

Two things make it efficient and keep it valid: where testing starts (``testing_order.py``), and a test that
uses labels drawn with unequal probabilities (``strata.py``).

The listings that certify are drawn from a reserve fixed at import that the learning stream never
touches: otherwise learning would take the hard listings out and flatter the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from engine.automation.forecast import STEPS, Standing, everything_known, forecast
from engine.automation.strata import Strata, choose_strata, inclusion_levels
from engine.automation.testing_order import (
    LEAST_LABELS,
    Estimates,
    Profile,
    pass_probability,
    plan_start,
    played_rates,
    profile,
    smooth_precision,
)
from engine.contracts import Certificate, CertificateKind, Forecast, SegmentCertificate

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

__all__ = [
    "Audits",
    "Estimates",
    "Population",
    "certify",
    "certify_segments",
    "on_shared_labels",
    "zone_floor",
]

_GRID = 60
#: A segment with fewer audits is not certified by itself, and so many segments are at most.
LEAST_SEGMENT_LABELS, MOST_CERTIFIED_SEGMENTS = 40, 8
#: Chance of passing that "labels missing" aims for.
_WANTED_POWER = 0.8
#: Decisions of the learning stream before a zone is drawn at all.
_LEAST_FOR_ZONE = 40
#: The zone reaches to this much less than the required precision, this much wider, and at least this far.
_ZONE_SLACK, _ZONE_WIDER, _ZONE_LEAST = 0.05, 1.1, 0.5


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
    above: Bools
    strata: Strata
    required: float
    counts: Ints

    @property
    def worth(self) -> int:
        return int(self.strata.effective)

    def could_pass(self, precision: float, delta: float) -> bool:
        """Whether labels without any error would do: the labels' answers have no part in it."""
        return self.strata.p_value(np.ones(int(self.above.sum()), dtype=bool), 1 - precision) <= delta

    @property
    def shares(self) -> Floats:
        """How the accepted listings spread over the bins of the profile."""
        return np.asarray(self.counts / max(1, self.counts.sum()))


def thresholds_to_test(population: Population) -> Floats:
    """The thresholds that are tested of a population, strictest first."""
    return np.unique(np.quantile(population.confidence, 1 - np.linspace(0.02, 1.0, _GRID)))[::-1]


def _tests(
    learnt: Profile, audits: Audits, population: Population, precision: float, thresholds: Floats
) -> list[_Test]:
    """Every threshold to test, strictest first."""
    confidence = population.confidence
    levels = inclusion_levels(population.inclusion)
    level = np.searchsorted(levels * (1 - 1e-6), population.inclusion, "right") - 1
    # The strictest threshold that accepts a listing; those it does not reach are never accepted.
    first = len(thresholds) - np.searchsorted(thresholds[::-1], confidence, "right")
    by_level = _accepted(first, level + 1, (len(thresholds) + 1, len(levels) + 1))
    by_bin = _accepted(first, learnt.bins(confidence), (len(thresholds) + 1, len(learnt.right)))
    tests = []
    for j, threshold in enumerate(thresholds):
        above = audits.confidence >= threshold
        strata = choose_strata(
            levels, by_level[j, 1:], int(by_level[j, 0]), audits.inclusion[above], audits.coin[above]
        )
        covered = 1 - strata.missed
        tests.append(
            _Test(
                threshold=float(threshold),
                coverage=float(by_bin[j].sum()) / len(confidence),
                above=above,
                strata=strata,
                required=1 - (1 - precision - strata.missed) / covered if covered > 0 else 2.0,
                counts=by_bin[j],
            )
        )
    return tests


def _accepted(first: Ints, kind: Ints, shape: tuple[int, int]) -> Ints:
    """How many listings of each kind every threshold accepts, those before it included."""
    table = np.zeros(shape, dtype=np.int64)
    np.add.at(table, (first, kind), 1)
    return np.cumsum(table, axis=0)


def _newly(tests: list[_Test]) -> Floats:
    """How the listings that every threshold adds to the one before are spread: [thresholds, bins]."""
    newly = np.diff([test.counts for test in tests], axis=0, prepend=0)
    return np.asarray(newly / np.maximum(newly.sum(axis=1, keepdims=True), 1))


def _start(tests: list[_Test], rates: Floats, precision: float, delta: float) -> int | None:
    # The plan counts labels of several strata as so many plain ones; the exact test asks a little more.
    required = [test.required if test.could_pass(precision, delta) else 2.0 for test in tests]
    return plan_start(
        rates,
        _newly(tests),
        np.asarray([test.worth for test in tests]),
        np.asarray(required),
        np.asarray([test.coverage for test in tests]),
        delta,
    )


def _passed(
    tests: list[_Test], rates: Floats, audits: Audits, precision: float, delta: float
) -> list[tuple[_Test, float]]:
    """The tests passed one after the other from the planned start on, with their p-values."""
    start = _start(tests, rates, precision, delta)
    passed: list[tuple[_Test, float]] = []
    for test in tests[start:] if start is not None else []:
        p_value = test.strata.p_value(audits.right[test.above], 1 - precision)
        if p_value > delta:
            break
        passed.append((test, p_value))
    return passed


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
    learnt = profile(estimates, population.confidence)
    tests = _tests(learnt, audits, population, precision, thresholds_to_test(population))
    passed = _passed(tests, played_rates(estimates, learnt), audits, precision, delta)
    if not passed:
        return replace(none_yet, labels_missing=_labels_missing(tests, learnt, len(audits.right), delta))
    test, p_value = passed[-1]
    right = audits.right[test.above]
    return replace(
        none_yet,
        threshold=test.threshold,
        accepted=test.strata.labels,
        errors=sum(test.strata.errors(right)),
        p_value=p_value,
        lower_bound=_lower_bound(test.strata, right, precision, delta),
        expected_coverage=test.coverage,
        labels_missing=0,
        delta_spent=delta,
    )


def certify_segments(
    estimates: Estimates,
    audits: Audits,
    population: Population,
    segment_of_audits: Sequence[str],
    segment_of_population: Sequence[str],
    *,
    precision: float,
    delta: float,
) -> tuple[SegmentCertificate, ...]:
    """What can be certified of segments each by itself; any of it is wrong with a chance of at most delta.

    Delta is split evenly over the segments with :data:`LEAST_SEGMENT_LABELS` audits or more, of which the
    largest :data:`MOST_CERTIFIED_SEGMENTS` are tried. How many audits there are and where has nothing
    to do with what they said, so the choice costs nothing. Within a segment it is :func:`certify`, over
    the thresholds of the whole.

    Args:
        estimates: the learning stream of all segments.
        audits: the random stream of all segments.
        population: the reserve of all segments.
        segment_of_audits: [audits] name of the segment; "" belongs to none.
        segment_of_population: [reserve] the same.
        precision: required precision p, in (0, 1).
        delta: of all segments together, in (0, 1).
    """
    mine, theirs = (
        np.asarray(segment_of_audits, dtype=object),
        np.asarray(segment_of_population, dtype=object),
    )
    names, counts = np.unique([name for name in segment_of_audits if name], return_counts=True)
    enough = [str(name) for name, count in zip(names, counts, strict=True) if count >= LEAST_SEGMENT_LABELS]
    largest = sorted(enough, key=lambda name: (-int((theirs == name).sum()), name))[:MOST_CERTIFIED_SEGMENTS]
    if len(largest) < 2 or not len(estimates.right):
        return ()
    found = []
    for name in largest:
        some, here = mine == name, theirs == name
        part = Population(population.confidence[here], population.inclusion[here])
        labels = Audits(*(getattr(audits, field)[some] for field in Audits.__dataclass_fields__))
        learnt = profile(estimates, part.confidence)
        tests = _tests(learnt, labels, part, precision, thresholds_to_test(population))
        share = delta / len(largest)
        passed = _passed(tests, played_rates(estimates, learnt), labels, precision, share)
        found.append(
            SegmentCertificate(
                segment=name,
                reserve=len(part.confidence),
                labels=len(labels.right),
                delta=share,
                threshold=passed[-1][0].threshold if passed else None,
                tested_from=passed[0][0].threshold if passed else None,
                coverage=passed[-1][0].coverage if passed else 0.0,
            )
        )
    return tuple(found)


def forecasts(
    estimates: Estimates, audits: Audits, population: Population, *, precision: float, delta: float
) -> tuple[Forecast, ...]:
    """What further random decisions are expected to certify; arguments as for :func:`certify`.

    No more are forecast than the reserve has listings left.
    """
    steps = [more for more in STEPS if more <= len(population.confidence) - len(audits.right)]
    if not len(population.confidence) or not len(estimates.right):
        return ()
    learnt = profile(estimates, population.confidence)
    tests = _tests(learnt, audits, population, precision, thresholds_to_test(population))
    worth = np.asarray([test.strata.effective for test in tests])
    standing = Standing(
        worth=worth,
        errors=worth * [test.strata.error_rate(audits.right[test.above]) for test in tests],
        # Before the first draw no label speaks for anything; later all is expected to be spoken for.
        required=np.asarray([test.required if len(audits.right) else precision for test in tests]),
        coverage=np.asarray([test.coverage for test in tests]),
        newly=_newly(tests),
    )
    known = everything_known(learnt, audits.confidence, audits.right)
    planned = played_rates(estimates, learnt)
    random = np.random.default_rng(2)
    believed = random.beta(known.wrong, known.right, size=planned.shape)
    return forecast(standing, planned, believed, len(audits.right), delta, steps)


def on_shared_labels(certificate: Certificate, earlier: int) -> Certificate:
    """Account for ``earlier`` certificates of its kind that rest on some of the same labels.

    Each by itself is wrong with a chance of at most delta. Whoever signs them all should know what they
    cost together, which the union bound says without assuming anything about how they hang together.
    """
    if certificate.threshold is None or not earlier:
        return certificate
    issued = earlier + 1
    spent = min(1.0, issued * certificate.delta)
    note = (
        f"Certificate {issued} on shared random decisions: the chance that this one is wrong is at most "
        f"{100 * certificate.delta:.0f} %, that any of the {issued} is at most {100 * spent:.0f} %"
    )
    return replace(certificate, delta_spent=spent, note=note)


def _lower_bound(strata: Strata, right: Bools, certified: float, delta: float) -> float:
    """The highest precision that these labels would certify at this threshold."""
    low, high = certified, 1.0
    for _ in range(25):
        middle = (low + high) / 2
        if strata.p_value(right, 1 - middle) <= delta:
            low = middle
        else:
            high = middle
    return low


def _labels_missing(tests: list[_Test], learnt: Profile, labels: int, delta: float) -> int | None:
    """More random decisions until some threshold passes with a chance of 80 %; None = no number would."""
    outlook = [(test, *learnt.precision(test.shares)) for test in tests]
    for factor in (1.25, 1.5, 2, 2.5, 3, 4, 5, 7, 10, 15, 20):
        for test, expected, strength in outlook:
            share = test.worth / labels if labels and test.worth else test.coverage
            worth = int(share * max(labels, 40) * factor)
            if worth < LEAST_LABELS:
                continue
            # The estimate sharpens with further decisions too.
            chance = pass_probability(worth, expected, strength * factor, min(test.required, 0.999), delta)
            if chance >= _WANTED_POWER:
                return max(1, int(max(labels, 40) * factor) - labels)
    return None


def zone_floor(estimates: Estimates, population: Population, *, precision: float) -> float | None:
    """Confidence from which a listing might be automated one day; None while nothing is known.

    Most random draws are made above it. It is generous: somewhat below the precision that is required,
    a tenth wider, and at least half of the listings, because draws outside cannot be made up for later.
    """
    if len(estimates.right) < _LEAST_FOR_ZONE or not len(population.confidence):
        return None
    order = np.sort(population.confidence)[::-1]
    smooth = smooth_precision(estimates, order)
    running = np.cumsum(smooth) / np.arange(1, len(order) + 1)
    reach = np.flatnonzero(running >= precision - _ZONE_SLACK)
    share = (int(reach[-1]) + 1) / len(order) if len(reach) else 0.0
    share = min(1.0, max(_ZONE_WIDER * share, _ZONE_LEAST))
    return float(order[min(len(order) - 1, int(np.ceil(share * len(order))) - 1)])
