"""How often each reviewer is right, by one number each: for answers that name items.

Dawid and Skene's model with one accuracy for each reviewer (the "one-coin" model): a wrong answer is
any other, equally likely. Labels need to mean something on their own listing only.

Two reviewers alone do not tell who of them errs. So the interval is the profile likelihood's: all
accuracies for which the votes are hardly less likely than at best, whatever the others' may be. It is
wide where only gold decisions or a third person could tell, and narrows with them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from engine.review.dawid_skene import Votes

Floats: TypeAlias = NDArray[np.float64]

#: The answers a listing could have, at least: its item, the look-alike, and none. Few, because people
#: err alike: with many, two who agree would be taken for certain.
_ANSWERS = 3
_ITERATIONS = 300
_TOLERANCE = 1e-6
#: Votes that everybody is taken to have given before: nobody is beyond doubt, and where the votes do
#: not tell two reviewers apart they are taken to be alike.
_RIGHT_BEFORE, _WRONG_BEFORE = 4.0, 1.0
_LEAST = 1e-6
#: Half the 95 % quantile of chi-squared with one degree of freedom.
_DROP = 1.9207
_HALVINGS = 14


@dataclass(frozen=True, slots=True)
class OneCoin:
    """What was found: ``right`` of ``judged`` votes of every reviewer, shape (reviewers,) each.

    ``right`` is the expected number; ``low`` and ``high`` are the interval of the accuracy.
    """

    right: Floats
    judged: Floats
    low: Floats
    high: Floats


def one_coin(votes: Votes, reviewers: int) -> OneCoin:
    """Fit one accuracy for each reviewer, with its interval.

    Args:
        votes: ``labels`` and ``truth`` number the answers of each task from 0 on, in order of appearance.
        reviewers: how many reviewers there are.
    """
    model = _Model(votes, reviewers)
    best, reached = model.fit(np.full(reviewers, 0.9), None)
    right, judged = model.expected(best)
    low, high = np.zeros(reviewers), np.ones(reviewers)
    for who in np.flatnonzero(judged > 0).tolist():
        for bound, outside in ((low, _LEAST), (high, 1.0 - _LEAST)):
            inside, start = float(best[who]), best
            if model.profile(who, outside, start)[1] >= reached - _DROP:
                continue
            for _ in range(_HALVINGS):
                middle = (inside + outside) / 2
                start, likelihood = model.profile(who, middle, start)
                inside, outside = (middle, outside) if likelihood >= reached - _DROP else (inside, middle)
            bound[who] = inside
    return OneCoin(right, judged, low, high)


class _Model:
    """The votes by pattern: listings with the same votes are one row that counts as many times."""

    def __init__(self, votes: Votes, reviewers: int) -> None:
        self._reviewers = reviewers
        order = np.lexsort((votes.reviewers, votes.tasks))
        ends = np.searchsorted(votes.tasks[order], np.arange(len(votes.truth) + 1))
        patterns: dict[tuple[int, ...], int] = {}
        for task, truth in enumerate(votes.truth):
            rows = order[ends[task] : ends[task + 1]]
            said = zip(votes.reviewers[rows], votes.labels[rows], strict=True)
            known: dict[int, int] = {}
            key = [(int(who), known.setdefault(int(label), len(known))) for who, label in said]
            answer = -1 if truth < 0 else known.setdefault(int(truth), len(known))
            flat = (answer, len(known), *(number for vote in key for number in vote))
            patterns[flat] = patterns.get(flat, 0) + 1
        self.weights = np.array(list(patterns.values()), dtype=np.float64)
        self.truth = np.array([key[0] for key in patterns])
        answers = np.array([key[1] for key in patterns])
        most = int(answers.max(initial=0)) + 1
        self._width = most
        self._others = float(max(_ANSWERS, most) - 1)
        self._tasks = np.repeat(np.arange(len(patterns)), [len(key) // 2 - 1 for key in patterns])
        self._who = np.array([who for key in patterns for who in key[2::2]], dtype=np.int64)
        self._cell = self._tasks * self._width + [label for key in patterns for label in key[3::2]]
        # The answers that were given, and in one column all those that were not.
        self._alike = np.where(np.arange(most) < answers[:, None], 0.0, -np.inf)
        self._alike[np.arange(len(patterns)), answers] = np.log(self._others + 1 - answers)
        self._known = np.flatnonzero(self.truth >= 0)

    def fit(self, accuracy: Floats, fixed: int | None) -> tuple[Floats, float]:
        """EM from a start, one reviewer's accuracy left as it is; the accuracies and log likelihood."""
        accuracy = accuracy.copy()
        for _ in range(_ITERATIONS):
            right, judged = self.expected(accuracy)
            after = (right + _RIGHT_BEFORE) / (judged + _RIGHT_BEFORE + _WRONG_BEFORE)
            if fixed is not None:
                after[fixed] = accuracy[fixed]
            moved = float(np.abs(after - accuracy).max(initial=0.0))
            accuracy = after
            if moved < _TOLERANCE:
                break
        return accuracy, self._log_likelihood(accuracy)

    def profile(self, who: int, value: float, start: Floats) -> tuple[Floats, float]:
        """The best the others can do where one reviewer has this accuracy."""
        begun = start.copy()
        begun[who] = value
        return self.fit(begun, who)

    def expected(self, accuracy: Floats) -> tuple[Floats, Floats]:
        """Expected right votes and votes of every reviewer."""
        logs = self._logs(accuracy)
        posterior = np.exp(logs - logs.max(axis=1, keepdims=True))
        posterior /= posterior.sum(axis=1, keepdims=True)
        weights = self.weights[self._tasks]
        right = np.bincount(
            self._who, weights=posterior.ravel()[self._cell] * weights, minlength=self._reviewers
        )
        judged = np.bincount(self._who, weights=weights, minlength=self._reviewers)
        return right.astype(np.float64), judged.astype(np.float64)

    def _log_likelihood(self, accuracy: Floats) -> float:
        logs = self._logs(accuracy)
        top = logs.max(axis=1)
        each = top + np.log(np.exp(logs - top[:, None]).sum(axis=1))
        before = _RIGHT_BEFORE * np.log(accuracy) + _WRONG_BEFORE * np.log1p(-accuracy)
        return float(each @ self.weights + before.sum())

    def _logs(self, accuracy: Floats) -> Floats:
        """Log likelihoods of every answer, shape (patterns, answers); -inf for what cannot be."""
        right = np.log(accuracy)[self._who]
        wrong = np.log1p(-accuracy)[self._who] - np.log(self._others)
        rows = len(self.weights)
        logs = np.bincount(self._cell, weights=right - wrong, minlength=rows * self._width)
        logs = logs.reshape(rows, self._width) + np.bincount(self._tasks, weights=wrong)[:, None]
        logs += self._alike
        kept = logs[self._known, self.truth[self._known]]
        logs[self._known] = -np.inf
        logs[self._known, self.truth[self._known]] = kept
        return np.asarray(logs)
