"""Costs by threshold, against plain loops, and a saving that does not flatter itself."""

from __future__ import annotations

import numpy as np
import pytest

from engine.reporting.costs import Costs, cost_curve, cost_report, saving

COSTS = Costs(wrong=10.0, review=1.0, missed=0.5)


def plain_cost(confidence, right, inclusion, costs, threshold, reached=1.0):
    total = paid = 0.0
    for score, hit, chance in zip(confidence, right, inclusion, strict=True):
        total += 1 / chance
        if score >= threshold:
            paid += (0.0 if hit else costs.wrong) / chance
        else:
            paid += (costs.review + (costs.missed if hit else 0.0)) / chance
    return reached * paid / total + (1 - reached) * costs.review


def sample(n=120, seed=0):
    rng = np.random.default_rng(seed)
    confidence = rng.random(n).round(2)
    return confidence, rng.random(n) < confidence, rng.choice([0.1, 0.4], n)


def test_that_the_curve_is_what_a_loop_over_the_audits_says():
    confidence, right, inclusion = sample()
    curve = cost_curve(confidence, right, inclusion, COSTS, reached=0.8)
    assert curve.thresholds[0] == np.inf
    assert curve.automated[0] == 0.0
    assert len(curve.thresholds) == len(set(confidence)) + 1
    for threshold, cost in zip(curve.thresholds, curve.cost, strict=True):
        assert cost == pytest.approx(plain_cost(confidence, right, inclusion, COSTS, threshold, 0.8))
    assert curve.automated[-1] == pytest.approx(0.8)


def test_that_the_cheapest_threshold_is_named_beside_the_certified_one():
    confidence, right, inclusion = sample(300)
    report = cost_report(confidence, right, inclusion, wrong=10.0, review=1.0, missed=0.5, threshold=0.5)
    candidates = [np.inf, *confidence]
    best = min(candidates, key=lambda t: plain_cost(confidence, right, inclusion, COSTS, t))
    assert report.optimal is not None
    assert report.certified is not None
    assert report.optimal.threshold == best
    assert report.certified.threshold == 0.5
    assert report.certified.cost == pytest.approx(1000 * plain_cost(confidence, right, inclusion, COSTS, 0.5))
    assert report.saving_low <= report.saving <= report.saving_high
    assert "the certified threshold 0.500 stays in force" in report.sentence


def test_that_without_a_certificate_the_saving_is_against_reviewing_everything():
    confidence, right, inclusion = sample(400, seed=4)
    report = cost_report(confidence, right, inclusion, wrong=2.0, review=1.0, missed=None, threshold=None)
    assert report.certified is None
    assert report.saving > 0
    assert "nothing is certified, so nothing is automated" in report.sentence


def test_that_where_nothing_is_worth_it_nothing_should_be_automated():
    report = cost_report([0.9] * 40, [False] * 40, [0.5] * 40, wrong=5, review=1, missed=0, threshold=0.8)
    assert report.optimal is not None
    assert report.optimal.threshold is None
    assert report.saving == pytest.approx(4000)
    assert "cheapest to automate nothing" in report.sentence


def test_that_the_saving_is_not_flattered_by_picking_the_threshold_on_the_same_audits():
    # Confidence says nothing here, so on average no threshold is worth more than the best of the ends.
    costs, flattered, corrected = Costs(2.0, 1.0), [], []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        confidence, right = rng.random(60), rng.random(60) < 0.5
        curve = cost_curve(confidence, right, np.full(60, 0.3), costs)
        flattered.append(curve.cost[0] - curve.cost.min())
        corrected.append(saving(confidence, right, np.full(60, 0.3), costs, None, resamples=200)[0])
    assert np.mean(flattered) > 0.05
    assert abs(np.mean(corrected)) < 0.5 * np.mean(flattered)


def test_that_equal_seeds_give_equal_intervals():
    arguments = (*sample(), COSTS, 0.5)
    assert saving(*arguments, seed=1) == saving(*arguments, seed=1)
    assert saving(*arguments, seed=1) != saving(*arguments, seed=2)


@pytest.mark.parametrize(("wrong", "review"), [(None, 1.0), (1.0, None), (None, None)])
def test_that_without_costs_nothing_is_worked_out(wrong, review):
    report = cost_report(*sample(), wrong=wrong, review=review, missed=1.0, threshold=0.5)
    assert (report.optimal, report.saving, report.curve) == (None, None, ())
    assert report.sentence.startswith("Enter what")


@pytest.mark.parametrize("audits", [0, 1, 29])
def test_that_few_audits_name_no_threshold(audits):
    report = cost_report(*sample(audits), wrong=1.0, review=1.0, missed=None, threshold=0.5)
    assert report.optimal is None
    assert f"{audits} audit" in report.sentence


def test_that_a_right_answer_without_a_match_misses_nothing_while_it_waits():
    costs = Costs(wrong=10.0, review=1.0, missed=5.0)
    confidence, right, inclusion = [0.9, 0.8], [True, True], [1.0, 1.0]
    as_matches = cost_curve(confidence, right, inclusion, costs)
    one_is_none = cost_curve(confidence, right, inclusion, costs, missable=[True, False])
    assert as_matches.cost.tolist() == [6.0, 3.0, 0.0]
    assert one_is_none.cost.tolist() == [3.5, 0.5, 0.0]
    all_matches = saving(confidence, right, inclusion, costs, None, resamples=50)
    no_match = saving(confidence, right, inclusion, costs, None, resamples=50, missable=[False, False])
    # Automating saves the review and the wait, or the review alone.
    assert all_matches[0] == pytest.approx(6.0 * no_match[0])
    assert no_match[0] > 0
