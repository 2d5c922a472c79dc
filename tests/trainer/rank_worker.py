"""One of the processes that :mod:`tests.trainer.test_ranks` starts: ``rank_worker START OUT``."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from sentence_transformers import SentenceTransformer
from torch import Tensor

from trainer.config import resolve_recipe
from trainer.devices import ComputeDevice
from trainer.embedding import TokenTable, encode_together
from trainer.launch import claim_place
from trainer.losses import TrainingObjective, compose
from trainer.ranks import Ranks, joined

LISTINGS = ["acme phone", "a drill that is called by a far longer name", "kettle", "bolt x1", "fan"]
ITEMS = ["acme phone 64gb", "drill", "kettle, stainless, 2 l", "bolt", "fan of 3 speeds", "kettle 1 l"]
#: Distilled in every batch.
CATALOGUE = ["a lamp", "chair of oak, oiled", "usb cable"]
#: Listings and items of a batch; the last one has fewer texts than an even split needs.
BATCHES = ((5, 6), (4, 4), (1, 2), (1, 1))
CACHES = (None, 2)


def steps(start: Path, ranks: Ranks) -> dict[str, Tensor]:
    """Losses and joined gradients of every batch, with and without caching, by name."""
    found: dict[str, Tensor] = {}
    for cache_rows in CACHES:
        for listings, items in BATCHES:
            objective = _objective(start, ranks, cache_rows)
            model = objective.model
            columns = [
                TokenTable(model, texts).features(range(count))
                for texts, count in ((LISTINGS, listings), (ITEMS, items), (CATALOGUE, len(CATALOGUE)))
            ]
            cells = torch.eye(listings, items, dtype=torch.int8)
            champion = torch.eye(len(CATALOGUE), 32)
            weight = torch.arange(1.0, listings + 1)
            parts = objective(columns, {"cells": cells, "weight": weight, "champion": champion})
            torch.stack(list(parts.values())).sum().backward()
            ranks.join_gradients(model.parameters(), objective.parts.parameters())
            case = f"{cache_rows}-{listings}"
            found |= {f"{case}:loss:{name}": part.detach() for name, part in parts.items()}
            found |= {
                f"{case}:gradient:{name}": parameter.grad
                for name, parameter in objective.named_parameters()
                if parameter.grad is not None
            }
    objective = _objective(start, ranks, None)
    table = TokenTable(objective.model, LISTINGS)
    found["vectors"] = torch.from_numpy(encode_together(ranks, objective.model, table))
    found["any"] = torch.tensor([ranks.any(False), ranks.any(ranks.rank == ranks.size - 1)])
    found["first"] = torch.tensor([ranks.from_first(7 + ranks.rank)])
    return found


def out_of_memory(start: Path, ranks: Ranks) -> bool:
    """Whether this rank learns that the last one ran out of memory before anybody waits for its texts."""
    objective = _objective(start, ranks, None)
    if ranks.rank == ranks.size - 1:

        def refuse(features: dict[str, Tensor]) -> Tensor:
            raise torch.OutOfMemoryError("CUDA out of memory")

        objective._encode = refuse  # type: ignore[method-assign]
    try:
        objective([TokenTable(objective.model, texts).features(range(4)) for texts in (LISTINGS, ITEMS)])
    except torch.OutOfMemoryError:
        return True
    return False


def _objective(start: Path, ranks: Ranks, cache_rows: int | None) -> TrainingObjective:
    torch.manual_seed(5)
    model = SentenceTransformer(str(start), device="cpu", local_files_only=True)
    objective = compose(resolve_recipe("default", {"distill_weight": 0.5}), model, 32, chunk_rows=3)
    objective.ranks, objective.cache_rows = ranks, cache_rows
    return objective.train()


def main() -> None:
    """Take the place that the environment gives and leave what was found in OUT."""
    start, out = map(Path, sys.argv[1:])
    place = claim_place(os.environ)
    with joined(place, ComputeDevice("cpu", "cpu", "fp32")) as ranks:
        found = steps(start, ranks)
        found["out_of_memory"] = torch.tensor([out_of_memory(start, ranks)])
    save_file({name: value.contiguous().clone() for name, value in found.items()}, out / f"{place.rank}.st")


if __name__ == "__main__":
    main()
