"""Checkpoints that are either complete or not there: written aside, synced, renamed.

A checkpoint holds all that decides how a run goes on: weights of encoder and heads, optimizer,
schedule, random number generators, sampler, running losses. Safetensors, npz and JSON only.
"""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

PREFIX = "checkpoint-"
_MANIFEST = "complete.json"


def checkpoint_path(folder: Path, step: int) -> Path:
    """Where the checkpoint of a step lies."""
    return folder / f"{PREFIX}{step}"


def write_checkpoint(
    folder: Path,
    step: int,
    *,
    fingerprint: str,
    tensors: Mapping[str, Mapping[str, Tensor]],
    arrays: Mapping[str, np.ndarray[Any, Any]],
    documents: Mapping[str, Any],
    keep: int = 2,
) -> Path:
    """Write a complete checkpoint and drop all but the newest ``keep``.

    A process killed at any moment leaves either the checkpoint or a folder of another name, which
    :func:`clear_leftovers` removes.

    Args:
        folder: ``checkpoints/`` of the job.
        step: of the run.
        fingerprint: of the run's pairs and recipe; only the same run resumes from it.
        tensors: one safetensors file per name.
        arrays: numpy arrays.
        documents: one JSON file per name.
        keep: how many checkpoints stay.
    """
    folder.mkdir(parents=True, exist_ok=True)
    final = checkpoint_path(folder, step)
    aside = folder / f"writing-{step}-{os.getpid()}"
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir()
    for name, content in tensors.items():
        save_file({key: _own(value) for key, value in content.items()}, aside / f"{name}.safetensors")
    np.savez(aside / "arrays.npz", allow_pickle=False, **arrays)
    for name, document in documents.items():
        (aside / f"{name}.json").write_text(json.dumps(document), encoding="utf-8")
    sizes = {path.name: path.stat().st_size for path in sorted(aside.iterdir())}
    manifest = {"step": step, "fingerprint": fingerprint, "files": sizes}
    (aside / _MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
    replace_folder(aside, final)
    for _, path in sorted(_candidates(folder), reverse=True)[keep:]:
        # Under another name first: whoever is killed while deleting leaves no half a checkpoint.
        shutil.rmtree(_set_aside(path), ignore_errors=True)
    return final


def newest_checkpoint(folder: Path, fingerprint: str) -> Path | None:
    """The newest complete checkpoint of the run with this fingerprint; others are passed over."""
    for _, path in sorted(_candidates(folder), reverse=True):
        try:
            manifest = json.loads((path / _MANIFEST).read_text(encoding="utf-8"))
            complete = all((path / name).stat().st_size == size for name, size in manifest["files"].items())
        except (OSError, ValueError, KeyError, AttributeError):
            continue
        if complete and manifest.get("fingerprint") == fingerprint:
            return path
    return None


def newest_step(folder: Path, fingerprint: str) -> int:
    """The step of :func:`newest_checkpoint`, or 0."""
    newest = newest_checkpoint(folder, fingerprint)
    return 0 if newest is None else int(newest.name.removeprefix(PREFIX))


def read_tensors(checkpoint: Path, name: str) -> dict[str, Tensor]:
    """One group of tensors of a checkpoint, on the CPU."""
    try:
        tensors: dict[str, Tensor] = load_file(checkpoint / f"{name}.safetensors")
    except SafetensorError as error:
        raise OSError(f"{checkpoint / name} is damaged: {error}") from error
    return tensors


def read_arrays(checkpoint: Path) -> dict[str, np.ndarray[Any, Any]]:
    """The numpy arrays of a checkpoint."""
    with np.load(checkpoint / "arrays.npz", allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


def read_document(checkpoint: Path, name: str) -> dict[str, Any]:
    """One JSON file of a checkpoint."""
    document: dict[str, Any] = json.loads((checkpoint / f"{name}.json").read_text(encoding="utf-8"))
    return document


def clear_leftovers(folder: Path) -> None:
    """Remove what a killed process left half written."""
    if folder.is_dir():
        for path in folder.glob("writing-*"):
            shutil.rmtree(path, ignore_errors=True)


def replace_folder(aside: Path, final: Path) -> None:
    """Sync every file of ``aside`` and rename it to ``final``, which it replaces."""
    for path in (*aside.rglob("*"), aside):
        sync(path)
    if final.exists():
        old = _set_aside(final)
        aside.rename(final)
        shutil.rmtree(old, ignore_errors=True)
    else:
        aside.rename(final)
    sync(final.parent)


def _set_aside(path: Path) -> Path:
    """Rename a folder to what :func:`clear_leftovers` removes, and return the new path."""
    old = path.with_name(f"writing-old-{path.name}-{os.getpid()}")
    path.rename(old)
    return old


def random_state() -> tuple[dict[str, Tensor], list[Any]]:
    """State of every generator a step may draw from: torch's as tensors, Python's as a JSON value."""
    tensors = {"cpu": torch.random.get_rng_state()}
    if torch.cuda.is_available():
        tensors["cuda"] = torch.cuda.random.get_rng_state()
    return tensors, list(random.getstate())


def restore_random_state(tensors: Mapping[str, Tensor], python: Sequence[Any], rank: int = 0) -> None:
    """Put back the generators of :func:`random_state`, of the process with this rank.

    A rank that the run did not have before keeps the generators it was started with.
    """
    version, internal, gauss = python
    random.setstate((version, tuple(internal), gauss))
    names = {name: generator_name(name, rank) for name in ("cpu", "cuda")}
    restore_generators({name: tensors[own] for name, own in names.items() if own in tensors})


def restore_generators(tensors: Mapping[str, Tensor]) -> None:
    """Put back torch's generators, of those that there are on this machine."""
    if "cpu" in tensors:
        torch.random.set_rng_state(tensors["cpu"])
    if "cuda" in tensors and torch.cuda.is_available():
        torch.cuda.random.set_rng_state(tensors["cuda"])


def generator_name(name: str, rank: int) -> str:
    """The name under which a checkpoint holds a generator of a process."""
    return f"{name}.{rank}" if rank else name


def split_optimizer_state(state: Mapping[str, Any]) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """An optimizer's ``state_dict`` as flat tensors and a JSON value."""
    tensors = {
        f"{index}.{name}": value
        for index, slots in state["state"].items()
        for name, value in slots.items()
        if isinstance(value, Tensor)
    }
    plain = {
        str(index): {name: value for name, value in slots.items() if not isinstance(value, Tensor)}
        for index, slots in state["state"].items()
    }
    return tensors, {"plain": plain, "param_groups": state["param_groups"]}


def join_optimizer_state(tensors: Mapping[str, Tensor], values: Mapping[str, Any]) -> dict[str, Any]:
    """The ``state_dict`` that :func:`split_optimizer_state` took apart."""
    state: dict[int, dict[str, Any]] = {int(index): dict(slots) for index, slots in values["plain"].items()}
    for key, value in tensors.items():
        index, name = key.split(".", 1)
        state.setdefault(int(index), {})[name] = value
    groups = [
        {name: tuple(value) if name == "betas" else value for name, value in group.items()}
        for group in values["param_groups"]
    ]
    return {"state": state, "param_groups": groups}


def _candidates(folder: Path) -> list[tuple[int, Path]]:
    """Finished checkpoint folders with their steps."""
    if not folder.is_dir():
        return []
    return [
        (int(path.name[len(PREFIX) :]), path)
        for path in folder.iterdir()
        if path.name.startswith(PREFIX) and path.name[len(PREFIX) :].isdigit()
    ]


def _own(tensor: Tensor) -> Tensor:
    """A tensor that shares no memory with another, as safetensors wants it."""
    return tensor.detach().to("cpu", copy=True).contiguous()


def sync(path: Path) -> None:
    """Force a file or folder to disk; folders cannot be synced on Windows."""
    if path.is_dir() and os.name == "nt":
        return
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
