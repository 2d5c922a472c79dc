"""Undo and redo: any depth, across restarts, with everything that follows from a decision."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.contracts import Route, Verdict
from engine.errors import NotInWorkspaceError, StaleChangeError
from engine.learning.evaluate import held_out
from engine.learning.pairs import build_pairs
from engine.review.decisions import decide_identical
from engine.review.undo import redo, undo
from engine.store import Store
from tests.engine.small_workspace import NOW, SmallWorkspace, candidates_of


@pytest.fixture
def world(tmp_path):
    made = SmallWorkspace(tmp_path / "ws")
    yield made
    made.store.close()


def state_of(world):
    """All that a decision acts on."""
    with world.reading() as uow:
        return (
            [d.id for d in uow.decisions.in_force()],
            [alias.decision_id for alias in uow.aliases.active(8)],
            uow.listings.placements(0, 1000),
            [draw.id for draw in uow.draws.open()],
            build_pairs(uow, text_of=lambda record: record.title, seed=0).pairs.to_pylist(),
            [d.id for d in held_out(uow.decisions.in_force())],
            uow.decisions.counts(),
        )


def test_that_undo_takes_the_decision_out_of_training_and_restores_the_candidate_list(world):
    listing = world.learning_ids(1)[0]
    before = state_of(world)
    order = [entry.listing_id for entry in world.queue(40)]
    made = world.decide(listing)
    assert state_of(world) != before
    with world.writing() as uow:
        undone = undo(uow, None)
    assert (undone.id, undone.undone) == (made.id, True)
    assert state_of(world) == before
    assert [entry.listing_id for entry in world.queue(40)] == order


def test_that_every_right_item_goes_and_comes_with_its_decision(world):
    listing = world.learning_ids(1)[0]
    first = world.decide(listing, also_right=[listing + 1])
    taught = state_of(world)
    world.decide(listing, also_right=[listing + 2])
    for step, also_right in ((undo, first.also_right), (redo, (listing + 2,)), (undo, first.also_right)):
        with world.writing() as uow:
            step(uow)
            assert uow.decisions.in_force_for(listing).also_right == also_right
    assert state_of(world) == taught


def test_that_undo_brings_back_the_list_on_screen_even_after_matching_again(world):
    listing = world.learning_ids(1)[0]
    made = world.decide(listing)
    with world.reading() as uow:
        old = uow.listings.placement(listing)
    shuffled = type(old)(
        listing, Route.REVIEW, old.machine_reason, old.item_id, 0.9, 0.0, 0.1, old.candidates[::-1]
    )
    with world.writing() as uow:
        uow.listings.save_placements("r0002", [shuffled], [0.5])
        undo(uow, made.id)
    with world.reading() as uow:
        assert uow.listings.placement(listing).candidates == candidates_of(listing, 0.4 + listing / 1000)


def test_that_undoing_an_audit_takes_it_out_of_the_certificate_and_asks_it_blind_again(world):
    listing = world.learning_ids(1)[0]
    draw_id = world.draw(listing)[0]
    before = state_of(world)
    world.decide(listing, draw_id=draw_id)
    assert state_of(world)[5] != []
    with world.writing() as uow:
        undo(uow, None)
    assert state_of(world) == before
    entry = next(entry for entry in world.queue(40) if entry.listing_id == listing)
    assert (entry.blind, entry.draw_id) == (True, draw_id)


def test_that_undo_and_redo_go_to_any_depth_and_across_restarts(world):
    states = [state_of(world)]
    for listing, verdict in zip(world.learning_ids(4), (Verdict.MATCH, Verdict.NONE) * 2, strict=True):
        world.decide(listing, verdict)
        states.append(state_of(world))
    folder = world.store.folder
    for expected in states[-2::-1]:
        world.store.close()
        world.store = Store.open(folder)
        with world.writing() as uow:
            undo(uow, None)
        assert state_of(world) == expected
    with world.writing() as uow, pytest.raises(StaleChangeError, match="no decision to undo"):
        undo(uow, None)
    for expected in states[1:]:
        world.store.close()
        world.store = Store.open(folder)
        with world.writing() as uow:
            redo(uow)
        assert state_of(world) == expected
    with world.writing() as uow, pytest.raises(StaleChangeError, match="nothing to redo"):
        redo(uow)


def test_that_undoing_a_changed_mind_brings_the_first_answer_back_with_its_alias(world):
    listing = world.learning_ids(1)[0]
    world.decide(listing)
    first = state_of(world)
    world.decide(listing, Verdict.NONE)
    with world.writing() as uow:
        undo(uow, None)
    assert state_of(world) == first
    with world.writing() as uow:
        redo(uow)
        assert uow.decisions.in_force_for(listing).verdict == Verdict.NONE
        assert uow.aliases.active(8) == []


def test_that_a_new_decision_ends_redoing(world):
    one, other = world.learning_ids(2)
    world.decide(one)
    with world.writing() as uow:
        undo(uow, None)
    world.decide(other)
    with world.writing() as uow, pytest.raises(StaleChangeError, match="nothing to redo"):
        redo(uow)


def test_that_an_old_decision_can_be_undone_and_only_once(world):
    one, other = world.learning_ids(2)
    old = world.decide(one)
    world.decide(other)
    with world.writing() as uow:
        undo(uow, old.id)
        assert uow.decisions.in_force_for(one) is None
        assert uow.decisions.in_force_for(other) is not None
    with world.writing() as uow, pytest.raises(StaleChangeError, match="not in force"):
        undo(uow, old.id)
    with world.writing() as uow, pytest.raises(NotInWorkspaceError):
        undo(uow, 4711)


def test_that_history_keeps_what_was_undone(world):
    listing = world.learning_ids(1)[0]
    world.decide(listing)
    with world.writing() as uow:
        undo(uow, None)
    with world.reading() as uow:
        assert [(e.decision.verdict, e.decision.undone) for e in uow.decisions.history()] == [("match", True)]


def test_that_each_decision_on_identical_listings_can_be_undone(tmp_path):
    world = SmallWorkspace(tmp_path / "twins", titles=["Acme kettle red"] * 8)
    with world.reading() as uow:
        same = uow.listings.identical_waiting(uow.listings.text_key(1))
    before = state_of(world)
    source = world.decide(same[0], Verdict.MATCH, 7)
    with world.writing() as uow:
        made = decide_identical(uow, source.id, NOW)
    assert made
    for _ in range(1 + len(made)):
        with world.writing() as uow:
            undo(uow, None)
    assert state_of(world) == before
    world.store.close()


STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.just("decide"),
            st.integers(0, 3),
            st.sampled_from([Verdict.MATCH, Verdict.NONE, Verdict.UNSURE]),
        ),
        st.tuples(st.just("undo"), st.just(0), st.none()),
        st.tuples(st.just("redo"), st.just(0), st.none()),
    ),
    max_size=10,
)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_that_any_sequence_of_steps_can_be_undone_to_the_start(tmp_path_factory, steps):
    world = SmallWorkspace(tmp_path_factory.mktemp("steps") / "ws", listings=12, items=16)
    start = state_of(world)
    listings = world.learning_ids(4)
    draws = world.draw(listings[3])
    start = state_of(world)
    for step, which, verdict in steps:
        if step == "decide":
            world.decide(listings[which], verdict)
            continue
        with world.writing() as uow, contextlib.suppress(StaleChangeError):
            (undo(uow, None) if step == "undo" else redo(uow))
    for _ in range(len(steps) + 1):
        with world.writing() as uow:
            if uow.decisions.last_undoable() is None:
                break
            undo(uow, None)
    assert state_of(world) == start
    assert start[3] == draws
    world.store.close()
