"""Second opinions: without effect, undone like decisions, adjudicated; through the workspace."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from engine.contracts import SecondOpinion, Stream, Verdict
from engine.errors import InputError, StaleChangeError
from engine.learning.evaluate import held_out
from engine.review import second_opinions
from engine.review.decisions import decide
from engine.store import Store
from engine.workspace import Workspace
from tests.engine.opinion_samples import asked, draw_all, effects, give, opinions, settle
from tests.engine.small_workspace import NOW, RELEASE, SmallWorkspace


@pytest.fixture
def world(tmp_path):
    made = SmallWorkspace(tmp_path / "ws", listings=60, items=70)
    yield made
    made.store.close()


# -- without effect, and undone ----------------------------------------------------------------------


def test_that_a_second_opinion_changes_neither_the_pairs_nor_the_certificate(world):
    learnt, audited = world.learning_ids(2)
    draw_id = world.draw(audited)[0]
    world.decide(learnt, reviewer="ann")
    world.decide(audited, reviewer="ann", draw_id=draw_id)
    draw_all(world)
    before = effects(world)
    made = give(world, learnt, Verdict.NONE)
    give(world, audited, item=audited + 1)
    assert effects(world) == before
    assert (made.about, made.shown) == (1, (learnt, learnt + 1, learnt + 2))
    with world.reading() as uow:
        assert uow.decisions.in_force_for(learnt).reviewer == "ann"


def test_that_decisions_and_second_opinions_are_undone_in_one_order_across_restarts(world):
    one, two, three = world.learning_ids(3)
    folder = world.store.folder

    def state():
        return effects(world), opinions(world), asked(world, "bob"), asked(world, "ann")

    steps = [
        lambda: world.decide(one, reviewer="ann"),
        lambda: world.decide(two, reviewer="ann"),
        lambda: give(world, one, Verdict.NONE),
        lambda: world.decide(three, reviewer="ann"),
        lambda: give(world, three),
        lambda: give(world, two, Verdict.NEW_ITEM),
    ]
    states = []
    for step in steps:
        draw_all(world)
        states.append(state())
        step()
    last = state()
    draws = [one, two, three]
    for expected in reversed(states):
        world.store.close()
        world.store = Store.open(folder)
        with world.writing() as uow:
            second_opinions.undo_last(uow)
        assert state()[:2] == expected[:2]
    with world.writing() as uow, pytest.raises(StaleChangeError, match="no decision to undo"):
        second_opinions.undo_last(uow)
    for expected in (*states[1:], last):
        world.store.close()
        world.store = Store.open(folder)
        with world.writing() as uow:
            second_opinions.redo_last(uow)
        assert state()[:2] == expected[:2]
    assert state() == last
    assert asked(world, "bob") == []
    assert draws == [one, two, three]
    with world.writing() as uow, pytest.raises(StaleChangeError, match="nothing to redo"):
        second_opinions.redo_last(uow)


def test_that_something_new_ends_redoing_of_both_kinds(world):
    one, two = world.learning_ids(2)
    world.decide(one, reviewer="ann")
    world.decide(two, reviewer="ann")
    draw_all(world)
    give(world, one)
    with world.writing() as uow:
        assert isinstance(second_opinions.undo_last(uow), SecondOpinion)
    world.decide(world.learning_ids(1)[0], reviewer="ann")
    with world.writing() as uow, pytest.raises(StaleChangeError, match="nothing to redo"):
        second_opinions.redo_last(uow)
    with world.writing() as uow:
        second_opinions.undo_last(uow)
    give(world, two)
    with world.writing() as uow, pytest.raises(StaleChangeError, match="second opinion was given since"):
        second_opinions.redo_last(uow)


def test_that_a_second_opinion_taken_back_is_asked_for_again_and_only_once_given(world):
    listing = world.learning_ids(1)[0]
    world.decide(listing, reviewer="ann")
    draw_all(world)
    made = give(world, listing, Verdict.NONE)
    with world.writing() as uow:
        uow.opinions.undo(made.id)
        with pytest.raises(StaleChangeError, match="already"):
            uow.opinions.undo(made.id)
    assert asked(world, "bob") == [listing]
    give(world, listing, reviewer="eve")
    with world.writing() as uow, pytest.raises(StaleChangeError, match="somebody else"):
        uow.opinions.redo(made.id)
    assert opinions(world) == [("eve", (Verdict.MATCH, listing))]


# -- adjudication ------------------------------------------------------------------------------------


def test_that_only_disagreements_wait_and_both_sides_are_told(world):
    agreed, differing = world.learning_ids(2)
    for listing in (agreed, differing):
        world.decide(listing, reviewer="ann", note="by the box")
    draw_all(world)
    give(world, agreed)
    give(world, differing, item=differing + 1)
    with world.reading() as uow:
        [waiting] = uow.opinions.disagreements()
        assert uow.opinions.disagreement_count() == 1
    assert (waiting.listing_external_id, waiting.decision.reviewer, waiting.opinion.reviewer) == (
        f"L{differing}",
        "ann",
        "bob",
    )
    assert (waiting.decision_item_external_id, waiting.opinion_item_external_id) == (
        f"P{differing}",
        f"P{differing + 1}",
    )
    assert waiting.decision.note == "by the box"


@pytest.mark.parametrize("confirmed", [True, False])
def test_that_the_adjudicated_verdict_takes_force_and_undoing_it_brings_the_disagreement_back(
    world, confirmed
):
    listing = world.learning_ids(1)[0]
    first = world.decide(listing, reviewer="ann")
    draw_all(world)
    give(world, listing, Verdict.NONE)
    before = effects(world)
    made = settle(world, listing, Verdict.MATCH if confirmed else Verdict.NONE, note="seen the picture")
    with world.reading() as uow:
        assert uow.decisions.in_force_for(listing).id == made.id
        assert uow.opinions.disagreements() == []
        [row] = uow.opinions.compared()
        assert (row.adjudicator, row.adjudicated[0]) == ("eve", made.verdict)
        assert (row.first_answer[0], row.second_answer[0]) == (Verdict.MATCH, Verdict.NONE)
    assert (made.stream, made.note) == (first.stream, "seen the picture")
    with world.writing() as uow:
        assert second_opinions.undo_last(uow).id == made.id
        assert [one.decision.id for one in uow.opinions.disagreements()] == [first.id]
        assert uow.opinions.compared()[0].adjudicator is None
    assert effects(world) == before
    with world.writing() as uow:
        second_opinions.redo_last(uow)
        assert uow.decisions.in_force_for(listing).id == made.id


def test_that_matches_agree_where_they_have_a_right_item_in_common(world):
    meets, same, apart, variant = listings = world.learning_ids(4)
    for listing in (meets, same, apart):
        world.decide(listing, reviewer="ann", also_right=[listing + 1])
    world.decide(variant, Verdict.VARIANT, variant, reviewer="ann")
    assert sorted(draw_all(world)) == sorted(listings)
    give(world, meets, item=meets + 1, also_right=[meets + 2])
    give(world, same, item=same + 1)
    give(world, apart, item=apart + 2)
    give(world, variant, item=variant)
    with world.reading() as uow:
        waiting = {one.decision.listing_id: one for one in uow.opinions.disagreements()}
        compared = uow.opinions.compared()
        agreeing = {row.first_answer[1] for row in compared if row.first_answer == row.second_answer}
    assert set(waiting) == {apart, variant}
    assert agreeing == {meets, same}
    assert [words[0] for words in waiting[apart].decision_also_right] == [f"P{apart + 1}"]
    assert waiting[apart].opinion_also_right == ()


def test_that_whoever_named_an_item_the_adjudicator_calls_right_was_right(world):
    listing = world.learning_ids(1)[0]
    world.decide(listing, reviewer="ann")
    draw_all(world)
    give(world, listing, item=listing + 1)
    made = settle(world, listing, item=listing + 2, also_right=[listing, listing + 1])
    assert made.right_items == (listing + 2, listing, listing + 1)
    with world.reading() as uow:
        [row] = uow.opinions.compared()
    assert row.first_answer == row.second_answer == row.adjudicated == (Verdict.MATCH, listing + 2)


def test_that_an_adjudicated_audit_stays_an_audit_and_certifies_with_the_adjudicated_answer(world):
    listing = world.learning_ids(1)[0]
    draw_id = world.draw(listing)[0]
    world.decide(listing, reviewer="ann", draw_id=draw_id)
    draw_all(world)
    give(world, listing, Verdict.NONE)
    made = settle(world, listing, Verdict.NONE)
    assert (made.stream, made.draw_id) == (Stream.RANDOM, draw_id)
    with world.reading() as uow:
        certifying = held_out(uow.decisions.in_force())
        assert [one.id for one in certifying] == [made.id]
        assert not certifying[0].confirms(listing)
        assert uow.aliases.active(8) == []


def test_that_what_is_not_in_dispute_cannot_be_adjudicated(world):
    listing = world.learning_ids(1)[0]
    world.decide(listing, reviewer="ann")
    with pytest.raises(StaleChangeError, match="no disagreement"):
        settle(world, listing)
    draw_all(world)
    give(world, listing, Verdict.NONE)
    with pytest.raises(InputError, match="unsure does not settle"):
        settle(world, listing, Verdict.UNSURE)


# -- through the workspace ---------------------------------------------------------------------------


def test_that_the_workspace_draws_serves_and_takes_back(tmp_path):
    small = SmallWorkspace(tmp_path / "shop", listings=30, items=40)
    listing, other = small.learning_ids(2)
    small.decide(listing, reviewer="ann")
    small.decide(other, reviewer="ann")
    small.store.close()
    with Workspace.open(tmp_path / "shop") as workspace:
        assert not any(entry.about for entry in workspace.queue(limit=40, reviewer="bob"))
        workspace.update_settings(overlap_share=1.0)
        assert not any(entry.about for entry in workspace.queue(limit=40))
        waiting = [entry for entry in workspace.queue(limit=40, reviewer="bob") if entry.about]
        assert {entry.listing_id for entry in waiting} == {listing, other}
        assert all(view.candidate.confidence == 0 for view in workspace.card(waiting[0]).candidates)
        opinion, changes = workspace.give_second_opinion(
            listing_id=listing, about=waiting[0].about, verdict=Verdict.NONE, reviewer="bob"
        )
        assert (changes.opinions, changes.decisions, changes.routes) == (True, False, False)
        assert workspace.reviewers().to_adjudicate == 1
    with Workspace.open(tmp_path / "shop") as workspace:
        undone, changes = workspace.undo()
        assert (undone.id, undone.undone, changes.opinions) == (opinion.id, True, True)
        assert workspace.card_again(undone).entry.about == waiting[0].about
        workspace.redo()
        workspace.undo_second_opinion(opinion.id)
        assert workspace.disagreements() == []


def test_that_a_killed_process_keeps_whole_second_opinions_and_no_half_ones(world):
    listings = world.learning_ids(20)
    for listing in listings:
        world.decide(listing, reviewer="ann")
    draw_all(world)
    folder = world.store.folder
    world.store.close()
    script = (
        "import sys\nfrom pathlib import Path\nfrom engine.contracts import Verdict\n"
        "from engine.workspace import Workspace\n"
        "ws = Workspace.open(Path(sys.argv[1]))\n"
        "for listing in map(int, sys.argv[2:]):\n"
        "    about = ws.decision_on(f'L{listing}').id\n"
        "    ws.give_second_opinion(listing_id=listing, about=about, verdict=Verdict.NONE, reviewer='bob')\n"
        "    print('saved', listing, flush=True)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(folder), *map(str, listings)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).resolve().parents[2],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    saved = [int(process.stdout.readline().split()[1]) for _ in range(5)]
    process.send_signal(signal.SIGKILL)
    rest = process.stdout.read().split()
    process.wait()
    process.stdout.close()
    world.store = Store.open(folder)
    with world.reading() as uow:
        kept = {one.opinion.listing_id for one in uow.opinions.disagreements()}
        waiting, answered, _ = uow.overlaps.counts()
    assert {*saved, *map(int, rest[1::2])} <= kept
    assert (answered, waiting) == (len(kept), len(listings) - len(kept))
    assert {*asked(world, "bob")} == {*listings} - kept


def test_that_redeciding_a_listing_oneself_is_still_a_decision(world):
    listing = world.learning_ids(1)[0]
    world.decide(listing, reviewer="ann")
    draw_all(world)
    with world.writing() as uow:
        made = decide(
            uow,
            listing_id=listing,
            verdict=Verdict.NONE,
            item_id=None,
            reviewer="bob",
            champion=RELEASE,
            now=NOW,
        )
        assert uow.decisions.in_force_for(listing).id == made.id
