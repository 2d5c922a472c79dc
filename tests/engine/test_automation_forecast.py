"""The forecast of the next certificate, against certificates that came."""

from __future__ import annotations

import numpy as np
import pytest

from engine.automation.certificate import Audits, Estimates, Population, certify, forecasts
from engine.automation.forecast import STEPS
from engine.contracts import Forecast

LISTINGS, PRECISION = 4000, 0.85


class _Stream:
    """A random stream over a made-up world, drawn bit by bit."""

    def __init__(self, seed: int) -> None:
        random = np.random.default_rng(seed)
        self._confidence = random.beta(2, 1, LISTINGS)
        self._right = random.random(LISTINGS) < np.clip(self._confidence * 1.02, 0, 0.985)
        self._order = random.permutation(LISTINGS)
        self._coin = random.random(LISTINGS)
        learnt = random.choice(LISTINGS, 400)
        self._estimates = Estimates(self._confidence[learnt], self._right[learnt])

    def _labels(self, count: int) -> tuple[Audits, Population]:
        at = self._order[:count]
        inclusion = np.full(LISTINGS, count / LISTINGS)
        audits = Audits(self._confidence[at], self._right[at], inclusion[at], self._coin[at])
        return audits, Population(self._confidence, inclusion)

    def forecasts(self, count: int) -> dict[int, Forecast]:
        found = forecasts(self._estimates, *self._labels(count), precision=PRECISION, delta=0.1)
        return {one.more: one for one in found}

    def coverage(self, count: int) -> float:
        return certify(
            self._estimates, *self._labels(count), precision=PRECISION, delta=0.1
        ).expected_coverage


def test_that_the_forecast_is_right_on_average() -> None:
    told, came, within = [], [], []
    for seed in range(30):
        stream = _Stream(seed)
        expected = stream.forecasts(100)[200]
        told.append(expected.coverage)
        came.append(stream.coverage(300))
        within.append(expected.low - 1e-9 <= came[-1] <= expected.high + 1e-9)
    assert np.mean(told) == pytest.approx(np.mean(came), abs=0.08)
    # 80 % are meant to lie within; fewer than 60 % of 30 happens once in 200 times.
    assert np.mean(within) >= 0.6


def test_that_more_audits_promise_more() -> None:
    found = _Stream(1).forecasts(60)
    assert tuple(found) == STEPS
    assert found[800].coverage >= found[50].coverage
    assert found[800].chance >= found[50].chance
    assert all(0 <= one.low <= one.high <= 1 for one in found.values())


def test_that_a_forecast_is_made_before_the_first_audit() -> None:
    found = _Stream(2).forecasts(0)
    assert found[800].coverage > 0.2


def test_that_nothing_is_forecast_from_nothing() -> None:
    nothing = np.zeros(0)
    assert (
        forecasts(
            Estimates(nothing, nothing.astype(bool)),
            Audits(nothing, nothing.astype(bool), nothing, nothing),
            Population(np.ones(3), np.ones(3)),
            precision=PRECISION,
            delta=0.1,
        )
        == ()
    )


def test_that_no_more_is_forecast_than_the_reserve_holds() -> None:
    assert tuple(_Stream(3).forecasts(LISTINGS - 150)) == (50, 100)
    assert _Stream(3).forecasts(LISTINGS - 10) == {}
