"""The matcher as it runs: an ONNX graph from evidence to probability."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime

_BLOCK = 200_000


class OnnxMatcher:
    """Evidence rows to P(match). Loaded from bytes or a file; onnxruntime on the CPU."""

    def __init__(self, graph: bytes) -> None:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        self.graph = graph

    @classmethod
    def load(cls, path: Path) -> OnnxMatcher:
        """Read ``matcher.onnx``."""
        return cls(path.read_bytes())

    def confidence(self, evidence: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """P(match) of every row: float32 [n]."""
        if not len(evidence):
            return np.zeros(0, dtype=np.float32)
        name = self._session.get_inputs()[0].name
        parts = []
        for start in range(0, len(evidence), _BLOCK):
            block = np.ascontiguousarray(evidence[start : start + _BLOCK], dtype=np.float32)
            parts.append(self._session.run(["probabilities"], {name: block})[0][:, 1])
        return np.concatenate(parts).astype(np.float32)
