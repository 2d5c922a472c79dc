"""Graded circle loss: a match above a variant, a variant above everything else."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from trainer.losses.batch import PairBatch, weighted_mean


class GradedCircle(nn.Module):
    """Circle loss over the grades match > variant > none, each with its own band of similarity.

    A grade with centre c and margin m lies between c - m and c + m: none around 0, match around 1,
    variant around the middle of its band. A cell of similarity s is held up against the lower grades by
    ``u = -g [c + m - s]+ (s - (c - m))`` and down against the higher ones by
    ``v = g [s - (c - m)]+ (s - (c + m))``, the gradient stopped at the brackets; the loss of a listing is
    ``log(1 + sum over cells a, b of its row with grade a > grade b of e^{u_a + v_b}) / g``. Without
    variants that is circle loss (Sun et al., 2002.10857) with the margins 1 - match and none, divided by
    g, which keeps it in units of similarity whatever g is, so that its weight compares with that of
    :class:`~trainer.losses.threshold_margin.ThresholdConsistentMargin`. Confirmed further items are
    matches. A listing without a match still learns to keep its variants above the rest.

    An auxiliary, not a base: it says at what similarity a grade lies, so that one threshold tells match
    from variant, and few listings have a variant at all. Ranking look-alikes, along the item too, stays
    with the base loss, which counts a variant as one more negative. Source: the idea is the multi-class
    circle loss of Mine and Refine, 2602.17654; the bands and the way grades are paired are our
    reconstruction.

    Args:
        levels: similarity that none should stay under, lower and upper end of the variants' band, and
            similarity that matches should exceed; rising, within 0 to 1.
        scale: g; the larger, the more the worst cells of a listing decide. 80 as in circle loss for
            retrieval.
    """

    def __init__(
        self, levels: tuple[float, float, float, float] = (0.4, 0.5, 0.7, 0.8), scale: float = 80.0
    ) -> None:
        super().__init__()
        none, variant_low, variant_high, match = levels
        #: Lower and upper end of each grade's band, worst grade first.
        self.bands = ((-none, none), (variant_low, variant_high), (match, 2 - match))
        self.scale = scale

    def forward(self, batch: PairBatch) -> Tensor:
        """The scalar loss, a mean over the listings with cells of two grades; else the graph zero."""
        grades = (batch.negative & ~batch.variant, batch.variant, batch.target | batch.known)
        present = torch.stack([grade.any(dim=1) for grade in grades])
        compared = (present.sum(dim=0) > 1).nonzero(as_tuple=True)[0]
        if compared.numel() == 0:
            return batch.zero
        similarity = batch.similarity[compared]
        up: list[Tensor] = []
        down: list[Tensor] = []
        for (low, high), grade in zip(self.bands, grades, strict=True):
            off = ~grade[compared]
            pull = (high - similarity).detach().clamp_min(0)
            push = (similarity - low).detach().clamp_min(0)
            up.append((-self.scale * pull * (similarity - low)).masked_fill(off, -torch.inf).logsumexp(dim=1))
            down.append(
                (self.scale * push * (similarity - high)).masked_fill(off, -torch.inf).logsumexp(dim=1)
            )
        terms = torch.stack([up[2] + down[1], up[2] + down[0], up[1] + down[0]])
        total = terms.logsumexp(dim=0)
        values = torch.logaddexp(total, torch.zeros_like(total)) / self.scale
        return weighted_mean(values, batch.weight[compared], batch)
