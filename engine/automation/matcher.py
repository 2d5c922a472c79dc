"""Fitting the matcher: evidence of judged listings to P(match), stored as ONNX.

A reviewer names one item per listing. That item's pair is the positive; the candidates shown with
it are the negatives. Only the strongest candidates teach: the fortieth neighbour is easy to tell
apart and would only teach the matcher that almost nothing is a match.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from engine.automation.evidence import EVIDENCE_NAMES, column

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

#: Below this many judged listings, or with fewer than this many of either answer, there is no matcher.
LEAST_LISTINGS = 20
LEAST_OF_EACH = 5
TEACHING_CANDIDATES = 20
_FOLDS = 5
_INVERSE_REGULARISATION = 0.3


@dataclass(frozen=True, slots=True)
class LearningSet:
    """Judged pairs, grouped by listing (``listing_row`` ascending). ``positive`` marks the answer."""

    listing_row: Ints
    evidence: Floats
    positive: Bools

    @property
    def listings(self) -> int:
        """How many listings were judged."""
        return len(np.unique(self.listing_row))


@dataclass(frozen=True, slots=True)
class FittedMatcher:
    """A matcher and what it said of listings it had not seen.

    ``confidence`` and ``right`` are per judged listing, out of fold: the confidence of its best
    candidate and whether that candidate was the answer; ``none_confidence`` and ``none_right`` the
    same for "not in catalogue". They estimate precision without touching a certification label.
    """

    graph: bytes
    kind: str
    confidence: Floats
    right: Bools
    none_confidence: Floats
    none_right: Bools


def group_starts(listing_row: Ints) -> Ints:
    """First row of every run of equal ``listing_row``."""
    if not len(listing_row):
        return np.zeros(0, dtype=np.int64)
    return np.flatnonzero(np.r_[True, listing_row[1:] != listing_row[:-1]])


def best_rows(listing_row: Ints, score: Floats) -> Ints:
    """Row of the highest score of every group (the first one on a tie)."""
    starts = group_starts(listing_row)
    if not len(starts):
        return starts
    run = np.repeat(np.arange(len(starts)), np.diff(np.r_[starts, len(listing_row)]))
    best = np.maximum.reduceat(score, starts)
    rows = np.flatnonzero(score == best[run])
    _, first = np.unique(run[rows], return_index=True)
    return rows[first]


def strongest(listing_row: Ints, evidence: Floats, count: int) -> Bools:
    """Which pairs are among the ``count`` strongest of their listing before any matcher exists."""
    score = plain_score(evidence)
    order = np.lexsort((-score, listing_row))
    starts = group_starts(listing_row[order])
    rank = np.arange(len(order)) - np.repeat(starts, np.diff(np.r_[starts, len(order)]))
    strong = np.zeros(len(order), dtype=bool)
    strong[order] = rank < count
    return strong


def plain_score(evidence: Floats) -> Floats:
    """The order of candidates while there is no matcher: characters, words and half the similarity."""
    return np.asarray(
        evidence[:, column("lexical")]
        + evidence[:, column("item_covered")]
        + evidence[:, column("listing_covered")]
        + 0.5 * evidence[:, column("similarity")],
        dtype=np.float32,
    )


def fit_matcher(learning: LearningSet, *, seed: int = 0) -> FittedMatcher | None:
    """Fit on ``learning``; None while there is too little to learn from."""
    if learning.listings < LEAST_LISTINGS:
        return None
    answered = np.unique(learning.listing_row[learning.positive])
    if len(answered) < LEAST_OF_EACH:
        return None
    teaching = strongest(learning.listing_row, learning.evidence, TEACHING_CANDIDATES) | learning.positive
    if int((~learning.positive & teaching).sum()) < LEAST_OF_EACH:
        return None

    # Each listing is judged by a matcher that has not seen it. Folds go by listing.
    ids, listing = np.unique(learning.listing_row, return_inverse=True)
    fold_of = np.random.default_rng(seed).permutation(len(ids)) % _FOLDS
    fold = fold_of[listing]
    confidence = np.zeros(len(learning.listing_row), dtype=np.float32)
    for k in range(_FOLDS):
        train = (fold != k) & teaching
        if len(np.unique(learning.positive[train])) < 2:
            return None
        model = _logistic().fit(learning.evidence[train], learning.positive[train])
        held_out = fold == k
        confidence[held_out] = model.predict_proba(learning.evidence[held_out])[:, 1]
    best = best_rows(learning.listing_row, confidence)

    model = _logistic().fit(learning.evidence[teaching], learning.positive[teaching])
    return FittedMatcher(
        graph=_to_onnx(model),
        kind="logistic",
        confidence=confidence[best],
        right=learning.positive[best],
        none_confidence=product_of_complements(confidence, listing, len(ids)),
        none_right=~np.isin(ids, answered),
    )


def product_of_complements(confidence: Floats, group: Ints, groups: int) -> Floats:
    """P(no candidate of the group matches), candidates taken as independent: [groups]."""
    logs = np.zeros(groups, dtype=np.float64)
    np.add.at(logs, group, np.log1p(-np.clip(confidence, 0.0, 1 - 1e-7)))
    return np.exp(logs).astype(np.float32)


def _logistic() -> Pipeline:
    return make_pipeline(StandardScaler(), LogisticRegression(C=_INVERSE_REGULARISATION, max_iter=2000))


def _to_onnx(model: Pipeline) -> bytes:
    # Imported here: conversion is rare and pulls in onnx.
    from skl2onnx import to_onnx
    from skl2onnx.common.data_types import FloatTensorType

    classifier = model.steps[-1][1]
    graph = to_onnx(
        model,
        initial_types=[("evidence", FloatTensorType([None, len(EVIDENCE_NAMES)]))],
        options={id(classifier): {"zipmap": False}},
    )
    return bytes(graph.SerializeToString())
