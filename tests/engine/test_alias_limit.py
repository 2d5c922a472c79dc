"""How far one confirmation carries as an alias: three listings, whatever the threshold."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.automation.evidence_columns import column
from engine.automation.learnt_words import WordSets
from engine.automation.routing import Thresholds, place
from engine.contracts import Candidate, Route, RouteReason
from engine.pipeline.evidence_blocks import EvidenceBlock
from engine.pipeline.score_listings import SPREAD_OF_ONE, hold_back
from engine.retrieval.aliases import AliasEvidence, AliasIndex
from tests.engine.test_retrieval import _index, _unit

SHARES = st.floats(0, 1, width=32)


@given(
    st.lists(st.tuples(st.integers(0, 4), SHARES, SHARES), max_size=60),
    SHARES,
)
def test_that_one_alias_automates_at_most_three_at_any_threshold(
    rows: list[tuple[int, float, float]], threshold: float
) -> None:
    item = np.asarray([i for i, _, _ in rows], dtype=np.int64)
    confidence = np.asarray([max(a, b) for _, a, b in rows], dtype=np.float32)
    unaided = np.asarray([min(a, b) for _, a, b in rows], dtype=np.float32)
    held = hold_back(item, confidence, unaided)
    counted = np.where(held, unaided, confidence)
    for one in set(item.tolist()) - {0}:
        thanks_to_alias = (item == one) & (counted >= threshold) & (unaided < threshold)
        assert thanks_to_alias.sum() <= SPREAD_OF_ONE
        # The limit takes nothing from items whose aliases raise few listings.
        if ((item == one) & (confidence > unaided)).sum() <= SPREAD_OF_ONE:
            assert not held[item == one].any()
    assert not held[item == 0].any()


def test_that_the_listings_an_alias_raises_most_keep_its_word() -> None:
    confidence = np.asarray([0.9, 0.9, 0.9, 0.9, 0.9], dtype=np.float32)
    unaided = np.asarray([0.8, 0.1, 0.2, 0.9, 0.3], dtype=np.float32)
    assert hold_back(np.full(5, 7), confidence, unaided).tolist() == [True, False, False, False, False]


def test_that_evidence_without_the_nearest_alias_is_that_of_the_next() -> None:
    index, random = _index(), np.random.default_rng(3)
    alias_items = random.integers(1, 6, 12).tolist()
    texts = [f"jargon {n} alpha" for n in range(12)]
    vectors = _unit(12, 8)
    aliases = AliasIndex.build(index, list(range(900, 912)), alias_items, texts, vectors)
    listing_ids = np.asarray([900, 950, 951])
    mine = np.concatenate([vectors[[0]], _unit(2, 9)])
    lexical = index.lexical.vectors(["jargon 0 alpha", "jargon 3", "nothing"])
    listing_row, item_row = np.repeat(np.arange(3), 5), np.tile(index.rows_of(np.arange(1, 6)), 3)
    nearest, following = aliases.best(listing_ids, mine, lexical, listing_row, item_row)
    of_texts = index.lexical.vectors(texts)
    for pair, (row, item) in enumerate(zip(listing_row, np.tile(np.arange(1, 6), 3), strict=True)):
        of_item = [n for n, one in enumerate(alias_items) if one == item and 900 + n != listing_ids[row]]
        cosines = sorted([*(max(0.0, float(mine[row] @ vectors[n])) for n in of_item), 0.0, 0.0])
        characters = sorted([*(float((lexical[row] @ of_texts[n].T).sum()) for n in of_item), 0.0, 0.0])
        assert (following.similarity[pair], nearest.similarity[pair]) == pytest.approx(cosines[-2:], abs=1e-5)
        assert (following.lexical[pair], nearest.lexical[pair]) == pytest.approx(characters[-2:], abs=1e-5)


def test_that_a_block_without_its_nearest_aliases_keeps_all_else() -> None:
    from engine.automation.evidence_columns import EVIDENCE_NAMES

    evidence = np.random.default_rng(0).random((6, len(EVIDENCE_NAMES))).astype(np.float32)
    block = EvidenceBlock(
        0,
        np.asarray([5, 6, 7]),
        np.asarray([0, 0, 1, 1, 2, 2]),
        np.arange(6),
        evidence,
        np.arange(6, dtype=np.float32).reshape(3, 2),
        WordSets.of(["one", "two words", "three"]),
        AliasEvidence(np.full(6, 0.25, np.float32), np.full(6, 0.125, np.float32)),
    )
    left = block.without_nearest_alias(np.asarray([0, 2]))
    assert left.listing_ids.tolist() == [5, 7]
    assert left.listing_row.tolist() == [0, 0, 1, 1]
    assert left.item_row.tolist() == [0, 1, 4, 5]
    assert left.text.tolist() == [[0, 1], [4, 5]]
    assert left.words.words.tolist() == WordSets.of(["one", "three"]).words.tolist()
    assert left.evidence[:, column("alias_similarity")].tolist() == [0.25] * 4
    assert left.evidence[:, column("alias_lexical")].tolist() == [0.125] * 4
    assert left.evidence[:, column("alias_margin")].tolist() == [0.0] * 4
    same = [n for n, name in enumerate(EVIDENCE_NAMES) if "alias" not in name and "margin" not in name]
    same.remove(column("lead"))
    assert np.array_equal(left.evidence[:, same], evidence[[0, 1, 4, 5]][:, same])
    assert block.evidence[0, column("alias_similarity")] == evidence[0, column("alias_similarity")]


@pytest.mark.parametrize(
    ("unaided", "route", "reason"),
    [
        (None, Route.AUTOMATED, RouteReason.ABOVE_THRESHOLD),
        (0.85, Route.AUTOMATED, RouteReason.ABOVE_THRESHOLD),
        (0.30, Route.REVIEW, RouteReason.UNCONFIRMED),
    ],
)
def test_that_what_hangs_on_one_alias_waits_for_a_second_confirmation(
    unaided: float | None, route: Route, reason: RouteReason
) -> None:
    placed = place(
        1,
        (Candidate(4, 0.9, 0.8, 0.7, True), Candidate(5, 0.05, 0.3, 0.2)),
        none_confidence=0.02,
        thresholds=Thresholds(match=0.8, none=None, has_matcher=True),
        remembered_item=None,
        unaided=unaided,
    )
    assert (placed.route, placed.reason, placed.item_id) == (route, reason, 4)
    assert placed.confidence == (0.9 if unaided is None else unaided)
