"""Agreement: kappa against worked examples of the literature and plain loops; accuracies by EM."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from engine.contracts import Verdict
from engine.review.agreement import agreement, counted, pair_agreement, table_of, wilson
from engine.review.dawid_skene import Votes, dawid_skene
from engine.review.one_coin import one_coin
from engine.review.reviewers import accuracies, pairs
from engine.store import Compared

#: Fleiss, Statistical Methods for Rates and Proportions, table 18.1: diagnoses of 100 patients.
FLEISS = np.array([[75, 1, 4], [5, 4, 1], [0, 0, 10]])
MATCH, NONE = (Verdict.MATCH, 7), (Verdict.NONE, None)


def plain_kappa(table: np.ndarray) -> tuple[float, float]:
    """Kappa and its large-sample standard error by loops over the formula of Fleiss et al. (1969)."""
    n, k = table.sum(), len(table)
    p = [[table[i][j] / n for j in range(k)] for i in range(k)]
    row = [sum(p[i]) for i in range(k)]
    column = [sum(p[i][j] for i in range(k)) for j in range(k)]
    po = sum(p[i][i] for i in range(k))
    pe = sum(row[i] * column[i] for i in range(k))
    total = 0.0
    for i in range(k):
        total += p[i][i] * ((1 - pe) - (column[i] + row[i]) * (1 - po)) ** 2
    for i, j in product(range(k), range(k)):
        if i != j:
            total += (1 - po) ** 2 * p[i][j] * (column[i] + row[j]) ** 2
    total -= (po * pe - 2 * pe + po) ** 2
    return (po - pe) / (1 - pe), math.sqrt(max(total, 0.0) / n) / (1 - pe) ** 2


def test_that_kappa_and_its_error_are_those_of_the_textbook() -> None:
    found = agreement(FLEISS)
    assert (found.judged, found.agreed) == (100, 89)
    assert found.kappa == pytest.approx(0.676, abs=5e-4)
    assert (found.kappa_high - found.kappa_low) / 2 / 1.95996 == pytest.approx(0.087, abs=1e-3)


@pytest.mark.parametrize(("table", "kappa"), [([[40, 9], [6, 45]], 0.70), ([[80, 10], [5, 5]], 0.32)])
def test_that_pabak_and_the_indices_explain_the_paradox_of_kappa(
    table: list[list[int]], kappa: float
) -> None:
    # Feinstein and Cicchetti (1990): the same agreement of .85, and very different kappas.
    found = agreement(np.array(table), categories=2)
    assert found.raw == pytest.approx(0.85)
    assert found.kappa == pytest.approx(kappa, abs=5e-3)
    assert found.pabak == pytest.approx(0.70)
    assert found.prevalence == pytest.approx((table[0][0] - table[1][1]) / 100)
    assert found.bias == pytest.approx((table[0][1] - table[1][0]) / 100)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(list(Verdict)), st.sampled_from(list(Verdict))), min_size=2, max_size=60
    )
)
def test_that_kappa_agrees_with_plain_loops_and_scikit_learn(said: list[tuple[Verdict, Verdict]]) -> None:
    first, second = [a for a, _ in said], [b for _, b in said]
    table = table_of(first, second)
    found = agreement(table)
    if found.kappa is None:
        assert len({*first, *second}) == 1
        return
    kappa, error = plain_kappa(table)
    assert found.kappa == pytest.approx(kappa)
    assert found.kappa == pytest.approx(cohen_kappa_score(first, second))
    if found.agreed < found.judged:
        assert found.kappa_low == pytest.approx(max(-1.0, kappa - 1.959964 * error), abs=1e-6)


def test_that_the_interval_of_kappa_covers_as_often_as_it_says() -> None:
    generator = np.random.default_rng(5)
    shares = np.array([0.45, 0.05, 0.08, 0.42])
    true = agreement((shares * 10_000).astype(int).reshape(2, 2)).kappa
    covered = 0
    for _ in range(600):
        found = agreement(generator.multinomial(150, shares).reshape(2, 2))
        covered += found.kappa_low <= true <= found.kappa_high
    assert 0.92 <= covered / 600 <= 0.98


def test_that_perfect_agreement_does_not_look_certain() -> None:
    found = agreement(np.array([[6, 0], [0, 6]]))
    assert found.kappa == 1.0
    assert 0.4 < found.kappa_low < 0.6
    assert found.kappa_high == 1.0


def test_that_kappa_is_not_defined_where_chance_alone_agrees() -> None:
    found = agreement(np.array([[20]]), categories=6)
    assert (found.raw, found.kappa, found.pabak) == (1.0, None, 1.0)
    assert agreement(np.zeros((0, 0), dtype=int)).judged == 0


def test_that_verdicts_and_items_are_compared_separately() -> None:
    said = [(MATCH, MATCH), (MATCH, (Verdict.MATCH, 8)), (NONE, (Verdict.VARIANT, 7)), (NONE, NONE)]
    found = pair_agreement("ann", "bob", said)
    assert (found.verdicts.agreed, found.verdicts.judged) == (3, 4)
    # The item of a variant is no match, so both say that nothing of the catalogue is the product.
    assert (found.same_item.agreed, found.same_item.judged) == (3, 4)
    assert set(found.by_verdict) == {Verdict.MATCH, Verdict.NONE, Verdict.VARIANT}
    assert (found.by_verdict[Verdict.MATCH].agreed, found.by_verdict[Verdict.NONE].agreed) == (4, 3)


def test_that_wilsons_interval_is_the_textbooks() -> None:
    # Newcombe (1998), table I: 81 of 263.
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(0, 0) == (0.0, 1.0)
    assert counted(9, 10).low < 0.9 < counted(9, 10).high


def planted(
    confusion: np.ndarray, tasks: int, each: int, *, seed: int, known: float = 0.0
) -> tuple[Votes, np.ndarray]:
    """Votes of reviewers with these confusion matrices (reviewer, truth, said), and the truth."""
    generator = np.random.default_rng(seed)
    reviewers, labels, _ = confusion.shape
    truth = generator.choice(labels, size=tasks, p=np.arange(labels, 0, -1) / np.arange(1, labels + 1).sum())
    rows = [
        (task, who, generator.choice(labels, p=confusion[who, truth[task]]))
        for task in range(tasks)
        for who in generator.choice(reviewers, size=each, replace=False)
    ]
    columns = np.array(rows).T
    told = np.where(generator.random(tasks) < known, truth, -1)
    return Votes(columns[0], columns[1], columns[2], told), truth


def matrices(*accuracies: float, labels: int = 4) -> np.ndarray:
    """One confusion matrix for each accuracy, with an error that leans to the next label."""
    made = np.zeros((len(accuracies), labels, labels))
    for who, right in enumerate(accuracies):
        for truth in range(labels):
            made[who, truth] = (1 - right) * 0.3 / (labels - 2)
            made[who, truth, truth] = right
            made[who, truth, (truth + 1) % labels] = (1 - right) * 0.7
    return made


def test_that_dawid_skene_recovers_planted_confusion() -> None:
    confusion = matrices(0.95, 0.85, 0.7)
    votes, truth = planted(confusion, 1500, 3, seed=1)
    found = dawid_skene(votes, 4, 3)
    assert np.abs(found.confusion.transpose(0, 2, 1) - confusion).max() < 0.08
    assert (found.posterior.argmax(axis=1) == truth).mean() > 0.93
    assert found.right / found.judged == pytest.approx([0.95, 0.85, 0.7], abs=0.03)


def test_that_a_few_gold_decisions_tell_who_is_right_of_two() -> None:
    # Two reviewers alone are symmetric: only known truth can say which of them errs.
    confusion = matrices(0.97, 0.75)
    blind, _ = planted(confusion, 400, 2, seed=2)
    anchored, _ = planted(confusion, 400, 2, seed=2, known=0.1)
    alone, found = one_coin(blind, 2), one_coin(anchored, 2)
    assert np.ptp(alone.right) < 0.5
    assert found.right / found.judged == pytest.approx([0.97, 0.75], abs=0.06)
    assert (found.high - found.low < (alone.high - alone.low)).all()
    # And without it the interval says so.
    for low, true, high in zip(alone.low, (0.97, 0.75), alone.high, strict=True):
        assert low < true < high


def test_that_the_accuracy_of_answers_is_recovered_with_items_as_labels() -> None:
    votes, _ = planted(matrices(0.95, 0.85, 0.7), 800, 3, seed=3)
    found = one_coin(votes, 3)
    assert found.right / found.judged == pytest.approx([0.95, 0.85, 0.7], abs=0.04)
    assert found.judged.tolist() == [800, 800, 800]


@pytest.mark.parametrize("known", [0.0, 0.15])
def test_that_the_interval_of_an_accuracy_covers_as_often_as_it_says(known: float) -> None:
    true = np.array([0.95, 0.88, 0.82])
    confusion = matrices(*true)
    covered = [
        (found.low <= true) & (true <= found.high)
        for found in (
            one_coin(planted(confusion, 90, 2, seed=100 + n, known=known)[0], 3) for n in range(100)
        )
    ]
    assert np.mean(covered) > 0.92


@pytest.mark.filterwarnings("ignore")  # of pandas, at how crowd-kit calls it
@pytest.mark.parametrize(("known", "seed"), [(0.0, 4), (0.1, 5), (0.1, 6)])
def test_that_dawid_skene_is_crowd_kits(known: float, seed: int) -> None:
    crowdkit = pytest.importorskip("crowdkit.aggregation", reason="the extra `agreement` is not installed")
    pandas = pytest.importorskip("pandas")
    votes, _ = planted(matrices(0.9, 0.8, 0.7, 0.6), 200, 3, seed=seed, known=known)
    data = pandas.DataFrame({"task": votes.tasks, "worker": votes.reviewers, "label": votes.labels})
    told = np.flatnonzero(votes.truth >= 0)
    gold = pandas.Series(votes.truth[told], index=told) if len(told) else None
    theirs = crowdkit.DawidSkene().fit(data, gold)
    ours = dawid_skene(votes, 4, 4)
    posterior = theirs.probas_.sort_index().sort_index(axis=1).to_numpy()
    assert ours.posterior == pytest.approx(posterior, abs=1e-6)
    for (worker, label), row in theirs.errors_.iterrows():
        assert ours.confusion[worker, label] == pytest.approx(row.sort_index().to_numpy(), abs=1e-6)


def compared(count: int, differing: int, *, gold: bool = False, start: int = 0) -> list[Compared]:
    return [
        Compared(start + n, "ann", MATCH, "bob", NONE if n < differing else MATCH, gold) for n in range(count)
    ]


def test_that_gold_decisions_judge_the_other_reviewer_and_not_their_author() -> None:
    answers, _, gold = accuracies(compared(20, 4, gold=True))
    assert (gold["bob"].estimate, gold["bob"].judged) == (0.8, 20)
    assert gold["bob"].words == "0.80 (0.58-0.92), 20 judged"
    assert "ann" not in gold
    assert "ann" not in answers
    assert answers["bob"].estimate == pytest.approx(0.8)


def test_that_a_third_persons_word_counts_as_truth_and_ones_own_does_not() -> None:
    rows = compared(40, 10)
    by_third = [
        Compared(r.decision_id, "ann", MATCH, "bob", NONE, False, "eve", MATCH)
        if r.second_answer == NONE
        else r
        for r in rows
    ]
    answers, verdicts, _ = accuracies(by_third)
    assert answers["ann"].estimate > 0.99
    assert answers["bob"].estimate == pytest.approx(0.75, abs=0.01)
    assert verdicts["bob"].estimate == pytest.approx(0.75, abs=0.01)
    by_ann = [
        Compared(r.decision_id, "ann", MATCH, "bob", r.second_answer, False, "ann", MATCH) for r in rows
    ]
    alone, _, _ = accuracies(by_ann)
    assert alone["ann"].estimate == pytest.approx(alone["bob"].estimate)


def test_that_every_accuracy_has_an_interval_that_holds_it() -> None:
    answers, verdicts, gold = accuracies([*compared(30, 5), *compared(12, 2, gold=True, start=100)])
    for one in (*answers.values(), *verdicts.values(), *gold.values()):
        assert 0.0 <= one.low <= one.estimate <= one.high <= 1.0
        assert one.high - one.low > 0.02


def test_that_gold_decisions_are_left_out_of_the_agreement_of_pairs() -> None:
    swapped = Compared(900, "bob", NONE, "ann", MATCH, False)
    [pair] = pairs([*compared(20, 2), swapped, *compared(10, 10, gold=True, start=100)])
    assert (pair.first, pair.second, pair.verdicts.judged, pair.verdicts.agreed) == ("ann", "bob", 21, 18)


def test_that_nothing_compared_is_no_accuracy() -> None:
    assert accuracies([]) == ({}, {}, {})
    assert pairs([]) == []
