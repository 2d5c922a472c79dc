"""The fitted matcher as ONNX: the same numbers at run time without scikit-learn."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from onnx import NodeProto
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.pipeline import Pipeline

    from engine.automation.heads import Head

Floats = npt.NDArray[np.float32]

_OPSETS = {"": 17, "ai.onnx.ml": 3}
_IR_VERSION = 8


def pair_graph(model: Pipeline, columns: int) -> bytes:
    """Evidence [n, columns] to log odds, the second column of ``probabilities`` [n, 2]."""
    # Imported here: conversion is rare and pulls in onnx.
    from skl2onnx import to_onnx
    from skl2onnx.common.data_types import FloatTensorType

    graph = to_onnx(
        model,
        initial_types=[("evidence", FloatTensorType([None, columns]))],
        options={id(model.steps[-1][1]): {"raw_scores": True, "zipmap": False}},
    )
    return bytes(graph.SerializeToString())


def head_graph(head: Head, columns: int) -> bytes:
    """Listing evidence [n, columns] to ``probabilities`` [n, 2] of no and yes.

    Written node by node: the converter at hand does not take boosted trees of current scikit-learn.

    Args:
        head: fitted.
        columns: of the input.
    """
    from onnx import TensorProto, helper, numpy_helper

    scaled, trees = head.logistic, head.trees
    scaler, logistic = scaled.steps[0][1], scaled.steps[1][1]
    # The scaling is folded into the weights.
    weights = logistic.coef_[0] / scaler.scale_
    bias = logistic.intercept_[0] - float(weights @ scaler.mean_)
    constants = {
        "weights": weights[:, None].astype(np.float32),
        "bias": np.asarray([bias], dtype=np.float32),
        "half": np.asarray(0.5, dtype=np.float32),
        "one": np.asarray(1.0, dtype=np.float32),
    }
    nodes = [
        helper.make_node("MatMul", ["evidence", "weights"], ["product"]),
        helper.make_node("Add", ["product", "bias"], ["logistic_log_odds"]),
        helper.make_node("Sigmoid", ["logistic_log_odds"], ["logistic"]),
        _trees_node(trees),
        helper.make_node("Sigmoid", ["trees_log_odds"], ["trees"]),
        helper.make_node("Add", ["logistic", "trees"], ["sum"]),
        helper.make_node("Mul", ["sum", "half"], ["yes"]),
        helper.make_node("Sub", ["one", "yes"], ["no"]),
        helper.make_node("Concat", ["no", "yes"], ["probabilities"], axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        "head",
        [helper.make_tensor_value_info("evidence", TensorProto.FLOAT, [None, columns])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [None, 2])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    opsets = [helper.make_opsetid(domain, version) for domain, version in _OPSETS.items()]
    made = helper.make_model(graph, opset_imports=opsets, ir_version=_IR_VERSION)
    return bytes(made.SerializeToString())


def _trees_node(model: HistGradientBoostingClassifier) -> NodeProto:
    from onnx import helper

    nodes = [(tree, predictor[0].nodes) for tree, predictor in enumerate(model._predictors)]
    table = np.concatenate([some for _, some in nodes])
    leaf = table["is_leaf"].astype(bool)
    tree_ids = np.concatenate([np.full(len(some), tree, dtype=np.int64) for tree, some in nodes])
    node_ids = np.concatenate([np.arange(len(some), dtype=np.int64) for _, some in nodes])
    return helper.make_node(
        "TreeEnsembleRegressor",
        ["evidence"],
        ["trees_log_odds"],
        domain="ai.onnx.ml",
        n_targets=1,
        aggregate_function="SUM",
        post_transform="NONE",
        base_values=[float(np.ravel(model._baseline_prediction)[0])],
        nodes_treeids=tree_ids.tolist(),
        nodes_nodeids=node_ids.tolist(),
        nodes_featureids=np.where(leaf, 0, table["feature_idx"]).astype(np.int64).tolist(),
        nodes_values=_round_down(np.where(leaf, 0.0, table["num_threshold"])).tolist(),
        nodes_modes=["LEAF" if is_leaf else "BRANCH_LEQ" for is_leaf in leaf],
        nodes_truenodeids=np.where(leaf, 0, table["left"]).astype(np.int64).tolist(),
        nodes_falsenodeids=np.where(leaf, 0, table["right"]).astype(np.int64).tolist(),
        target_treeids=tree_ids[leaf].tolist(),
        target_nodeids=node_ids[leaf].tolist(),
        target_ids=[0] * int(leaf.sum()),
        target_weights=table["value"][leaf].astype(np.float32).tolist(),
    )


def _round_down(thresholds: npt.NDArray[np.float64]) -> Floats:
    """Largest float32 not above: for float32 x, x <= threshold is then the same question."""
    rounded = thresholds.astype(np.float32)
    above = rounded > thresholds
    rounded[above] = np.nextafter(rounded[above], np.float32(-np.inf))
    return rounded
