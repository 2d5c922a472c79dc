"""Fitting the matcher and running it as ONNX."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engine.automation.evidence_columns import EVIDENCE_NAMES, TEXT_NAMES, column
from engine.automation.listing_evidence import HEAD_NAMES, head_evidence
from engine.automation.matcher import LEAST_UNSEEN, LearningSet, _fit_head, _pair_model, fit_matcher
from engine.automation.matcher_graphs import head_graph, pair_graph
from engine.automation.ranking import best_rows
from engine.backends.onnx_matcher import OnnxMatcher
from engine.contracts import MatcherGraphs


def _learning(listings: int, seed: int = 0, candidates: int = 6) -> LearningSet:
    random = np.random.default_rng(seed)
    rows = np.repeat(np.arange(listings), candidates)
    evidence = random.normal(size=(len(rows), len(EVIDENCE_NAMES))).astype(np.float32)
    positive = np.zeros(len(rows), dtype=bool)
    positive[::candidates] = random.random(listings) < 0.7
    evidence[positive, column("lexical")] += 3
    text = random.normal(size=(listings, len(TEXT_NAMES))).astype(np.float32)
    none = ~np.isin(np.arange(listings), rows[positive])
    return LearningSet(rows, evidence, positive, text, none)


def _head_rows(learning: LearningSet, matcher: OnnxMatcher) -> tuple[np.ndarray, np.ndarray]:
    odds = matcher.log_odds(learning.evidence)
    return head_evidence(learning.listing_row, learning.evidence, odds, learning.text)


def test_that_the_onnx_graphs_find_the_answer_and_know_when_there_is_none() -> None:
    fitted = fit_matcher(_learning(300))
    assert fitted is not None
    assert fitted.kind == "listwise"
    fresh = _learning(300, seed=1)
    matcher = OnnxMatcher(fitted.graphs)
    best, heads = _head_rows(fresh, matcher)
    confidence, none = matcher.confidence(heads), matcher.none_confidence(heads)
    assert confidence is not None
    assert none is not None
    assert fresh.positive[best][~fresh.none].mean() > 0.85
    assert ((confidence >= 0) & (confidence <= 1)).all()
    right = fresh.positive[best]
    assert confidence[right].mean() > confidence[~right].mean() + 0.4
    assert none[fresh.none].mean() > none[~fresh.none].mean() + 0.4


def test_that_the_graphs_say_what_scikit_learn_says() -> None:
    learning = _learning(300)
    heads = np.random.default_rng(2).normal(size=(500, len(HEAD_NAMES))).astype(np.float32)
    target = heads[:, 0] + heads[:, 1] > 0
    head, _ = _fit_head(heads, target, np.ones(500, np.float32), np.random.default_rng(0))
    assert head is not None
    pairs = _pair_model().fit(learning.evidence, learning.positive)
    graphs = MatcherGraphs(
        pair_graph(pairs, learning.evidence.shape[1]),
        head_graph(head, heads.shape[1]),
        head_graph(head, heads.shape[1]),
    )
    matcher = OnnxMatcher(graphs)
    assert matcher.log_odds(learning.evidence) == pytest.approx(
        pairs.decision_function(learning.evidence), abs=1e-4
    )
    assert matcher.confidence(heads) == pytest.approx(head.predict(heads), abs=1e-5)


def test_that_without_wrong_answers_the_pair_matcher_speaks_alone() -> None:
    learning = _learning(60)
    rows = learning.listing_row
    everyone = np.zeros_like(learning.positive)
    everyone[::6] = True
    evidence = learning.evidence.copy()
    evidence[everyone, column("lexical")] += 30
    fitted = fit_matcher(LearningSet(rows, evidence, everyone, learning.text, np.zeros(60, bool)))
    assert fitted is not None
    assert fitted.kind == "pairs"
    assert fitted.graphs.confidence is None
    assert fitted.graphs.none is None
    assert fitted.confidence.shape == (60,)


def test_that_a_match_outside_the_candidates_is_not_taught_as_none() -> None:
    learning = _learning(300)
    # The reviewer found these by search: no candidate is right, and yet the listing has a match.
    none = learning.none.copy()
    none[np.flatnonzero(none)[::2]] = False
    fitted = fit_matcher(
        LearningSet(learning.listing_row, learning.evidence, learning.positive, learning.text, none)
    )
    assert fitted is not None
    assert fitted.none_right.sum() == none.sum()


def test_that_out_of_fold_confidence_is_calibrated() -> None:
    fitted = fit_matcher(_learning(600))
    assert fitted is not None
    assert fitted.confidence.mean() == pytest.approx(fitted.right.mean(), abs=0.08)
    assert len(fitted.confidence) == len(fitted.none_confidence) == 600


def _flattered(unseen: int, seen: int) -> LearningSet:
    """Listings of which some were trained on: similarity tells their answers, and no others."""
    learning = _learning(unseen + seen)
    evidence = learning.evidence.copy()
    evidence[:, column("lexical")] = np.where(learning.positive, 2.0, 0.0) + np.random.default_rng(5).normal(
        size=len(evidence)
    ).astype(np.float32)
    known = np.arange(unseen + seen) >= unseen
    evidence[learning.positive & known[learning.listing_row], column("similarity")] += 9
    return LearningSet(learning.listing_row, evidence, learning.positive, learning.text, learning.none, known)


def test_that_listings_the_encoder_was_trained_on_hardly_count() -> None:
    learning = _flattered(LEAST_UNSEEN, 900)
    fair, flattered = fit_matcher(learning), fit_matcher(replace(learning, seen=None))
    assert fair is not None
    assert flattered is not None
    evidence = _flattered(400, 0).evidence
    nearer = evidence.copy()
    nearer[:, column("similarity")] += 1
    trust = []
    for fitted in (fair, flattered):
        matcher = OnnxMatcher(fitted.graphs)
        trust.append(float((matcher.log_odds(nearer) - matcher.log_odds(evidence)).mean()))
    assert 0 < trust[0] < 0.6 * trust[1]
    # What it says of listings it was not fitted to is of unseen ones only.
    assert len(fair.confidence) == len(fair.right) == len(fair.none_confidence) == LEAST_UNSEEN
    assert len(flattered.confidence) == LEAST_UNSEEN + 900


def test_that_with_few_unseen_listings_all_count_alike() -> None:
    learning = _flattered(LEAST_UNSEEN - 1, 100)
    fitted, alike = fit_matcher(learning), fit_matcher(replace(learning, seen=None))
    assert fitted is not None
    assert alike is not None
    assert fitted.confidence.tolist() == alike.confidence.tolist()


def test_that_too_few_judged_listings_give_no_matcher() -> None:
    assert fit_matcher(_learning(10)) is None


def test_that_listings_without_any_answer_give_no_matcher() -> None:
    learning = _learning(100)
    nothing = LearningSet(
        learning.listing_row,
        learning.evidence,
        np.zeros_like(learning.positive),
        learning.text,
        np.ones(100, bool),
    )
    assert fit_matcher(nothing) is None


def test_that_no_rows_give_no_confidence() -> None:
    fitted = fit_matcher(_learning(100))
    assert fitted is not None
    matcher = OnnxMatcher(fitted.graphs)
    assert matcher.log_odds(np.zeros((0, len(EVIDENCE_NAMES)), np.float32)).shape == (0,)


def test_that_the_first_of_equal_scores_is_the_best() -> None:
    rows = best_rows(np.asarray([0, 0, 1, 1]), np.asarray([0.5, 0.5, 0.1, 0.2], np.float32))
    assert rows.tolist() == [0, 3]
