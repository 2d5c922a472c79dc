"""PRIME's triplet loss with a margin that follows the pair."""

from __future__ import annotations

from torch import Tensor, nn

from trainer.losses.batch import PairBatch, hardest_negatives, target_similarity, weighted_mean
from trainer.losses.triplet import soft_hardest


class PrimeMargin(nn.Module):
    """``hinge(s_n - s_p + m)`` with ``m = clip(|s_p - s_n|, .1, .3)``, the gradient stopped at m.

    A negative far above its positive is pushed with the wide margin, one already .1 below it is left
    alone. Over the hardest in-batch negatives, weighted as in
    :class:`~trainer.losses.triplet.NgameTriplet`. Source: PRIME, 2410.20326 (without item prototypes).
    """

    def __init__(
        self, least: float = 0.1, most: float = 0.3, negatives: int = 10, sharpness: float = 0.1
    ) -> None:
        super().__init__()
        self.least = least
        self.most = most
        self.negatives = negatives
        self.sharpness = sharpness

    def forward(self, batch: PairBatch) -> Tensor:
        """The scalar loss, a mean over the listings that have a target; else the graph zero."""
        positive, has_target = target_similarity(batch)
        negative, valid = hardest_negatives(batch, self.negatives)
        margin = (positive[:, None] - negative).detach().abs().clamp(self.least, self.most)
        hinge = (negative - positive[:, None] + margin).clamp_min(0)
        values = soft_hardest(hinge, negative, valid, self.sharpness)
        return weighted_mean(values[has_target], batch.weight[has_target], batch)
