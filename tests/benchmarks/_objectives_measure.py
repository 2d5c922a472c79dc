"""Measuring of ``objectives``: an encoder's similarity alone, and behind the matcher.

*Similarity*: every held-out listing gets the item of the whole catalogue nearest to it. *Matcher*: the
candidates and all other evidence stay those of the untrained encoder and of characters, only similarity is
the trained encoder's; a matcher is fitted to the judged listings as the product fits it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from torch import nn

from engine.automation.evidence_columns import column
from engine.automation.listing_evidence import head_evidence
from engine.automation.matcher import LearningSet, fit_matcher
from engine.automation.ranking import best_rows
from engine.backends.onnx_matcher import OnnxMatcher
from engine.contracts.selective import area_under_risk_coverage, coverage_at
from engine.contracts.training import fold_of
from tests.benchmarks._objectives_plan import Line
from tests.benchmarks._objectives_train import Trained, vectors_of
from tests.benchmarks._objectives_world import SPARE, Deal, World, set_with_margin
from trainer.devices import ComputeDevice
from trainer.embedding import TokenTable, Vectors
from trainer.losses import QueryLabel
from trainer.losses.judged_pairs import pair_representation

Figures = dict[str, float]
#: Texts are cut here, as the product cuts them.
TOKENS = 128
#: Rows and pairs of one piece of work, as fits in little memory.
_ROWS, _PAIRS = 2048, 1 << 15


def figures(confidence: np.ndarray, right: np.ndarray, listings: int) -> Figures:
    """Oracle coverage at three precisions, AURC, and how often the best is right.

    Args:
        confidence: of the best candidate of every listing that has one.
        right: whether it is right.
        listings: of which coverage is a share, those without candidates included.
    """
    share = len(right) / max(1, listings)
    return {
        f"C@{round(100 * p)}": float(coverage_at(confidence, right, p)) * share for p in (0.9, 0.95, 0.98)
    } | {
        "AURC": float(area_under_risk_coverage(confidence, right)),
        "P@1": float(right.mean()) * share if len(right) else 0.0,
    }


@dataclass(frozen=True)
class Encoded:
    """Unit vectors of a world's items, and of its listings in the order of its candidates' ``rows``."""

    items: Vectors
    listings: Vectors

    @classmethod
    def of(cls, world: World, model: SentenceTransformer, device: ComputeDevice) -> Encoded:
        """With an encoder as it is now."""
        model.max_seq_length = min(TOKENS, int(model[0].auto_model.config.max_position_embeddings))
        texts = [world.texts[row] for row in world.candidates.rows.tolist()]
        return cls(
            vectors_of(model, TokenTable(model, world.item_texts), device),
            vectors_of(model, TokenTable(model, texts), device),
        )

    def similarity(self, world: World) -> np.ndarray:
        """Cosine of every candidate pair."""
        candidates = world.candidates
        place = candidates.places(candidates.listing_row)
        out = np.empty(len(place), np.float32)
        for start in range(0, len(place), _PAIRS):
            part = slice(start, start + _PAIRS)
            one, other = self.listings[place[part]], self.items[candidates.item_row[part]]
            out[part] = np.einsum("ij,ij->i", one, other)
        return out

    def alone(self, world: World, deal: Deal, device: ComputeDevice) -> Figures:
        """Similarity alone, over the whole catalogue."""
        held = np.asarray(deal.held)
        items = torch.from_numpy(self.items).to(device.kind)
        mine = torch.from_numpy(self.listings[world.candidates.places(held)]).to(device.kind)
        found = [(mine[n : n + _ROWS] @ items.T).max(dim=1) for n in range(0, len(held), _ROWS)]
        best = torch.cat([part.indices for part in found]).tolist()
        right = [item in world.answers[row] for row, item in zip(deal.held, best, strict=True)]
        similarity = torch.cat([part.values for part in found]).double().cpu().numpy()
        return figures(similarity, np.asarray(right), len(held))


@dataclass(frozen=True)
class Behind:
    """What a matcher says of the held-out listings.

    ``held`` marks their pairs among all, ``strength`` [pairs of them] are the matcher's log odds, ``best``
    points from a listing into those, ``confidence`` is the listing's.
    """

    figures: Figures
    held: np.ndarray
    strength: np.ndarray
    best: np.ndarray
    confidence: np.ndarray


def learning_set(world: World, deal: Deal, evidence: np.ndarray, seen: bool) -> LearningSet:
    """The judged listings as a matcher learns from them; ``seen``: their evidence is of an encoder that was
    trained on some."""
    candidates = world.candidates
    mine = candidates.of(deal.judged)
    rows = candidates.listing_row[mine]
    listings = np.unique(rows)
    place = candidates.places(listings)
    return LearningSet(
        rows,
        evidence[mine],
        candidates.named[mine],
        candidates.text[place],
        ~candidates.matchable[place],
        ~np.isin(listings, deal.unseen) if seen and deal.unseen is not None else None,
    )


def behind_matcher(world: World, deal: Deal, evidence: np.ndarray, seen: bool) -> Behind:
    """Fit a matcher to the judged listings, and ask it about the held-out ones.

    Raises:
        ValueError: too few were judged.
    """
    fitted = fit_matcher(learning_set(world, deal, evidence, seen))
    if fitted is None:
        raise ValueError(f"{world.data} has too few judged listings to fit a matcher to")
    matcher = OnnxMatcher(fitted.graphs)
    candidates = world.candidates
    held = candidates.of(deal.held)
    rows, mine, right = candidates.listing_row[held], evidence[held], candidates.right[held]
    strength = matcher.log_odds(mine)
    best = best_rows(rows, strength)
    _, heads = head_evidence(rows, mine, strength, candidates.text[candidates.places(rows[best])], best)
    by_head = matcher.confidence(heads)
    confidence = 1 / (1 + np.exp(-strength[best])) if by_head is None else by_head
    said = figures(confidence, right[best], len(deal.held))
    return Behind(said, held, strength, best, confidence)


def pair_head(world: World, encoded: Encoded, head: QueryLabel, device: ComputeDevice) -> np.ndarray:
    """What the head of the query-label objective says of every candidate pair, as log odds."""
    candidates = world.candidates
    place = candidates.places(candidates.listing_row)
    listings = torch.from_numpy(encoded.listings).to(device.kind)
    items = torch.from_numpy(encoded.items).to(device.kind)
    out = np.empty(len(place), np.float32)
    with torch.inference_mode():
        for start in range(0, len(place), _PAIRS):
            part = slice(start, start + _PAIRS)
            one, other = listings[place[part]], items[candidates.item_row[part]]
            hidden = nn.functional.gelu(head.hidden(pair_representation(one, other)))
            said = head.head(hidden).squeeze(-1)
            out[part] = said.float().cpu().numpy()
    return out


def evidence_of(
    world: World,
    line: Line,
    trained: Trained,
    encoded: Encoded,
    device: ComputeDevice,
    folds: Iterable[Encoded] = (),
) -> np.ndarray:
    """The evidence with the trained similarity, and the score that a line adds.

    ``folds``: judged listings that ``trained`` has seen have the similarity of their fold's.
    """
    candidates = world.candidates
    evidence = candidates.evidence.copy()
    if line.second == "untrained":
        before = evidence[:, column("similarity")].copy()
        set_with_margin(evidence, candidates.listing_row, before, SPARE)
    elif line.second == "pair head":
        head = trained.heads.get("query_label")
        if not isinstance(head, QueryLabel):
            raise ValueError("second 'pair head' needs a query_label_weight above 0")
        said = pair_head(world, encoded, head, device)
        set_with_margin(evidence, candidates.listing_row, said, SPARE)
    similarity = encoded.similarity(world)
    deal = world.deals[line.kind]
    seen = candidates.of(sorted(set(deal.judged) - set(() if line.whole else deal.unseen or ())))
    for fold, other in enumerate(folds):
        mine = seen & np.isin(candidates.listing_row, _rows_of(world, fold, line.folds))
        similarity[mine] = other.similarity(world)[mine]
    set_with_margin(evidence, candidates.listing_row, similarity, ("similarity", "similarity_margin"))
    return evidence


def _rows_of(world: World, fold: int, folds: int) -> list[int]:
    return [row for row in world.candidates.rows.tolist() if fold_of(str(row), folds) == fold]
