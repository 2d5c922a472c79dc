"""What more random decisions are expected to certify: a forecast, and no promise.

The next certificate is played many times. Error rates are drawn from what learning stream and random
stream say together; the labels there are count as they are, those to come are drawn from the rates and
spread over the confidences like the labels so far; and each play is tested as the certificate would
be. The forecast is itself measured against what came (``tests/benchmarks/forecast.py``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.automation.testing_order import Profile, plan_start, walk
from engine.contracts import Forecast

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: Random decisions that forecasts are made for.
STEPS: tuple[int, ...] = (50, 100, 200, 400, 800)


@dataclass(frozen=True, slots=True)
class Standing:
    """Where testing stands at every threshold, strictest first: [thresholds] each.

    ``worth`` plain labels that the accepted labels are worth and ``errors`` how many of those are
    wrong, ``required`` the precision to show on them, ``coverage`` the share of listings accepted;
    ``newly`` [thresholds, bins] how the listings that a threshold adds are spread.
    """

    worth: Floats
    errors: Floats
    required: Floats
    coverage: Floats
    newly: Floats


def forecast(
    standing: Standing,
    planned: Floats,
    believed: Floats,
    labels: int,
    delta: float,
    steps: Sequence[int] = STEPS,
) -> tuple[Forecast, ...]:
    """Play the next certificate after every number of further random decisions.

    Args:
        standing: of the certificate now.
        planned: [plays, bins] error rates from the learning stream alone, which plan the start.
        believed: [plays, bins] error rates from all that is known.
        labels: random decisions so far.
        delta: error probability of each test.
        steps: numbers of further random decisions.
    """
    random = np.random.default_rng(1)
    found = []
    for more in steps:
        # Before the first random decision nothing says how they spread: like the listings.
        worth = standing.worth * (labels + more) / labels if labels else standing.coverage * more
        count = np.maximum.accumulate(worth.astype(np.int64))
        start = plan_start(planned, standing.newly, count, standing.required, standing.coverage, delta)
        if start is None:
            found.append(Forecast(more, 0.0, 0.0, 0.0, 0.0))
            continue
        fresh = np.diff(np.maximum(worth - standing.worth, 0.0), prepend=0.0)
        fresh = random.poisson(np.maximum(fresh, 0.0), size=(len(believed), len(fresh)))
        wrong = random.binomial(fresh, np.clip(believed @ standing.newly.T, 0.0, 1.0))
        errors = np.round(standing.errors + np.cumsum(wrong, axis=1))
        reached = walk(errors, count, standing.required, standing.coverage, delta)[:, start]
        low, high = np.quantile(reached, [0.1, 0.9])
        found.append(
            Forecast(more, float(reached.mean()), float(low), float(high), float((reached > 0).mean()))
        )
    return tuple(found)


def everything_known(learnt: Profile, confidence: Floats, right: npt.NDArray[np.bool_]) -> Profile:
    """The profile with the random stream's answers added: for forecasts, never for the order of testing."""
    bins = learnt.bins(confidence)
    seen = np.bincount(bins, minlength=len(learnt.right))
    good = np.bincount(bins, right.astype(np.float64), len(learnt.right))
    return Profile(learnt.edges, learnt.middles, learnt.right + good, learnt.wrong + seen - good)
