"""Shares from audits of unequal weight: exact where weights are equal, honest where they are not."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import poisson

from engine.contracts.selective import clopper_pearson
from engine.reporting.weighted import Interval, Reach, estimate, fay_feuer, share_interval

REPEATS = 500


def test_that_equal_weights_give_the_exact_interval():
    found = share_interval([True] * 28 + [False] * 2, [0.25] * 30)
    assert found == Interval(28 / 30, *clopper_pearson(28, 30, 0.9), "exact")


def test_that_weights_are_one_over_the_probability_of_being_drawn():
    found = share_interval([True, False, False], [0.5, 0.25, 0.1])
    assert found.share == pytest.approx((1 / 0.5) / (1 / 0.5 + 1 / 0.25 + 1 / 0.1))
    assert found.method == "weighted"
    assert found.low < found.share < found.high


def test_that_the_weighted_bounds_with_equal_weights_are_garwoods():
    low, high = fay_feuer(np.full(3, 1 / 40), 1 / 40, 0.9)
    assert poisson.sf(2, 40 * low) == pytest.approx(0.05)
    assert poisson.cdf(3, 40 * high) == pytest.approx(0.05)


def test_that_no_audit_says_nothing_and_a_wrong_shape_is_refused():
    assert share_interval([], []) == Interval(0.0, 0.0, 1.0, "none")
    with pytest.raises(ValueError, match="both must be"):
        share_interval([True], [0.5, 0.5])
    with pytest.raises(ValueError, match="above 0"):
        share_interval([True], [0.0])


def test_that_listings_that_cannot_be_drawn_may_be_anything():
    closed, open_ = (
        share_interval([True] * 50, [0.5] * 50),
        share_interval([True] * 50, [0.5] * 50, unreached=0.2),
    )
    assert open_.low == pytest.approx(0.8 * closed.low)
    assert open_.high == pytest.approx(1.0)
    assert share_interval([False] * 50, [0.5] * 50, unreached=0.2).high >= 0.2


# The last two put every error where an audit seldom comes, which a naive weighted interval misses.
@pytest.mark.parametrize(
    ("inclusion", "wrong"),
    [
        ((0.3, 0.3), (0.05, 0.05)),
        ((0.4, 0.1), (0.02, 0.1)),
        ((0.4, 0.04), (0.0, 0.4)),
        ((0.5, 0.02), (0.01, 0.9)),
    ],
)
def test_that_the_interval_covers_the_truth_as_often_as_it_says(inclusion, wrong):
    rng = np.random.default_rng(11)
    sizes = (160, 40)
    chance = np.repeat(inclusion, sizes)
    covered = 0
    for _ in range(REPEATS):
        right = rng.random(200) >= np.repeat(wrong, sizes)
        drawn = rng.random(200) < chance
        found = share_interval(right[drawn], chance[drawn], least_inclusion=min(inclusion))
        covered += found.low <= right.mean() <= found.high
    assert covered / REPEATS >= 0.88


def test_that_setting_rarely_drawn_listings_apart_keeps_the_level_and_narrows_the_interval():
    rng = np.random.default_rng(5)
    chance = np.repeat([0.4, 0.004], (380, 20))
    confidence = rng.random(400)
    covered, plain, apart = 0, 0.0, 0.0
    for _ in range(REPEATS):
        right = rng.random(400) >= np.repeat([0.03, 0.8], (380, 20))
        drawn = rng.random(400) < chance
        part = Reach(confidence, chance, confidence[drawn], chance[drawn]).above(0.0)
        used = drawn & (chance >= part.level)
        found = share_interval(
            right[used], chance[used], least_inclusion=part.least_inclusion, unreached=part.unreached
        )
        everything = share_interval(right[drawn], chance[drawn], least_inclusion=0.004)
        covered += found.low <= right.mean() <= found.high
        apart += found.high - found.low
        plain += everything.high - everything.low
    assert covered / REPEATS >= 0.88
    assert apart < 0.5 * plain


def test_that_reach_counts_listings_above_a_threshold_like_a_loop():
    rng = np.random.default_rng(3)
    confidence, chance = rng.random(300).round(2), rng.choice([0.0, 0.1, 0.3], 300)
    drawn = rng.random(300) < chance
    reach = Reach(confidence, chance, confidence[drawn], chance[drawn])
    thresholds = np.array([0.9, 0.5, 0.5, 0.0])
    expected = [sum(value >= t for value in confidence) / 300 for t in thresholds]
    assert reach.coverage(thresholds).tolist() == pytest.approx(expected)
    part = reach.above(0.5)
    above = [c for value, c in zip(confidence, chance, strict=True) if value >= 0.5]
    assert part.unreached == pytest.approx(sum(c < part.level for c in above) / len(above))
    assert part.least_inclusion == min(c for c in above if c >= part.level)
    assert reach.above(2.0).least_inclusion is None


def test_that_few_audits_are_said_in_words_and_never_as_a_share():
    few = estimate(share_interval([True] * 3, [0.5] * 3), 3)
    assert (few.share, few.said) == (None, "too few to say: 3 audits")
    assert estimate(share_interval([], []), 0).said == "no audits yet"
    vague = estimate(share_interval([True, False] * 6, [0.5] * 12, unreached=0.3), 12)
    assert vague.share is None
    assert vague.said.startswith("too uncertain to say (")
    many = estimate(share_interval([True] * 99 + [False], [0.5] * 100), 100)
    assert many.share == 0.99
    assert many.said == "99 % (95–100 %, 100 audits)"
