"""PRIME's triplet loss with a margin that follows the pair, on items and optionally on prototypes."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor, nn

from trainer.losses.batch import PairBatch, hardest_negatives, target_similarity, weighted_mean
from trainer.losses.prototypes import ItemPrototypes
from trainer.losses.triplet import soft_hardest


class PrimeMargin(nn.Module):
    """``hinge(s_n - s_p + m)`` with ``m = clip(|s_p - s_n|, .1, .3)``, the gradient stopped at m.

    A negative far above its positive is pushed with the wide margin, one already .1 below it is left
    alone. Over the hardest in-batch negatives, weighted as in
    :class:`~trainer.losses.triplet.NgameTriplet`.

    With prototypes the same loss is added once more on the similarities of listings and prototypes,
    which have hardest negatives of their own. The comparison with the items stays, because at run time
    there is nothing else. Source: PRIME, Dahiya et al., 2410.20401, without its regulariser and its
    item-to-listing term.

    Args:
        least: smallest margin.
        most: largest margin.
        negatives: hardest in-batch negatives looked at.
        sharpness: temperature of their weights.
        prototypes: makes the prototypes; None compares with the items alone.
        prototype_weight: of the comparison with the prototypes.
    """

    def __init__(
        self,
        least: float = 0.1,
        most: float = 0.3,
        negatives: int = 10,
        sharpness: float = 0.1,
        *,
        prototypes: ItemPrototypes | None = None,
        prototype_weight: float = 1.0,
    ) -> None:
        super().__init__()
        self.least = least
        self.most = most
        self.negatives = negatives
        self.sharpness = sharpness
        self.prototypes = prototypes
        self.prototype_weight = prototype_weight

    def forward(self, batch: PairBatch) -> Tensor:
        """The scalar loss, a mean over the listings that have a target; else the graph zero."""
        loss = self._hinges(batch)
        if self.prototypes is None:
            return loss
        vectors = self.prototypes(batch)
        similarity = batch.listings.to(vectors.dtype) @ vectors.T
        return loss + self.prototype_weight * self._hinges(replace(batch, similarity=similarity))

    def _hinges(self, batch: PairBatch) -> Tensor:
        positive, has_target = target_similarity(batch)
        negative, valid = hardest_negatives(batch, self.negatives)
        margin = (positive[:, None] - negative).detach().abs().clamp(self.least, self.most)
        hinge = (negative - positive[:, None] + margin).clamp_min(0)
        values = soft_hardest(hinge, negative, valid, self.sharpness)
        return weighted_mean(values[has_target], batch.weight[has_target], batch)
