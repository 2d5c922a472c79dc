"""Fitting the matcher and running it as ONNX."""

from __future__ import annotations

import numpy as np
import pytest

from engine.automation.evidence import EVIDENCE_NAMES, column
from engine.automation.matcher import LearningSet, best_rows, fit_matcher
from engine.backends.onnx_matcher import OnnxMatcher


def _learning(listings: int, seed: int = 0, candidates: int = 6) -> LearningSet:
    random = np.random.default_rng(seed)
    rows = np.repeat(np.arange(listings), candidates)
    evidence = random.normal(size=(len(rows), len(EVIDENCE_NAMES))).astype(np.float32)
    positive = np.zeros(len(rows), dtype=bool)
    positive[::candidates] = random.random(listings) < 0.7
    evidence[positive, column("lexical")] += 3
    return LearningSet(rows, evidence, positive)


def test_that_the_onnx_graph_finds_the_answer() -> None:
    fitted = fit_matcher(_learning(300))
    assert fitted is not None
    fresh = _learning(300, seed=1)
    confidence = OnnxMatcher(fitted.graph).confidence(fresh.evidence)
    best = best_rows(fresh.listing_row, confidence)
    answered = np.isin(np.arange(300), fresh.listing_row[fresh.positive])
    assert fresh.positive[best][answered].mean() > 0.85
    assert ((confidence >= 0) & (confidence <= 1)).all()


def test_that_out_of_fold_confidence_is_calibrated() -> None:
    fitted = fit_matcher(_learning(600))
    assert fitted is not None
    assert fitted.confidence.mean() == pytest.approx(fitted.right.mean(), abs=0.08)
    assert len(fitted.confidence) == len(fitted.none_confidence) == 600


def test_that_too_few_judged_listings_give_no_matcher() -> None:
    assert fit_matcher(_learning(10)) is None


def test_that_listings_without_any_answer_give_no_matcher() -> None:
    learning = _learning(100)
    nothing = LearningSet(learning.listing_row, learning.evidence, np.zeros_like(learning.positive))
    assert fit_matcher(nothing) is None


def test_that_no_rows_give_no_confidence() -> None:
    fitted = fit_matcher(_learning(100))
    assert fitted is not None
    assert OnnxMatcher(fitted.graph).confidence(np.zeros((0, len(EVIDENCE_NAMES)), np.float32)).shape == (0,)


def test_that_the_first_of_equal_scores_is_the_best() -> None:
    rows = best_rows(np.asarray([0, 0, 1, 1]), np.asarray([0.5, 0.5, 0.1, 0.2], np.float32))
    assert rows.tolist() == [0, 3]
