"""Batches of every shape that a loss can meet, and every loss there is."""

from __future__ import annotations

import torch
from torch import nn

from tests.trainer import plain_losses as plain
from trainer.losses import (
    BatchAware,
    BatchAwarePooled,
    BatchAwareSoftmax,
    DecoupledSoftmax,
    GradedCircle,
    InfoNCE,
    ItemPrototypes,
    NgameTriplet,
    PrimeMargin,
    QueryLabel,
    SoftTargets,
    ThresholdConsistentMargin,
    make_batch,
)
from trainer.losses.batch import PairBatch

DIMENSION = 8
DTYPES = (torch.float32, torch.float64, torch.bfloat16, torch.float16)

#: Cells of batches: N negative, T target, K known, V variant.
SHAPES = {
    "square": ["TNNN", "NTNN", "NNTN", "NNNT"],
    "known positives": ["TKNN", "KTNN", "NNTN", "NNKT"],
    "rejected candidates": ["TNNVN", "NTNNN", "NNTKV"],
    "listing without a match": ["TNN", "NTN", "NNV"],
    "listing with known items only": ["TN", "KN"],
    "no negative": ["TK", "KT"],
    "one pair": ["T"],
    "nothing but negatives": ["NN", "NN"],
    "nothing but known": ["KK", "KK"],
}
LETTERS = {"N": plain.NEGATIVE, "T": plain.TARGET, "K": plain.KNOWN, "V": plain.VARIANT}


def batch_of(shape: str, dtype: torch.dtype = torch.float64, seed: int = 0) -> tuple[PairBatch, torch.Tensor]:
    cells = torch.tensor(cells_of(shape), dtype=torch.int8)
    draw = torch.Generator().manual_seed(seed)
    raw = torch.randn(sum(cells.shape), DIMENSION, generator=draw, dtype=torch.float64).to(dtype)
    raw.requires_grad_(True)
    weight = torch.rand(len(cells), generator=draw, dtype=torch.float64) + 0.5
    agreement = torch.rand(len(cells), generator=draw, dtype=torch.float64) / 2 + 0.5
    listings, items = raw[: len(cells)], raw[len(cells) :]
    champion = torch.randn(2, DIMENSION, generator=draw, dtype=torch.float64)
    return make_batch(listings, items, cells, weight, agreement, items[:2], champion[: len(items)]), raw


def cells_of(shape: str) -> list[list[int]]:
    return [[LETTERS[letter] for letter in row] for row in SHAPES[shape]]


def plain_inputs(shape: str, batch: PairBatch) -> tuple[list[list[float]], list[list[int]], list[float]]:
    return batch.similarity.tolist(), cells_of(shape), batch.weight.tolist()


def stirred_prototypes(dimension: int = DIMENSION) -> ItemPrototypes:
    """Prototypes after some training: nothing in the layer is zero any more."""
    prototypes = ItemPrototypes(dimension)
    draw = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in prototypes.parameters():
            parameter += 0.3 * torch.randn(parameter.shape, generator=draw)
    return prototypes


def every_loss(dimension: int = DIMENSION) -> dict[str, nn.Module]:
    torch.manual_seed(0)
    return {
        "infonce": InfoNCE(0.05),
        "infonce one way": InfoNCE(0.1, symmetric=False),
        "decoupled": DecoupledSoftmax(0.05),
        "ngame": NgameTriplet(0.3, negatives=2),
        "prime": PrimeMargin(negatives=10),
        "prime with prototypes": PrimeMargin(negatives=10, prototypes=stirred_prototypes(dimension)),
        "soft targets": SoftTargets(),
        "soft targets by weight": SoftTargets(source="weight", non_target_weight=2.0),
        "tcm": ThresholdConsistentMargin(0.9, 0.1),
        "graded circle": GradedCircle(),
        "query label": QueryLabel(dimension),
        "batch aware": BatchAware(dimension),
        "batch aware softmax": BatchAwareSoftmax(dimension, negatives=2),
        "batch aware softmax over all": BatchAwareSoftmax(dimension, negatives=None),
        "batch aware pooled": BatchAwarePooled(dimension),
    }
