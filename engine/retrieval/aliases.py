"""Aliases: confirmed listings that stand beside their item's own text.

An alias never speaks for the listing it came from: a listing's evidence leaves out the alias made
of itself, so that the matcher sees judged listings as it will see new ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

from engine.backends.sparse_lexical import paired_cosine
from engine.retrieval.candidates import paired_similarity
from engine.retrieval.item_index import ItemIndex

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class AliasEvidence:
    """How near aliases are to pairs of listing and item, [pairs]: cosines of vectors and of characters."""

    similarity: Floats
    lexical: Floats

    @classmethod
    def none(cls, pairs: int) -> AliasEvidence:
        """No alias: all 0."""
        return cls(np.zeros(pairs, np.float32), np.zeros(pairs, np.float32))


@dataclass(frozen=True, slots=True)
class AliasIndex:
    """Aliases sorted by item row: ``listing_id`` and ``item_row`` per alias, vectors [n, d]."""

    listing_id: Ints
    item_row: Ints
    vectors: Floats
    lexical: sparse.csr_matrix

    def __len__(self) -> int:
        return len(self.item_row)

    @classmethod
    def build(
        cls,
        index: ItemIndex,
        listing_ids: Sequence[int],
        item_ids: Sequence[int],
        texts: Sequence[str],
        vectors: Floats,
    ) -> AliasIndex:
        """Aliases of items the release holds; others are left out."""
        rows = index.rows_of(np.asarray(item_ids, dtype=np.int64))
        order = np.argsort(rows, kind="stable")
        order = order[rows[order] >= 0]
        return cls(
            np.asarray(listing_ids, dtype=np.int64)[order],
            rows[order],
            vectors[order],
            index.lexical.vectors(texts)[order],
        )

    def nearest_items(
        self, listing_ids: Ints, vectors: Floats, k: int, *, at_least: Floats
    ) -> tuple[Ints, Ints]:
        """``(listing row, item row)`` of the items whose aliases are among the ``k`` nearest.

        Args:
            listing_ids: [n] numbers of the listings.
            vectors: [n, d] of the listings.
            k: aliases looked at for each listing.
            at_least: [n] cosine from which an alias counts as near.
        """
        if not len(self):
            return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
        k = min(k + 1, len(self))
        rows, items = [], []
        for start in range(0, len(vectors), 4096):
            cosines = vectors[start : start + 4096] @ self.vectors.T
            near = np.argpartition(-cosines, k - 1, axis=1)[:, :k] if k < len(self) else None
            if near is None:
                near = np.broadcast_to(np.arange(len(self)), cosines.shape)
            listing = np.repeat(np.arange(start, start + len(cosines)), near.shape[1])
            alias = near.ravel()
            near_enough = np.take_along_axis(cosines, near, axis=1).ravel() >= at_least[listing]
            other = (self.listing_id[alias] != listing_ids[listing]) & near_enough
            rows.append(listing[other])
            items.append(self.item_row[alias[other]])
        return np.concatenate(rows), np.concatenate(items)

    def best(
        self,
        listing_ids: Ints,
        vectors: Floats,
        lexical: sparse.csr_matrix,
        listing_row: Ints,
        item_row: Ints,
    ) -> tuple[AliasEvidence, AliasEvidence]:
        """Every pair's nearest alias of its item, and what is left without it."""
        pairs = len(listing_row)
        if not len(self):
            return AliasEvidence.none(pairs), AliasEvidence.none(pairs)
        low = np.searchsorted(self.item_row, item_row, "left")
        count = np.searchsorted(self.item_row, item_row, "right") - low
        pair = np.repeat(np.arange(pairs), count)
        alias = np.arange(len(pair)) - np.repeat(np.cumsum(count) - count, count) + np.repeat(low, count)
        other = self.listing_id[alias] != listing_ids[listing_row[pair]]
        pair, alias = pair[other], alias[other]
        near = paired_similarity(vectors, listing_row[pair], self.vectors, alias)
        like = paired_cosine(lexical, listing_row[pair], self.lexical, alias)
        (nearest, next_nearest), (likest, next_likest) = (
            _two_highest(pair, values, pairs) for values in (near, like)
        )
        return AliasEvidence(nearest, likest), AliasEvidence(next_nearest, next_likest)


def _two_highest(pair: Ints, values: Floats, pairs: int) -> tuple[Floats, Floats]:
    """Highest and second highest of the ``values`` of every pair, 0 where there is none: [pairs] each."""
    highest, second = np.zeros(pairs, np.float32), np.zeros(pairs, np.float32)
    order = np.lexsort((-values, pair))
    first = np.flatnonzero(np.r_[True, pair[order][1:] != pair[order][:-1]]) if len(pair) else order
    highest[pair[order[first]]] = values[order[first]]
    following = first[first + 1 < len(order)] + 1
    same = pair[order[following]] == pair[order[following - 1]]
    second[pair[order[following[same]]]] = values[order[following[same]]]
    # A cosine below 0 is no evidence, just as no alias is none.
    return np.maximum(highest, 0.0), np.maximum(second, 0.0)
