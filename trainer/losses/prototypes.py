"""PRIME's item prototypes: an item as its text and its confirmed listings describe it."""

from __future__ import annotations

import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from trainer.losses.batch import PairBatch


class ItemPrototypes(nn.Module):
    """One transformer layer over [item vector, centroid of its confirmed listings] to a unit vector.

    The confirmed listings are those of the batch. The listing that targets a column is left out of its
    centroid, so the centroid is the mean of the listings that *know* the item (in a look-alike batch an
    item that two listings share has a column for each, and each column is known to the other listing).
    No listing is compared with a prototype that is made of itself, which copying would satisfy, and
    whether there is a centroid says nothing about whether the pair is a match. An item that no other
    listing knows has its text alone. The gradient stops at the centroid: a prototype moves towards its
    listings, not they towards it on this way.

    The layer normalises first and its last projections start at zero, so that a prototype starts as the
    item's own vector. Used in training only; at run time an item is its vector and its aliases. Source:
    Label Prototype Network of PRIME, 2410.20401, without free vectors and with centroids of the batch
    in place of a bank.

    Args:
        dimension: d of the encoder.
        heads: of the attention; divides ``dimension``.
    """

    def __init__(self, dimension: int, heads: int = 1) -> None:
        super().__init__()
        self.attend = nn.TransformerEncoderLayer(
            dimension,
            heads,
            dim_feedforward=2 * dimension,
            dropout=0.0,
            activation="gelu",
            batch_first=True,
            norm_first=True,
        )
        #: Tells the centroid from the text, which attention alone cannot.
        self.mark = nn.Parameter(torch.zeros(dimension))
        for last in (self.attend.self_attn.out_proj, self.attend.linear2):
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)

    def forward(self, batch: PairBatch) -> Tensor:
        """Unit vectors, float [C, d], in the order of the batch's items."""
        dtype = self.mark.dtype
        knows = batch.known.T.to(dtype)
        centroid = functional.normalize(knows @ batch.listings.detach().to(dtype), dim=-1)
        tokens = torch.stack([batch.items.to(dtype), centroid + self.mark], dim=1)
        alone = ~batch.known.any(dim=0)
        absent = torch.stack([torch.zeros_like(alone), alone], dim=1)
        state = self.attend(tokens, src_key_padding_mask=absent)[:, 0]
        return functional.normalize(state, dim=-1)
