"""Evidence to confidence for every listing of the workspace, under one release."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from engine.automation.evidence_columns import column
from engine.automation.learnt_words import LearntWords
from engine.automation.listing_evidence import head_evidence
from engine.automation.ranking import (
    MOST_PLAIN,
    group_starts,
    plain_score,
    product_of_complements,
    rank_in_group,
)
from engine.backends.onnx_matcher import OnnxMatcher
from engine.contracts import Candidate, Certificate, CertificateKind, Progress
from engine.pipeline.evidence_blocks import EvidenceBlock, EvidenceBlocks
from engine.pipeline.search_side import SearchSide
from engine.retrieval.aliases import AliasIndex

#: An item's nearest alias raises the confidence of so many listings; others need a second confirmation.
SPREAD_OF_ONE = 3

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Kind = TypeVar("Kind", bound=np.generic)


@dataclass(frozen=True, slots=True)
class LoadedRelease:
    """A release ready to score: search side, matcher, learnt words, aliases, certificates.

    ``certificate`` is for matches, or for both kinds of answers; then ``none_certificate`` is None.
    """

    id: str
    search: SearchSide
    matcher: OnnxMatcher | None
    words: LearntWords | None
    aliases: AliasIndex | None
    certificate: Certificate | None
    none_certificate: Certificate | None

    @property
    def together(self) -> bool:
        """Whether its certificate is one for matches and "not in catalogue" together."""
        return self.certificate is not None and self.certificate.kind is CertificateKind.BOTH


@dataclass(frozen=True, slots=True)
class Scores:
    """Every listing scored. ``k`` is the number of candidates kept for the screen.

    ``item_ids``, ``confidence``, ``similarity``, ``lexical`` and ``via_alias`` are [n, k], best
    first; item 0 = no candidate there. ``none_confidence``, ``top_similarity`` and
    ``top_similarity_item`` are [n]; the last two are what similarity alone would answer.
    ``unaided`` [n] is the confidence the best candidate would have without its nearest alias, 0 where
    another would be best then; ``held`` [n] says that only ``unaided`` counts, because a single
    confirmation speaks for enough listings already (:func:`hold_back`).
    """

    listing_ids: Ints
    item_ids: Ints
    confidence: Floats
    similarity: Floats
    lexical: Floats
    via_alias: npt.NDArray[np.bool_]
    none_confidence: Floats
    top_similarity: Floats
    top_similarity_item: Ints
    unaided: Floats
    held: npt.NDArray[np.bool_]

    def rows_of(self, listing_ids: Ints) -> Ints:
        """Row of every listing number, -1 where it was not scored. Numbers ascend."""
        if not len(self.listing_ids):
            return np.full(len(listing_ids), -1, dtype=np.int64)
        at = np.minimum(np.searchsorted(self.listing_ids, listing_ids), len(self.listing_ids) - 1)
        return np.where(self.listing_ids[at] == listing_ids, at, -1)

    @property
    def best_confidence(self) -> Floats:
        """Confidence of the best candidate, 0 without one, as automation may use it: [n]."""
        return np.where(self.held, self.unaided, self.confidence[:, 0])

    @property
    def best_item(self) -> Ints:
        """Number of the best candidate, 0 without one: [n]."""
        return self.item_ids[:, 0]

    @property
    def margin(self) -> Floats:
        """Confidence of the best candidate minus the runner-up's: [n]."""
        if self.confidence.shape[1] < 2:
            return self.confidence[:, 0]
        return self.confidence[:, 0] - self.confidence[:, 1]

    def candidates(self, row: int) -> tuple[Candidate, ...]:
        """The candidates of one row, best first."""
        return tuple(
            Candidate(
                item_id=int(item),
                confidence=float(self.confidence[row, j]),
                similarity=float(self.similarity[row, j]),
                lexical=float(self.lexical[row, j]),
                via_alias=bool(self.via_alias[row, j]),
            )
            for j, item in enumerate(self.item_ids[row])
            if item
        )


def score_listings(
    release: LoadedRelease, blocks: EvidenceBlocks, *, shown: int
) -> Generator[Progress, None, Scores]:
    """Score every listing, keeping ``shown`` candidates of each."""
    numbers = yield from blocks.prepare()
    parts = []
    for done, number in enumerate(numbers):
        parts.append(_score_block(release, blocks.read(number, release.aliases, release.words), shown))
        yield Progress("scoring", done + 1, len(numbers))
    if not parts:
        return _empty(shown)
    scores = Scores(
        *(np.concatenate([getattr(part, name) for part in parts]) for name in Scores.__dataclass_fields__)
    )
    return replace(scores, held=hold_back(scores.best_item, scores.confidence[:, 0], scores.unaided))


def _empty(shown: int) -> Scores:
    return Scores(
        listing_ids=np.zeros(0, np.int64),
        item_ids=np.zeros((0, shown), np.int64),
        confidence=np.zeros((0, shown), np.float32),
        similarity=np.zeros((0, shown), np.float32),
        lexical=np.zeros((0, shown), np.float32),
        via_alias=np.zeros((0, shown), bool),
        none_confidence=np.zeros(0, np.float32),
        top_similarity=np.zeros(0, np.float32),
        top_similarity_item=np.zeros(0, np.int64),
        unaided=np.zeros(0, np.float32),
        held=np.zeros(0, bool),
    )


def _score_block(release: LoadedRelease, block: EvidenceBlock, shown: int) -> Scores:
    listings, row = len(block.listing_ids), block.listing_row
    similarity = block.evidence[:, column("similarity")]
    alias = block.evidence[:, column("alias_similarity")]
    item_ids, order, rank, confidence, none_confidence = _ranked(release, block)
    top = order[rank < shown]
    at = (row[top], rank[rank < shown])

    def table(values: npt.NDArray[Kind]) -> npt.NDArray[Kind]:
        out = np.zeros((listings, shown), dtype=values.dtype)
        out[at] = values[top]
        return out

    # What similarity alone would say, by the items' own texts: the paper's plain score.
    by_similarity = np.lexsort((item_ids, -similarity, row))
    first = by_similarity[group_starts(row[by_similarity])]
    top_similarity = np.zeros(listings, np.float32)
    top_similarity_item = np.zeros(listings, np.int64)
    top_similarity[row[first]] = similarity[first]
    top_similarity_item[row[first]] = item_ids[first]
    return Scores(
        listing_ids=block.listing_ids,
        item_ids=table(item_ids),
        confidence=table(confidence),
        similarity=table(similarity),
        lexical=table(block.evidence[:, column("lexical")]),
        via_alias=table(alias > similarity),
        none_confidence=none_confidence,
        top_similarity=top_similarity,
        top_similarity_item=top_similarity_item,
        unaided=_unaided(release, block, best=order[rank == 0], item_ids=item_ids, confidence=confidence),
        held=np.zeros(listings, bool),
    )


def _ranked(release: LoadedRelease, block: EvidenceBlock) -> tuple[Ints, Ints, Ints, Floats, Floats]:
    """Item numbers of the pairs, their order, ranks in that order, confidence, and P(none) by listing."""
    item_ids = release.search.index.ids[block.item_row]
    strength = _strength(release.matcher, block.evidence)
    # Equally strong candidates are ordered by the evidence itself, then by number: the same way every time.
    order = np.lexsort((item_ids, -plain_score(block.evidence), -strength, block.listing_row))
    rank = rank_in_group(block.listing_row[order])
    return item_ids, order, rank, *_confidences(release.matcher, block, strength, best=order[rank == 0])


def _unaided(
    release: LoadedRelease, block: EvidenceBlock, *, best: Ints, item_ids: Ints, confidence: Floats
) -> Floats:
    """Confidence of every listing's best candidate without its nearest alias: [listings]."""
    out = np.zeros(len(block.listing_ids), np.float32)
    out[block.listing_row[best]] = confidence[best]
    if block.next_alias is None:
        return out
    has_alias = block.evidence[best, column("alias_similarity")] > 0
    leading = best[has_alias | (block.evidence[best, column("alias_lexical")] > 0)]
    if not len(leading):  # a feed whose items have one listing each, or whose only alias is its own
        return out
    rows = block.listing_row[leading]
    without = block.without_nearest_alias(rows)
    numbers, order, rank, unaided, _ = _ranked(release, without)
    still = order[rank == 0]
    same = numbers[still] == item_ids[leading]
    out[rows] = np.where(same, np.minimum(unaided[still], out[rows]), 0.0)
    return out


def hold_back(item: Ints, confidence: Floats, unaided: Floats) -> npt.NDArray[np.bool_]:
    """Which listings may not be automated by the word of one alias: [n].

    An item's nearest alias may raise the confidence of :data:`SPREAD_OF_ONE` listings, those it raises
    most. So one wrong confirmation, whatever the threshold, automates at most as many wrongly by its
    alias. A second confirmed listing about as near takes the limit away: then neither is needed.

    Args:
        item: [n] best candidate, 0 without one.
        confidence: [n] of the best candidate.
        unaided: [n] the same without its nearest alias.
    """
    raised = np.where(item > 0, confidence - unaided, 0.0)
    order = np.lexsort((-raised, item))
    held = np.zeros(len(item), dtype=bool)
    held[order] = rank_in_group(item[order]) >= SPREAD_OF_ONE
    return held & (raised > 0)


def _strength(matcher: OnnxMatcher | None, evidence: Floats) -> Floats:
    """What orders the candidates of a listing: the pair matcher, or the plain score without one."""
    return plain_score(evidence) if matcher is None else matcher.log_odds(evidence)


def _confidences(
    matcher: OnnxMatcher | None, block: EvidenceBlock, strength: Floats, best: Ints
) -> tuple[Floats, Floats]:
    """Confidence of every pair, and P(no item matches) of every listing.

    The confidence head speaks of the best candidate only. What it and the none head leave is shared
    among the others by their odds, so that the candidates of one listing never promise more than 1.
    """
    listings, row = len(block.listing_ids), block.listing_row
    if matcher is None:
        # Not a probability, and no threshold is ever set on it: it only orders the candidates.
        plain = np.asarray(np.clip(strength / MOST_PLAIN, 0.0, 1.0), dtype=np.float32)
        return plain, np.zeros(listings, np.float32)
    pairs = np.asarray(1.0 / (1.0 + np.exp(-np.clip(strength, -30, 30))), dtype=np.float32)
    none = product_of_complements(pairs, row, listings)
    if not len(best):
        return pairs, none
    with_candidates = row[best]
    _, heads = head_evidence(row, block.evidence, strength, block.text[with_candidates], best)
    of_best, of_none = matcher.confidence(heads), matcher.none_confidence(heads)
    if of_none is not None:
        none[with_candidates] = of_none
    if of_best is None:
        return pairs, none
    odds = np.exp(np.clip(strength, -30, 30))
    odds[best] = 0.0
    total = np.zeros(listings)
    np.add.at(total, row, odds)
    sure = np.zeros(listings, np.float32)
    sure[with_candidates] = of_best
    left = np.clip(1.0 - sure - none, 0.0, None)
    confidence = np.minimum(sure[row], left[row] * odds / np.maximum(total[row], 1e-12))
    confidence[best] = of_best
    return confidence.astype(np.float32), none
