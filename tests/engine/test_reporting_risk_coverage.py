"""The risk-coverage curve and its picture."""

from __future__ import annotations

import json
import struct
import sys
from dataclasses import asdict

import numpy as np
import pytest

from engine.contracts import RateSnapshot
from engine.contracts.selective import clopper_pearson
from engine.errors import EnvironmentError_
from engine.reporting.risk_coverage import risk_coverage
from engine.reporting.risk_curve_picture import draw_before_after


def test_that_the_curve_goes_from_strict_to_all_with_exact_bounds():
    curve = risk_coverage([0.9, 0.8, 0.8, 0.1], [0.1, 0.5, 0.4, 0.3], [True, True, False, False])
    assert curve.thresholds == (0.9, 0.8, 0.1)
    assert curve.coverage == (0.25, 0.75, 1.0)
    assert curve.precision == pytest.approx((1.0, 2 / 3, 0.5))
    assert (curve.low[1], curve.high[1]) == clopper_pearson(2, 3, 0.9)
    assert curve.similarity_coverage == (0.25, 0.5, 0.75, 1.0)
    assert curve.similarity_precision == pytest.approx((1.0, 0.5, 1 / 3, 0.5))
    assert curve.labels == 4


def test_that_similarity_may_have_another_best_candidate():
    curve = risk_coverage([0.9, 0.1], [0.9, 0.1], [True, False], [False, True])
    assert curve.precision == (1.0, 0.5)
    assert curve.similarity_precision == (0.0, 0.5)


def test_that_no_labels_make_an_empty_curve():
    curve = risk_coverage([], [], [])
    assert (curve.coverage, curve.low, curve.labels) == ((), (), 0)


def test_that_coverage_is_of_listings_where_draws_were_made_in_a_zone():
    # Ten listings; those above .5 were drawn with certainty, those below one time in four.
    reserve = np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.05]), np.repeat([1.0, 0.25], 5)
    confidence, inclusion = [0.9, 0.8, 0.7, 0.6, 0.5, 0.2], [1, 1, 1, 1, 1, 0.25]
    right = [True, True, False, True, True, False]
    curve = risk_coverage(confidence, confidence, right, inclusion=inclusion, reserve=reserve)
    assert curve.coverage == pytest.approx((0.1, 0.2, 0.3, 0.4, 0.5, 0.8))
    assert curve.precision == pytest.approx((1, 1, 2 / 3, 3 / 4, 4 / 5, 4 / 9))
    assert curve.similarity_coverage == pytest.approx((1 / 9, 2 / 9, 3 / 9, 4 / 9, 5 / 9, 1.0))
    assert curve.accepted == (1, 2, 3, 4, 5, 6)
    assert (curve.low[4], curve.high[4]) == pytest.approx(clopper_pearson(4, 5, 0.9))
    assert all(
        low <= at <= high for low, at, high in zip(curve.low, curve.precision, curve.high, strict=True)
    )


def test_that_the_band_covers_the_precision_of_listings_that_were_drawn_unequally():
    rng = np.random.default_rng(2)
    confidence = rng.random(800)
    chance = np.where(confidence > 0.5, 0.4, 0.05)
    covered = tried = 0
    for _ in range(150):
        right = rng.random(800) < 0.5 + confidence / 2
        drawn = rng.random(800) < chance
        curve = risk_coverage(
            confidence[drawn],
            confidence[drawn],
            right[drawn],
            most_points=5,
            inclusion=chance[drawn],
            reserve=(confidence, chance),
        )
        for threshold, low, high in zip(curve.thresholds, curve.low, curve.high, strict=True):
            tried += 1
            covered += low <= right[confidence >= threshold].mean() <= high
    assert covered / tried >= 0.88


def test_that_listings_nobody_could_draw_widen_the_band():
    reserve = np.array([0.9] * 40 + [0.8] * 10), np.array([0.5] * 40 + [0.0] * 10)
    curve = risk_coverage([0.9] * 20, [0.9] * 20, [True] * 20, inclusion=[0.5] * 20, reserve=reserve)
    assert curve.coverage == (0.8,)
    assert curve.low == (clopper_pearson(20, 20, 0.9)[0],)
    curve = risk_coverage([0.8] * 20, [0.8] * 20, [True] * 20, inclusion=[0.5] * 20, reserve=reserve)
    assert curve.low[0] == pytest.approx(0.8 * clopper_pearson(20, 20, 0.9)[0])


def test_that_inclusion_and_reserve_belong_together():
    with pytest.raises(ValueError, match="belong together"):
        risk_coverage([0.5], [0.5], [True], inclusion=[0.5])


def test_that_a_long_curve_is_thinned_evenly_and_keeps_its_ends():
    rng = np.random.default_rng(0)
    scores, right = rng.random(5000), rng.random(5000) < 0.7
    full = risk_coverage(scores, scores, right, most_points=10_000)
    thin = risk_coverage(scores, scores, right, most_points=100)
    assert len(full.coverage) == 5000
    assert len(thin.coverage) <= 100
    assert (thin.coverage[0], thin.coverage[-1]) == (full.coverage[0], 1.0)
    assert max(np.diff(thin.coverage)) < 0.012
    assert set(zip(thin.coverage, thin.precision, strict=True)) <= set(
        zip(full.coverage, full.precision, strict=True)
    )


def test_that_a_listing_without_candidates_can_be_written_as_json():
    curve = risk_coverage([0.9, -np.inf], [0.9, -np.inf], [True, False])
    assert curve.thresholds == (0.9, -1.0)
    json.dumps(asdict(curve), allow_nan=False)


def rate(coverage, automation_rate):
    return RateSnapshot("2026-03-01", "r0001", 100, coverage, 0.0, 0.0, automation_rate, 10)


def drawn(path, **changes):
    rng = np.random.default_rng(1)
    scores = rng.random(200)
    curve = risk_coverage(scores, scores, rng.random(200) < scores)
    options = {
        "before": rate(0.2, 0.3),
        "after": rate(0.4, 0.5),
        "curve_before": curve,
        "curve_after": curve,
        "precision": 0.95,
    }
    return draw_before_after(path, **{**options, **changes})


def size_of(path):
    data = path.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    return struct.unpack(">II", data[16:24])


def test_that_the_picture_is_a_png_and_says_what_it_is_given(tmp_path):
    path = drawn(tmp_path / "new" / "picture.png", subtitle="a line below")
    assert size_of(path) == (1800, 820)
    assert drawn(tmp_path / "other.png", after=rate(0.9, 0.95)).read_bytes() != path.read_bytes()
    assert drawn(tmp_path / "third.png", subtitle="a line below").read_bytes() == path.read_bytes()
    assert [p.name for p in path.parent.iterdir()] == ["picture.png"]


def test_that_nothing_to_show_can_be_drawn(tmp_path):
    empty = risk_coverage([], [], [])
    path = drawn(
        tmp_path / "p.png",
        before=rate(0, 0),
        after=rate(0, 0),
        curve_before=empty,
        curve_after=empty,
        precision=0.5,
    )
    assert size_of(path) == (1800, 820)


def test_that_drawing_needs_no_window_system(tmp_path):
    drawn(tmp_path / "p.png")
    assert "matplotlib.pyplot" not in sys.modules or sys.modules["matplotlib"].get_backend().lower() == "agg"


def test_that_a_picture_that_cannot_be_written_is_said_and_leaves_nothing(tmp_path):
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(EnvironmentError_, match=r"cannot write the picture .*folder\.png"):
        drawn(tmp_path / "folder.png")
    assert [p.name for p in tmp_path.iterdir()] == ["folder.png"]
