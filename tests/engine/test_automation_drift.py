"""Drift of a feed: brands, distances, the permutation test, and honesty about small samples."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from engine.automation.drift import (
    CHANCE,
    LEAST,
    FeedSample,
    compare,
    distance,
    is_unknown,
    known_brands,
    permutation_p,
    pooled,
    state_of,
)
from engine.contracts import DriftMeasure, DriftState


def sample(n: int, *, seed: int, unknown: float = 0.1, similarity: float = 0.8) -> FeedSample:
    random = np.random.default_rng(seed)
    return FeedSample(
        (random.random(n) < unknown).astype(float),
        np.clip(random.normal(similarity, 0.1, n), 0, 1),
        random.random(n),
    )


def test_that_a_brand_is_known_by_field_or_by_the_first_word() -> None:
    known = known_brands(["Western Digital", "LG"], ["Acme kettle 3", ""])
    assert not is_unknown("western digital", "x", known)
    assert not is_unknown("Western", "x", known)
    assert not is_unknown("", "LG 55UP75", known)
    assert not is_unknown("", "acme toaster", known)
    assert is_unknown("Digital", "LG 55UP75", known)
    assert is_unknown("", "Sony XM5", known)
    assert is_unknown("", "", known)


@pytest.mark.parametrize("seed", range(5))
def test_that_the_distance_is_scipys(seed: int) -> None:
    random = np.random.default_rng(seed)
    here, before = random.random(40).round(1), random.random(70).round(1) ** 2
    assert distance(here, before) == pytest.approx(stats.ks_2samp(here, before).statistic)


def test_that_the_distance_of_shares_is_their_difference() -> None:
    assert distance(np.asarray([1.0, 0, 0, 0]), np.asarray([1.0, 1, 0, 0])) == pytest.approx(0.25)


def test_that_the_permutation_test_is_that_of_plain_loops() -> None:
    random = np.random.default_rng(1)
    here, before = random.random(35), random.random(45) * 1.3
    values = np.concatenate([here, before])
    as_far = 0
    for _ in range(999):
        shuffled = random.permutation(values)
        as_far += distance(shuffled[:35], shuffled[35:]) >= distance(here, before) - 1e-12
    assert permutation_p(here, before) == pytest.approx((1 + as_far) / 1000, abs=0.05)


def test_that_a_changed_feed_has_drifted_and_an_equal_one_is_steady() -> None:
    before = sample(400, seed=1)
    steady = compare(sample(300, seed=2), before)
    assert state_of(steady) is DriftState.STEADY
    moved = compare(sample(300, seed=3, unknown=0.5, similarity=0.6), before)
    states = {finding.measure: finding.state for finding in moved}
    assert states == {
        DriftMeasure.UNKNOWN_BRANDS: DriftState.DRIFTED,
        DriftMeasure.SIMILARITY: DriftState.DRIFTED,
        DriftMeasure.CONFIDENCE: DriftState.STEADY,
    }
    assert state_of(moved) is DriftState.DRIFTED
    assert "% before" in moved[0].words


def test_that_feeds_that_have_not_changed_are_seldom_called_drifted() -> None:
    called = sum(
        state_of(compare(sample(60, seed=2 * n), sample(60, seed=2 * n + 1))) is DriftState.DRIFTED
        for n in range(60)
    )
    assert called <= stats.binom.ppf(0.999, 60, CHANCE)


def test_that_a_difference_too_small_to_matter_is_not_drift() -> None:
    random = np.random.default_rng(5)
    many = np.sort(random.random(5000))
    here = FeedSample(np.zeros(5000), many, np.clip(many + 0.05, 0, 1))
    (_, _, confidence) = compare(here, FeedSample(np.zeros(5000), many, many))
    assert confidence.p_value is not None
    assert confidence.p_value <= 0.01
    assert confidence.state is DriftState.STEADY


def test_that_few_listings_and_the_first_feed_say_nothing() -> None:
    nobody = pooled([])
    assert len(nobody) == 0
    for here, before in ((sample(LEAST - 1, seed=1), sample(400, seed=2)), (sample(400, seed=1), nobody)):
        findings = compare(here, before)
        assert state_of(findings) is DriftState.TOO_FEW
        assert all(finding.p_value is None for finding in findings)
        assert all(finding.value is not None for finding in findings)
    assert all(finding.words == "no matched listing" for finding in compare(nobody, nobody))
    assert len(pooled([sample(3, seed=1), sample(4, seed=2)])) == 7
