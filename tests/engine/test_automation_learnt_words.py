"""Words get weights from judged listings: sums against plain loops, nothing learnt from itself, no harm."""

from __future__ import annotations

import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.automation.evidence_columns import EVIDENCE_NAMES, TEXT_NAMES, column
from engine.automation.learnt_words import (
    LEAST_LISTINGS,
    LearntWords,
    WordPairs,
    WordSets,
    with_learnt_words,
)
from engine.automation.matcher import LearningSet

TEXTS = st.lists(st.text(alphabet="ab c1-é", max_size=12), min_size=1, max_size=5)


def words_of(text: str) -> set[int]:
    """The words of an ASCII text, plainly."""
    return {zlib.crc32(word.encode()) for word in text.casefold().replace("-", " ").split()}


def pairs_of(listings: list[str], items: list[str], pairs: list[tuple[int, int]]) -> WordPairs:
    rows = np.asarray(pairs, np.int64).reshape(-1, 2)
    return WordPairs(WordSets.of(listings), WordSets.of(items), rows[:, 0], rows[:, 1])


def learnt(weights: dict[str, tuple[float, float, float]]) -> LearntWords:
    by_hash = sorted((zlib.crc32(word.encode()), three) for word, three in weights.items())
    return LearntWords(
        np.asarray([word for word, _ in by_hash], np.uint32),
        np.asarray([three for _, three in by_hash], np.float32).reshape(-1, 3).T.copy(),
    )


@given(TEXTS, TEXTS)
def test_that_a_score_is_the_sum_of_three_kinds_of_words(listings: list[str], items: list[str]) -> None:
    weights = {"a": (1.0, 10.0, 100.0), "b": (2.0, 20.0, 200.0), "é": (4.0, 40.0, 400.0)}
    known = learnt(weights)
    every = [(i, j) for i in range(len(listings)) for j in range(len(items))]
    scores = known.scores(pairs_of(listings, items, every))
    for (i, j), score in zip(every, scores, strict=True):
        expected = 0.0
        for word, (missing_in_item, missing_in_listing, shared) in weights.items():
            number = zlib.crc32(word.encode())
            in_listing, in_item = number in words_of(listings[i]), number in words_of(items[j])
            if in_listing and in_item:
                expected += shared
            elif in_listing:
                expected += missing_in_item
            elif in_item:
                expected += missing_in_listing
        assert score == pytest.approx(expected, abs=1e-4)


def test_that_words_have_no_case_and_no_punctuation_in_any_script() -> None:
    sets = WordSets.of(["\uff2bit ñandú 18-55", "KIT, ÑANDÚ (18/55)", ""])
    one, other, empty = (sets.words[sets.ends[i] : sets.ends[i + 1]].tolist() for i in range(3))
    assert one == other == sorted(one)
    assert len(one) == 4
    assert empty == []


@given(TEXTS, TEXTS)
def test_that_sets_are_taken_and_joined_in_order(first: list[str], second: list[str]) -> None:
    joined = WordSets.join([WordSets.of(first), WordSets.of(second)])
    together = WordSets.of([*first, *second])
    assert (joined.words.tolist(), joined.ends.tolist()) == (together.words.tolist(), together.ends.tolist())
    backwards = joined.take(np.arange(len(joined))[::-1])
    again = backwards.take(np.arange(len(joined))[::-1])
    assert (again.words.tolist(), again.ends.tolist()) == (joined.words.tolist(), joined.ends.tolist())


def test_that_nothing_is_known_of_nothing() -> None:
    nothing = WordSets.join([])
    assert len(nothing) == 0
    no_pairs = pairs_of([], [], [])
    assert learnt({"a": (1, 1, 1)}).scores(no_pairs).tolist() == []
    unknown = learnt({})
    assert unknown.scores(pairs_of(["kit"], ["kit"], [(0, 0)])).tolist() == [0.0]


def judged(listings: int, *, told: bool = True, seed: int = 0) -> tuple[LearningSet, WordPairs]:
    """Listings of two candidates with the same evidence; the right one lacks "unlocked", the wrong one "kit".

    Not ``told``: which of the two is right is decided by a coin.
    """
    random = np.random.default_rng(seed)
    texts = [f"acme {i} kit unlocked" for i in range(listings)]
    items = [text for i in range(listings) for text in (f"acme {i} kit", f"acme {i} unlocked")]
    rows = np.repeat(np.arange(listings), 2)
    evidence = random.normal(size=(2 * listings, len(EVIDENCE_NAMES))).astype(np.float32)
    evidence[:, column("learnt_words")] = 0.0
    first = np.ones(listings, bool) if told else random.random(listings) < 0.5
    positive = np.stack([first, ~first], axis=1).ravel()
    learning = LearningSet(
        rows, evidence, positive, np.zeros((listings, len(TEXT_NAMES)), np.float32), np.zeros(listings, bool)
    )
    pairs = WordPairs(WordSets.of(texts), WordSets.of(items), rows, np.arange(2 * listings))
    return learning, pairs


def test_that_decisions_teach_which_words_matter() -> None:
    learning, pairs = judged(400)
    taught, words = with_learnt_words(learning, pairs)
    assert words is not None
    new = pairs_of(["zeta 9 kit unlocked"], ["zeta 9 kit", "zeta 9 unlocked"], [(0, 0), (0, 1)])
    right, wrong = words.scores(new)
    assert right > wrong + 1
    of_judged = taught.evidence[:, column("learnt_words")]
    assert (of_judged[::2] > of_judged[1::2] + 1).all()
    others = np.arange(len(EVIDENCE_NAMES)) != column("learnt_words")
    assert np.array_equal(taught.evidence[:, others], learning.evidence[:, others])
    assert not learning.evidence[:, column("learnt_words")].any(), "what was given stays as it was"


def test_that_a_listing_does_not_teach_its_own_column() -> None:
    learning, pairs = judged(320, told=False)
    taught, _ = with_learnt_words(learning, pairs)
    turned = learning.positive.copy()
    turned[:2] = turned[:2][::-1]
    again, words = with_learnt_words(
        LearningSet(learning.listing_row, learning.evidence, turned, learning.text, learning.none), pairs
    )
    mine = slice(0, 2)
    before, after = (
        taught.evidence[mine, column("learnt_words")],
        again.evidence[mine, column("learnt_words")],
    )
    # The log odds of the others shift a little with it, but its own answer is not in its own weights.
    assert np.abs(before - after).max() < 0.05
    assert words is not None
    assert np.abs(words.scores(pairs)).max() < 3, "what a coin decided teaches little"


def test_that_the_same_decisions_teach_the_same() -> None:
    learning, pairs = judged(300, told=False)
    one, other = (with_learnt_words(learning, pairs) for _ in range(2))
    assert np.array_equal(one[0].evidence, other[0].evidence)
    assert one[1] is not None
    assert other[1] is not None
    assert np.array_equal(one[1].weights, other[1].weights)


@pytest.mark.parametrize("listings", [0, 10, LEAST_LISTINGS - 1])
def test_that_too_few_decisions_teach_nothing(listings: int) -> None:
    learning, pairs = judged(listings)
    taught, words = with_learnt_words(learning, pairs)
    assert words is None
    assert taught is learning


def test_that_answers_of_one_kind_teach_nothing() -> None:
    learning, pairs = judged(300)
    everyone = LearningSet(
        learning.listing_row, learning.evidence, np.ones(600, bool), learning.text, learning.none
    )
    assert with_learnt_words(everyone, pairs)[1] is None
