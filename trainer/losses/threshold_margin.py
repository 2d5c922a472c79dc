"""Threshold-consistent margin: one threshold should fit every listing."""

from __future__ import annotations

from torch import Tensor, nn

from trainer.losses.batch import PairBatch, weighted_mean


class ThresholdConsistentMargin(nn.Module):
    """Mean of ``m+ - s`` over positives under m+, plus mean of ``s - m-`` over negatives above m-.

    Only violating cells count, so most of a trained batch gives no gradient and the base loss keeps
    its say. Confirmed further positives count as positives. Source: TCM, Zhang et al., 2307.04047.
    """

    def __init__(self, positive_margin: float = 0.9, negative_margin: float = 0.5) -> None:
        super().__init__()
        self.positive_margin = positive_margin
        self.negative_margin = negative_margin

    def forward(self, batch: PairBatch) -> Tensor:
        """The scalar loss; the graph zero when nothing violates."""
        weight = batch.weight[:, None].expand_as(batch.similarity)
        low = (batch.target | batch.known) & (batch.similarity < self.positive_margin)
        high = batch.negative & (batch.similarity > self.negative_margin)
        pull = weighted_mean(self.positive_margin - batch.similarity, weight * low, batch)
        push = weighted_mean(batch.similarity - self.negative_margin, weight * high, batch)
        return pull + push
