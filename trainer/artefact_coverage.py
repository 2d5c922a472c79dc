"""Coverage parity: what each exported file would automate on the validation pairs, on similarity alone.

A cosine near 1 to the trained encoder does not say that the same listings come out on top: look-alikes lie
close together, and rounding may reorder them. So the files are asked what the product asks of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import numpy as np
import onnxruntime
import torch

from engine.contracts.training import VARIANT_FILES
from trainer.embedding import TokenTable, Vectors
from trainer.validation import Validation

#: Shares of listings that a file may lose against fp32 at one precision before it is worth a line.
TOLERANCE = 0.02
_LEVELS = ("C@90", "C@95", "C@98")

Coverage = dict[str, dict[str, float]]


def artefact_coverage(
    folder: Path, validation: Validation, *, between: Callable[[], None] | None = None
) -> Coverage:
    """``C@90``, ``C@95`` and ``C@98`` of every file of an encoder folder, by variant.

    Args:
        folder: with all of ``contracts.training.ENCODER_FILES``.
        validation: listings, items and what is right; it may be empty, and so is the answer.
        between: called before every pass; may raise to stop.
    """
    if not validation:
        return {}
    found: Coverage = {}
    for variant, name in VARIANT_FILES.items():
        session = _session(folder / name)
        metrics = validation.measure(partial(_encode, session, between))
        found[variant] = {level: metrics[level] for level in _LEVELS}
    return found


def coverage_notices(coverage: Mapping[str, Mapping[str, float]], listings: int) -> list[str]:
    """A line for every variant that loses more than :data:`TOLERANCE` of coverage against fp32.

    Args:
        coverage: from :func:`artefact_coverage`.
        listings: validated on.
    """
    lines = []
    for variant, levels in coverage.items():
        lost = [
            f"{level} {coverage['fp32'][level]:.3f} -> {share:.3f}"
            for level, share in levels.items()
            if coverage["fp32"][level] - share > TOLERANCE
        ]
        if lost:
            lines.append(
                f"The {variant} file automates less than the fp32 one on the {listings:,} validation "
                f"listings, by more than {TOLERANCE:g}: {', '.join(lost)}."
            )
    return lines


def _session(path: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def _encode(
    session: onnxruntime.InferenceSession,
    between: Callable[[], None] | None,
    tokens: TokenTable,
    batch_rows: int = 64,
) -> Vectors:
    """Unit vectors [n, d] of a table of texts with an exported file, as the engine takes them."""
    order = np.argsort(tokens.lengths(), kind="stable")
    parts = []
    for start in range(0, len(order), batch_rows):
        if between is not None:
            between()
        features = tokens.features(order[start : start + batch_rows].tolist())
        feed = {name: value.numpy().astype(np.int64) for name, value in features.items()}
        vectors = session.run(["embedding"], feed)[0]
        # The graph scales to unit length too, but in whatever precision its variant has.
        parts.append(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12))
    found = np.empty((len(order), parts[0].shape[1]), dtype=np.float32)
    found[order] = np.concatenate(parts)
    return found
