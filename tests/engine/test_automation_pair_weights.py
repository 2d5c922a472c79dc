"""What confirmed pairs count in training, by the word of a matcher that has not seen their decisions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engine.automation.evidence_columns import EVIDENCE_NAMES, TEXT_NAMES, column
from engine.automation.matcher import LEAST_LISTINGS, LearningSet
from engine.automation.pair_weights import LEAST_WEIGHT, pair_weights

CANDIDATES = 6


def _learning(listings: int, seed: int = 0) -> LearningSet:
    """Listings 10, 20, ... whose first candidate is right; two in ten have none, and nothing is confirmed."""
    random = np.random.default_rng(seed)
    rows = np.repeat(10 * np.arange(1, listings + 1), CANDIDATES)
    evidence = random.normal(size=(len(rows), len(EVIDENCE_NAMES))).astype(np.float32)
    none = random.random(listings) < 0.2
    positive = np.zeros(len(rows), dtype=bool)
    positive[::CANDIDATES] = ~none
    evidence[positive, column("lexical")] += 5
    text = random.normal(size=(listings, len(TEXT_NAMES))).astype(np.float32)
    return LearningSet(rows, evidence, positive, text, none)


def _first(listing: int) -> int:
    """The row of a listing's first candidate."""
    return CANDIDATES * listing


def _strongest_wrong(learning: LearningSet, listing: int) -> int:
    """The row of the other candidate that looks best."""
    others = slice(_first(listing) + 1, _first(listing + 1))
    return others.start + int(np.argmax(learning.evidence[others, column("lexical")]))


def test_that_wrong_confirmations_weigh_little_and_right_ones_keep_their_weight() -> None:
    learning = _learning(400)
    confirmed = np.flatnonzero(~learning.none)
    wrong, positive = confirmed[::10], learning.positive.copy()
    for listing in wrong:
        positive[_first(listing)] = False
        positive[_strongest_wrong(learning, listing)] = True
    weights = pair_weights(replace(learning, positive=positive), seed=0)
    assert weights.shape == (400,)
    right = np.setdiff1d(confirmed, wrong)
    assert (weights[wrong] < 0.5).mean() > 0.9
    assert (weights[right] > 0.9).mean() > 0.9
    assert weights.min() == pytest.approx(LEAST_WEIGHT)
    assert weights.max() == 1


def test_that_the_same_seed_gives_the_same_weights_and_another_one_other_halves() -> None:
    learning = _learning(100)
    first, again, other = (pair_weights(learning, seed=seed) for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_that_all_pairs_weigh_1_while_decisions_are_too_few_for_two_matchers() -> None:
    assert (pair_weights(_learning(2 * LEAST_LISTINGS - 2), seed=0) == 1).all()
    empty = LearningSet(
        np.zeros(0, np.int64),
        np.zeros((0, len(EVIDENCE_NAMES)), np.float32),
        np.zeros(0, bool),
        np.zeros((0, len(TEXT_NAMES)), np.float32),
        np.zeros(0, bool),
    )
    assert pair_weights(empty, seed=0).shape == (0,)


def test_that_what_was_found_by_search_weighs_1() -> None:
    learning = _learning(200)
    listing = int(np.flatnonzero(~learning.none)[0])
    positive = learning.positive.copy()
    positive[_first(listing)] = False
    weights = pair_weights(replace(learning, positive=positive), seed=0)
    assert weights[listing] == 1
    # A listing that matches nothing has no confirmed pair whose weight could matter.
    assert (weights[learning.none] == 1).all()


def test_that_a_listing_without_another_candidate_weighs_1() -> None:
    learning = _learning(200)
    listing = int(np.flatnonzero(~learning.none)[0])
    kept = np.ones(len(learning.positive), dtype=bool)
    kept[_first(listing) + 1 : _first(listing + 1)] = False
    # Even one that the matcher thinks nothing of.
    evidence = learning.evidence.copy()
    evidence[_first(listing), column("lexical")] -= 20
    weights = pair_weights(
        LearningSet(
            learning.listing_row[kept],
            evidence[kept],
            learning.positive[kept],
            learning.text,
            learning.none,
        ),
        seed=0,
    )
    assert weights[listing] == 1


def test_that_a_listing_weighs_what_its_strongest_confirmed_item_does() -> None:
    learning = _learning(200)
    listing = int(np.flatnonzero(~learning.none)[0])
    positive = learning.positive.copy()
    positive[_first(listing) + 1 : _first(listing) + 3] = True
    assert pair_weights(replace(learning, positive=positive), seed=0)[listing] > 0.9


def test_that_weights_are_in_order_of_the_listings_whatever_the_encoder_was_trained_on() -> None:
    learning = _learning(200)
    listing = int(np.flatnonzero(~learning.none)[-1])
    positive = learning.positive.copy()
    positive[_first(listing)] = False
    positive[_strongest_wrong(learning, listing)] = True
    seen = np.arange(200) % 2 == 0
    weights = pair_weights(replace(learning, positive=positive, seen=seen), seed=0)
    assert int(np.argmin(weights)) == listing
