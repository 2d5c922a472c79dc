"""Evaluation and comparison of releases over a real database."""

from __future__ import annotations

import numpy as np
import pytest

from engine.contracts import Placement, Route, RouteReason, Verdict
from engine.learning.evaluate import (
    NOT_AUTOMATED,
    NOT_IN_CATALOGUE,
    EvaluationLabels,
    MeasuredRelease,
    answer_of,
    compare,
    confirmed,
    contradictions,
    evaluate_scores,
    flips,
    held_out,
)
from engine.learning.promote import Answered, Contradictions
from tests.engine.small_workspace import SmallWorkspace


@pytest.fixture
def world(tmp_path):
    made = SmallWorkspace(tmp_path / "ws")
    yield made
    made.store.close()


def labels_of(confidence, right, ids=None):
    c, r = np.array(confidence, dtype=np.float64), np.array(right, dtype=bool)
    numbers = np.arange(1, c.size + 1) if ids is None else np.array(ids)
    return EvaluationLabels(numbers, c, r, 1 - c, ~r, np.ones(len(c)))


def release(name, labels, answers, threshold=0.5, coverage=0.4):
    return MeasuredRelease(
        name,
        labels,
        threshold,
        coverage,
        coverage + 0.1,
        np.array(answers, dtype=np.int64),
        Answered(labels.confidence, labels.best_right),
    )


def test_that_a_release_is_measured_by_confidence_and_by_similarity():
    labels = labels_of([0.9, 0.8, 0.7, 0.1], [True, True, False, False])
    measured = evaluate_scores(labels, release_id="r0002", certified_coverage=0.4, automation_rate=0.5)
    assert measured.labels == 4
    assert measured.coverage_at == {90: 0.5, 95: 0.5, 98: 0.5, 99: 0.5}
    assert measured.similarity_coverage_at == {90: 0.5, 95: 0.5, 98: 0.5, 99: 0.5}
    assert measured.aurc == pytest.approx((0 + 0 + 1 / 3 + 1 / 2) / 4)
    assert (measured.best_right, measured.certified_coverage, measured.automation_rate) == (0.5, 0.4, 0.5)


def test_that_the_model_keeper_is_told_of_answers_that_a_challenger_no_longer_gives(world):
    labels = labels_of([0.9, 0.8], [True, True])
    champion = release("r1", labels, [1, 2, NOT_IN_CATALOGUE, NOT_IN_CATALOGUE])
    challenger = release("r2", labels, [1, 2, NOT_IN_CATALOGUE, NOT_AUTOMATED])
    with world.store.reading() as uow:

        def reasons(one, other):
            limits = {
                "precision": 0.9,
                "max_segment_drop": 1.0,
                "max_automation_drop": 1.0,
                "max_contradiction_share": 1.0,
            }
            found = compare(uow, champion=one, challenger=other, listing_ids=[1, 2, 3, 4], **limits)
            return [reason for reason in found.gate.reasons if "not in catalogue" in reason]

        said = reasons(champion, challenger)
        assert len(said) == 1
        assert "from 50.0 % to 25.0 %" in said[0]
        assert "from 100.0 % to 75.0 %" in said[0]
        assert reasons(challenger, champion) == []


def test_that_a_release_without_labels_is_measured_as_nothing():
    measured = evaluate_scores(
        labels_of([], []), release_id="r1", certified_coverage=0.0, automation_rate=0.0
    )
    assert (measured.labels, measured.aurc, measured.best_right) == (0, 0.0, 0.0)
    assert set(measured.coverage_at.values()) == {0.0}


@pytest.mark.parametrize(
    ("route", "reason", "item", "answer"),
    [
        (Route.AUTOMATED, RouteReason.ABOVE_THRESHOLD, 7, 7),
        (Route.AUTOMATED, RouteReason.NOT_IN_CATALOGUE, 7, NOT_IN_CATALOGUE),
        (Route.SETTLED, RouteReason.MEMORY, 7, 7),
        (Route.SETTLED, RouteReason.DECIDED, 7, NOT_AUTOMATED),
        (Route.REVIEW, RouteReason.BELOW_THRESHOLD, 7, NOT_AUTOMATED),
    ],
)
def test_that_only_what_no_person_settles_is_an_answer(route, reason, item, answer):
    assert answer_of(Placement(1, route, reason, item, 0.9, 0.1, 0.1, ())) == answer


def test_that_only_answered_audits_in_force_are_held_out(world):
    drawn = world.learning_ids(5)
    draws = world.draw(*drawn[:4])
    world.decide(drawn[0], Verdict.UNSURE, draw_id=draws[0])
    world.decide(drawn[1], Verdict.BAD_LISTING, draw_id=draws[1])
    last = world.decide(drawn[3], Verdict.NONE, draw_id=draws[3])
    first = world.decide(drawn[2], draw_id=draws[2])
    world.decide(drawn[4])
    with world.reading() as uow:
        kept = held_out(uow.decisions.in_force())
    assert kept == [first, last]
    assert confirmed(kept, [drawn[2], drawn[2]]).tolist() == [True, False]
    assert confirmed(kept, [drawn[3], 0]).tolist() == [False, False]


def test_that_an_answer_with_any_right_item_is_right_and_contradicts_nobody(world):
    listing, other = world.learning_ids(2)
    draw_id = world.draw(listing)[0]
    said = world.decide(listing, also_right=[listing + 1], draw_id=draw_id)
    world.decide(other, Verdict.NONE)
    assert confirmed([said] * 3, [listing, listing + 1, listing + 2]).tolist() == [True, True, False]
    with world.reading() as uow:
        decisions = uow.decisions.in_force()
    listings = sorted([listing, other])
    for answer, wrong in ((listing + 1, 0), (listing + 2, 1), (NOT_IN_CATALOGUE, 1)):
        answers = [answer if one == listing else NOT_IN_CATALOGUE for one in listings]
        assert contradictions(listings, answers, decisions) == Contradictions(2, wrong)


def test_that_flips_are_withdrawn_or_changed_answers_contradictions_first(world):
    with world.reading() as uow:
        ids = list(range(1, 7))
    world.decide(5, Verdict.MATCH, 5)
    before = [1, 2, 3, NOT_AUTOMATED, NOT_AUTOMATED, NOT_IN_CATALOGUE]
    after = [1, NOT_AUTOMATED, 4, 4, 9, NOT_IN_CATALOGUE]
    with world.reading() as uow:
        described, total = flips(uow, ids, before, after)
        limited, same_total = flips(uow, ids, before, after, limit=1)
    assert total == same_total == 3
    assert [(f.listing_external_id, f.before, f.after, f.contradicts_decision) for f in described] == [
        ("L5", "review", "P9", True),
        ("L3", "P3", "P4", False),
        ("L2", "P2", "review", False),
    ]
    assert (described[1].before_item, described[1].after_item) == (
        "Acme kettle 3 steel",
        "Acme kettle 4 steel",
    )
    assert limited == described[:1]


def test_that_contradictions_count_automated_decided_listings_only(world):
    world.decide(1, Verdict.MATCH, 1)
    world.decide(2, Verdict.MATCH, 3)
    world.decide(3, Verdict.NONE)
    world.decide(4, Verdict.VARIANT, 4)
    world.decide(5, Verdict.UNSURE)
    world.decide(6, Verdict.NEW_ITEM)
    with world.reading() as uow:
        decisions = uow.decisions.in_force()
    found = contradictions([1, 2, 3, 4, 5, 6], [1, 2, NOT_IN_CATALOGUE, 4, 5, NOT_AUTOMATED], decisions)
    assert (found.automated, found.contradicted) == (4, 2)
    assert found.share == 0.5
    assert contradictions([], [], decisions).share == 0.0


def test_that_a_better_challenger_passes_with_its_numbers_beside_the_champions(world):
    champion = release(
        "r0001", labels_of([0.9, 0.6, 0.2, 0.1] * 20, [True, False, True, True] * 20), [1, -1, -1]
    )
    challenger = release(
        "r0002",
        labels_of([0.9, 0.3, 0.8, 0.7] * 20, [True, False, True, True] * 20),
        [1, 2, -1],
        coverage=0.6,
    )
    with world.reading() as uow:
        comparison = compare(
            uow,
            champion=champion,
            challenger=challenger,
            listing_ids=[1, 2, 3],
            precision=0.9,
            max_segment_drop=0.1,
            max_automation_drop=1.0,
            max_contradiction_share=0.02,
        )
    assert comparison.gate.passed
    assert comparison.gate.difference_low > 0.3
    assert (comparison.champion.release_id, comparison.challenger.release_id) == ("r0001", "r0002")
    assert (comparison.gate.champion_coverage, comparison.gate.challenger_coverage) == (0.4, 0.6)
    assert (comparison.flips, comparison.flips_total) == ((), 0)


def test_that_a_challenger_against_past_decisions_is_refused(world):
    for listing in (1, 2, 3):
        world.decide(listing, Verdict.MATCH, listing)
    labels = labels_of([0.9, 0.1], [True, False])
    with world.reading() as uow:
        comparison = compare(
            uow,
            champion=release("r0001", labels, [1, 2, 3]),
            challenger=release("r0002", labels, [1, 2, 9]),
            listing_ids=[1, 2, 3],
            precision=0.9,
            max_segment_drop=1.0,
            max_automation_drop=1.0,
            max_contradiction_share=0.02,
        )
    assert not comparison.gate.passed
    assert comparison.gate.contradictions == 1
    assert any(reason.startswith("refused: 1 of 3 automated answers") for reason in comparison.gate.reasons)
    assert [flip.contradicts_decision for flip in comparison.flips] == [True]


def test_that_releases_measured_on_different_listings_are_not_compared(world):
    one = release("r0001", labels_of([0.9], [True], [1]), [1])
    other = release("r0002", labels_of([0.9], [True], [2]), [1])
    longer = release("r0002", labels_of([0.9], [True], [1]), [1, 2])
    options = {
        "listing_ids": [1],
        "precision": 0.9,
        "max_segment_drop": 0.1,
        "max_automation_drop": 1.0,
        "max_contradiction_share": 0.1,
    }
    with world.reading() as uow:
        with pytest.raises(ValueError, match="held-out"):
            compare(uow, champion=one, challenger=other, **options)
        with pytest.raises(ValueError, match="open feed"):
            compare(uow, champion=one, challenger=longer, **options)
