from __future__ import annotations

import math

import pytest
import torch

from trainer.losses import GradedCircle, make_batch

LEVELS = (0.4, 0.5, 0.7, 0.8)


def _push(cells: list[int], similarities: list[float]) -> tuple[float, torch.Tensor]:
    """The loss of one listing and how it moves with each of its similarities."""
    cosine = torch.tensor(similarities, dtype=torch.float64)
    items = torch.stack([cosine, (1 - cosine**2).sqrt()], dim=1)
    batch = make_batch(torch.tensor([[1.0, 0.0]], dtype=torch.float64), items, torch.tensor([cells]))
    batch.similarity.requires_grad_()
    value = GradedCircle(LEVELS)(batch)
    value.backward()
    assert batch.similarity.grad is not None
    return value.item(), batch.similarity.grad[0]


def test_that_without_variants_it_is_circle_loss() -> None:
    """With one margin m for both sides: O+ = 1 + m, O- = -m, D+ = 1 - m, D- = m."""
    margin, scale = 0.25, 20.0
    positive, negatives = 0.6, [0.5, 0.1]
    up = -scale * max(1 + margin - positive, 0) * (positive - (1 - margin))
    down = [scale * max(s + margin, 0) * (s - margin) for s in negatives]
    expected = math.log1p(math.exp(up) * sum(math.exp(value) for value in down)) / scale
    cosine = torch.tensor([positive, *negatives], dtype=torch.float64)
    items = torch.stack([cosine, (1 - cosine**2).sqrt()], dim=1)
    batch = make_batch(torch.tensor([[1.0, 0.0]], dtype=torch.float64), items)
    loss = GradedCircle((margin, 0.4, 0.6, 1 - margin), scale)
    assert loss(batch).item() == pytest.approx(expected, rel=1e-9)


def test_that_a_variant_is_pushed_below_the_match_and_pulled_above_the_rest() -> None:
    too_high, too_low = [0.9, 0.88, 0.2], [0.9, 0.42, 0.4]
    assert _push([1, 3, 0], too_high)[1][1] > 0.05
    assert _push([1, 3, 0], too_low)[1][1] < -0.05


def test_that_grades_within_their_bands_cost_next_to_nothing_and_swapped_ones_much() -> None:
    right, _ = _push([1, 3, 0], [0.98, 0.6, 0.0])
    swapped, _ = _push([1, 3, 0], [0.6, 0.98, 0.0])
    assert right < 0.01 < 0.1 < swapped


def test_that_a_listing_without_a_match_still_keeps_its_variant_above_the_rest() -> None:
    _, push = _push([3, 0], [0.4, 0.5])
    assert push[0] < 0 < push[1]


def test_that_one_grade_alone_costs_nothing() -> None:
    for cells in ([0, 0], [3, 3], [1, 2]):
        assert _push(cells, [0.3, 0.9])[0] == 0.0
