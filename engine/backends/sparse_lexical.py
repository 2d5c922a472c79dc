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
#: Pairs whose rows are multiplied at once.
_PAIRS = 65_536


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
        idf = rarity(counts)
        return cls(idf, unit_rows(counts, idf))

    def vectors(self, texts: Sequence[str]) -> sparse.csr_matrix:
        """Unit TF-IDF rows of ``texts`` (n x 2^20, float32)."""
        return unit_rows(self._vectorizer.transform(texts).tocsr(), self._idf)

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


def rarity(counts: sparse.csr_matrix) -> npt.NDArray[np.float32]:
    """The inverse document frequency of every column of ``counts`` [documents, grams]: [grams]."""
    documents, grams = counts.shape
    document_frequency = np.bincount(counts.indices, minlength=grams)
    return np.asarray(np.log((1 + documents) / (1 + document_frequency)) + 1, dtype=np.float32)


def unit_rows(counts: sparse.csr_matrix, idf: npt.NDArray[np.float32]) -> sparse.csr_matrix:
    """TF-IDF rows of length 1, zero where there is no gram: the shape of ``counts`` [n, grams], float32."""
    if not counts.shape[0]:
        return counts
    weighted = counts.copy()
    # Sublinear term frequency: a gram that repeats is not that many times more telling.
    weighted.data = (1 + np.log(weighted.data)) * idf[weighted.indices]
    return normalize(weighted, copy=False).astype(np.float32).tocsr()


def paired_cosine(
    left: sparse.csr_matrix,
    left_rows: npt.NDArray[np.int64],
    right: sparse.csr_matrix,
    right_rows: npt.NDArray[np.int64],
) -> npt.NDArray[np.float32]:
    """Dot product of ``left[left_rows[i]]`` and ``right[right_rows[i]]`` for every i, in bounded memory."""
    out = np.empty(len(left_rows), dtype=np.float32)
    for start in range(0, len(out), _PAIRS):
        part = slice(start, start + _PAIRS)
        product = left[left_rows[part]].multiply(right[right_rows[part]])
        out[part] = np.asarray(product.sum(axis=1)).ravel()
    return out
