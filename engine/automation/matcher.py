"""Fitting the matcher: evidence of judged listings to probabilities, stored as ONNX graphs.

Three graphs, two steps:

1. The **pair matcher**, a logistic regression on a pair's evidence, orders the candidates.
2. Two **heads** look at the whole listing (``listing_evidence.py``): the *confidence head* says how
   probable it is that the best candidate is right, the *none head* how probable it is that no item is.
   Each is the mean of a logistic regression and of boosted trees: the one is better while decisions
   are few, the other with many, and their mean is as good as the better one throughout
   (docs/ablation.md). They learn from what the pair matcher says of listings it has not seen
   (stacking, Wolpert 1992), because its word on those it was fitted to is too good to learn from.

A reviewer names the items that are right for a listing, mostly one. Their pairs are the positives, and
any of them as the best candidate is a right answer; the other candidates are the negatives. Only the
strongest candidates teach: the fortieth neighbour is easy to tell apart and would only teach the matcher
that almost nothing is a match.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from engine.automation.heads import Head
from engine.automation.listing_evidence import head_evidence
from engine.automation.matcher_graphs import head_graph, pair_graph
from engine.automation.ranking import product_of_complements, strongest
from engine.contracts import MatcherGraphs

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

#: Below this many judged listings, or with fewer than this many of either answer, there is no matcher.
LEAST_LISTINGS = 20
LEAST_OF_EACH = 5
TEACHING_CANDIDATES = 20
_FOLDS = 5
#: Inverse regularisation of the pair matcher.
_PAIR_C = 0.3
#: What a listing counts that the encoder was trained on: its similarity is better than that of new ones.
SEEN_WEIGHT = 0.05
#: With fewer unseen listings all count alike: more decisions are worth more than fair ones then.
LEAST_UNSEEN = 300


@dataclass(frozen=True, slots=True)
class LearningSet:
    """Judged listings with their candidates.

    ``listing_row`` [pairs] ascends, ``evidence`` is [pairs, columns], ``positive`` marks the right items;
    ``text`` [listings, columns] and ``none`` [listings] (the reviewer said that no item matches) are
    in order of the distinct values of ``listing_row``. A listing may have several positives; it may have
    neither: its answer was
    found by search and is no candidate. ``seen`` [listings] says which the encoder was trained on; None:
    it was trained on none of them.
    """

    listing_row: Ints
    evidence: Floats
    positive: Bools
    text: Floats
    none: Bools
    seen: Bools | None = None

    @property
    def listings(self) -> int:
        """How many listings were judged."""
        return len(self.none)


@dataclass(frozen=True, slots=True)
class FittedMatcher:
    """A matcher and what it said of listings it had not seen.

    ``confidence`` and ``right`` are per judged listing that tells what new ones are like, out of fold: the
    confidence of its best candidate and whether that candidate was a right one; ``none_confidence`` and
    ``none_right`` the same for "not in catalogue". They estimate precision without touching a
    certification label.
    """

    graphs: MatcherGraphs
    kind: str
    confidence: Floats
    right: Bools
    none_confidence: Floats
    none_right: Bools


def fit_matcher(learning: LearningSet, *, seed: int = 0) -> FittedMatcher | None:
    """Fit on ``learning``; None while there is too little to learn from."""
    # A few thousand rows are fitted faster by one thread than by several that wait for each other.
    with threadpool_limits(1):
        return _fit(learning, seed)


def _fit(learning: LearningSet, seed: int) -> FittedMatcher | None:
    teaching = _teaching(learning)
    if teaching is None:
        return None
    weight, telling = listing_weights(learning)
    generator = np.random.default_rng(seed)
    _, listing = np.unique(learning.listing_row, return_inverse=True)
    log_odds = _log_odds_unseen(learning, teaching, weight, listing, generator)
    if log_odds is None:
        return None
    pairs = _fit_pairs(learning.evidence[teaching], learning.positive[teaching], weight[listing[teaching]])

    best, heads = head_evidence(learning.listing_row, learning.evidence, log_odds, learning.text)
    right = learning.positive[best]
    pair_confidence = np.asarray(1.0 / (1.0 + np.exp(-log_odds)), dtype=np.float32)
    confidence_head, confidence = _fit_head(heads, right, weight, generator)
    none_head, none_confidence = _fit_head(heads, learning.none, weight, generator)
    if confidence is None:
        confidence = pair_confidence[best]
    if none_confidence is None:
        none_confidence = product_of_complements(pair_confidence, listing, learning.listings)
    return FittedMatcher(
        graphs=MatcherGraphs(
            pair=pair_graph(pairs, learning.evidence.shape[1]),
            confidence=head_graph(confidence_head, heads.shape[1]) if confidence_head is not None else None,
            none=head_graph(none_head, heads.shape[1]) if none_head is not None else None,
        ),
        kind="pairs" if confidence_head is None else "listwise",
        confidence=confidence[telling],
        right=right[telling],
        none_confidence=none_confidence[telling],
        none_right=learning.none[telling],
    )


def log_odds_unseen(learning: LearningSet, *, seed: int = 0) -> Floats | None:
    """What a pair matcher says of every pair that has not seen its listing: [pairs].

    None while there is too little to learn from.
    """
    teaching = _teaching(learning)
    if teaching is None:
        return None
    _, listing = np.unique(learning.listing_row, return_inverse=True)
    weight, _ = listing_weights(learning)
    return _log_odds_unseen(learning, teaching, weight, listing, np.random.default_rng(seed))


def _teaching(learning: LearningSet) -> Bools | None:
    """Which pairs teach; None while there are too few."""
    if learning.listings < LEAST_LISTINGS or int(learning.positive.sum()) < LEAST_OF_EACH:
        return None
    teaching = strongest(learning.listing_row, learning.evidence, TEACHING_CANDIDATES) | learning.positive
    return teaching if int((~learning.positive & teaching).sum()) >= LEAST_OF_EACH else None


def _log_odds_unseen(
    learning: LearningSet, teaching: Bools, weight: Floats, listing: Ints, generator: np.random.Generator
) -> Floats | None:
    # Each listing is judged by a matcher that has not seen it. Folds go by listing.
    fold = (generator.permutation(learning.listings) % _FOLDS)[listing]
    log_odds = np.zeros(len(learning.listing_row), dtype=np.float32)
    for k in range(_FOLDS):
        train = (fold != k) & teaching
        if len(np.unique(learning.positive[train])) < 2:
            return None
        model = _fit_pairs(learning.evidence[train], learning.positive[train], weight[listing[train]])
        log_odds[fold == k] = model.decision_function(learning.evidence[fold == k])
    return log_odds


def listing_weights(learning: LearningSet) -> tuple[Floats, Bools]:
    """What each listing counts in fitting, and which of them tell what new listings are like; [listings]."""
    weight, telling = np.ones(learning.listings, np.float32), np.ones(learning.listings, dtype=bool)
    if learning.seen is not None and int((~learning.seen).sum()) >= LEAST_UNSEEN:
        telling = ~learning.seen
        weight[learning.seen] = SEEN_WEIGHT
    return weight, telling


def _fit_pairs(evidence: Floats, positive: Bools, weight: Floats) -> Pipeline:
    counts = None if (weight == 1).all() else weight
    return _pair_model().fit(evidence, positive, logisticregression__sample_weight=counts)


def _fit_head(
    heads: Floats, target: Bools, weight: Floats, generator: np.random.Generator
) -> tuple[Head | None, Floats | None]:
    """A head and its out-of-fold probabilities; None where one answer hardly occurs."""
    fold = generator.permutation(len(target)) % _FOLDS
    out = np.zeros(len(target), dtype=np.float32)
    for k in range(_FOLDS):
        train = fold != k
        if min(int(target[train].sum()), int((~target[train]).sum())) < LEAST_OF_EACH:
            return None, None
        out[~train] = Head.fit(heads[train], target[train], weight[train]).predict(heads[~train])
    return Head.fit(heads, target, weight), out


def _pair_model() -> Pipeline:
    return make_pipeline(StandardScaler(), LogisticRegression(C=_PAIR_C, max_iter=2000))
