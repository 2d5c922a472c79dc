"""Look-alike batches: listings that are hard to tell apart meet in one batch."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from sentence_transformers.base.sampler import DefaultBatchSampler

Vectors = NDArray[np.float32]


def balanced_clusters(vectors: Vectors, size: int, random: np.random.Generator) -> NDArray[np.int32]:
    """A cluster label per row; clusters are halved until none is larger than ``size``.

    Balanced 2-means: each half gets the rows nearer to its centre, cut at the median, so clusters
    differ in size by one. Source: NGAME, 2207.04452, after Parabel, 3178876.3185998.

    Args:
        vectors: unit rows [n, d].
        size: largest cluster.
        random: draws the first centres.
    """
    labels = np.zeros(len(vectors), dtype=np.int32)
    waiting = [np.arange(len(vectors))]
    done = 0
    while waiting:
        rows = waiting.pop()
        if len(rows) <= size:
            labels[rows] = done
            done += 1
            continue
        waiting.extend(_halves(vectors, rows, random))
    return labels


def _halves(
    vectors: Vectors, rows: NDArray[np.int64], random: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Two equal halves of ``rows`` by balanced 2-means."""
    part = vectors[rows]
    first, second = part[random.choice(len(rows), size=2, replace=False)]
    middle = len(rows) // 2
    order = np.arange(len(rows))
    for _ in range(8):
        lean = np.argsort(part @ (first - second), kind="stable")
        if np.array_equal(lean, order):
            break
        order = lean
        second, first = part[order[:middle]].mean(axis=0), part[order[middle:]].mean(axis=0)
    return rows[order[:middle]], rows[order[middle:]]


class LookAlikeBatches(DefaultBatchSampler):
    """Batches of row numbers, one row per listing and epoch, made of shuffled clusters of look-alikes.

    A sentence-transformers batch sampler (``set_epoch`` before each epoch). Everything it does follows
    from the seed, the epoch and the clusters, and :meth:`state` holds the clusters: a resumed run makes
    the same batches, although the encoder that made the clusters has moved on.

    Args:
        rows_of: for each listing its rows, one per confirmed item; an epoch takes one of them.
        batch_size: listings per batch; the batches of an epoch differ in size by one at most.
        seed: of the run.
        encode: unit vectors of all listings with the current encoder; None makes random batches.
        cluster_size: listings of a cluster.
        refresh_epochs: clusters are kept for so many epochs.
        growth: clusters grow by this factor whenever they are made anew, up to a batch. Early on, the
            encoder's look-alikes are chance; the better it gets, the more of them belong in one batch.
        chances: by row, how likely it is to be its listing's row of an epoch, in any unit; None: alike.
    """

    def __init__(
        self,
        rows_of: Sequence[Sequence[int]],
        *,
        batch_size: int,
        seed: int,
        encode: Callable[[], Vectors] | None,
        cluster_size: int = 8,
        refresh_epochs: int = 1,
        growth: float = 1.0,
        chances: Sequence[float] | None = None,
    ) -> None:
        super().__init__(range(len(rows_of)), batch_size=batch_size, drop_last=False, seed=seed)
        self._rows_of = [tuple(rows) for rows in rows_of]
        self._encode = encode
        self._cluster_size = cluster_size
        self._refresh_epochs = refresh_epochs
        self._growth = growth
        self._shares = [_shares(rows, chances) for rows in self._rows_of]
        self._run_seed = seed
        self._clusters: NDArray[np.int32] | None = None
        self._made_in: int | None = None

    def __len__(self) -> int:
        return math.ceil(len(self._rows_of) / int(self.batch_size))

    def __iter__(self) -> Iterator[list[int]]:
        random = np.random.default_rng((self._run_seed, 1, self.epoch))
        order = self._listing_order(random)
        picks = random.random(len(self._rows_of))
        for batch in np.array_split(order, len(self)):
            yield [
                self._rows_of[n][int(np.searchsorted(self._shares[n], picks[n], "right"))]
                for n in batch.tolist()
            ]

    def state(self) -> dict[str, NDArray[np.int32]]:
        """The clusters in use and the epoch they were made in; empty before the first."""
        if self._clusters is None or self._made_in is None:
            return {}
        return {"clusters": self._clusters, "made_in": np.array([self._made_in], dtype=np.int32)}

    def restore(self, state: dict[str, NDArray[np.int32]]) -> None:
        """Go on with the clusters of :meth:`state`."""
        if "clusters" in state:
            self._clusters = state["clusters"]
            self._made_in = int(state["made_in"][0])

    def _size(self, period: int) -> int:
        """Listings of a cluster made in that epoch."""
        grown = self._cluster_size * self._growth ** (period // self._refresh_epochs)
        return max(self._cluster_size, min(int(self.batch_size), int(grown)))

    def _listing_order(self, random: np.random.Generator) -> NDArray[np.int64]:
        """All listings, look-alikes next to each other, clusters and their members shuffled."""
        count = len(self._rows_of)
        if self._encode is None:
            return random.permutation(count)
        period = self.epoch - self.epoch % self._refresh_epochs
        if self._clusters is None or self._made_in != period:
            draws = np.random.default_rng((self._run_seed, 2, period))
            self._clusters = balanced_clusters(self._encode(), self._size(period), draws)
            self._made_in = period
        # Sorting by (place of the cluster, chance) shuffles both levels at once.
        place = random.permutation(int(self._clusters.max()) + 1)[self._clusters]
        return np.lexsort((random.random(count), place))


def _shares(rows: Sequence[int], chances: Sequence[float] | None) -> NDArray[np.float64]:
    """Upper ends of the rows' shares of [0, 1), the last one left open so that rounding cannot miss it."""
    weights = np.ones(len(rows)) if chances is None else np.asarray([chances[row] for row in rows])
    return np.asarray(np.cumsum(weights)[:-1] / weights.sum(), dtype=np.float64)


def inverse_propensity(items: Sequence[int | None], exponent: float) -> list[float]:
    """A row's chance by how rarely its item is confirmed: ``confirmed ** -exponent``.

    Popular items are confirmed often because they are seen often; where a listing has several confirmed
    items, the rarer ones teach more. Source: propensity-scored losses, Jain et al. 2016, in the shape of
    sampling.

    Args:
        items: item of every row, None where it has none.
        exponent: 0 leaves all alike, 1 makes every item as likely as the next over all rows.
    """
    counts = Counter(items)
    return [1.0 if item is None else counts[item] ** -exponent for item in items]
