"""Negatives: rejected candidates beside their listing, and which cells of a batch are no negatives."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from trainer.losses.batch import Cell
from trainer.pairs import JudgedListing, PairSet


class HardNegatives:
    """Chooses the rejected candidates that join a batch beside their listing.

    Variants come first: nothing is harder than the 64 GB version of a 128 GB phone. Then what a reviewer
    turned down, then, where ``mined``, what nobody judged. Where a listing has more than ``count``, each
    epoch goes on where the last one ended.
    """

    def __init__(self, listings: Sequence[JudgedListing], count: int, *, mined: bool = False) -> None:
        self._pool = [
            listing.variants + listing.rejected + (listing.mined if mined else ()) for listing in listings
        ]
        self._count = count

    def choose(self, listing: int, epoch: int) -> list[int]:
        """Item numbers, at most ``count``, for the listing of this number in this epoch."""
        pool = self._pool[listing]
        if len(pool) <= self._count:
            return list(pool)
        start = epoch * self._count
        return [pool[(start + offset) % len(pool)] for offset in range(self._count)]


class KnownPairs:
    """What is known about any (listing, item) cell; items with the same text are one item."""

    def __init__(self, pairs: PairSet) -> None:
        self._same_text = np.asarray(pairs.same_text, dtype=np.int64)
        known: list[tuple[int, Cell]] = []
        counts: list[int] = []
        for listing in pairs.train:
            matches = {pairs.same_text[item] for item in listing.matches}
            variants = {pairs.same_text[item] for item in listing.variants} - matches
            known += [(item, Cell.KNOWN) for item in sorted(matches)]
            known += [(item, Cell.VARIANT) for item in sorted(variants)]
            counts.append(len(matches) + len(variants))
        # Of all listings end to end: items, what they are, and where each listing's begin.
        table = np.asarray(known, dtype=np.int64).reshape(-1, 2)
        self._items, self._cells = table[:, 0], table[:, 1]
        self._counts = np.asarray(counts, dtype=np.int64)
        self._starts = np.cumsum(self._counts) - self._counts

    def entries(
        self, listings: Sequence[int], items: Sequence[int], targets: Sequence[int | None]
    ) -> NDArray[np.int64]:
        """The cells of a batch that are no plain negatives.

        A batch of thousands has tens of millions of cells and only some thousands of these.

        Args:
            listings: numbers of the B listings.
            items: numbers of the C items.
            targets: for each listing the column of its sampled positive, or None.

        Returns:
            int64 [n, 3]: row, column and :class:`~trainer.losses.batch.Cell`, each cell once. A confirmed
            item of a listing is never its negative, whichever listing brought it into the batch.
        """
        index = np.asarray(listings, dtype=np.int64)
        row, place = _expand(self._starts[index], self._counts[index])
        columns = self._same_text[np.asarray(items, dtype=np.int64)]
        order = np.argsort(columns, kind="stable")
        first = np.searchsorted(columns, self._items[place], "left", sorter=order)
        last = np.searchsorted(columns, self._items[place], "right", sorter=order)
        entry, found = _expand(first, last - first)
        row, column, cell = row[entry], order[found], self._cells[place][entry]
        target = np.asarray([-1 if column is None else column for column in targets], dtype=np.int64)
        other = column != target[row]
        aimed = np.flatnonzero(target >= 0)
        return np.concatenate(
            [
                np.stack([row, column, cell], axis=1)[other],
                np.stack([aimed, target[aimed], np.full(len(aimed), Cell.TARGET)], axis=1),
            ]
        ).astype(np.int64)


def _expand(
    starts: NDArray[np.int64], counts: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Which range each number is of, and the numbers of all ranges ``starts[i] + (0 .. counts[i] - 1)``."""
    owner = np.repeat(np.arange(len(counts)), counts)
    offset = np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)
    return owner, starts[owner] + offset
