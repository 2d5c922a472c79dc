"""Validation inside the trainer: how much could be automated on similarity alone."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from sentence_transformers import SentenceTransformer

from engine.contracts.selective import area_under_risk_coverage, coverage_at
from trainer.embedding import TokenTable, Vectors, encode
from trainer.pairs import PairSet

PRECISIONS = (0.90, 0.95, 0.98)


class Validation:
    """Oracle coverage of the listings of role validation over a fixed set of items.

    The items are all that any pair names and a random sample of the others, ``most_items`` at most
    beyond the named ones' count. A listing without a match is never right, whatever it is given.
    """

    def __init__(self, model: SentenceTransformer, pairs: PairSet, *, most_items: int, seed: int) -> None:
        self._listings = pairs.validation
        # Items with one text are one item to an encoder, so only the first of them is searched.
        distinct = np.unique(np.asarray(pairs.same_text, dtype=np.int64))
        named = np.unique(
            [
                pairs.same_text[item]
                for listing in pairs.validation
                for item in listing.matches + listing.variants + listing.rejected
            ]
        ).astype(np.int64)
        others = np.setdiff1d(distinct, named)
        room = max(most_items - len(named), 0)
        if len(others) > room:
            others = np.random.default_rng((seed, 3)).choice(others, size=room, replace=False)
        self._items = np.sort(np.concatenate([named, others]))
        self._right = [
            frozenset(int(pairs.same_text[item]) for item in listing.matches) for listing in pairs.validation
        ]
        self._item_tokens = TokenTable(model, [pairs.item_texts[item] for item in self._items])
        self._listing_tokens = TokenTable(model, [listing.text for listing in pairs.validation])

    def __bool__(self) -> bool:
        return len(self._listings) > 0

    def __call__(
        self,
        model: SentenceTransformer,
        *,
        half: torch.dtype | None = None,
        between: Callable[[], None] | None = None,
    ) -> dict[str, float]:
        """:meth:`measure` of the torch module."""
        return self.measure(lambda tokens: encode(model, tokens, half=half, between=between))

    def measure(self, encoder: Callable[[TokenTable], Vectors]) -> dict[str, float]:
        """``C@90``, ``C@95``, ``C@98``, ``aurc``, ``best_right`` (shares) and ``listings`` (a count).

        Args:
            encoder: a table of n texts to unit vectors [n, d].
        """
        items, listings = encoder(self._item_tokens), encoder(self._listing_tokens)
        confidence, best = best_items(listings, items)
        found = self._items[best]
        right = np.array([item in known for item, known in zip(found.tolist(), self._right, strict=True)])
        metrics = {f"C@{round(100 * p)}": float(coverage_at(confidence, right, p)) for p in PRECISIONS}
        metrics["aurc"] = float(area_under_risk_coverage(confidence, right))
        metrics["best_right"] = float(right.mean())
        metrics["listings"] = float(len(right))
        return metrics


def best_items(
    listings: NDArray[np.float32], items: NDArray[np.float32], *, block: int = 1024
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """The highest cosine of every listing and the row of its item; [n], [n]."""
    similarity = np.empty(len(listings), dtype=np.float32)
    best = np.empty(len(listings), dtype=np.int64)
    for start in range(0, len(listings), block):
        scores = listings[start : start + block] @ items.T
        best[start : start + block] = scores.argmax(axis=1)
        similarity[start : start + block] = scores.max(axis=1)
    return similarity, best
