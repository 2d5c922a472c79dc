"""The reviewers' table: what each has done, how often each is right, and how far each two agree."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from engine.contracts import Accuracy, PairAgreement, ReviewersReport, ReviewerSummary, Verdict
from engine.review.agreement import Answer, counted, pair_agreement, wilson
from engine.review.dawid_skene import Votes, dawid_skene
from engine.review.one_coin import one_coin

if TYPE_CHECKING:
    from engine.store import Compared, UnitOfWork

_VERDICTS = {verdict: at for at, verdict in enumerate(Verdict)}


def reviewers_report(uow: UnitOfWork) -> ReviewersReport:
    """Everything there is to say about the reviewers of a workspace."""
    compared = uow.opinions.compared()
    waiting, answered, gold = uow.overlaps.counts()
    done = uow.opinions.by_reviewer()
    answers, verdicts, counts = accuracies(compared)
    summaries = [
        ReviewerSummary(
            reviewer=name,
            decisions=decisions,
            second_opinions=opinions,
            answers=answers.get(name, _NOTHING),
            verdicts=verdicts.get(name, _NOTHING),
            gold=counts.get(name, _NOTHING),
        )
        for name, (decisions, opinions) in done.items()
    ]
    summaries.sort(key=lambda one: (-one.decisions - one.second_opinions, one.reviewer))
    return ReviewersReport(
        reviewers=tuple(summaries),
        pairs=tuple(pairs(compared)),
        overlap_share=uow.settings.load().overlap_share,
        waiting=waiting,
        answered=answered,
        gold=gold,
        to_adjudicate=uow.opinions.disagreement_count(),
    )


def pairs(compared: Sequence[Compared]) -> list[PairAgreement]:
    """The agreement of every two reviewers that have judged a listing each, by name.

    Gold decisions are left out: they were picked, and would make agreement look better than it is.
    """
    both: dict[tuple[str, str], list[tuple[Answer, Answer]]] = {}
    for one in compared:
        if one.gold:
            continue
        if one.first <= one.second:
            both.setdefault((one.first, one.second), []).append((one.first_answer, one.second_answer))
        else:
            both.setdefault((one.second, one.first), []).append((one.second_answer, one.first_answer))
    return [pair_agreement(first, second, answers) for (first, second), answers in sorted(both.items())]


def accuracies(
    compared: Sequence[Compared],
) -> tuple[dict[str, Accuracy], dict[str, Accuracy], dict[str, Accuracy]]:
    """Reviewers' accuracies by name: of answers, of verdicts, and on gold decisions alone.

    The truth is known for gold decisions, whose author is not judged by them, and for disagreements
    that a third person adjudicated; elsewhere it is estimated. Answers and their intervals are the
    one-coin model's. Verdicts are Dawid and Skene's; their interval is the one-coin model's of the
    verdicts, and Wilson's for as many votes where that reaches further.
    """
    if not compared:
        return {}, {}, {}
    names = sorted({name for one in compared for name in (one.first, one.second)})
    votes, by_verdict = _votes(compared, {name: at for at, name in enumerate(names)})
    found, likewise = one_coin(votes, len(names)), one_coin(by_verdict, len(names))
    matrices = dawid_skene(by_verdict, len(Verdict), len(names))
    answers: dict[str, Accuracy] = {}
    verdicts: dict[str, Accuracy] = {}
    for at, name in enumerate(names):
        if judged := int(found.judged[at]):
            low, high = float(found.low[at]), float(found.high[at])
            answers[name] = _accuracy(float(found.right[at]), judged, low, high)
            right = float(matrices.right[at])
            below, above = wilson(right, judged)
            low, high = min(below, float(likewise.low[at])), max(above, float(likewise.high[at]))
            verdicts[name] = _accuracy(right, judged, low, high)
    on_gold: dict[str, list[bool]] = {}
    for one in compared:
        if one.gold:
            on_gold.setdefault(one.second, []).append(one.second_answer == one.first_answer)
    counts = {name: counted(sum(right), len(right)) for name, right in on_gold.items()}
    return answers, verdicts, counts


def _accuracy(right: float, judged: int, low: float, high: float) -> Accuracy:
    estimate = min(1.0, right / judged)
    return Accuracy(estimate, min(low, estimate), max(high, estimate), judged)


_NOTHING = Accuracy(None, None, None, 0)


def _votes(compared: Sequence[Compared], numbers: dict[str, int]) -> tuple[Votes, Votes]:
    """The votes by answer, numbered on each listing, and by verdict."""
    tasks: dict[int, int] = {}
    answers: list[dict[Answer, int]] = []
    truth: list[Answer | None] = []
    seen: set[tuple[int, str]] = set()
    rows: list[tuple[int, int, int, int]] = []

    def vote(task: int, name: str, answer: Answer) -> None:
        if (task, name) not in seen:
            seen.add((task, name))
            label = answers[task].setdefault(answer, len(answers[task]))
            rows.append((task, numbers[name], label, _VERDICTS[answer[0]]))

    for one in compared:
        task = tasks.setdefault(one.decision_id, len(tasks))
        if task == len(answers):
            answers.append({})
            truth.append(_truth(one))
        if truth[task] is None or not one.gold:
            vote(task, one.first, one.first_answer)
        vote(task, one.second, one.second_answer)
    numbered = np.array(
        [
            -1 if known is None else given.setdefault(known, len(given))
            for known, given in zip(truth, answers, strict=True)
        ],
        dtype=np.int64,
    )
    verdicts = np.array([-1 if known is None else _VERDICTS[known[0]] for known in truth], dtype=np.int64)
    columns = np.array(rows, dtype=np.int64).T
    return (
        Votes(columns[0], columns[1], columns[2], numbered),
        Votes(columns[0], columns[1], columns[3], verdicts),
    )


def _truth(one: Compared) -> Answer | None:
    """What is known to be right, where the word of one of the two does not make it so."""
    if one.gold:
        return one.first_answer
    if one.adjudicator is not None and one.adjudicator not in {one.first, one.second}:
        return one.adjudicated
    return None
