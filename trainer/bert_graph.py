"""BERT-like encoders written straight into the fused operators that onnxruntime has for them.

Tracing torch code leaves hundreds of small nodes and hopes that a pattern matcher puts attention back
together, which breaks with every change to the traced library. The architecture is fixed, so its graph
is written down here instead: seven nodes a layer, from the weights alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

#: Architectures whose weights have BERT's names and whose layers compute what BERT's do.
BERT_LIKE = ("bert", "roberta", "xlm-roberta", "camembert")
#: Operators outside the ONNX standard that onnxruntime runs on the CPU and on CUDA.
FUSED_DOMAIN = "com.microsoft"
OPSET = 17
Pooling = Literal["mean", "cls"]
#: A transformers state dict, by its names there.
Weights = Mapping[str, npt.NDArray[np.float32]]


@dataclass
class Graph:
    """Nodes and weights as they are written down; ``half`` keeps the layers' weights as float16."""

    half: bool = False
    nodes: list[Any] = field(default_factory=list)
    weights: list[Any] = field(default_factory=list)

    def weight(self, name: str, values: npt.NDArray[np.float32]) -> str:
        """Keep a weight of the layers; returns its name."""
        return self.constant(name, values.astype(np.float16) if self.half else values)

    def constant(self, name: str, values: npt.NDArray[Any]) -> str:
        """Keep values as they are; returns their name."""
        self.weights.append(numpy_helper.from_array(np.array(values, order="C"), name))
        return name

    def node(self, operator: str, inputs: list[str], output: str, **attributes: float | list[int]) -> str:
        """Add a standard node named after its one output; returns that output."""
        self.nodes.append(helper.make_node(operator, inputs, [output], name=output, **attributes))
        return output

    def fused(
        self, operator: str, inputs: list[str], outputs: list[str], **attributes: float | list[int]
    ) -> str:
        """Add one of onnxruntime's own nodes; returns its first output."""
        self.nodes.append(
            helper.make_node(operator, inputs, outputs, name=outputs[0], domain=FUSED_DOMAIN, **attributes)
        )
        return outputs[0]

    def model(self, dimension: int) -> onnx.ModelProto:
        """The finished model: ids and mask in, ``embedding`` [batch, dimension] out."""
        tokens = ["batch", "tokens"]
        return helper.make_model(
            helper.make_graph(
                self.nodes,
                "encoder",
                [
                    helper.make_tensor_value_info("input_ids", TensorProto.INT64, tokens),
                    helper.make_tensor_value_info("attention_mask", TensorProto.INT64, tokens),
                ],
                [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", dimension])],
                self.weights,
            ),
            opset_imports=[helper.make_opsetid("", OPSET), helper.make_opsetid(FUSED_DOMAIN, 1)],
            ir_version=8,
            producer_name="alcove",
        )


@dataclass(frozen=True, slots=True)
class BertShape:
    """What has to be known of a BERT-like model besides its weights.

    ``first_position`` is the row of the position table that the first token of a text takes.
    """

    layers: int
    heads: int
    width: int
    epsilon: float
    first_position: int


def bert_shape(config: Mapping[str, Any]) -> BertShape | None:
    """The shape of a model with this ``config.json``; None where ``bert_graph`` would compute another one."""
    kind = config.get("model_type")
    if (
        kind not in BERT_LIKE
        or config.get("hidden_act") != "gelu"
        or config.get("position_embedding_type") not in {"absolute", None}
        or config.get("is_decoder")
        or config.get("add_cross_attention")
    ):
        return None
    return BertShape(
        layers=int(config["num_hidden_layers"]),
        heads=int(config["num_attention_heads"]),
        width=int(config["hidden_size"]),
        epsilon=float(config["layer_norm_eps"]),
        # RoBERTa counts positions from the one after its padding id.
        first_position=0 if kind == "bert" else int(config["pad_token_id"]) + 1,
    )


def bert_graph(
    weights: Weights, shape: BertShape, pooling: Pooling, *, half: bool = False
) -> onnx.ModelProto:
    """The encoder as an ONNX model: token ids in, unit vectors out.

    Args:
        weights: the state dict of the transformers model, float32.
        shape: of that model.
        pooling: mean of the token vectors, or the first token's vector.
        half: compute the layers in float16 (for CUDA); pooling stays float32, where sums keep their bits.

    Returns:
        A model with inputs ``input_ids`` and ``attention_mask`` (int64 [batch, tokens], padded on the
        right) and output ``embedding`` (float32 [batch, width], unit rows).
    """
    graph = Graph(half)
    hidden = embeddings(graph, weights, shape)
    for layer in range(shape.layers):
        hidden = _layer(graph, weights, shape, layer, hidden)
    if half:
        hidden = graph.node("Cast", [hidden], "hidden_float", to=TensorProto.FLOAT)
    pool(graph, hidden, pooling)
    return graph.model(shape.width)


def embeddings(graph: Graph, weights: Weights, shape: BertShape) -> str:
    """The nodes up to the first layer's input, whose name is returned; ``token_counts`` comes with it."""
    graph.node("Cast", ["input_ids"], "ids", to=TensorProto.INT32)
    graph.node("Cast", ["attention_mask"], "mask", to=TensorProto.INT32)
    positions = weights["embeddings.position_embeddings.weight"][shape.first_position :]
    # Every token has type 0, so its vector joins the positions once and for all.
    positions = positions + weights["embeddings.token_type_embeddings.weight"][0]
    return graph.fused(
        "EmbedLayerNormalization",
        [
            "ids",
            "",
            graph.weight("words", weights["embeddings.word_embeddings.weight"]),
            graph.weight("positions", positions),
            "",
            graph.weight("embeddings.scale", weights["embeddings.LayerNorm.weight"]),
            graph.weight("embeddings.shift", weights["embeddings.LayerNorm.bias"]),
            "mask",
        ],
        ["hidden.0", "token_counts"],
        epsilon=shape.epsilon,
    )


def _layer(graph: Graph, weights: Weights, shape: BertShape, layer: int, hidden: str) -> str:
    theirs = f"encoder.layer.{layer}."
    ours = f"layer.{layer}."

    def dense(name: str, source: str, inputs: str) -> str:
        kernel = graph.weight(f"{ours}{name}.kernel", weights[f"{theirs}{source}.weight"].T)
        return graph.node("MatMul", [inputs, kernel], f"{ours}{name}")

    def add_and_norm(name: str, source: str, inputs: str, skip: str, output: str) -> str:
        names = {"scale": "LayerNorm.weight", "shift": "LayerNorm.bias", "bias": "dense.bias"}
        parts = [
            graph.weight(f"{ours}{name}.{k}", weights[f"{theirs}{source}.{v}"]) for k, v in names.items()
        ]
        return graph.fused("SkipLayerNormalization", [inputs, skip, *parts], [output], epsilon=shape.epsilon)

    projections = [f"{theirs}attention.self.{name}" for name in ("query", "key", "value")]
    kernel = np.concatenate([weights[f"{name}.weight"].T for name in projections], axis=1)
    bias = np.concatenate([weights[f"{name}.bias"] for name in projections])
    attended = graph.fused(
        "Attention",
        [
            hidden,
            graph.weight(f"{ours}attention.kernel", kernel),
            graph.weight(f"{ours}attention.bias", bias),
            "token_counts",
        ],
        [f"{ours}attention"],
        num_heads=shape.heads,
    )
    out = dense("attention_out", "attention.output.dense", attended)
    middle = add_and_norm("attention_out", "attention.output", out, hidden, f"{ours}middle")
    up = dense("up", "intermediate.dense", middle)
    up_bias = graph.weight(f"{ours}up.bias", weights[f"{theirs}intermediate.dense.bias"])
    active = graph.fused("BiasGelu", [up, up_bias], [f"{ours}gelu"])
    down = dense("down", "output.dense", active)
    return add_and_norm("down", "output", down, middle, f"hidden.{layer + 1}")


def pool(graph: Graph, hidden: str, pooling: Pooling) -> None:
    """The nodes from the last layer's output (float32) to ``embedding``."""
    if pooling == "mean":
        # The sum will do for the mean: only the direction is left after scaling to unit length.
        axis = graph.constant("token_axis", np.array([1], dtype=np.int64))
        graph.node("Cast", ["attention_mask"], "mask_float", to=TensorProto.FLOAT)
        graph.node("Unsqueeze", ["mask_float", axis], "mask_row")
        graph.node("MatMul", ["mask_row", hidden], "pooled_row")
        graph.node("Squeeze", ["pooled_row", axis], "pooled")
    else:
        first = graph.constant("first_token", np.array(0, dtype=np.int64))
        graph.node("Gather", [hidden, first], "pooled", axis=1)
    graph.node("ReduceL2", ["pooled"], "length", axes=[1], keepdims=1)
    floor = graph.constant("least_length", np.array(1e-12, dtype=np.float32))
    graph.node("Max", ["length", floor], "length_floor")
    graph.node("Div", ["pooled", "length_floor"], "embedding")
