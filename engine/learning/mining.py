"""Mined negatives: candidates nobody turned down that are very probably wrong, and hard to tell from right.

The candidates of a listing are found in the whole catalogue by vectors and by characters and ordered by
the matcher, which fuses both. The reviewer who confirmed one of them turned down those above it that they
did not name as well. Those below the last one named were perhaps not read: some are right as well (the
same product twice in the catalogue), and those must not be pushed away. The duplicate guard keeps a
candidate only if the listing resembles it more than the confirmed item does: a second right item
resembles the confirmed one most of all.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.backends.sparse_lexical import SparseLexical, paired_cosine
from engine.contracts import Decision


def unread(decision: Decision) -> tuple[int, ...]:
    """The candidates shown below all those a match names, best first; empty for any other decision."""
    if not decision.confirms(decision.item_id) or decision.item_id not in decision.shown:
        return ()
    below = decision.shown[read(decision.shown, decision.right_items) :]
    return tuple(item for item in below if item not in decision.rejected)


def read(shown: Sequence[int], named: Collection[int]) -> int:
    """How many of the candidates shown a reviewer has read: to the last one named; 0 if none of them is."""
    return max((at for at, item in enumerate(shown, start=1) if item in named), default=0)


@dataclass(frozen=True, slots=True)
class MinedCounts:
    """What became of the candidates below confirmed items, by listing text and item.

    ``confirmed`` and ``turned_down`` are those that another decision judged, right or wrong; of the
    ``unjudged`` the duplicate guard left ``guarded`` out.
    """

    confirmed: int
    turned_down: int
    unjudged: int
    guarded: int

    def in_words(self) -> str:
        """What can be known of false negatives, on one line; "" where there was nothing to mine."""
        if not self.confirmed + self.turned_down + self.unjudged:
            return ""
        judged = self.confirmed + self.turned_down
        known = (
            f"of {judged:,} unread candidates that another decision judged, {self.confirmed:,} are right "
            f"({self.confirmed / judged:.1%}), which is all that is known of the false-negative rate"
            if judged
            else "no other decision judged an unread candidate: the false-negative rate is not known"
        )
        share = f" ({self.guarded / self.unjudged:.1%})" if self.unjudged else ""
        return (
            f"Mined negatives: {known}; of {self.unjudged:,} that nobody judged, the duplicate guard leaves "
            f"out {self.guarded:,}{share} and {self.unjudged - self.guarded:,} may be trained on."
        )


def duplicate_guard(
    listing_texts: Sequence[str],
    confirmed: Sequence[int],
    candidates: Sequence[int],
    texts: Mapping[int, str],
) -> npt.NDArray[np.bool_]:
    """Which candidates are nearer to their listing than to its confirmed item: [n].

    Nearness is of characters, weighed by how rare they are in the catalogue: no encoder is asked, so what
    an earlier training run took for alike cannot feed itself. Source: the guard d(Q, D) < d(P, D) of
    ensemble mining for bi-encoders; method.md section 6.

    Args:
        listing_texts: [n] record text of the listing of every candidate.
        confirmed: [n] number of the item confirmed for it.
        candidates: [n] item numbers.
        texts: record text by item number; holds all of them, and a sample of the catalogue.
    """
    if not len(candidates):
        return np.zeros(0, dtype=bool)
    row = {number: at for at, number in enumerate(texts)}
    lexical = SparseLexical.build(list(texts.values()))
    distinct, listing = np.unique(np.asarray(listing_texts, dtype=object), return_inverse=True)
    listings = lexical.vectors(distinct.tolist())
    candidate = np.asarray([row[number] for number in candidates], dtype=np.int64)
    positive = np.asarray([row[number] for number in confirmed], dtype=np.int64)
    to_listing = paired_cosine(listings, listing.astype(np.int64), lexical.items, candidate)
    to_confirmed = paired_cosine(lexical.items, positive, lexical.items, candidate)
    return to_listing > to_confirmed
