"""Decisions and the champion's evidence to what confirmed pairs count in training."""

from __future__ import annotations

from collections.abc import Generator

import numpy as np
import numpy.typing as npt

from engine.automation.pair_weights import pair_weights
from engine.contracts import Progress
from engine.pipeline.certify_release import learning_decisions, learning_pairs
from engine.pipeline.evidence_blocks import EvidenceBlocks
from engine.pipeline.fold_encoders import FoldEncoders, as_if_new
from engine.pipeline.search_side import SearchSide
from engine.store import Store

Ints = npt.NDArray[np.int64]


def weigh_pairs(
    store: Store,
    search: SearchSide,
    blocks: EvidenceBlocks,
    *,
    trained_on: Ints,
    folds: FoldEncoders | None,
    seed: int,
) -> Generator[Progress, None, dict[int, float]]:
    """The weight of every decided listing's confirmed pairs (:func:`pair_weights`), by listing number.

    Args:
        store: of the workspace.
        search: the champion's.
        blocks: its evidence.
        trained_on: the listings its encoder was trained on.
        folds: of the run that trained it: an encoder that learnt a mistake would vouch for it.
        seed: of the halves.
    """
    yield from blocks.prepare()
    with store.reading() as uow:
        teaching = learning_decisions(uow.decisions.in_force())
    yield Progress("weighing pairs", 0, 1)
    # No aliases: an alias is a confirmation itself, and a wrong one would vouch for others like it.
    learning, pairs = learning_pairs(search, blocks, None, teaching, trained_on)
    if folds is not None:
        learning = yield from as_if_new(store, search, folds, learning, pairs.item_row)
    listings = np.unique(learning.listing_row)
    weights = pair_weights(learning, seed=seed)
    yield Progress("weighing pairs", 1, 1)
    return dict(zip(listings.tolist(), weights.tolist(), strict=True))
