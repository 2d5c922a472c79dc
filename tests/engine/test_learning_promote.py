"""The gate and its bootstrap."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from engine.contracts import SegmentCoverage
from engine.contracts.selective import coverage_at
from engine.learning.promote import (
    Answered,
    Contradictions,
    Difference,
    decide_gate,
    paired_bootstrap,
    segment_coverages,
)

NO_CONTRADICTIONS = Contradictions(100, 0)
EQUAL = {
    "champion_coverage": 0.5,
    "challenger_coverage": 0.5,
    "difference": Difference(-0.02, 0.0, 0.02),
    "champion_certified": True,
    "challenger_certified": True,
    "champion_aurc": 0.1,
    "challenger_aurc": 0.1,
    "champion_automates": 0.6,
    "challenger_automates": 0.6,
    "segments": (),
    "champion_contradictions": NO_CONTRADICTIONS,
    "challenger_contradictions": NO_CONTRADICTIONS,
    "champion_held_out": NO_CONTRADICTIONS,
    "challenger_held_out": NO_CONTRADICTIONS,
    "max_segment_drop": 0.1,
    "max_automation_drop": 0.05,
    "max_contradiction_share": 0.02,
}


def gate(**changes):
    return decide_gate(**{**EQUAL, **changes})


def test_that_an_equal_challenger_passes():
    assert gate().passed


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"challenger_coverage": 0.47}, "refused: certified coverage 50.0 % -> 47.0 %"),
        ({"difference": Difference(-0.09, -0.04, 0.01)}, "-4.0 (-9.0 to +1.0) points"),
        (
            {"challenger_certified": False, "challenger_coverage": 0.0},
            "refused: the challenger has no certificate and the champion has one",
        ),
        (
            {"challenger_automates": 0.5},
            "refused: what is automated without a person falls from 60.0 % to 50.0 % of the listings",
        ),
        (
            {"segments": [SegmentCoverage("tyres", 90, 0.5, 0.3)]},
            "refused: segment tyres falls from 50 % to 30 %",
        ),
        (
            {"challenger_held_out": Contradictions(100, 5)},
            "of held-out ones 5 of 100 (5.0 %, champion 0.0 %)",
        ),
        (
            {
                "challenger_contradictions": Contradictions(100, 3),
                "challenger_held_out": Contradictions(29, 0),
            },
            "refused: 3 of 100 automated answers",
        ),
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
        {"challenger_contradictions": Contradictions(100, 30)},  # of what taught the champion's matcher
        {"challenger_held_out": Contradictions(100, 3)},  # within the tolerance and the luck of a hundred
        {"challenger_automates": 0.56},  # a certificate for "not in catalogue" comes and goes
        {"challenger_coverage": 0.485},  # within what the audits can tell apart
        {"challenger_coverage": 0.497, "difference": Difference(0.0, 0.0, 0.0)},  # one step of the thresholds
        {"champion_certified": False, "champion_coverage": 0.0},
        {"champion_certified": False, "challenger_certified": False, "challenger_aurc": 0.05},
        {"segments": [SegmentCoverage("tyres", 90, 0.5, 0.41)]},
        {
            "champion_contradictions": Contradictions(100, 4),
            "challenger_contradictions": Contradictions(100, 6),
        },
        {"difference": Difference(0.1, 0.15, 0.2), "challenger_coverage": 0.7},
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


def _answered(seed, right=0.9, listings=600):
    """Confidences that are true probabilities, the less spread the less is known; and answers."""
    rng = np.random.default_rng(seed)
    confidence = rng.beta(right * 6, (1 - right) * 6, listings)
    return Answered(confidence, rng.random(listings) < confidence)


def test_that_the_difference_is_that_of_coverage_at_the_required_precision():
    champion, challenger = _answered(1, 0.85, 4000), _answered(2, 0.92, 4000)
    found = paired_bootstrap(champion, challenger, 0.95)
    observed = coverage_at(challenger.confidence, challenger.right, 0.95) - coverage_at(
        champion.confidence, champion.right, 0.95
    )
    assert found.low < observed < found.high
    assert found.middle == pytest.approx(observed, abs=0.03)
    assert found.low > 0.05


def test_that_equals_are_told_apart_as_seldom_as_said():
    beyond = sum(
        not found.low <= 0 <= found.high
        for found in (
            paired_bootstrap(_answered(seed), _answered(1000 + seed), 0.9, n=100) for seed in range(60)
        )
    )
    assert beyond <= stats.binom.ppf(0.999, 60, 0.15)


def test_that_listings_drawn_rarely_weigh_more():
    """The challenger is sure of the rarely drawn half, the champion of the other; a tenth more is rare."""
    rng = np.random.default_rng(3)
    rare = rng.random(20_000) < 0.55
    drawn = rng.random(20_000) < np.where(rare, 0.05, 0.2)
    right = np.ones(int(drawn.sum()), dtype=bool)
    champion, challenger = (
        Answered(1.0 * ~rare[drawn], right & ~rare[drawn]),
        Answered(1.0 * rare[drawn], right & rare[drawn]),
    )
    inclusion = np.where(rare, 0.05, 0.2)[drawn]
    weighted = paired_bootstrap(champion, challenger, 0.9, inclusion, n=200)
    assert weighted.low < 0.1 < weighted.high
    assert paired_bootstrap(champion, challenger, 0.9, n=200).high < -0.3


def test_that_equal_confidences_are_accepted_together():
    tied = Answered(np.full(40, 0.8), np.arange(40) < 20)
    sure = Answered(np.linspace(1, 0, 40), np.arange(40) < 20)
    found = paired_bootstrap(tied, sure, 0.95, n=50)
    assert found.low > 0.3


def test_that_no_listings_say_nothing_and_unequal_ones_are_refused():
    nothing = Answered(np.zeros(0), np.zeros(0, dtype=bool))
    one = Answered(np.ones(1), np.ones(1, dtype=bool))
    assert paired_bootstrap(nothing, nothing, 0.9) == Difference(-1.0, 0.0, 1.0)
    with pytest.raises(ValueError, match="all must be"):
        paired_bootstrap(nothing, one, 0.9)
    with pytest.raises(ValueError, match="above 0"):
        paired_bootstrap(one, one, 0.9, inclusion=[0.0])
    assert paired_bootstrap(one, one, 0.9) == Difference(0.0, 0.0, 0.0)
