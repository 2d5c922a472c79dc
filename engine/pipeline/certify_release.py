"""Decisions to matcher, threshold and certificate."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Generator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from engine.automation.evidence_columns import EVIDENCE_NAMES, TEXT_NAMES
from engine.automation.learnt_words import WordPairs, WordSets, with_learnt_words
from engine.automation.matcher import FittedMatcher, LearningSet, fit_matcher
from engine.backends.onnx_matcher import OnnxMatcher
from engine.contracts import ANSWERING_VERDICTS, Decision, Progress, Promise, Stream
from engine.pipeline.evidence_blocks import BLOCK, EvidenceBlocks
from engine.pipeline.fold_encoders import FoldEncoders, as_if_new
from engine.pipeline.promises import Promised, promised
from engine.pipeline.score_listings import LoadedRelease, Scores, score_listings
from engine.pipeline.search_side import SearchSide
from engine.retrieval.aliases import AliasIndex
from engine.settings import WorkspaceSettings
from engine.store import Store

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Refit:
    """A matcher refitted to the decisions in force, certified, and every listing scored with it."""

    release: LoadedRelease
    fitted: FittedMatcher | None
    scores: Scores
    decisions: int
    alias_listing_ids: Ints
    alias_item_ids: Ints
    trained_on: Ints
    cross_fitted: Ints
    zone_floor: float | None
    zone_of: Literal["match", "both"]


def learning_decisions(decisions: list[Decision]) -> list[Decision]:
    """Those that teach: every stream but the random one, answered."""
    return [d for d in decisions if d.stream != Stream.RANDOM and d.verdict in ANSWERING_VERDICTS]


def refit(
    store: Store,
    search: SearchSide,
    blocks: EvidenceBlocks,
    settings: WorkspaceSettings,
    *,
    release_id: str,
    precision: float,
    delta: float,
    trained_on: Ints,
    folds: FoldEncoders | None = None,
) -> Generator[Progress, None, Refit]:
    """Fit the matcher on the learning stream, certify on the random stream what the settings promise.

    ``trained_on`` are the listings the encoder was trained on: to it they look more alike than new ones.
    ``folds`` say how alike they would look if they were new.
    """
    yield from blocks.prepare()
    with store.reading() as uow:
        decisions = uow.decisions.in_force()
        active = uow.aliases.active(settings.aliases_per_item)
    aliases = load_aliases(
        store,
        search,
        np.asarray([a.listing_id for a in active], np.int64),
        np.asarray([a.item_id for a in active], np.int64),
    )
    yield Progress("fitting the matcher", 0, 1)
    teaching = learning_decisions(decisions)
    learning, pairs = learning_pairs(search, blocks, aliases, teaching, trained_on)
    if folds is not None:
        learning = yield from as_if_new(store, search, folds, learning, pairs.item_row)
    learning, words = with_learnt_words(learning, pairs)
    fitted = fit_matcher(learning)
    yield Progress("fitting the matcher", 1, 1)
    loaded = LoadedRelease(
        id=release_id,
        search=search,
        matcher=OnnxMatcher(fitted.graphs) if fitted else None,
        words=words,
        aliases=aliases,
        certificate=None,
        none_certificate=None,
    )
    scores = yield from score_listings(loaded, blocks, shown=settings.shown_candidates)
    promise = Promise(settings.promise)
    made: Promised | None = None
    if fitted is not None:
        made = promised(store, fitted, scores, decisions, promise=promise, precision=precision, delta=delta)
    return Refit(
        release=LoadedRelease(
            id=release_id,
            search=search,
            matcher=loaded.matcher,
            words=words,
            aliases=aliases,
            certificate=made.certificate if made else None,
            none_certificate=made.none_certificate if made else None,
        ),
        fitted=fitted,
        scores=scores,
        decisions=len(decisions),
        alias_listing_ids=np.asarray([a.listing_id for a in active], np.int64),
        alias_item_ids=np.asarray([a.item_id for a in active], np.int64),
        trained_on=trained_on,
        cross_fitted=trained_on[:0] if folds is None else folds.listings,
        zone_floor=made.zone_floor if made else None,
        zone_of="both" if promise is Promise.TOGETHER else "match",
    )


def load_aliases(store: Store, search: SearchSide, listing_ids: Ints, item_ids: Ints) -> AliasIndex | None:
    """The aliases of a release with texts and vectors; None where there are none."""
    if not len(listing_ids):
        return None
    with store.reading() as uow:
        found = {}
        for start in range(0, len(listing_ids), 500):
            found.update(uow.listings.get_many(listing_ids[start : start + 500].tolist()))
    here = np.asarray([int(i) in found for i in listing_ids], dtype=bool)
    listing_ids, item_ids = listing_ids[here], item_ids[here]
    texts = [search.recipe.text_of(found[int(i)]) for i in listing_ids]
    for _ in search.vectors.encode_missing(texts, search.encoder, stage="encoding aliases"):
        pass
    return AliasIndex.build(
        search.index, listing_ids.tolist(), item_ids.tolist(), texts, search.vectors.vectors(texts)
    )


def learning_pairs(
    search: SearchSide,
    blocks: EvidenceBlocks,
    aliases: AliasIndex | None,
    teaching: list[Decision],
    trained_on: Ints,
) -> tuple[LearningSet, WordPairs]:
    """The judged listings with the evidence of their candidates, and the same pairs' words.

    ``listing_row`` of the learning set holds listing numbers; ``item_row`` of the words are rows of the
    item index, and their ``listing_row`` counts the judged listings.
    """
    by_block: dict[int, list[Decision]] = defaultdict(list)
    for decision in teaching:
        by_block[(decision.listing_id - 1) // BLOCK].append(decision)
    listing, evidence, positive, text, none, seen, item_row, words = [], [], [], [], [], [], [], []
    for number, some in sorted(by_block.items()):
        block = blocks.read(number, aliases)
        right = {d.listing_id: d.right_items for d in some}
        judged = np.fromiter(right, dtype=np.int64, count=len(right))
        mine = np.isin(block.listing_ids[block.listing_row], judged)
        rows, ids = np.unique(block.listing_row[mine]), block.listing_ids[block.listing_row[mine]]
        listing.append(ids)
        evidence.append(block.evidence[mine])
        item_row.append(block.item_row[mine])
        items = search.index.ids[block.item_row[mine]]
        named = zip(ids.tolist(), items.tolist(), strict=True)
        positive.append(np.asarray([item in right[listing_id] for listing_id, item in named], dtype=bool))
        text.append(block.text[rows])
        words.append(block.words.take(rows))
        none.append(np.asarray([not right[int(i)] for i in block.listing_ids[rows]], dtype=bool))
        seen.append(np.isin(block.listing_ids[rows], trained_on))
    if not listing:
        nothing = LearningSet(
            np.zeros(0, np.int64),
            np.zeros((0, len(EVIDENCE_NAMES)), np.float32),
            np.zeros(0, bool),
            np.zeros((0, len(TEXT_NAMES)), np.float32),
            np.zeros(0, bool),
        )
        of_items, no_rows = search.evidence.item_words, np.zeros(0, np.int64)
        return nothing, WordPairs(WordSets.join([]), of_items, no_rows, no_rows)
    parts = (listing, evidence, positive, text, none, seen)
    learning = LearningSet(*(np.concatenate(part) for part in parts))
    _, row = np.unique(learning.listing_row, return_inverse=True)
    return learning, WordPairs(
        WordSets.join(words), search.evidence.item_words, row, np.concatenate(item_row)
    )
