"""The items of a release as they are searched: vectors, graph and character index, row by row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from engine.backends.hnsw_index import HnswIndex
from engine.backends.sparse_lexical import SparseLexical

ITEM_FILES = ("items.npy", "item_ids.npy", "lexical.npz")
GRAPH_FILE = "index.hnsw"


@dataclass(frozen=True, slots=True)
class ItemIndex:
    """``ids[row]`` is the item's number; ``dense`` and ``lexical`` are searched by row."""

    ids: npt.NDArray[np.int64]
    dense: HnswIndex
    lexical: SparseLexical

    @classmethod
    def build(cls, ids: Sequence[int], texts: Sequence[str], vectors: npt.NDArray[np.float32]) -> ItemIndex:
        """Index items by their vectors [n, d] and record texts."""
        return cls(
            np.asarray(ids, dtype=np.int64),
            HnswIndex.build(vectors.astype(np.float16)),
            SparseLexical.build(texts),
        )

    def rows_of(self, item_ids: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Rows of item numbers, -1 where the release does not hold the item. ``ids`` is ascending."""
        if not len(self.ids):
            return np.full(len(item_ids), -1, dtype=np.int64)
        at = np.minimum(np.searchsorted(self.ids, item_ids), len(self.ids) - 1)
        return np.where(self.ids[at] == item_ids, at, -1)

    def save(self, folder: Path) -> None:
        """Write :data:`ITEM_FILES` (and the graph where there is one) into a release folder."""
        np.save(folder / "items.npy", np.asarray(self.dense.vectors, dtype=np.float16), allow_pickle=False)
        np.save(folder / "item_ids.npy", self.ids, allow_pickle=False)
        self.lexical.save(folder / "lexical.npz")
        self.dense.save_graph(folder / GRAPH_FILE)

    @classmethod
    def load(cls, folder: Path) -> ItemIndex:
        """Read what :meth:`save` wrote; the vectors are memory-mapped."""
        vectors = np.load(folder / "items.npy", mmap_mode="r", allow_pickle=False)
        return cls(
            np.load(folder / "item_ids.npy", allow_pickle=False),
            HnswIndex.load(vectors, folder / GRAPH_FILE),
            SparseLexical.load(folder / "lexical.npz"),
        )
