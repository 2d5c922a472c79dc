"""The matcher as it runs: ONNX graphs from evidence to log odds and probabilities."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import onnxruntime

from engine.contracts import MatcherGraphs

Floats = npt.NDArray[np.float32]

_BLOCK = 200_000


class OnnxMatcher:
    """A release's matcher on onnxruntime, on the CPU."""

    def __init__(self, graphs: MatcherGraphs) -> None:
        self._pair = _session(graphs.pair)
        self._confidence = _session(graphs.confidence) if graphs.confidence is not None else None
        self._none = _session(graphs.none) if graphs.none is not None else None

    def log_odds(self, evidence: Floats) -> Floats:
        """Log odds that a pair matches, of every evidence row: float32 [n]."""
        return _second_column(self._pair, evidence)

    def confidence(self, head_evidence: Floats) -> Floats | None:
        """P(the best candidate is right) of every listing [n]; None without that head."""
        return None if self._confidence is None else _second_column(self._confidence, head_evidence)

    def none_confidence(self, head_evidence: Floats) -> Floats | None:
        """P(no item matches) of every listing [n]; None without that head."""
        return None if self._none is None else _second_column(self._none, head_evidence)


def _session(graph: bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def _second_column(session: onnxruntime.InferenceSession, rows: Floats) -> Floats:
    if not len(rows):
        return np.zeros(0, dtype=np.float32)
    name = session.get_inputs()[0].name
    parts = []
    for start in range(0, len(rows), _BLOCK):
        block = np.ascontiguousarray(rows[start : start + _BLOCK], dtype=np.float32)
        parts.append(session.run(["probabilities"], {name: block})[0][:, 1])
    return np.concatenate(parts).astype(np.float32)
