from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trainer.losses.batch import Cell
from trainer.mining import HardNegatives, KnownPairs
from trainer.pairs import JudgedListing, PairSet


def _listing(
    matches: tuple[int, ...], variants: tuple[int, ...] = (), rejected: tuple[int, ...] = ()
) -> JudgedListing:
    return JudgedListing("text", matches, variants, rejected, {item: 1.0 for item in matches} or {None: 1.0})


def _matrix(entries: NDArray[np.int64], listings: int, items: int) -> NDArray[np.int64]:
    """Cells as a matrix; each may be named once."""
    cells = np.full((listings, items), Cell.NEGATIVE, dtype=np.int64)
    for row, column, value in entries.tolist():
        assert cells[row, column] == Cell.NEGATIVE
        cells[row, column] = value
    return cells


def test_that_variants_come_before_other_rejected_candidates() -> None:
    hard = HardNegatives([_listing((0,), variants=(3,), rejected=(1, 2))], count=1)
    assert hard.choose(0, epoch=0) == [3]


def test_that_later_epochs_go_on_with_the_next_rejected_candidates() -> None:
    hard = HardNegatives([_listing((0,), rejected=(1, 2, 3))], count=2)
    assert [hard.choose(0, epoch) for epoch in range(3)] == [[1, 2], [3, 1], [2, 3]]


def test_that_a_listing_without_rejected_candidates_brings_none() -> None:
    assert HardNegatives([_listing((0,))], count=2).choose(0, epoch=5) == []


def test_that_a_confirmed_item_is_no_negative_of_its_listing_whoever_brought_it() -> None:
    pairs = PairSet(
        item_texts=("a", "b", "c", "a"),
        train=(_listing((0, 1)), _listing((2,), variants=(1,)), _listing((), rejected=(2,))),
        validation=(),
        same_text=(0, 1, 2, 0),
    )
    entries = KnownPairs(pairs).entries([0, 1, 2], items=[0, 2, 1, 3], targets=[0, 1, None])
    cells = _matrix(entries, 3, 4)
    n, t, k, v = Cell.NEGATIVE, Cell.TARGET, Cell.KNOWN, Cell.VARIANT
    assert cells.tolist() == [
        [t, n, k, k],  # item 3 has the text of item 0
        [n, t, v, n],
        [n, n, n, n],
    ]


def test_that_batches_of_any_listings_and_items_know_every_cell() -> None:
    random = np.random.default_rng(5)
    same_text = tuple(int(random.integers(0, row + 1)) if row % 4 == 3 else row for row in range(40))
    same_text = tuple(same_text[item] for item in same_text)

    def some(most: int) -> tuple[int, ...]:
        return tuple(random.choice(40, size=random.integers(0, most), replace=False).tolist())

    listings = tuple(_listing(some(4), variants=some(4)) for _ in range(20))
    known = KnownPairs(PairSet(tuple(map(str, same_text)), listings, (), same_text))
    for _ in range(20):
        rows = random.permutation(20)[:8].tolist()
        matched = [row for row in rows if listings[row].matches]
        items = [listings[row].matches[0] for row in matched] + list(some(10))
        targets = [matched.index(row) if row in matched else None for row in rows]
        expected = np.full((8, len(items)), Cell.NEGATIVE, dtype=np.int64)
        for number, row in enumerate(rows):
            for column, item in enumerate(items):
                if same_text[item] in {same_text[other] for other in listings[row].variants}:
                    expected[number, column] = Cell.VARIANT
                if same_text[item] in {same_text[other] for other in listings[row].matches}:
                    expected[number, column] = Cell.KNOWN
            if targets[number] is not None:
                expected[number, targets[number]] = Cell.TARGET
        assert np.array_equal(_matrix(known.entries(rows, items, targets), 8, len(items)), expected)
