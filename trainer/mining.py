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
        self._matches = [
            np.unique(self._same_text[list(listing.matches)]) if listing.matches else np.empty(0, np.int64)
            for listing in pairs.train
        ]
        self._variants = [
            np.unique(self._same_text[list(listing.variants)]) if listing.variants else np.empty(0, np.int64)
            for listing in pairs.train
        ]

    def cells(
        self, listings: Sequence[int], items: Sequence[int], targets: Sequence[int | None]
    ) -> NDArray[np.int8]:
        """The :class:`~trainer.losses.batch.Cell` matrix of a batch.

        Args:
            listings: numbers of the B listings.
            items: numbers of the C items.
            targets: for each listing the column of its sampled positive, or None.

        Returns:
            int8 [B, C]. A confirmed item of a listing is never its negative, whichever listing
            brought it into the batch.
        """
        columns = self._same_text[np.asarray(items, dtype=np.int64)]
        cells = np.full((len(listings), len(items)), Cell.NEGATIVE, dtype=np.int8)
        for row, (listing, target) in enumerate(zip(listings, targets, strict=True)):
            cells[row, np.isin(columns, self._variants[listing])] = Cell.VARIANT
            cells[row, np.isin(columns, self._matches[listing])] = Cell.KNOWN
            if target is not None:
                cells[row, target] = Cell.TARGET
        return cells
