"""NGAME's triplet loss over the hardest in-batch negatives."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from trainer.losses.batch import PairBatch, hardest_negatives, target_similarity, weighted_mean


def soft_hardest(hinge: Tensor, negative: Tensor, valid: Tensor, sharpness: float) -> Tensor:
    """Mean of a listing's violated hinges [B, k], the harder negative weighing more.

    Weights are ``softmax(s_n / sharpness)`` over the violating negatives, gradient stopped; a listing
    without a violation gets 0.
    """
    violated = valid & (hinge > 0)
    scores = (negative.detach() / sharpness).masked_fill(~violated, -torch.inf)
    weights = torch.where(violated.any(dim=1, keepdim=True), scores, torch.zeros_like(scores)).softmax(dim=1)
    return torch.where(violated, weights * hinge, torch.zeros_like(hinge)).sum(dim=1)


class NgameTriplet(nn.Module):
    """``hinge(s_n - s_p + margin)`` over the hardest in-batch negatives of each listing.

    The violating ones are weighted by ``softmax(s_n / .1)``. Source: NGAME, Dahiya et al., 2207.04452.
    """

    def __init__(self, margin: float = 0.3, negatives: int = 10, sharpness: float = 0.1) -> None:
        super().__init__()
        self.margin = margin
        self.negatives = negatives
        self.sharpness = sharpness

    def forward(self, batch: PairBatch) -> Tensor:
        """The scalar loss, a mean over the listings that have a target; else the graph zero."""
        positive, has_target = target_similarity(batch)
        negative, valid = hardest_negatives(batch, self.negatives)
        hinge = (negative - positive[:, None] + self.margin).clamp_min(0)
        values = soft_hardest(hinge, negative, valid, self.sharpness)
        return weighted_mean(values[has_target], batch.weight[has_target], batch)
