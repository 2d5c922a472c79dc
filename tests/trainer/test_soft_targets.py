from __future__ import annotations

import pytest
import torch

from tests.trainer import plain_losses as plain
from tests.trainer.loss_batches import SHAPES, batch_of, cells_of, plain_inputs
from trainer.losses import InfoNCE, SoftTargets, make_batch


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("non_target_weight", [0.0, 1.0, 3.0])
def test_that_soft_targets_equal_their_plain_loops(shape: str, non_target_weight: float) -> None:
    for seed in range(5):
        batch, _ = batch_of(shape, seed=seed)
        along, down = plain.soft_targets(
            *plain_inputs(shape, batch),
            batch.agreement.tolist(),
            temperature=0.05,
            spread=0.1,
            non_target_weight=non_target_weight,
        )
        one_way = SoftTargets(0.05, symmetric=False, non_target_weight=non_target_weight)
        both_ways = SoftTargets(0.05, non_target_weight=non_target_weight)
        assert one_way(batch).item() == pytest.approx(along, rel=1e-9, abs=1e-12)
        assert both_ways(batch).item() == pytest.approx((along + down) / 2, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("shape", SHAPES)
def test_that_soft_targets_can_come_from_the_weights(shape: str) -> None:
    batch, _ = batch_of(shape)
    similarity, cells, weight = plain_inputs(shape, batch)
    along, down = plain.soft_targets(
        similarity,
        cells,
        [1.0] * len(weight),
        [min(value, 1.0) for value in weight],
        temperature=0.05,
        spread=0.1,
        non_target_weight=1.0,
    )
    value = SoftTargets(source="weight")(batch).item()
    assert value == pytest.approx((along + down) / 2, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("shape", SHAPES)
def test_that_soft_targets_are_infonce_where_all_reviewers_agree(shape: str, symmetric: bool) -> None:
    cells = torch.tensor(cells_of(shape))
    gradients = []
    values = []
    for loss in (SoftTargets(symmetric=symmetric), InfoNCE(symmetric=symmetric)):
        batch, raw = batch_of(shape)
        agreed = make_batch(raw[: len(cells)], raw[len(cells) :], cells, batch.weight)
        value = loss(agreed)
        value.backward()
        assert raw.grad is not None
        values.append(value.item())
        gradients.append(raw.grad)
    assert values[0] == pytest.approx(values[1], rel=1e-9, abs=1e-12)
    assert torch.allclose(gradients[0], gradients[1], atol=1e-9)


def _push(agreement: float, similarities: list[float]) -> torch.Tensor:
    """How the loss of one listing, target first, moves with each similarity."""
    cosine = torch.tensor(similarities, dtype=torch.float64)
    items = torch.stack([cosine, (1 - cosine**2).sqrt()], dim=1)
    batch = make_batch(
        torch.tensor([[1.0, 0.0]], dtype=torch.float64), items, agreement=torch.tensor([agreement])
    )
    batch.similarity.requires_grad_()
    SoftTargets(symmetric=False)(batch).backward()
    assert batch.similarity.grad is not None
    return batch.similarity.grad[0]


def test_that_a_pair_reviewers_doubt_is_pulled_only_as_far_as_they_agree() -> None:
    similarities = [0.9, 0.75, 0.2]
    assert _push(1.0, similarities)[0] < 0
    assert _push(0.6, similarities)[0] > 0
    assert _push(0.6, [0.5, 0.75, 0.2])[0] < 0


def test_that_doubt_spreads_over_look_alikes_and_not_over_the_unrelated() -> None:
    push = _push(0.6, [0.9, 0.75, 0.7, -0.5])
    assert push[2] < 0  # the second look-alike is pulled up beside the first
    assert abs(push[3]) < 1e-3


def test_that_a_pair_nobody_agrees_on_gives_a_finite_gradient() -> None:
    assert torch.isfinite(_push(0.0, [0.9, 0.75, 0.2])).all()
