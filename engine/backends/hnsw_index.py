"""Nearest item vectors: exact while the catalogue is small, HNSW above that."""

from __future__ import annotations

from pathlib import Path

import hnswlib
import numpy as np
import numpy.typing as npt

EXACT_BELOW = 20_000
_EF_CONSTRUCTION = 200
_M = 24
_SEARCH_BLOCK = 2048


class HnswIndex:
    """Unit vectors searched by cosine. Row i of the index is vector i.

    Below :data:`EXACT_BELOW` vectors the search is a matrix product and exact; above it is an HNSW
    graph (hnswlib) built once and saved with the release.
    """

    def __init__(self, vectors: npt.NDArray[np.floating], graph: hnswlib.Index | None) -> None:
        self.vectors = vectors
        self._graph = graph

    @classmethod
    def build(cls, vectors: npt.NDArray[np.floating], *, threads: int = -1) -> HnswIndex:
        """Index ``vectors`` [n, d], unit rows."""
        if len(vectors) < EXACT_BELOW:
            return cls(vectors, None)
        graph = hnswlib.Index(space="ip", dim=vectors.shape[1])
        graph.init_index(max_elements=len(vectors), ef_construction=_EF_CONSTRUCTION, M=_M, random_seed=0)
        for start in range(0, len(vectors), 50_000):
            block = np.asarray(vectors[start : start + 50_000], dtype=np.float32)
            graph.add_items(block, np.arange(start, start + len(block)), num_threads=threads)
        return cls(vectors, graph)

    @property
    def exact(self) -> bool:
        """Whether :meth:`search` compares with every vector."""
        return self._graph is None

    def search(
        self, queries: npt.NDArray[np.floating], k: int
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
        """The ``k`` nearest rows of every query and their cosines, nearest first: two [n, k] arrays."""
        k = min(k, len(self.vectors))
        if k == 0:
            return np.zeros((len(queries), 0), np.int64), np.zeros((len(queries), 0), np.float32)
        if self._graph is not None:
            self._graph.set_ef(max(2 * k, 100))
            rows, distances = self._graph.knn_query(np.asarray(queries, dtype=np.float32), k=k)
            return rows.astype(np.int64), (1 - distances).astype(np.float32)
        table = np.asarray(self.vectors, dtype=np.float32)
        blocks = [
            self._exact_block(np.asarray(queries[start : start + _SEARCH_BLOCK], np.float32), table, k)
            for start in range(0, len(queries), _SEARCH_BLOCK)
        ]
        if not blocks:
            return np.zeros((0, k), np.int64), np.zeros((0, k), np.float32)
        return np.concatenate([rows for rows, _ in blocks]), np.concatenate([cos for _, cos in blocks])

    @staticmethod
    def _exact_block(
        queries: npt.NDArray[np.float32], table: npt.NDArray[np.float32], k: int
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
        cosines = queries @ table.T
        if k < cosines.shape[1]:
            rows = np.argpartition(-cosines, k - 1, axis=1)[:, :k]
        else:
            rows = np.broadcast_to(np.arange(cosines.shape[1]), cosines.shape)
        found = np.take_along_axis(cosines, rows, axis=1)
        order = np.argsort(-found, axis=1, kind="stable")
        return (
            np.take_along_axis(rows, order, axis=1).astype(np.int64),
            np.take_along_axis(found, order, axis=1),
        )

    def save_graph(self, path: Path) -> None:
        """Write the graph; nothing is written while the index is exact."""
        if self._graph is not None:
            self._graph.save_index(str(path))

    @classmethod
    def load(cls, vectors: npt.NDArray[np.floating], graph_path: Path) -> HnswIndex:
        """Vectors with the graph at ``graph_path`` where there is one."""
        if not graph_path.exists():
            return cls(vectors, None) if len(vectors) < EXACT_BELOW else cls.build(vectors)
        graph = hnswlib.Index(space="ip", dim=vectors.shape[1])
        graph.load_index(str(graph_path), max_elements=len(vectors))
        return cls(vectors, graph)
