"""One promise for both kinds of answers: what is answered, what is automated, and whether it is kept."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from engine.automation.certificate import Audits, Estimates, Population, certify
from engine.automation.routing import Thresholds, place
from engine.contracts import (
    Candidate,
    Certificate,
    CertificateKind,
    Placement,
    Promise,
    Route,
    RouteReason,
)
from engine.contracts.together import answer_confidence, answer_right, says_none

LISTINGS = 3000


def routed(
    confidence: float | None,
    none_confidence: float,
    *,
    both: float = 0.8,
    suspended: frozenset[CertificateKind] = frozenset(),
) -> Placement:
    candidates = (
        () if confidence is None else (Candidate(7, confidence, 0.9, 0.8), Candidate(8, 0.0, 0.1, 0.1))
    )
    return place(
        1,
        candidates,
        none_confidence=none_confidence,
        thresholds=Thresholds(None, None, has_matcher=True, both=both, suspended=suspended),
        remembered_item=None,
    )


@pytest.mark.parametrize(
    ("confidence", "none_confidence", "route", "reason", "item"),
    [
        (0.9, 0.05, Route.AUTOMATED, RouteReason.ABOVE_THRESHOLD, 7),
        (0.05, 0.9, Route.AUTOMATED, RouteReason.NOT_IN_CATALOGUE, None),
        (0.81, 0.95, Route.AUTOMATED, RouteReason.NOT_IN_CATALOGUE, None),
        (0.8, 0.8, Route.AUTOMATED, RouteReason.ABOVE_THRESHOLD, 7),
        (None, 0.9, Route.AUTOMATED, RouteReason.NOT_IN_CATALOGUE, None),
        (0.79, 0.2, Route.REVIEW, RouteReason.BELOW_THRESHOLD, 7),
        (0.2, 0.79, Route.REVIEW, RouteReason.BELOW_THRESHOLD, 7),
        (None, 0.79, Route.REVIEW, RouteReason.NO_CANDIDATES, None),
    ],
)
def test_that_the_likelier_answer_is_given_and_one_threshold_is_on_it(
    confidence: float | None, none_confidence: float, route: Route, reason: RouteReason, item: int | None
) -> None:
    placed = routed(confidence, none_confidence)
    assert (placed.route, placed.reason, placed.item_id) == (route, reason, item)


def test_that_a_suspension_stops_both_answers_and_keeps_what_they_were() -> None:
    suspended = frozenset({CertificateKind.BOTH})
    for confidence, none_confidence, item in ((0.9, 0.0, 7), (0.0, 0.9, None)):
        placed = routed(confidence, none_confidence, suspended=suspended)
        assert (placed.route, placed.reason) == (Route.REVIEW, RouteReason.SUSPENDED)
        assert placed.item_id == item
    # A suspension of another promise has no say.
    other = routed(0.9, 0.0, suspended=frozenset({CertificateKind.MATCH, CertificateKind.NONE}))
    assert other.route is Route.AUTOMATED


def test_that_separate_thresholds_route_as_before() -> None:
    thresholds = Thresholds(0.8, 0.9, has_matcher=True)
    assert thresholds.allows(0.8, 0.95) == (CertificateKind.MATCH, False)
    assert thresholds.allows(0.7, 0.95) == (CertificateKind.NONE, True)
    assert thresholds.allows(0.7, 0.85) is None
    assert Thresholds(None, 0.9, has_matcher=True).allows(0.99, 0.0) is None


def test_that_the_answers_of_arrays_are_those_that_are_routed() -> None:
    random = np.random.default_rng(1)
    confidence, none = random.random(200).round(1), random.random(200).round(1)
    for row in range(200):
        placed = routed(float(confidence[row]), float(none[row]), both=0.6)
        assert (placed.route is Route.AUTOMATED) == (answer_confidence(confidence, none)[row] >= 0.6)
        if placed.route is Route.AUTOMATED:
            assert (placed.item_id is None) == says_none(confidence, none)[row]
    match_right, none_right = random.random(200) < 0.5, random.random(200) < 0.5
    right = answer_right(confidence, none, match_right, none_right)
    assert (right == np.where(none > confidence, none_right, match_right)).all()


def _world(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Confidences of match and none, and whether either answer is right; "none" is overrated."""
    random = np.random.default_rng(seed)
    none = random.beta(0.4, 1.6, LISTINGS)
    confidence = (1 - none) * random.beta(3, 1, LISTINGS)
    in_catalogue = random.random(LISTINGS) > 0.85 * none
    match_right = in_catalogue & (random.random(LISTINGS) < np.clip(1.05 * confidence / (1 - none), 0, 0.97))
    return confidence, none, match_right, ~in_catalogue


def _certificate(seed: int, precision: float) -> tuple[Certificate, float]:
    """A certificate for both from zone draws of one world, and the precision it really has."""
    confidence, none, match_right, none_right = _world(11)
    random = np.random.default_rng(seed)
    sure, right = answer_confidence(confidence, none), answer_right(confidence, none, match_right, none_right)
    learnt = random.choice(LISTINGS, 400, replace=False)
    inclusion = np.full(LISTINGS, 0.06)
    inclusion[(confidence >= 0.6) | (none >= 0.6)] = 0.2
    drawn = np.flatnonzero(random.random(LISTINGS) < inclusion)
    made = certify(
        Estimates(sure[learnt], right[learnt]),
        Audits(sure[drawn], right[drawn], inclusion[drawn], random.random(len(drawn))),
        Population(sure, inclusion),
        precision=precision,
        delta=0.1,
        kind=CertificateKind.BOTH,
    )
    if made.threshold is None:
        return made, 1.0
    return made, float(right[sure >= made.threshold].mean())


def test_that_at_most_delta_of_the_certificates_for_both_are_wrong() -> None:
    outcomes = [_certificate(seed, 0.85) for seed in range(100)]
    wrong = sum(made.threshold is not None and real < 0.85 for made, real in outcomes)
    # 10 % may be wrong; 100 draws of a 10 % event exceed 20 in about one run in 1,000.
    assert wrong <= stats.binom.ppf(0.999, 100, 0.1)
    assert sum(made.threshold is not None for made, _ in outcomes) > 50
    assert {made.kind for made, _ in outcomes} == {CertificateKind.BOTH}


def test_that_a_promise_names_the_kinds_of_its_certificates() -> None:
    assert Promise.EACH.kinds == (CertificateKind.MATCH, CertificateKind.NONE)
    assert Promise.TOGETHER.kinds == (CertificateKind.BOTH,)
