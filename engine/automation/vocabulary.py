"""Token -> column and weight, learnt from the catalogue, and what rows over such columns add up to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
from scipy import sparse

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]


class Vocabulary:
    """Token -> column and inverse document frequency, learnt from the catalogue."""

    def __init__(self, token_lists: Sequence[Iterable[str]]) -> None:
        self.columns: dict[str, int] = {}
        counts: list[int] = []
        for tokens in token_lists:
            # Sorted: the order of a set differs between runs, and with it the rounding of sums.
            for token in sorted(set(tokens)):
                at = self.columns.setdefault(token, len(self.columns))
                if at == len(counts):
                    counts.append(0)
                counts[at] += 1
        self.unseen_idf = float(np.log(1 + len(token_lists)) + 1)
        frequency = np.asarray(counts, dtype=np.float64)
        self.idf = (np.log((1 + len(token_lists)) / (1 + frequency)) + 1).astype(np.float32)

    def incidence(self, token_lists: Sequence[Iterable[str]], *, weighted: bool = False) -> sparse.csr_matrix:
        """0/1 (or idf) rows over the vocabulary; tokens it does not know are left out."""
        indptr, indices = [0], []
        for tokens in token_lists:
            known = {self.columns[t] for t in tokens if t in self.columns}
            indices.extend(sorted(known))
            indptr.append(len(indices))
        columns = np.asarray(indices, dtype=np.int32)
        data = self.idf[columns] if weighted else np.ones(len(columns), dtype=np.float32)
        return sparse.csr_matrix(
            (data, columns, np.asarray(indptr, dtype=np.int64)), shape=(len(token_lists), len(self.columns))
        )

    def unseen(self, token_lists: Sequence[Iterable[str]]) -> Ints:
        """How many distinct tokens of every row the vocabulary does not know."""
        return np.asarray(
            [len({t for t in ts if t not in self.columns}) for ts in token_lists], dtype=np.int64
        )


def row_sums(matrix: sparse.csr_matrix) -> Floats:
    """Sum of every row: [rows]."""
    return np.asarray(matrix.sum(axis=1), dtype=np.float32).ravel()


def row_max(matrix: sparse.csr_matrix) -> Floats:
    """Highest value of every row, at least 0 where a row has an empty column: [rows]."""
    return np.asarray(matrix.max(axis=1).todense(), dtype=np.float32).ravel()
