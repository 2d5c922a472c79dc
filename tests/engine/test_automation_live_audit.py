"""The live audit's mathematics: against plain loops, exact totals, and simulation at small size."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy import stats

from engine.automation.live_audit import (
    BELOW_CHANCE,
    FALLEN_CHANCE,
    alarm_raised,
    band,
    below_promise,
    certified_level,
    change_weights,
    enough_after_alarm,
    fallen_below,
    judge,
    wrong_since,
)
from engine.contracts import AuditState

P = 0.95
BEFORE = np.asarray((0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)) * (1 - P)


def sequence(n: int, precision: float, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random(n) >= precision


def chance_of(wrong: list[bool], share: float) -> float:
    """Probability of a sequence, one factor at a time."""
    value = 1.0
    for missed in wrong:
        value *= share if missed else 1 - share
    return value


def plain_below(wrong: list[bool]) -> float:
    n = len(wrong)
    weights = [0.5 * w for w in change_weights(n)]
    weights[0] += 0.5
    total = 1.0 - sum(weights)
    for start, weight in enumerate(weights):
        since = wrong[start:]
        gains = [chance_of(since, q) / chance_of(since, 1 - P) for q in wrong_since(P)]
        total += weight * sum(gains) / len(gains)
    return total


def plain_fallen(wrong: list[bool], accepted: int, errors: int) -> float:
    labels = [True] * errors + [False] * (accepted - errors)

    def before(n: int) -> float:
        return float(np.mean([chance_of(labels + wrong[:n], q) for q in BEFORE]))

    weights = list(change_weights(len(wrong)))
    total = (1 - sum(weights)) * before(len(wrong))
    for start, weight in enumerate(weights):
        since = float(np.mean([chance_of(wrong[start:], q) for q in wrong_since(P)]))
        total += weight * before(start) * since
    everything = labels + wrong
    best = min(sum(everything) / max(1, len(everything)), 1 - P)
    return total / chance_of(everything, best)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("precision", [0.99, 0.9, 0.5])
def test_that_both_e_values_are_those_of_plain_loops(seed: int, precision: float) -> None:
    wrong = sequence(40, precision, seed)
    fast_below = below_promise(wrong, P)
    fast_fallen, _ = fallen_below(wrong, P, accepted=30, errors=1)
    for n in (1, 2, 7, 40):
        assert np.exp(fast_below[n - 1]) == pytest.approx(plain_below(wrong[:n].tolist()), rel=1e-9)
        assert np.exp(fast_fallen[n - 1]) == pytest.approx(plain_fallen(wrong[:n].tolist(), 30, 1), rel=1e-9)


@pytest.mark.parametrize("precision", [P, 0.97, 1.0])
def test_that_an_e_value_expects_at_most_one_over_every_possible_sequence(precision: float) -> None:
    n, below, fallen = 8, 0.0, 0.0
    for wrong in product([False, True], repeat=n):
        chance = chance_of(list(wrong), 1 - precision)
        if chance:
            below += chance * float(np.exp(below_promise(wrong, P)[-1]))
            fallen += chance * float(np.exp(fallen_below(wrong, P, accepted=0, errors=0)[0][-1]))
    assert below <= 1 + 1e-9
    assert fallen <= 1 + 1e-9
    if precision == P:
        assert below == pytest.approx(1.0)


def test_that_the_weights_of_changes_sum_to_one() -> None:
    assert change_weights(10**6).sum() == pytest.approx(1.0, abs=1e-3)
    assert (np.diff(change_weights(100)) < 0).all()


def test_that_no_audit_says_nothing() -> None:
    judged = judge([], P, accepted=100, errors=1)
    assert (judged.state, judged.alarm_at, judged.since, len(judged.below)) == (AuditState.OK, None, None, 0)


@pytest.mark.parametrize("promise", [0.5, 0.8, 0.95, 0.99, 0.9999])
def test_that_every_promise_can_be_broken_and_kept(promise: float) -> None:
    alternatives = wrong_since(promise)
    assert ((alternatives > 1 - promise) & (alternatives < 1)).all()
    assert judge(np.ones(200, bool), promise, accepted=300, errors=0).state is AuditState.ALARM
    assert judge(np.zeros(200, bool), promise, accepted=300, errors=0).state is AuditState.OK


def test_that_the_likeliest_start_of_a_fall_is_found() -> None:
    wrong = np.r_[np.zeros(200, bool), np.ones(12, bool)]
    _, since = fallen_below(wrong, P, accepted=300, errors=6)
    assert since[-1] == 200
    assert judge(wrong, P, accepted=300, errors=6).since == 200


def test_that_an_alarm_once_raised_stays() -> None:
    wrong = np.r_[np.ones(15, bool), np.zeros(3000, bool)]
    judged = judge(wrong, P, accepted=300, errors=6)
    assert judged.state is AuditState.ALARM
    assert judged.alarm_at is not None
    assert judged.alarm_at <= 15
    assert judged.below[-1] < -np.log(BELOW_CHANCE)
    assert alarm_raised(wrong, P, accepted=300, errors=6)
    assert not alarm_raised(wrong[15:], P, accepted=300, errors=6)


def test_that_a_fall_within_the_promise_is_watched_and_not_alarmed() -> None:
    # One wrong in 400, then one in 33: worse than certified, better than 5 %.
    wrong = np.zeros(1400, bool)
    wrong[[100, *range(430, 1400, 33)]] = True
    judged = judge(wrong, P, accepted=600, errors=1)
    assert judged.state is AuditState.WATCH
    assert judged.alarm_at is None
    assert judged.since is not None
    assert judged.since >= 350


def test_that_more_certification_labels_make_a_fall_show_sooner() -> None:
    wrong = np.r_[np.zeros(50, bool), np.tile([True, *[False] * 9], 60)]
    few = judge(wrong, P, accepted=60, errors=0).alarm_at
    many = judge(wrong, P, accepted=2000, errors=0).alarm_at
    assert many is not None
    assert few is None or many < few


def test_that_false_alarms_are_rare_and_a_fall_is_found_in_simulation() -> None:
    random = np.random.default_rng(7)
    alarms = {0.98: 0, 0.95: 0}
    for precision in alarms:
        for _ in range(150):
            errors = int(random.binomial(300, 1 - precision))
            judged = judge(random.random(600) >= precision, P, accepted=300, errors=errors)
            alarms[precision] += judged.alarm_at is not None
    # Allowed are BELOW_CHANCE + FALLEN_CHANCE of 150; far more would be a fault of the method.
    most = int(stats.binom.ppf(0.999, 150, BELOW_CHANCE + FALLEN_CHANCE))
    assert max(alarms.values()) <= most
    delays = []
    for _ in range(60):
        change = int(random.integers(1, 300))
        precision_at = np.where(np.arange(1400) < change, 0.98, 0.90)
        judged = judge(random.random(1400) >= precision_at, P, accepted=300, errors=6)
        assert judged.alarm_at is not None
        delays.append(judged.alarm_at - change)
    assert np.median(delays) < 250


def plain_band(right: int, n: int, confidence: float) -> tuple[float, float]:
    stakes = np.geomspace(0.02, 6.0, 24)
    stakes = np.r_[-stakes, stakes]
    means = np.linspace(0, 1, 4001)
    capital = [np.mean(np.exp(stakes * right) / (1 - m + m * np.exp(stakes)) ** n) for m in means]
    inside = means[np.asarray(capital) < 1 / (1 - confidence)]
    return float(inside.min()), float(inside.max())


@pytest.mark.parametrize(("right", "n"), [(0, 5), (5, 5), (38, 40), (10, 40), (95, 100)])
def test_that_the_band_is_where_no_bet_has_won(right: int, n: int) -> None:
    low, high = band([right], [n])
    wanted = plain_band(right, n, 0.95)
    assert low[0] == pytest.approx(wanted[0], abs=5e-4)
    assert high[0] == pytest.approx(wanted[1], abs=5e-4)


def test_that_the_band_holds_at_every_moment_also_when_precision_drifts() -> None:
    random = np.random.default_rng(3)
    precision = np.linspace(0.99, 0.85, 400)
    n = np.arange(1, 401)
    missed = 0
    for _ in range(200):
        right = np.cumsum(random.random(400) < precision)
        low, high = band(right[::8], n[::8])
        truth = (np.cumsum(precision) / n)[::8]
        missed += bool(((truth < low) | (truth > high)).any())
    assert missed <= stats.binom.ppf(0.999, 200, 0.05)


def test_that_the_certified_level_is_the_exact_lower_bound() -> None:
    level = certified_level(124, 2)
    assert stats.binom.cdf(2, 124, 1 - level) == pytest.approx(1 - stats.binom.sf(2, 124, 1 - level))
    assert stats.binom.sf(121, 124, level) == pytest.approx(0.05)
    assert certified_level(0, 0) == 0.0
    assert certified_level(3, 3) == 0.0


@pytest.mark.parametrize(("labels", "errors"), [(0, 0), (30, 0), (30, 1), (100, 4), (59, 0)])
@pytest.mark.parametrize("attempt", [1, 2, 3])
def test_that_the_labels_missing_after_an_alarm_are_the_fewest_that_pass(
    labels: int, errors: int, attempt: int
) -> None:
    more = enough_after_alarm(labels, errors, precision=P, delta=0.1, attempt=attempt)
    level = 0.1 / 2**attempt
    assert stats.binom.cdf(errors, labels + more, 0.05) <= level
    if more:
        assert stats.binom.cdf(errors, labels + more - 1, 0.05) > level
