"""What every loss looks at: the similarity matrix of a batch and what is known about each cell."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import torch
import torch.nn.functional as functional
from torch import Tensor


class Cell(IntEnum):
    """What is known about a (listing, item) cell of a batch; only graded losses set a variant apart."""

    NEGATIVE = 0
    TARGET = 1
    KNOWN = 2
    VARIANT = 3


@dataclass(frozen=True)
class PairBatch:
    """One batch as the losses see it.

    Attributes:
        listings: unit vectors, float [B, d].
        items: unit vectors, float [C, d]; the items of the pairs, then the rejected candidates.
        similarity: cosines, float [B, C].
        target: bool [B, C]; the positive that is trained, at most one per listing.
        known: bool [B, C]; further confirmed items of a listing, masked: neither positive nor negative.
        negative: bool [B, C]; everything else, variants included.
        variant: bool [B, C]; the negatives that are another version of the listing's item.
        weight: float [B], of each listing's pair.
        agreement: float [B], 0 to 1; how far reviewers agree on each listing's pair.
        distilled: unit vectors of random catalogue texts, float [K, d]; None without distillation.
        champion: unit vectors of the same texts by the start encoder, float [K, d], without a gradient.
    """

    listings: Tensor
    items: Tensor
    similarity: Tensor
    target: Tensor
    known: Tensor
    negative: Tensor
    variant: Tensor
    weight: Tensor
    agreement: Tensor
    distilled: Tensor | None = None
    champion: Tensor | None = None

    @property
    def zero(self) -> Tensor:
        """A zero that hangs on the graph, for batches in which a loss has nothing to compare."""
        return self.similarity.sum() * 0.0


def make_batch(
    listings: Tensor,
    items: Tensor,
    cells: Tensor | None = None,
    weight: Tensor | None = None,
    agreement: Tensor | None = None,
    distilled: Tensor | None = None,
    champion: Tensor | None = None,
) -> PairBatch:
    """A :class:`PairBatch` of raw embeddings.

    Half precision is raised to float32 first: a softmax over cosines at temperature .05 needs the digits.

    Args:
        listings: float [B, d].
        items: float [C, d].
        cells: integers of :class:`Cell`, [B, C]; None: item i is the target of listing i, no more is known.
        weight: float [B]; None: all 1.
        agreement: float [B]; None: all 1, nobody disagrees.
        distilled: of random catalogue texts, float [K, d]; None: none.
        champion: vectors of the start encoder for those, float [K, d].
    """
    exact = torch.promote_types(listings.dtype, torch.float32)
    unit_listings = functional.normalize(listings.to(exact), dim=-1)
    unit_items = functional.normalize(items.to(exact), dim=-1)
    if cells is None:
        cells = torch.eye(len(listings), len(items), dtype=torch.int8, device=listings.device)
    if weight is None:
        weight = torch.ones(len(listings), device=listings.device)
    if agreement is None:
        agreement = torch.ones(len(listings), device=listings.device)
    target = cells == Cell.TARGET
    known = cells == Cell.KNOWN
    return PairBatch(
        listings=unit_listings,
        items=unit_items,
        similarity=unit_listings @ unit_items.T,
        target=target,
        known=known,
        negative=~(target | known),
        variant=cells == Cell.VARIANT,
        weight=weight.to(exact),
        agreement=agreement.to(exact),
        distilled=None if distilled is None else functional.normalize(distilled.to(exact), dim=-1),
        champion=None if champion is None else functional.normalize(champion.detach().to(exact), dim=-1),
    )


def cell_matrix(entries: Tensor, listings: int, items: int) -> Tensor:
    """The cells of a batch of which only some are no plain negatives.

    Args:
        entries: integers [n, 3] of :meth:`~trainer.mining.KnownPairs.entries`.
        listings: B.
        items: C.

    Returns:
        int8 [B, C] of :class:`Cell`, where the entries are.
    """
    row, column, value = entries.unbind(dim=1)
    cells = torch.full((listings, items), Cell.NEGATIVE, dtype=torch.int8, device=entries.device)
    cells[row, column] = value.to(torch.int8)
    return cells


def weighted_mean(values: Tensor, weights: Tensor, batch: PairBatch) -> Tensor:
    """Mean of ``values`` [n] weighted by ``weights`` [n]; the batch's graph zero where nothing weighs."""
    total = weights.sum()
    # Not a question to the number, whose answer would wait for all the work of a GPU.
    weighs = total > 0
    mean = (values * weights).sum() / torch.where(weighs, total, torch.ones_like(total))
    return torch.where(weighs, mean, batch.zero)


def hardest_negatives(batch: PairBatch, count: int) -> tuple[Tensor, Tensor]:
    """The most similar negatives of every listing.

    Returns:
        Similarities [B, k] with k = min(count, C), and bool [B, k] that tells which of them are
        negatives at all (a listing may have fewer).
    """
    masked = batch.similarity.masked_fill(~batch.negative, -torch.inf)
    top, index = masked.detach().topk(min(count, masked.shape[1]), dim=1)
    return batch.similarity.gather(1, index), torch.isfinite(top)


def target_similarity(batch: PairBatch) -> tuple[Tensor, Tensor]:
    """Similarity of each listing to its target [B] (0 without one), and bool [B]: does it have one."""
    return (batch.similarity * batch.target).sum(dim=1), batch.target.any(dim=1)
