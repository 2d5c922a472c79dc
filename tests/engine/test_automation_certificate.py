"""The certificate: valid by repetition, blind to label order, silent when labels are too few."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from engine.automation.certificate import (
    Audits,
    Estimates,
    Population,
    certify,
    on_shared_labels,
    zone_floor,
)
from engine.automation.strata import choose_strata, exact_p_value, inclusion_levels
from engine.automation.testing_order import pass_probability
from engine.contracts import Certificate


def _world(seed: int, listings: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    """Confidences and answers of listings; the very top holds more errors than what is below it."""
    random = np.random.default_rng(seed)
    confidence = random.beta(2, 1, listings)
    chance = np.clip(confidence * 1.02, 0, 0.985)
    chance[confidence > 0.985] = 0.8
    return confidence, random.random(listings) < chance


def _draw(confidence: np.ndarray, right: np.ndarray, count: int, random: np.random.Generator) -> Audits:
    drawn = random.choice(len(confidence), count, replace=False)
    inclusion = np.full(count, count / len(confidence))
    return Audits(confidence[drawn], right[drawn], inclusion, random.random(count))


def _certificate(
    world: int, seed: int, *, audits: int, precision: float = 0.85, judged: int = 400
) -> Certificate:
    """What plain random draws certify of a world."""
    random = np.random.default_rng(seed)
    confidence, right = _world(world)
    learnt = random.choice(len(confidence), judged, replace=False)
    return certify(
        Estimates(confidence[learnt], right[learnt]),
        _draw(confidence, right, audits, random),
        Population(confidence, np.full(len(confidence), audits / len(confidence))),
        precision=precision,
        delta=0.1,
    )


def _certified(seed: int, precision: float, audits: int) -> tuple[float | None, float]:
    """Threshold, and the precision it really has on the rest of the world."""
    certificate = _certificate(1, seed, audits=audits, precision=precision)
    if certificate.threshold is None:
        return None, 1.0
    confidence, right = _world(1)
    accepted = confidence >= certificate.threshold
    return certificate.threshold, float(right[accepted].mean())


def test_that_at_most_delta_of_the_certificates_are_wrong() -> None:
    outcomes = [_certified(seed, 0.85, 500) for seed in range(100)]
    wrong = sum(threshold is not None and real < 0.85 for threshold, real in outcomes)
    # 10 % may be wrong; 100 draws of a 10 % event exceed 20 in about one run in 1,000.
    assert wrong <= stats.binom.ppf(0.999, 100, 0.1)
    assert sum(threshold is not None for threshold, _ in outcomes) > 75


def test_that_few_labels_give_no_certificate_and_say_how_many_are_missing() -> None:
    certificate = _certificate(2, 0, audits=15, precision=0.9, judged=300)
    assert certificate.threshold is None
    assert certificate.expected_coverage == 0
    assert certificate.labels_missing is not None
    assert certificate.labels_missing > 15


def test_that_a_precision_no_threshold_reaches_is_never_certified() -> None:
    assert all(_certified(seed, 0.999, 400)[0] is None for seed in range(5))


def test_that_the_stated_p_value_is_the_exact_binomial_tail() -> None:
    certificate = _certificate(3, 1, audits=400)
    assert certificate.threshold is not None
    assert certificate.p_value == pytest.approx(
        stats.binom.cdf(certificate.errors, certificate.accepted, 0.15)
    )
    assert certificate.p_value <= 0.1
    assert certificate.lower_bound is not None
    assert certificate.lower_bound >= 0.85 - 1e-9


def test_that_listings_that_could_not_be_drawn_count_as_wrong() -> None:
    """Half of the accepted was never in the zone: no precision above a half can be certified."""
    random = np.random.default_rng(5)
    confidence = random.uniform(0.9, 1.0, 2000)
    right = np.ones(2000, dtype=bool)
    inclusion = np.where(np.arange(2000) % 2 == 0, 0.2, 0.0)
    drawn = np.flatnonzero((random.random(2000) < 0.2) & (inclusion > 0))
    certificate = certify(
        Estimates(confidence[:200], right[:200] & (random.random(200) < 0.99)),
        Audits(confidence[drawn], right[drawn], inclusion[drawn], random.random(len(drawn))),
        Population(confidence, inclusion),
        precision=0.9,
        delta=0.1,
    )
    assert certificate.threshold is None


def test_that_a_wider_first_round_is_thinned_to_the_later_zone() -> None:
    """Two rounds of unequal zones certify as one uniform sample would."""
    confidence, right = _world(7)
    random = np.random.default_rng(7)
    inside = confidence > 0.5
    inclusion = np.where(inside, 1 - (1 - 0.05) * (1 - 0.1), 0.05)
    drawn = np.flatnonzero(random.random(len(confidence)) < inclusion)
    learnt = random.choice(len(confidence), 400, replace=False)
    certificate = certify(
        Estimates(confidence[learnt], right[learnt]),
        Audits(confidence[drawn], right[drawn], inclusion[drawn], random.random(len(drawn))),
        Population(confidence, inclusion),
        precision=0.85,
        delta=0.1,
    )
    assert certificate.threshold is not None
    assert right[confidence >= certificate.threshold].mean() >= 0.83


def test_that_the_chance_of_passing_grows_with_labels_and_precision() -> None:
    assert pass_probability(400, 0.97, 300, 0.95, 0.1) > pass_probability(100, 0.97, 300, 0.95, 0.1)
    assert pass_probability(300, 0.99, 300, 0.95, 0.1) > pass_probability(300, 0.96, 300, 0.95, 0.1)
    assert pass_probability(10, 1.0, 300, 0.95, 0.1) == 0


def test_that_the_zone_covers_what_could_be_automated() -> None:
    confidence, right = _world(9)
    floor = zone_floor(
        Estimates(confidence[:500], right[:500]), Population(confidence, np.ones(4000)), precision=0.85
    )
    assert floor is not None
    curve = np.sort(confidence)[::-1]
    order = np.argsort(-confidence)
    reachable = np.flatnonzero(np.cumsum(right[order]) / np.arange(1, 4001) >= 0.85)[-1]
    assert floor <= curve[reachable]


def test_that_one_stratum_is_tested_by_the_binomial_tail() -> None:
    assert exact_p_value((1.0,), [120], (3,), 0.1) == pytest.approx(stats.binom.cdf(3, 120, 0.1))
    assert exact_p_value((0.8,), [120], (3,), 0.1) == pytest.approx(stats.binom.cdf(3, 120, 0.125))


@pytest.mark.parametrize(
    ("weights", "labels", "errors"),
    [((0.9, 0.1), [60, 6], (1, 1)), ((0.2, 0.8), [5, 50], (0, 2)), ((0.5, 0.3, 0.2), [20, 9, 5], (0, 1, 0))],
)
def test_that_the_p_value_is_the_worst_case_over_where_the_errors_are(
    weights: tuple[float, ...], labels: list[int], errors: tuple[int, ...]
) -> None:
    """Against plain loops over error rates and every outcome."""
    allowed = 0.12
    observed = sum(w * k / n for w, k, n in zip(weights, errors, labels, strict=True))

    def chance(rates: list[float]) -> float:
        total = 0.0
        for outcome in np.ndindex(*(n + 1 for n in labels)):
            if sum(w * k / n for w, k, n in zip(weights, outcome, labels, strict=True)) <= observed + 1e-12:
                total += np.prod(
                    [stats.binom.pmf(k, n, e) for k, n, e in zip(outcome, labels, rates, strict=True)]
                )
        return total

    worst = 0.0
    steps = np.linspace(0, 1, 13)
    for rest in np.ndindex(*(len(steps),) * (len(weights) - 1)):
        others = [steps[i] * min(1, allowed / w) for i, w in zip(rest, weights[1:], strict=True)]
        first = (allowed - sum(w * e for w, e in zip(weights[1:], others, strict=True))) / weights[0]
        if 0 <= first <= 1:
            worst = max(worst, chance([first, *others]))
    value = exact_p_value(weights, labels, errors, allowed)
    assert value >= worst - 1e-9
    assert value == pytest.approx(worst, abs=0.03)


def test_that_strata_drawn_unequally_do_not_break_the_promise() -> None:
    """Errors sit where draws are rare: the worst place for a careless test."""
    broken = 0
    for seed in range(200):
        random = np.random.default_rng(seed)
        inclusion = np.where(np.arange(3000) < 2400, 0.08, 0.02)
        right = random.random(3000) < np.where(np.arange(3000) < 2400, 0.96, 0.61)
        drawn = np.flatnonzero(random.random(3000) < inclusion)
        levels = inclusion_levels(inclusion)
        strata = choose_strata(
            levels,
            np.asarray([600, 2400]),
            0,
            inclusion[drawn],
            random.random(len(drawn)),
        )
        broken += strata.p_value(right[drawn], 0.1) <= 0.1 and right.mean() < 0.9
    # The true precision is .89: refuting "under .9" is wrong and may happen to one in ten.
    assert broken <= stats.binom.ppf(0.999, 200, 0.1)


def test_that_labels_of_rare_draws_are_used_and_not_written_off() -> None:
    random = np.random.default_rng(0)
    inclusion = np.where(np.arange(3000) < 2400, 0.10, 0.05)
    drawn = np.flatnonzero(random.random(3000) < inclusion)
    strata = choose_strata(
        inclusion_levels(inclusion), np.asarray([600, 2400]), 0, inclusion[drawn], random.random(len(drawn))
    )
    assert len(strata.weights) == 2
    assert strata.labels == len(drawn)
    assert strata.missed == pytest.approx(0.0)
    assert strata.effective > 0.7 * len(drawn)


def test_that_testing_starts_where_the_walk_gets_furthest() -> None:
    """At the very top a label too many ends everything; in the middle there are enough of them."""
    reached = [_certificate(1, seed, audits=500).expected_coverage for seed in range(12)]
    assert np.median(reached) > 0.4
    assert np.mean(np.asarray(reached) > 0) > 0.7


def test_that_certificates_on_shared_labels_say_what_they_cost_together() -> None:
    first = _certificate(3, 1, audits=400)
    assert first.threshold is not None
    assert on_shared_labels(first, 0) == first
    third = on_shared_labels(first, 2)
    assert third.delta_spent == pytest.approx(0.3)
    assert "Certificate 3" in third.note
    assert "30 %" in third.note
    assert (third.threshold, third.p_value) == (first.threshold, first.p_value)
