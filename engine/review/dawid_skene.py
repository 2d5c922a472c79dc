"""How often each reviewer is right where nobody knows the truth: Dawid and Skene's model, by EM.

Every reviewer has a confusion matrix over the same labels (the verdicts). Dawid and Skene (1979),
"Maximum likelihood estimation of observer error-rates using the EM algorithm". The steps, the start
(majority) and the rule to stop are those of crowd-kit's ``DawidSkene``, which a test compares it with;
crowd-kit itself brings transformers and pandas along, a lot to install for a hundred lines.

Known truth (gold decisions, adjudications) anchors the model: there the truth is not estimated but set.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]

_LEAST = 1e-10
_ITERATIONS = 100
_TOLERANCE = 1e-5


@dataclass(frozen=True, slots=True)
class Votes:
    """Who said what: three arrays of the same length, all numbers from 0 on.

    ``tasks`` are listings, ``reviewers`` reviewers, ``labels`` what they said. ``truth``, one for each
    task, is the known label, or -1.
    """

    tasks: Ints
    reviewers: Ints
    labels: Ints
    truth: Ints


@dataclass(frozen=True, slots=True)
class Estimate:
    """What EM found.

    ``posterior``: shape (tasks, labels), the probability that a label is the truth. ``right``: shape
    (reviewers,), the expected number of right votes; ``judged`` the number of votes. ``confusion``:
    shape (reviewers, said, truth), the probability to say one thing where another is true.
    """

    posterior: Floats
    right: Floats
    judged: Ints
    confusion: Floats


def dawid_skene(votes: Votes, labels: int, reviewers: int) -> Estimate:
    """Fit confusion matrices. Labels that nobody has given have no probability.

    Args:
        votes: every task has at least one.
        labels: how many labels there are.
        reviewers: how many reviewers there are.
    """
    tasks = len(votes.truth)
    known = np.flatnonzero(votes.truth >= 0)
    used = np.zeros(labels, dtype=bool)
    used[votes.labels] = True
    used[votes.truth[known]] = True
    posterior = np.zeros((tasks, labels))
    np.add.at(posterior, (votes.tasks, votes.labels), 1.0)
    posterior /= np.maximum(posterior.sum(axis=1, keepdims=True), 1.0)
    _anchor(posterior, votes.truth, known)
    prior, confusion = _parameters(votes, posterior, labels, reviewers)
    bound = -np.inf
    for _ in range(_ITERATIONS):
        logs = np.zeros((tasks, labels))
        np.add.at(logs, votes.tasks, np.log(confusion[votes.reviewers, votes.labels]))
        logs += np.log(np.maximum(prior, _LEAST))
        posterior = _normalised(logs, used)
        _anchor(posterior, votes.truth, known)
        prior, confusion = _parameters(votes, posterior, labels, reviewers)
        reached = _lower_bound(votes, posterior, prior, confusion, used) / len(votes.tasks)
        if reached - bound < _TOLERANCE:
            break
        bound = reached
    return _estimate(votes, posterior, reviewers, confusion)


def _anchor(posterior: Floats, truth: Ints, known: Ints) -> None:
    posterior[known] = 0.0
    posterior[known, truth[known]] = 1.0


def _parameters(votes: Votes, posterior: Floats, labels: int, reviewers: int) -> tuple[Floats, Floats]:
    """The M-step: shares of the labels, and confusion matrices (reviewer, said, truth)."""
    confusion = np.zeros((reviewers, labels, labels))
    np.add.at(confusion, (votes.reviewers, votes.labels), posterior[votes.tasks])
    said = np.zeros((reviewers, labels), dtype=bool)
    said[votes.reviewers, votes.labels] = True
    # As crowd-kit: only what a reviewer has said at all can be an error of theirs.
    confusion = np.where(said[:, :, None], np.maximum(confusion, _LEAST), 0.0)
    confusion /= np.maximum(confusion.sum(axis=1, keepdims=True), _LEAST)
    return posterior.mean(axis=0), confusion


def _normalised(logs: Floats, possible: NDArray[np.bool_]) -> Floats:
    logs = np.where(possible, logs, -np.inf)
    likelihoods = np.exp(logs - logs.max(axis=1, keepdims=True))
    return np.asarray(likelihoods / likelihoods.sum(axis=1, keepdims=True))


def _lower_bound(
    votes: Votes, posterior: Floats, prior: Floats, confusion: Floats, used: NDArray[np.bool_]
) -> float:
    """The evidence lower bound as crowd-kit takes it, with the prior counted once for each vote."""
    joint = np.log(np.maximum(confusion[votes.reviewers, votes.labels], _LEAST * _LEAST))
    joint += np.log(np.maximum(prior, _LEAST))
    expected = float((posterior[votes.tasks] * joint)[:, used].sum())
    kept = np.maximum(posterior[:, used], _LEAST)
    return expected - float((np.log(kept) * kept).sum())


def _right(votes: Votes, posterior: Floats, reviewers: int) -> tuple[Floats, Ints]:
    right = np.zeros(reviewers)
    np.add.at(right, votes.reviewers, posterior[votes.tasks, votes.labels])
    return right, np.bincount(votes.reviewers, minlength=reviewers).astype(np.int64)


def _estimate(votes: Votes, posterior: Floats, reviewers: int, confusion: Floats) -> Estimate:
    right, judged = _right(votes, posterior, reviewers)
    return Estimate(posterior, right, judged, confusion)
