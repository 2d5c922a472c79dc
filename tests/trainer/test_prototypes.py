from __future__ import annotations

import pytest
import torch
from torch import nn

from tests.trainer import plain_losses as plain
from tests.trainer.loss_batches import DIMENSION, SHAPES, batch_of, plain_inputs, stirred_prototypes
from trainer.losses import ItemPrototypes, PrimeMargin, make_batch
from trainer.losses.batch import PairBatch

DRILL_TWICE = [[1, 2, 0], [2, 1, 0], [0, 0, 1]]


def _plain_prototype(layer: ItemPrototypes, batch: PairBatch, cells: list[list[int]], c: int) -> torch.Tensor:
    """Attention of the item's token over itself and the centroid, vector by vector."""
    tokens = [batch.items[c]]
    known = [batch.listings[i] for i, row in enumerate(cells) if row[c] == plain.KNOWN]
    if known:
        mean = sum(known, torch.zeros(DIMENSION, dtype=torch.float64)) / len(known)
        tokens.append(mean / mean.norm() + layer.mark)
    attend = layer.attend
    to_q, to_k, to_v = attend.self_attn.in_proj_weight.chunk(3)
    of_q, of_k, of_v = attend.self_attn.in_proj_bias.chunk(3)
    normed = [attend.norm1(token) for token in tokens]
    question = to_q @ normed[0] + of_q
    scores = torch.stack([question @ (to_k @ token + of_k) / DIMENSION**0.5 for token in normed])
    shares = scores.exp() / scores.exp().sum()
    seen = sum(
        (share * (to_v @ token + of_v) for share, token in zip(shares, normed, strict=True)),
        torch.zeros(DIMENSION, dtype=torch.float64),
    )
    state = tokens[0] + attend.self_attn.out_proj(seen)
    state = state + attend.linear2(nn.functional.gelu(attend.linear1(attend.norm2(state))))
    return state / state.norm()


@pytest.mark.parametrize("shape", SHAPES)
def test_that_prime_with_prototypes_equals_its_plain_loops(shape: str) -> None:
    layer = stirred_prototypes().double()
    loss = PrimeMargin(negatives=10, prototypes=layer, prototype_weight=0.7)
    for seed in range(3):
        batch, _ = batch_of(shape, seed=seed)
        similarity, cells, weight = plain_inputs(shape, batch)
        prototypes = [_plain_prototype(layer, batch, cells, c) for c in range(len(batch.items))]
        to_prototypes = [[(listing @ p).item() for p in prototypes] for listing in batch.listings]

        def hinges(s: list[list[float]], cells: list[list[int]] = cells, w: list[float] = weight) -> float:
            return plain.triplet(s, cells, w, count=10, sharpness=0.1, margin=None)

        expected = hinges(similarity) + 0.7 * hinges(to_prototypes)
        assert loss(batch).item() == pytest.approx(expected, rel=1e-8, abs=1e-12)


def test_that_a_prototype_starts_as_the_vector_of_its_item() -> None:
    for shape in SHAPES:
        batch, _ = batch_of(shape)
        assert torch.allclose(ItemPrototypes(DIMENSION).double()(batch), batch.items)


def _drill_twice(first: float = 0.0) -> tuple[PairBatch, torch.Tensor]:
    """Listings 0 and 1 share an item, which has a column for each; ``first`` moves listing 0."""
    raw = torch.randn(6, DIMENSION, generator=torch.Generator().manual_seed(2))
    raw[4] = raw[3]
    raw[0, 0] += first
    raw.requires_grad_(True)
    return make_batch(raw[:3], raw[3:], torch.tensor(DRILL_TWICE)), raw


def test_that_the_listings_of_an_item_shape_its_prototype_but_never_the_one_they_are_compared_with() -> None:
    layer = stirred_prototypes()
    before, after = (layer(_drill_twice(first)[0]) for first in (0.0, 2.0))
    own, of_the_other, unrelated = ((before - after).norm(dim=1) > 1e-4).tolist()
    assert not own  # the column that listing 0 targets
    assert of_the_other
    assert not unrelated


def test_that_no_gradient_reaches_a_listing_through_a_centroid() -> None:
    batch, raw = _drill_twice()
    stirred_prototypes()(batch).sum().backward()
    assert raw.grad is not None
    assert torch.count_nonzero(raw.grad[:3]) == 0
    assert torch.count_nonzero(raw.grad[3:]) > 0


def test_that_the_prototypes_learn() -> None:
    layer = ItemPrototypes(DIMENSION)
    batch, _ = batch_of("known positives", torch.float32)
    PrimeMargin(prototypes=layer)(batch).backward()
    assert layer.attend.linear2.weight.grad is not None
    assert torch.count_nonzero(layer.attend.linear2.weight.grad) > 0
