"""Evidence about a listing as a whole: what decides whether its best candidate is to be trusted.

A pair is judged by what its two texts share. Whether the *best* pair of a listing is right depends on
more: how far it leads, how strong the rest is, and what the listing says that no item knows. A listing
with a model code that the catalogue lacks has probably no match at all; one that names no model
may have a dozen. Those columns are the input of the matcher's two heads (``matcher.py``).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from engine.automation.evidence_columns import EVIDENCE_COLUMNS, TEXT_NAMES, column
from engine.automation.ranking import best_rows, group_numbers, group_starts

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

#: name -> what it measures, over all candidates of the listing.
FIELD_COLUMNS: dict[str, str] = {
    "best_log_odds": "log odds of the best candidate by the pair matcher",
    "lead_log_odds": "its lead over the runner-up, in log odds",
    "others_log_odds": "log of the summed odds of all other candidates",
    "near_best": "log of how many others lie within one of the best, in log odds",
    "most_similarity": "highest similarity of any candidate",
    "most_lexical": "highest lexical cosine of any candidate",
    "most_item_covered": "highest item_covered of any candidate",
    "most_listing_covered": "highest listing_covered of any candidate",
    "most_codes_agree": "highest codes_agree of any candidate",
}
_MOST = ("similarity", "lexical", "item_covered", "listing_covered", "codes_agree")

#: Columns of the heads' input: the best pair's evidence, the field's, the text's.
HEAD_NAMES: tuple[str, ...] = (*EVIDENCE_COLUMNS, *FIELD_COLUMNS, *TEXT_NAMES)

#: Log odds beyond this say no more than "certain".
_MOST_LOG_ODDS = 30.0


def head_evidence(
    listing_row: Ints, evidence: Floats, log_odds: Floats, text: Floats, best: Ints | None = None
) -> tuple[Ints, Floats]:
    """The heads' input, one row per listing that has candidates.

    Args:
        listing_row: [pairs] ascending, the same for all candidates of a listing.
        evidence: [pairs, columns] as :data:`~engine.automation.evidence.EVIDENCE_COLUMNS`.
        log_odds: [pairs] of the pair matcher.
        text: [listings, len(TEXT_NAMES)], in order of the distinct values of ``listing_row``.
        best: [listings] pair of the best candidate, where ties were parted already.

    Returns:
        Rows of the best pairs [listings] and the evidence float32 [listings, len(HEAD_NAMES)].
    """
    starts = group_starts(listing_row)
    odds = np.clip(log_odds.astype(np.float64), -_MOST_LOG_ODDS, _MOST_LOG_ODDS)
    if best is None:
        best = best_rows(listing_row, log_odds)
    out = np.zeros((len(starts), len(HEAD_NAMES)), dtype=np.float32)
    if not len(starts):
        return best, out
    run = group_numbers(listing_row)
    top = odds[best]
    others = odds.copy()
    others[best] = -_MOST_LOG_ODDS
    field = [
        top,
        top - np.maximum.reduceat(others, starts),
        np.log(np.add.reduceat(np.exp(others), starts)),
        np.log1p(np.maximum(np.add.reduceat((odds > top[run] - 1.0).astype(np.float64), starts) - 1, 0)),
        *(np.maximum.reduceat(evidence[:, column(name)], starts) for name in _MOST),
    ]
    width = len(EVIDENCE_COLUMNS)
    out[:, :width] = evidence[best]
    out[:, width : width + len(field)] = np.stack(field, axis=1)
    out[:, width + len(field) :] = text
    return best, out
