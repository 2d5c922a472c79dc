"""What a confirmed pair counts in training: as much as a matcher that has not seen its decision goes along.

Reviewers confirm wrong items now and then, and an encoder that is trained on such a pair learns to repeat
the mistake. The matcher was not trained on texts: it weighs evidence, learnt from all decisions, and one
wrong confirmation hardly moves it. Asked about listings it has not seen, it says how the confirmed item
compares with the strongest other candidate. Source: weighing examples by what a model of the other half
says of them is cross-validated noise cleansing (Brodley and Friedl, 1999; confident learning, 1911.00068);
weights in place of dropping pairs, and the odds of two candidates, are ours (docs/adr/0019).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from engine.automation.matcher import LearningSet, fit_matcher
from engine.automation.ranking import group_starts
from engine.backends.onnx_matcher import OnnxMatcher

Floats = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]

#: The least a pair counts: 0 means to the trainer that there is no weight, and it leaves the pair out.
LEAST_WEIGHT = 0.01
#: Halves are drawn from a stream of their own, apart from whatever else the seed draws.
_HALVES = 3


def pair_weights(learning: LearningSet, *, seed: int) -> Floats:
    """The weight of every judged listing's confirmed pairs.

    The listings are halved by ``seed``, and a matcher is fitted to each half. The pair matcher of the one
    half has the word on the other: the weight is the odds that the listing's strongest confirmed item is
    right, divided by the odds of its strongest other candidate, 1 at most and :data:`LEAST_WEIGHT` at
    least. A listing without a confirmed item among its candidates (there is none, or it was found by
    search) or without any other candidate weighs 1, and so do all where a half is too small for a matcher.

    Args:
        learning: judged listings with their candidates.
        seed: of the halves.

    Returns:
        float32 [listings], in order of the distinct values of ``learning.listing_row``.
    """
    rows = learning.listing_row
    listings, listing = np.unique(rows, return_inverse=True)
    weights = np.ones(len(listings), dtype=np.float32)
    drawn = np.random.default_rng([seed, _HALVES]).permutation(len(listings))[::2]
    second = np.isin(np.arange(len(listings)), drawn)
    log_odds = np.zeros(len(rows), dtype=np.float32)
    for half in (second, ~second):
        fitted = fit_matcher(_some(learning, half, half[listing]))
        if fitted is None:
            return weights
        others = ~half[listing]
        log_odds[others] = OnnxMatcher(fitted.graphs).log_odds(learning.evidence[others])
    starts = group_starts(rows)
    confirmed = np.maximum.reduceat(np.where(learning.positive, log_odds, -np.inf), starts)
    other = np.maximum.reduceat(np.where(learning.positive, -np.inf, log_odds), starts)
    # Where either is missing the matcher has no word.
    both = np.isfinite(confirmed) & np.isfinite(other)
    weights[both] = np.exp(np.clip(confirmed[both] - other[both], np.log(LEAST_WEIGHT), 0.0))
    return weights


def _some(learning: LearningSet, listings: Bools, pairs: Bools) -> LearningSet:
    """Those of the ``listings`` [listings] and their ``pairs`` [pairs]."""
    return LearningSet(
        learning.listing_row[pairs],
        learning.evidence[pairs],
        learning.positive[pairs],
        learning.text[listings],
        learning.none[listings],
        None if learning.seen is None else learning.seen[listings],
    )
