"""The margins of confirmed pairs over a run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

from engine.contracts.training import DYNAMICS
from trainer.dynamics import PairDynamics
from trainer.losses.batch import Cell, PairBatch, make_batch
from trainer.pairs import JudgedListing, PairSet


def _batch(seed: int) -> tuple[PairBatch, np.ndarray]:
    """Three listings and four items; the last listing has no item, item 3 is a rejected candidate."""
    random = torch.Generator().manual_seed(seed)
    cells = torch.full((3, 4), int(Cell.NEGATIVE), dtype=torch.int8)
    cells[0, 0] = cells[1, 1] = int(Cell.TARGET)
    cells[0, 1] = int(Cell.KNOWN)
    batch = make_batch(torch.randn(3, 8, generator=random), torch.randn(4, 8, generator=random), cells)
    s = batch.similarity.numpy()
    return batch, np.asarray([s[0, 0] - max(s[0, 2], s[0, 3]), s[1, 1] - max(s[1, 0], s[1, 2], s[1, 3])])


def _pairs() -> PairSet:
    def listing(number: int) -> JudgedListing:
        return JudgedListing("text", (number,), (), (), {number: 1.0}, (), f"L{number}")

    return PairSet(("a", "b", "c"), (listing(0), listing(1)), (), (0, 1, 2), ("7", "8", "9"))


def test_that_margins_are_means_over_the_steps_a_pair_was_in(tmp_path: Path) -> None:
    dynamics = PairDynamics(4)
    first, margins = _batch(0)
    second, later = _batch(1)
    dynamics.note(torch.tensor([2, 0, 3]), first)
    resumed = PairDynamics(4)
    resumed.restore({name: array.copy() for name, array in dynamics.state().items()})
    resumed.note(torch.tensor([2, 1, 3]), second)
    # Rows 2 and 3: one listing with another item, and one without any.
    resumed.write(tmp_path, [(0, 0), (1, 1), (1, 2), (1, None)], _pairs())
    rows = pl.read_parquet(tmp_path / DYNAMICS).to_dicts()
    found = {(row["listing_id"], row["item_id"]): (row["margin"], row["times"]) for row in rows}
    assert found == {
        ("L0", "7"): (pytest.approx(margins[1], abs=1e-6), 1),
        ("L1", "8"): (pytest.approx(later[1], abs=1e-6), 1),
        ("L1", "9"): (pytest.approx((margins[0] + later[0]) / 2, abs=1e-6), 2),
    }
    assert [row["margin"] for row in rows] == sorted(row["margin"] for row in rows)


def test_that_an_old_checkpoint_starts_anew() -> None:
    dynamics = PairDynamics(2)
    dynamics.restore({"clusters": np.zeros(3, np.int32)})
    assert dynamics.state()["margin_times"].tolist() == [0, 0]
