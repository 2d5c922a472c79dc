"""What an encoder would say of its training listings if they were new, for the matcher to learn from.

A training run leaves an encoder per fold that has not seen the fold's listings (``trainer/folds.py``). Their
similarity takes the place of the encoder's own in the evidence of those listings; candidates and all other
evidence stay. Without these encoders the matcher hardly learns from listings that were trained on (ADR 20).
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from engine.automation.evidence import add_margins
from engine.automation.evidence_columns import column
from engine.automation.matcher import LearningSet
from engine.contracts import Progress
from engine.contracts.training import fold_of
from engine.learning.pairs import texts_by_number
from engine.pipeline.search_side import SearchSide, vector_folder
from engine.retrieval.candidates import paired_similarity
from engine.retrieval.encode import Encoder, VectorCache
from engine.store import Store

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class FoldEncoders:
    """The encoders by fold, and the listings (ascending) that their fold's encoder has never seen."""

    encoders: tuple[Encoder, ...]
    listings: Ints


def as_if_new(
    store: Store, search: SearchSide, folds: FoldEncoders, learning: LearningSet, item_row: Ints
) -> Generator[Progress, None, LearningSet]:
    """The learning set with the folds' similarity where they have one; those listings count as unseen.

    Args:
        store: where texts are read.
        search: of the encoder.
        folds: of the run that trained it.
        learning: its ``listing_row`` are listing numbers; changed in place.
        item_row: [pairs] rows of the item index.
    """
    listings = np.unique(learning.listing_row)
    seen = np.zeros(len(listings), dtype=bool) if learning.seen is None else learning.seen.copy()
    fold = np.asarray([fold_of(str(number), len(folds.encoders)) for number in listings.tolist()], np.int64)
    mine = seen & np.isin(listings, folds.listings)
    for number, encoder in enumerate(folds.encoders):
        of_fold = mine & (fold == number)
        pairs = np.isin(learning.listing_row, listings[of_fold])
        if not pairs.any():
            continue
        similarity = yield from _similarity(
            store, search, encoder, learning.listing_row[pairs], item_row[pairs]
        )
        learning.evidence[pairs, column("similarity")] = similarity
        seen[of_fold] = False
    add_margins(learning.evidence, learning.listing_row)
    return replace(learning, seen=seen)


def _similarity(
    store: Store, search: SearchSide, encoder: Encoder, listing: Ints, item_row: Ints
) -> Generator[Progress, None, Floats]:
    """Cosines [pairs] of listings, by number, and items, by row of the index."""
    listings, listing_at = np.unique(listing, return_inverse=True)
    rows, item_at = np.unique(item_row, return_inverse=True)
    numbers = search.index.ids[rows].tolist()
    with store.reading() as uow:
        of_listings = texts_by_number(uow.listings.get_many, listings.tolist(), search.recipe.text_of)
        of_items = texts_by_number(uow.items.get_many, numbers, search.recipe.text_of)
    listing_texts = [of_listings[number] for number in listings.tolist()]
    item_texts = [of_items[number] for number in numbers]
    vectors = VectorCache(vector_folder(store.folder, encoder.sha256), encoder.dimension)
    texts = [*listing_texts, *item_texts]
    yield from vectors.encode_missing(texts, encoder, stage="encoding for the matcher")
    return paired_similarity(vectors.vectors(listing_texts), listing_at, vectors.vectors(item_texts), item_at)
