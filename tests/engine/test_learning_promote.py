"""The gate and its bootstrap."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.learning.promote import (
    Contradictions,
    SegmentCoverage,
    decide_gate,
    paired_bootstrap,
    segment_coverages,
)

NO_CONTRADICTIONS = Contradictions(100, 0)
EQUAL = {
    "champion_coverage": 0.5,
    "challenger_coverage": 0.5,
    "difference": (-0.02, 0.02),
    "champion_certified": True,
    "challenger_certified": True,
    "champion_aurc": 0.1,
    "challenger_aurc": 0.1,
    "segments": (),
    "champion_contradictions": NO_CONTRADICTIONS,
    "challenger_contradictions": NO_CONTRADICTIONS,
    "max_segment_drop": 0.1,
    "max_contradiction_share": 0.02,
}


def gate(**changes):
    return decide_gate(**{**EQUAL, **changes})


def test_that_an_equal_challenger_passes():
    assert gate().passed


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"challenger_coverage": 0.49}, "refused: certified coverage 50.0 % -> 49.0 %"),
        ({"difference": (-0.09, -0.01)}, "-9.0 to -1.0 points"),
        (
            {"challenger_certified": False, "challenger_coverage": 0.0},
            "refused: the challenger has no certificate and the champion has one",
        ),
        (
            {"segments": [SegmentCoverage("tyres", 90, 0.5, 0.3)]},
            "refused: segment tyres falls from 50 % to 30 %",
        ),
        ({"challenger_contradictions": Contradictions(100, 3)}, "refused: 3 of 100 automated answers"),
        (
            {"champion_certified": False, "challenger_certified": False, "challenger_aurc": 0.2},
            "refused: neither release is certified",
        ),
    ],
)
def test_that_each_condition_alone_refuses_and_says_why(changes, reason):
    judged = gate(**changes)
    assert not judged.passed
    assert [r for r in judged.reasons if reason in r and r.startswith("refused: ")]
    assert sum(r.startswith("refused: ") for r in judged.reasons) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"challenger_coverage": 0.497},  # one step of the thresholds tested
        {"champion_certified": False, "champion_coverage": 0.0},
        {"champion_certified": False, "challenger_certified": False, "challenger_aurc": 0.05},
        {"segments": [SegmentCoverage("tyres", 90, 0.5, 0.41)]},
        {
            "champion_contradictions": Contradictions(100, 4),
            "challenger_contradictions": Contradictions(100, 6),
        },
        {"difference": (0.1, 0.2), "challenger_coverage": 0.7},
    ],
)
def test_that_what_is_within_tolerance_passes(changes):
    assert gate(**changes).passed


def test_that_segments_are_compared_where_there_are_enough_listings():
    names = ["a"] * 60 + ["b"] * 50 + ["c"] * 49
    champion = [True] * 60 + [False] * 50 + [True] * 49
    challenger = [True] * 30 + [False] * 30 + [True] * 50 + [False] * 49
    assert segment_coverages(names, champion, challenger) == (
        SegmentCoverage("a", 60, 1.0, 0.5),
        SegmentCoverage("b", 50, 0.0, 1.0),
    )
    assert segment_coverages([], [], []) == ()
    with pytest.raises(ValueError, match="segments for"):
        segment_coverages(["a"], [], [])


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60))
def test_that_the_bootstrap_contains_the_observed_difference(rows):
    champion, challenger = zip(*rows, strict=True)
    low, high = paired_bootstrap(champion, challenger, n=500, level=0.999)
    assert -1.0 <= low <= np.mean(challenger) - np.mean(champion) <= high <= 1.0


def test_that_the_bootstrap_is_that_of_resampled_listings():
    rng = np.random.default_rng(1)
    champion, challenger = rng.random(120) < 0.5, rng.random(120) < 0.65
    draws = []
    for _ in range(4000):
        chosen = rng.integers(0, 120, 120)
        draws.append(challenger[chosen].mean() - champion[chosen].mean())
    low, high = paired_bootstrap(champion, challenger, n=4000)
    assert low == pytest.approx(np.quantile(draws, 0.05), abs=0.015)
    assert high == pytest.approx(np.quantile(draws, 0.95), abs=0.015)


def test_that_the_bounds_cover_the_true_difference_as_often_as_said():
    rng = np.random.default_rng(2)
    covered = 0
    for seed in range(300):
        hard = rng.random(150)
        low, high = paired_bootstrap(hard < 0.5, (hard < 0.45) | (rng.random(150) < 0.2), n=400, seed=seed)
        covered += low <= (0.45 + 0.55 * 0.2) - 0.5 <= high
    assert 0.84 <= covered / 300 <= 0.96


def test_that_listings_drawn_rarely_weigh_more():
    """The challenger gains where draws are rare and loses as much of the feed where they are not."""
    rng = np.random.default_rng(3)
    rare = rng.random(20_000) < 0.5
    inclusion = np.where(rare, 0.05, 0.2)
    gains, loses = rare & (rng.random(20_000) < 0.2), ~rare & (rng.random(20_000) < 0.2)
    drawn = rng.random(20_000) < inclusion
    low, high = paired_bootstrap(loses[drawn], gains[drawn], inclusion=inclusion[drawn])
    assert low < gains.mean() - loses.mean() < high
    assert paired_bootstrap(loses[drawn], gains[drawn])[1] < -0.03


def test_that_no_listings_say_nothing_and_unequal_ones_are_refused():
    assert paired_bootstrap([], []) == (-1.0, 1.0)
    with pytest.raises(ValueError, match="both must be"):
        paired_bootstrap([True], [True, False])
    with pytest.raises(ValueError, match="above 0"):
        paired_bootstrap([True], [True], inclusion=[0.0])
    assert paired_bootstrap([True] * 9, [True] * 9) == (0.0, 0.0)
