"""BERT-like encoders in int8 for the CPU: eight-bit products with scales fixed beforehand.

onnxruntime's dynamic quantisation takes the scale of an activation from the batch at hand, so a text's
vector changes with the texts it happens to be encoded with. Here the scales come from sample texts once
and for all: the same text always has the same vector, and no time goes into finding ranges.

Two things keep the loss small. Weights have a scale for every output. Activations have one scale a
tensor, and a few of their channels are ten times larger than the rest; those are divided by a factor
that their row of the weights is multiplied by (SmoothQuant, arXiv 2211.10438), which changes nothing in
exact arithmetic.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
from onnx import TensorProto, helper

from trainer.bert_graph import BertShape, Graph, Pooling, Weights, embeddings, pool

#: How much of an activation's unevenness over channels goes to the weights (SmoothQuant's alpha).
SMOOTHING = 0.75
#: A gelu output has very few huge channels (24 where the next has 6); only those above this many times
#: the ``_ORDINARY``-th largest are divided.
_OUTLIER, _ORDINARY = 1.5, 12
_LEAST = 1e-4

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Range:
    """The least and the largest value of every channel of an activation, over sample texts."""

    low: Floats
    high: Floats

    @property
    def size(self) -> Floats:
        """The largest magnitude of every channel."""
        return np.maximum(np.maximum(-self.low, self.high), _LEAST)


@dataclass(frozen=True, slots=True)
class _Activation:
    """A quantised activation: tensor, names of scale and zero point, what its channels were divided by."""

    tensor: str
    scale: str
    zero: str
    divisor: Floats


def calibrate(
    full: onnx.ModelProto, shape: BertShape, inputs: Mapping[str, npt.NDArray[np.int64]]
) -> dict[str, Range]:
    """The ranges of what goes into each product, from running sample texts.

    Args:
        full: the float32 model of ``bert_graph``.
        shape: its shape.
        inputs: sample texts as ``tokenise`` returns them.

    Returns:
        A range for each of ``bert_graph``'s tensors ``hidden.N``, ``layer.N.attention``,
        ``layer.N.middle`` and ``layer.N.gelu``. Padding does not count.
    """
    names = [
        name
        for layer in range(shape.layers)
        for name in (
            f"hidden.{layer}",
            *(f"layer.{layer}.{part}" for part in ("attention", "middle", "gelu")),
        )
    ]
    probe = onnx.ModelProto()
    probe.CopyFrom(full)
    probe.graph.output.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        probe.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    real = inputs["attention_mask"].astype(bool)
    ranges = {}
    for name, values in zip(names, session.run(names, dict(inputs)), strict=True):
        # A range always holds 0, which then has an exact eight-bit value.
        rows = values[real]
        ranges[name] = Range(np.minimum(rows.min(axis=0), 0.0), np.maximum(rows.max(axis=0), 0.0))
    return ranges


def bert_int8_graph(
    weights: Weights, shape: BertShape, pooling: Pooling, ranges: Mapping[str, Range]
) -> onnx.ModelProto:
    """The int8 model; inputs and output are those of ``bert_graph``.

    Args:
        weights: the float32 state dict.
        shape: of that model.
        pooling: as for ``bert_graph``.
        ranges: what ``calibrate`` found.
    """
    graph = Graph()
    hidden = embeddings(graph, weights, shape)
    for layer in range(shape.layers):
        hidden = _layer(graph, weights, shape, layer, hidden, ranges)
    pool(graph, hidden, pooling)
    return graph.model(shape.width)


def _layer(
    graph: Graph,
    weights: Weights,
    shape: BertShape,
    layer: int,
    hidden: str,
    ranges: Mapping[str, Range],
) -> str:
    theirs = f"encoder.layer.{layer}."
    ours = f"layer.{layer}."

    def kernel(source: str) -> Floats:
        return weights[f"{theirs}{source}.weight"].T

    def dense(name: str, source: str, activation: _Activation) -> str:
        bias = weights[f"{theirs}{source}.bias"]
        return _product(graph, f"{ours}{name}", activation, kernel(source), bias)

    def add_and_norm(output: str, source: str, inputs: str, skip: str) -> str:
        # "Sum", because onnxruntime turns "Add" before a normalisation into its SkipLayerNormalization,
        # which on the CPU takes five times as long as the two nodes.
        graph.node("Sum", [inputs, skip], f"{output}.sum")
        scale = graph.constant(f"{output}.scale", weights[f"{theirs}{source}.LayerNorm.weight"])
        shift = graph.constant(f"{output}.shift", weights[f"{theirs}{source}.LayerNorm.bias"])
        operands = [f"{output}.sum", scale, shift]
        return graph.node("LayerNormalization", operands, output, axis=-1, epsilon=shape.epsilon)

    projections = [f"attention.self.{name}" for name in ("query", "key", "value")]
    stacked = np.concatenate([kernel(name) for name in projections], axis=1)
    read = _quantise(graph, hidden, ranges[hidden], _smoothing(ranges[hidden], stacked))
    parts = [dense(name.rsplit(".", 1)[-1], name, read) for name in projections]
    attended = graph.fused(
        "MultiHeadAttention", [*parts, "", "token_counts"], [f"{ours}attention"], num_heads=shape.heads
    )
    gathered = _quantise(graph, attended, ranges[attended])
    out = dense("attention_out", "attention.output.dense", gathered)
    middle = add_and_norm(f"{ours}middle", "attention.output", out, hidden)
    smoothing = _smoothing(ranges[middle], kernel("intermediate.dense"))
    up = dense("up", "intermediate.dense", _quantise(graph, middle, ranges[middle], smoothing))
    # The tanh form of gelu differs by less than the eight bits resolve, and is faster than erf.
    active = graph.fused("FastGelu", [up], [f"{ours}gelu"])
    tamed = _quantise(graph, active, ranges[active], _outliers(ranges[active]))
    down = dense("down", "output.dense", tamed)
    return add_and_norm(f"hidden.{layer + 1}", "output", down, middle)


def _smoothing(found: Range, kernel: Floats) -> Floats:
    """A divisor for every channel, geometric mean 1."""
    # A channel that the sample texts hardly moved may move more on others.
    size = np.maximum(found.size, np.median(found.size) / 2)
    rows = np.maximum(np.abs(kernel).max(axis=1), _LEAST)
    divisor = size**SMOOTHING / rows ** (1.0 - SMOOTHING)
    scaled: Floats = (divisor / np.exp(np.log(divisor).mean())).astype(np.float32)
    return scaled


def _outliers(found: Range) -> Floats | None:
    """A divisor that brings the few huge channels down to the size of the others; None if there are none."""
    ordinary = np.sort(found.size)[-min(_ORDINARY, len(found.size))] * _OUTLIER
    divisor: Floats = np.maximum(found.size / ordinary, 1.0).astype(np.float32)
    return divisor if divisor.max() > 1.0 else None


def _quantise(graph: Graph, source: str, found: Range, divisor: Floats | None = None) -> _Activation:
    tensor = source
    if divisor is None:
        divisor = np.ones_like(found.low)
    else:
        factor = graph.constant(f"{source}.factor", (1.0 / divisor).astype(np.float32))
        tensor = graph.node("Mul", [source, factor], f"{source}.even")
    low = float((found.low / divisor).min())
    scale = max(float((found.high / divisor).max()) - low, _LEAST) / 255.0
    zero = round(-low / scale)
    names = [
        graph.constant(f"{source}.step", np.array(scale, dtype=np.float32)),
        graph.constant(f"{source}.zero", np.array(zero, dtype=np.uint8)),
    ]
    quantised = graph.node("QuantizeLinear", [tensor, *names], f"{source}.int8")
    return _Activation(quantised, names[0], names[1], divisor)


def _product(graph: Graph, output: str, activation: _Activation, kernel: Floats, bias: Floats) -> str:
    kernel = kernel * activation.divisor[:, None]
    steps = (np.maximum(np.abs(kernel).max(axis=0), 1e-12) / 127.0).astype(np.float32)
    rounded = np.clip(np.round(kernel / steps), -127, 127).astype(np.int8)
    return graph.fused(
        "MatMulIntegerToFloat",
        [
            activation.tensor,
            graph.constant(f"{output}.kernel", rounded),
            activation.scale,
            graph.constant(f"{output}.steps", steps),
            activation.zero,
            "",
            graph.constant(f"{output}.bias", bias),
        ],
        [output],
    )
