"""The certificate's test and its sequence against MAPIE, which implements Learn-then-Test independently."""

from __future__ import annotations

import numpy as np
import pytest
from mapie.risk_control import control_fwer
from mapie.risk_control.methods import compute_hoeffding_bentkus_p_value

from engine.automation import certificate as certificates
from engine.automation.certificate import Audits, Estimates, Population, certify, thresholds_to_test
from engine.automation.strata import exact_p_value

PRECISION, DELTA = 0.85, 0.1


@pytest.mark.parametrize(("labels", "errors"), [(45, 0), (60, 1), (120, 4), (300, 9), (500, 40), (20, 20)])
@pytest.mark.parametrize("allowed", [0.05, 0.1, 0.2])
def test_that_the_p_value_of_plain_draws_is_mapies(labels: int, errors: int, allowed: float) -> None:
    # Counts a little below a whole number: MAPIE rounds shares up.
    share = np.asarray([[(errors - 1e-9) / labels]]) if errors else np.asarray([[0.0]])
    theirs = compute_hoeffding_bentkus_p_value(share[0], labels, allowed, binary=True)
    assert exact_p_value((1.0,), [labels], (errors,), allowed) == pytest.approx(float(theirs[0, 0]), rel=1e-6)


@pytest.mark.parametrize("seed", range(6))
def test_that_testing_ends_where_mapies_fixed_sequence_ends(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[int | None] = []
    plan = certificates.plan_start

    def noted(*arguments: np.ndarray) -> int | None:
        started.append(plan(*arguments))
        return started[-1]

    monkeypatch.setattr(certificates, "plan_start", noted)
    random = np.random.default_rng(seed)
    confidence = random.beta(2, 1, 3000)
    right = random.random(3000) < np.clip(confidence * 1.02, 0, 0.985)
    learnt, drawn = random.choice(3000, 400), random.choice(3000, 500, replace=False)
    inclusion = np.full(3000, 500 / 3000)
    population = Population(confidence, inclusion)
    found = certify(
        Estimates(confidence[learnt], right[learnt]),
        Audits(confidence[drawn], right[drawn], inclusion[drawn], random.random(500)),
        population,
        precision=PRECISION,
        delta=DELTA,
    )
    assert started[0] is not None
    sequence = thresholds_to_test(population)[started[0] :]
    accepted = [confidence[drawn] >= threshold for threshold in sequence]
    wrong = [np.asarray([(~right[drawn][one]).mean() - 1e-12]).clip(0) for one in accepted]
    p_values = [
        compute_hoeffding_bentkus_p_value(share, int(one.sum()), 1 - PRECISION, binary=True)[0, 0]
        for share, one in zip(wrong, accepted, strict=True)
    ]
    passed = control_fwer(np.asarray(p_values), DELTA, "fixed_sequence")
    assert found.threshold == (sequence[passed.max()] if len(passed) else None)
