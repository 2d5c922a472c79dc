"""Claims: what the other listings say of an item, without anybody's decision.

A listing *claims* the item it resembles most. An item that other listings resemble far more than this
one does is probably theirs; one that nobody else comes near may well be this listing's. Two texts
cannot tell that by themselves. Only texts are compared, so a wrong decision cannot spread this way.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.automation.evidence_columns import column
from engine.automation.ranking import best_rows, group_starts, plain_score, rank_in_group

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

#: Of each item only so many of the nearest listings are kept: whether 40 or 400 are nearer is the same.
MOST_AHEAD = 32
#: Plain scores lie below _SPAN (MOST_PLAIN is less); a key is the item's row in spans, less the score.
_SPAN = 8.0


@dataclass(frozen=True, slots=True)
class PlainPairs:
    """The pairs of some listings as claims see them, all [pairs].

    ``item_row`` points into the catalogue, ``plain`` is :func:`~engine.automation.ranking.plain_score`,
    ``claim`` marks the strongest candidate of every listing.
    """

    item_row: Ints
    plain: Floats
    claim: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, listing_row: Ints, item_row: Ints, evidence: Floats) -> PlainPairs:
        """The pairs of a block of evidence, ``listing_row`` ascending."""
        plain = plain_score(evidence)
        claim = np.zeros(len(plain), dtype=bool)
        claim[best_rows(listing_row, plain)] = True
        return cls(item_row, plain, claim)


@dataclass(frozen=True, slots=True)
class Claims:
    """The claims on every item of a catalogue.

    ``keys`` ascends: by item, then from the strongest pair to the weakest, at most :data:`MOST_AHEAD` of
    an item; ``start`` [items] is the first of each item, ``best`` [items] its strongest plain score,
    ``claimants`` and ``claimed`` [items] how many listings claim it and how strongly on average.
    """

    keys: npt.NDArray[np.float64]
    start: Ints
    best: Floats
    claimants: Floats
    claimed: Floats

    @classmethod
    def build(cls, parts: list[PlainPairs], items: int) -> Claims:
        """The claims of all listings.

        Args:
            parts: the pairs of all listings, in any number of parts.
            items: size of the catalogue.
        """
        row = np.concatenate([np.zeros(0, np.int64), *(part.item_row for part in parts)])
        plain = np.concatenate([np.zeros(0, np.float32), *(part.plain for part in parts)])
        claim = np.concatenate([np.zeros(0, bool), *(part.claim for part in parts)])
        keys = np.sort(_keys(row, plain))
        item = np.floor_divide(keys, _SPAN).astype(np.int64)
        best = np.zeros(items, np.float32)
        first = group_starts(item)
        best[item[first]] = _SPAN * (item[first] + 1) - keys[first]
        keys = keys[rank_in_group(item) < MOST_AHEAD]
        claimants = np.bincount(row[claim], minlength=items)
        total = np.bincount(row[claim], weights=plain[claim], minlength=items)
        return cls(
            keys=keys,
            start=np.searchsorted(keys, _SPAN * np.arange(items)),
            best=best,
            claimants=claimants.astype(np.float32),
            claimed=(total / np.maximum(claimants, 1)).astype(np.float32),
        )

    def fill(self, evidence: Floats, item_row: Ints) -> None:
        """Set the columns of claims, in place.

        Args:
            evidence: [pairs, columns], everything else filled in.
            item_row: [pairs].
        """
        plain = plain_score(evidence)
        ahead = np.searchsorted(self.keys, _keys(item_row, plain), "left") - self.start[item_row]
        claimants = self.claimants[item_row]
        evidence[:, column("nearer_listings")] = np.log1p(np.minimum(ahead, MOST_AHEAD - 1))
        evidence[:, column("nearest_gap")] = plain - np.maximum(self.best[item_row], plain)
        evidence[:, column("claimants")] = np.log1p(claimants)
        evidence[:, column("claim_gap")] = np.where(claimants > 0, plain - self.claimed[item_row], 0.0)


def _keys(item_row: Ints, plain: Floats) -> npt.NDArray[np.float64]:
    """Numbers that ascend by item and, within one, from the strongest pair to the weakest."""
    return np.asarray(_SPAN * (item_row + 1.0) - np.clip(plain, 1e-6, _SPAN - 1e-6), dtype=np.float64)
