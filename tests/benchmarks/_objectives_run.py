"""The processes of ``objectives run``: each takes lines of a plan, trains and measures.

They need torch, sentence-transformers, transformers, datasets, pydantic, numpy, scipy, scikit-learn, onnx,
onnxruntime and skl2onnx, and neither polars nor a database.
"""

from __future__ import annotations

import json
import logging
import multiprocessing
import time
import traceback
import warnings
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import torch

from engine.contracts.training import TrainingJob
from tests.benchmarks._objectives_cross import cross
from tests.benchmarks._objectives_measure import Encoded, behind_matcher, evidence_of
from tests.benchmarks._objectives_plan import UNTRAINED, Line
from tests.benchmarks._objectives_train import PEER_TOKENS, Trained, train, train_folds
from tests.benchmarks._objectives_world import World, read_results
from trainer.devices import ComputeDevice, choose_device
from trainer.embedding import load_encoder

Result = dict[str, Any]
Device = Literal["auto", "cuda", "cpu"]
_read = lru_cache(maxsize=4)(World.read)


def measure(folder: Path, line: Line, base: Path, device: ComputeDevice) -> Result:
    """Train and measure one line."""
    began = time.perf_counter()
    world = _read(folder, line.data, line.seed)
    untrained = line.variant == UNTRAINED
    trained = (
        Trained(load_encoder(base, device.kind, PEER_TOKENS)[0])
        if untrained
        else train(world, line, base, device)
    )
    deal = world.deals[line.kind]
    encoded = Encoded.of(world, trained.model, device)
    folds = (Encoded.of(world, model, device) for model in train_folds(world, line, base, device))
    evidence = evidence_of(world, line, trained, encoded, device, folds)
    behind = behind_matcher(world, deal, evidence, seen=not (untrained or line.folds))
    result: Result = {"similarity": encoded.alone(world, deal, device), "matcher": behind.figures}
    if line.cross is not None:
        result |= cross(world, line, evidence, behind, trained, base, device)
    return result | trained.said | {"s": round(time.perf_counter() - began, 1)}


def _prepare() -> None:
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    torch.set_num_threads(1)


def _work(folder: Path, line: Line, base: Path, kind: Device) -> Result:
    try:
        device = choose_device(TrainingJob(run_id="objectives", device=kind))
        return measure(folder, line, base, device)
    except Exception as error:
        return {"error": repr(error)[:300], "trace": traceback.format_exc()[-2000:]}


def run(
    folder: Path, lines: list[Line], out: Path, *, base: Path, device: Device, workers: int, minutes: float
) -> Iterator[tuple[Line, Result]]:
    """Run the lines that ``out`` lacks, and append each result to it.

    Args:
        folder: of the worlds.
        lines: of the plan.
        out: JSON lines.
        base: sentence-transformers folder that training starts from.
        device: ``cuda`` or ``cpu``.
        workers: processes at a time, each with one thread; 1: this process.
        minutes: no line is begun later than that.
    """
    ends = time.monotonic() + 60 * minutes
    done = {(row["data"], row["seed"], row["kind"], row["variant"]) for row in read_results(out)}
    missing = [line for line in lines if line.key not in done]
    measured = _measured(folder, missing, base, device, workers, ends)
    for line, result in measured:
        row = line.model_dump(exclude_defaults=True) | {"result": result}
        with out.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        yield line, result


def _measured(
    folder: Path, lines: list[Line], base: Path, device: Device, workers: int, ends: float
) -> Iterator[tuple[Line, Result]]:
    """The results as they come; a single worker is this process."""
    if workers == 1:
        _prepare()
        for line in lines:
            if time.monotonic() < ends:
                yield line, _work(folder, line, base, device)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, _prepare) as pool:
        waiting = {pool.submit(_work, folder, line, base, device): line for line in lines}
        for future in as_completed(waiting):
            if time.monotonic() > ends:
                pool.shutdown(wait=False, cancel_futures=True)
            if not future.cancelled():
                yield waiting[future], future.result()
