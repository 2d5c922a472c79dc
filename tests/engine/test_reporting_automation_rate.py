"""Counts, rates and next steps."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.contracts import Certificate, CertificateKind, Counts, Route, RouteReason, Verdict
from engine.reporting.automation_rate import automation_rate, counts, coverage, next_steps, snapshot
from tests.engine.small_workspace import NOW, RELEASE, SmallWorkspace

EMPTY = Counts(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
MATCHED = replace(EMPTY, listings=1000, items=500, review=1000)
CERTIFIED = Certificate(CertificateKind.MATCH, 0.95, 0.1, 0.9, 200, 120, 2, 0.01, 0.96, 0.5, None, 0.1)
UNCERTIFIED = replace(CERTIFIED, threshold=None, labels_missing=120, expected_coverage=0.0)
#: Matched by a release with a matcher and a certificate, nothing waiting.
RUNNING = {"champion": "r0001", "certificate": CERTIFIED, "decisions_since_certificate": 0, "matcher": True}


@pytest.fixture
def world(tmp_path):
    made = SmallWorkspace(tmp_path / "ws")
    yield made
    made.store.close()


def test_that_rates_count_what_no_person_settled(world):
    waiting = world.learning_ids(12)
    world.place({i: (Route.AUTOMATED, 0.99) for i in waiting[:5]})
    world.place({i: (Route.AUTOMATED, 0.01) for i in waiting[5:7]}, RouteReason.NOT_IN_CATALOGUE)
    world.place({waiting[7]: (Route.SETTLED, 0.9)})
    draw_id = world.draw(waiting[0])[0]
    world.decide(waiting[0], draw_id=draw_id)
    world.decide(waiting[8])
    world.decide(waiting[9], Verdict.NONE)
    with world.reading() as uow:
        now = counts(uow)
        taken = snapshot(uow, NOW, RELEASE)
    assert now == Counts(
        listings=40,
        items=50,
        unmatched=0,
        automated=6,
        review=40 - 6 - 4,
        settled=4,
        settled_by_memory=1,
        automated_matches=4,
        automated_none=2,
        decisions=3,
        random_decisions=1,
        learning_decisions=2,
    )
    assert coverage(now) == 4 / 40
    assert automation_rate(now) == 7 / 40
    assert (taken.at, taken.release_id, taken.listings, taken.decisions) == (NOW, RELEASE, 40, 3)
    assert (taken.coverage, taken.none_rate, taken.memory_rate, taken.automation_rate) == (
        0.1,
        0.05,
        0.025,
        0.175,
    )


def test_that_an_empty_workspace_has_rates_of_zero(tmp_path):
    assert coverage(EMPTY) == automation_rate(EMPTY) == 0.0


def steps(current, **changes):
    return next_steps(current, **{**RUNNING, **changes})


def test_that_the_way_from_an_empty_workspace_to_automation_is_told_step_by_step():
    none_yet = {"champion": None, "certificate": None, "matcher": False}
    assert steps(EMPTY, **none_yet) == ("Import a catalogue.",)
    assert steps(replace(EMPTY, items=5), **none_yet) == ("Import listings to match.",)
    assert steps(replace(MATCHED, unmatched=1000, review=0), **none_yet) == ("Match the 1,000 listings.",)
    (first,) = steps(MATCHED, certificate=None, matcher=False)
    assert first == "Review 50 listings so that the matcher can be fitted; then certify."
    certify, *_ = steps(
        replace(MATCHED, decisions=60), certificate=None, matcher=False, decisions_since_certificate=60
    )
    assert certify == "Certify: 60 decisions can be used."
    (more,) = steps(replace(MATCHED, decisions=60), certificate=UNCERTIFIED)
    assert more == "Review: about 120 more random decisions are expected to be needed for a certificate."
    assert steps(replace(MATCHED, decisions=400, review=10)) == (
        "Review the 10 listings waiting in the queue.",
    )


def test_that_training_and_promoting_are_advised_when_they_can_be_done():
    current = replace(MATCHED, decisions=500, learning_decisions=350, review=10)
    assert "Train the encoder on the confirmed pairs." in steps(current)
    assert "Train the encoder on the confirmed pairs." not in steps(current, trained=True)
    assert steps(current, challenger="r0004")[0] == "Evaluate r0004 and promote it if the gate allows."


def test_that_new_listings_and_new_decisions_are_mentioned_and_nothing_is_said_when_nothing_waits():
    done = replace(MATCHED, review=0)
    assert steps(replace(done, unmatched=1)) == ("Match 1 new or changed listing.",)
    assert steps(done, decisions_since_certificate=80) == ("Certify again: 80 decisions came in since.",)
    assert steps(done) == ("Nothing waits. Export the matches, or import the next feed.",)
