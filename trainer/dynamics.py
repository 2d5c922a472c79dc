"""How each confirmed pair fared while training: what the encoder never learnt was perhaps never right."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.contracts.training import DYNAMICS
from trainer import checkpoints
from trainer.losses.batch import PairBatch, hardest_negatives, target_similarity
from trainer.pairs import PairSet


class PairDynamics:
    """The mean margin of every row: similarity to its item minus that to the hardest negative of the batch.

    Over all steps, the early ones included: a wrong pair is learnt by heart in the end, but late and
    against all others that look like it. Source: area under the margin, Pleiss et al., 2001.10528.

    Args:
        rows: how many rows there are; a row is a listing with one of its confirmed items.
    """

    def __init__(self, rows: int) -> None:
        self._total = torch.zeros(rows, dtype=torch.float64)
        self._times = torch.zeros(rows, dtype=torch.int64)

    def note(self, rows: Tensor, batch: PairBatch) -> None:
        """Add the margins of one batch.

        Args:
            rows: integers [B], the row of each listing of the batch.
            batch: as the losses see it.
        """
        similarity, has_target = target_similarity(batch)
        negative, valid = hardest_negatives(batch, 1)
        known = has_target & valid[:, 0]
        margin = (similarity - negative[:, 0]).detach().double()
        # Kept where the batch is: fetching the margins would make every step wait for a GPU.
        self._total, self._times = self._total.to(margin.device), self._times.to(margin.device)
        self._total.index_add_(0, rows, torch.where(known, margin, torch.zeros_like(margin)))
        self._times.index_add_(0, rows, known.to(torch.int64))

    def state(self) -> dict[str, NDArray[np.generic]]:
        """For a checkpoint."""
        return {"margin_total": self._total.cpu().numpy(), "margin_times": self._times.cpu().numpy()}

    def restore(self, state: dict[str, NDArray[np.generic]]) -> None:
        """Go on from :meth:`state`; a checkpoint without it starts anew."""
        if "margin_total" in state:
            self._total = torch.from_numpy(state["margin_total"].astype(np.float64))
            self._times = torch.from_numpy(state["margin_times"].astype(np.int64))

    def write(self, folder: Path, rows: list[tuple[int, int | None]], pairs: PairSet) -> None:
        """Write ``dynamics.parquet`` of a run folder, pairs with the smallest margin first.

        Args:
            folder: of the run.
            rows: listing (its place in ``pairs.train``) and item of every row.
            pairs: of the run.
        """
        import polars as pl  # deferred: steps are taken without it

        total, times = self._total.tolist(), self._times.tolist()
        seen = [n for n, (_, item) in enumerate(rows) if item is not None and times[n]]
        items = [pairs.item_ids[item] for n in seen if (item := rows[n][1]) is not None]
        table = pl.DataFrame(
            {
                "listing_id": [pairs.train[rows[n][0]].listing_id for n in seen],
                "item_id": items,
                "margin": [total[n] / times[n] for n in seen],
                "times": [times[n] for n in seen],
            },
            schema={
                "listing_id": pl.String,
                "item_id": pl.String,
                "margin": pl.Float64,
                "times": pl.Int64,
            },
        ).sort("margin", "listing_id", "item_id")
        aside = folder / f"writing-{DYNAMICS}"
        table.write_parquet(aside)
        checkpoints.sync(aside)
        aside.replace(folder / DYNAMICS)
