"""Selective metrics against definitions written as plain loops."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from engine.contracts.selective import (
    area_under_risk_coverage,
    clopper_pearson,
    clopper_pearson_bounds,
    coverage_at,
    selective_curve,
)

# Few distinct confidences, so that ties are the rule.
judged = st.lists(
    st.tuples(st.sampled_from([-math.inf, 0.0, 0.1, 0.5, 0.9, 1.0]), st.booleans()), max_size=40
)


def plain_accepted(rows: list[tuple[float, bool]], threshold: float) -> list[bool]:
    return [right for confidence, right in rows if confidence >= threshold]


def plain_coverage_at(rows: list[tuple[float, bool]], right_of: int, out_of: int) -> float:
    best = 0.0
    for threshold, _ in rows:
        accepted = plain_accepted(rows, threshold)
        if sum(accepted) * out_of >= right_of * len(accepted):
            best = max(best, len(accepted) / len(rows))
    return best


def plain_aurc(rows: list[tuple[float, bool]]) -> float:
    if not rows:
        return 0.0
    risks = []
    for confidence, _ in rows:
        accepted = plain_accepted(rows, confidence)
        risks.append(accepted.count(False) / len(accepted))
    return sum(risks) / len(risks)


def columns(rows: list[tuple[float, bool]]) -> tuple[list[float], list[bool]]:
    return [confidence for confidence, _ in rows], [right for _, right in rows]


@given(judged, st.integers(0, 100))
def test_that_coverage_at_is_the_largest_share_good_enough(
    rows: list[tuple[float, bool]], percent: int
) -> None:
    assert coverage_at(*columns(rows), percent / 100) == pytest.approx(plain_coverage_at(rows, percent, 100))


@given(judged)
def test_that_the_area_is_the_mean_risk_of_accepting_all_as_certain(rows: list[tuple[float, bool]]) -> None:
    assert area_under_risk_coverage(*columns(rows)) == pytest.approx(plain_aurc(rows))


@given(judged)
def test_that_the_curve_has_one_row_per_distinct_confidence(rows: list[tuple[float, bool]]) -> None:
    curve = selective_curve(*columns(rows))
    assert list(curve.thresholds) == sorted({confidence for confidence, _ in rows}, reverse=True)
    for threshold, coverage, precision, accepted, errors in zip(*curve, strict=True):
        taken = plain_accepted(rows, threshold)
        assert (accepted, errors) == (len(taken), taken.count(False))
        assert coverage == pytest.approx(len(taken) / len(rows))
        assert precision == pytest.approx(taken.count(True) / len(taken))


@given(judged, st.randoms())
def test_that_the_order_of_the_listings_does_not_matter(
    rows: list[tuple[float, bool]], random: object
) -> None:
    shuffled = list(rows)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert area_under_risk_coverage(*columns(rows)) == area_under_risk_coverage(*columns(shuffled))


def test_that_a_tie_is_accepted_together() -> None:
    # Taking only the right one of the two at .9 would give coverage 1/3 at precision 1.
    assert coverage_at([0.9, 0.9, 0.1], [True, False, True], 1.0) == 0.0
    assert coverage_at([0.9, 0.9, 0.1], [True, False, True], 0.6) == 1.0


def test_that_an_uninformative_confidence_has_the_share_of_wrong_ones_as_area() -> None:
    assert area_under_risk_coverage([0.5] * 10, [True] * 7 + [False] * 3) == pytest.approx(0.3)


def test_that_nan_and_unequal_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="NaN"):
        selective_curve([math.nan], [True])
    with pytest.raises(ValueError, match="shape"):
        selective_curve([0.5, 0.6], [True])


@given(
    st.integers(1, 300).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))),
    st.sampled_from([0.8, 0.9, 0.99]),
)
def test_that_the_bounds_leave_exactly_the_tail_outside(counts: tuple[int, int], level: float) -> None:
    successes, n = counts
    low, high = clopper_pearson(successes, n, level)
    tail = (1 - level) / 2
    assert 0.0 <= low <= successes / n <= high <= 1.0
    if successes > 0:
        assert binom.sf(successes - 1, n, low) == pytest.approx(tail, rel=1e-6)
    else:
        assert low == 0.0
    if successes < n:
        assert binom.cdf(successes, n, high) == pytest.approx(tail, rel=1e-6)
    else:
        assert high == 1.0


def test_that_bounds_of_many_proportions_equal_those_of_each() -> None:
    low, high = clopper_pearson_bounds(np.array([0, 3, 9]), np.array([0, 10, 9]), 0.9)
    assert [(a, b) for a, b in zip(low, high, strict=True)] == [
        clopper_pearson(0, 0, 0.9),
        clopper_pearson(3, 10, 0.9),
        clopper_pearson(9, 9, 0.9),
    ]
    assert clopper_pearson(0, 0, 0.9) == (0.0, 1.0)


def test_that_impossible_counts_are_refused() -> None:
    with pytest.raises(ValueError, match="between 0 and n"):
        clopper_pearson(5, 4, 0.9)
    with pytest.raises(ValueError, match="level"):
        clopper_pearson(1, 4, 1.0)
