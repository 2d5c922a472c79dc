"""Runs of pairs of one listing, counted and ranked as plain loops do it."""

from __future__ import annotations

import numpy as np
import pytest

from engine.automation.ranking import best_rows, group_numbers, rank_in_group


@pytest.mark.parametrize("sizes", [[], [1], [3], [2, 1, 4], [1, 1, 1]])
def test_that_groups_are_numbered_and_their_rows_ranked_from_nought(sizes):
    listing_row = np.repeat(np.arange(len(sizes)) * 5 + 2, sizes).astype(np.int64)
    assert group_numbers(listing_row).tolist() == [n for n, size in enumerate(sizes) for _ in range(size)]
    assert rank_in_group(listing_row).tolist() == [rank for size in sizes for rank in range(size)]


def test_that_the_first_of_equally_good_rows_is_the_best_of_its_group():
    listing_row = np.array([2, 2, 2, 5, 7, 7])
    score = np.array([0.1, 0.9, 0.9, 0.0, 0.4, 0.3], dtype=np.float32)
    assert best_rows(listing_row, score).tolist() == [1, 3, 4]
