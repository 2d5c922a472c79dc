"""Segments certified by themselves: delta is split, a bad segment does not pass on a good one's labels."""

from __future__ import annotations

import numpy as np
from scipy import stats

from engine.automation.certificate import (
    LEAST_SEGMENT_LABELS,
    Audits,
    Estimates,
    Population,
    certify,
    certify_segments,
)
from engine.contracts import SegmentCertificate

LISTINGS, LABELS, PRECISION, DELTA = 3000, 700, 0.85, 0.1


def _world(segments: dict[str, float]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Confidence, segment and answer: a segment's precision is the same at every confidence."""
    random = np.random.default_rng(0)
    confidence = random.random(LISTINGS)
    name = random.choice(np.asarray(list(segments), dtype=object), LISTINGS)
    right = random.random(LISTINGS) < np.asarray([segments[one] for one in name])
    return confidence, name, right


def _draw(
    segments: dict[str, float], seed: int, labels: int = LABELS
) -> tuple[tuple[SegmentCertificate, ...], float | None]:
    """The segments' certificates, and the threshold of the whole."""
    confidence, name, right = _world(segments)
    random = np.random.default_rng(seed)
    learnt = random.choice(LISTINGS, 500)
    drawn = random.choice(LISTINGS, labels, replace=False)
    inclusion = np.full(LISTINGS, labels / LISTINGS)
    estimates = Estimates(confidence[learnt], right[learnt])
    audits = Audits(confidence[drawn], right[drawn], inclusion[drawn], random.random(labels))
    population = Population(confidence, inclusion)
    found = certify_segments(
        estimates, audits, population, name[drawn], name, precision=PRECISION, delta=DELTA
    )
    return found, certify(estimates, audits, population, precision=PRECISION, delta=DELTA).threshold


def test_that_a_bad_segment_is_hardly_ever_certified_and_a_good_one_mostly() -> None:
    bad = good = 0
    for seed in range(60):
        found = {one.segment: one for one in _draw({"good": 0.95, "bad": 0.845}, seed)[0]}
        assert {one.delta for one in found.values()} == {DELTA / 2}
        bad += found["bad"].threshold is not None
        good += found["good"].threshold is not None
    assert bad <= stats.binom.ppf(0.999, 60, DELTA / 2)
    assert good > 55


def test_that_a_segment_holds_only_at_thresholds_it_passed() -> None:
    found, threshold = _draw({"good": 0.97, "fair": 0.93}, 0)
    assert threshold is not None
    one = next(one for one in found if one.segment == "good")
    assert one.threshold is not None
    assert one.tested_from is not None
    assert one.tested_from >= one.threshold
    assert one.holds_at(one.threshold)
    assert one.holds_at(one.tested_from)
    assert not one.holds_at(one.tested_from + 0.01)
    assert not one.holds_at(one.threshold - 0.01)
    assert not one.holds_at(None)


def test_that_few_audits_or_one_segment_alone_certify_no_segment() -> None:
    assert _draw({"only": 0.97}, 0)[0] == ()
    assert _draw({"a": 0.97, "b": 0.97}, 0, labels=LEAST_SEGMENT_LABELS)[0] == ()


def test_that_listings_without_a_segment_are_left_out() -> None:
    found, _ = _draw({"a": 0.97, "b": 0.97, "": 0.2}, 0)
    assert {one.segment for one in found} == {"a", "b"}
