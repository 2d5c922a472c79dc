from __future__ import annotations

from trainer.losses.batch import Cell
from trainer.mining import HardNegatives, KnownPairs
from trainer.pairs import JudgedListing, PairSet


def _listing(
    matches: tuple[int, ...], variants: tuple[int, ...] = (), rejected: tuple[int, ...] = ()
) -> JudgedListing:
    return JudgedListing("text", matches, variants, rejected, {item: 1.0 for item in matches} or {None: 1.0})


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
    cells = KnownPairs(pairs).cells([0, 1, 2], items=[0, 2, 1, 3], targets=[0, 1, None])
    n, t, k, v = Cell.NEGATIVE, Cell.TARGET, Cell.KNOWN, Cell.VARIANT
    assert cells.tolist() == [
        [t, n, k, k],  # item 3 has the text of item 0
        [n, t, v, n],
        [n, n, n, n],
    ]
