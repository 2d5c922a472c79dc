"""Hashed character n-gram TF-IDF: the part of retrieval that reads model codes letter by letter."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import sparse
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.preprocessing import normalize
from sparse_dot_topn import sp_matmul_topn

_BUCKETS = 2**20
_NGRAMS = (3, 4)


def _vectorizer() -> HashingVectorizer:
    return HashingVectorizer(
        analyzer="char_wb",
        ngram_range=_NGRAMS,
        n_features=_BUCKETS,
        alternate_sign=False,
        norm=None,
        lowercase=True,
        dtype=np.float32,
    )


class SparseLexical:
    """Item texts as unit TF-IDF rows over hashed ``char_wb`` 3- and 4-grams.

    The inverse document frequencies come from the catalogue alone, so a listing's vector does not
    depend on the other listings of its feed.
    """

    def __init__(self, idf: npt.NDArray[np.float32], items: sparse.csr_matrix) -> None:
        self._idf = idf
        self.items = items
        self._items_transposed = items.T.tocsr()
        self._vectorizer = _vectorizer()

    @classmethod
    def build(cls, item_texts: Sequence[str]) -> SparseLexical:
        """Index ``item_texts``; row i of the index is text i."""
        counts = _vectorizer().transform(item_texts).tocsr()
        document_frequency = np.bincount(counts.indices, minlength=_BUCKETS)
        idf = (np.log((1 + len(item_texts)) / (1 + document_frequency)) + 1).astype(np.float32)
        return cls(idf, cls._weigh(counts, idf))

    @staticmethod
    def _weigh(counts: sparse.csr_matrix, idf: npt.NDArray[np.float32]) -> sparse.csr_matrix:
        weighted = counts.copy()
        # Sublinear term frequency: a gram that repeats is not that many times more telling.
        weighted.data = (1 + np.log(weighted.data)) * idf[weighted.indices]
        return normalize(weighted, copy=False).astype(np.float32).tocsr()

    def vectors(self, texts: Sequence[str]) -> sparse.csr_matrix:
        """Unit TF-IDF rows of ``texts`` (n x 2^20, float32)."""
        return self._weigh(self._vectorizer.transform(texts).tocsr(), self._idf)

    def search(
        self, vectors: sparse.csr_matrix, k: int, *, threads: int = 2
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """The ``k`` nearest item rows of every vector as flat ``(vector row, item row)`` arrays."""
        found = sp_matmul_topn(vectors, self._items_transposed, top_n=k, n_threads=threads).tocsr()
        rows = np.repeat(np.arange(found.shape[0]), np.diff(found.indptr))
        return rows.astype(np.int64), found.indices.astype(np.int64)

    def save(self, path: Path) -> None:
        """Write the index as one ``.npz`` without pickle."""
        np.savez(
            path,
            idf=self._idf,
            data=self.items.data,
            indices=self.items.indices,
            indptr=self.items.indptr,
            shape=np.asarray(self.items.shape, dtype=np.int64),
        )

    @classmethod
    def load(cls, path: Path) -> SparseLexical:
        """Read what :meth:`save` wrote."""
        with np.load(path, allow_pickle=False) as arrays:
            items = sparse.csr_matrix(
                (arrays["data"], arrays["indices"], arrays["indptr"]), shape=tuple(arrays["shape"])
            )
            return cls(arrays["idf"], items)


def paired_cosine(
    left: sparse.csr_matrix,
    left_rows: npt.NDArray[np.int64],
    right: sparse.csr_matrix,
    right_rows: npt.NDArray[np.int64],
) -> npt.NDArray[np.float32]:
    """Dot product of ``left[left_rows[i]]`` and ``right[right_rows[i]]`` for every i."""
    product = left[left_rows].multiply(right[right_rows])
    return np.asarray(product.sum(axis=1), dtype=np.float32).ravel()
