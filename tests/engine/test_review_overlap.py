"""Second opinions: drawn by lot, blind, of other eyes, without effect, undone like decisions; adjudicated."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from engine.contracts import SecondOpinion, Stream, Verdict
from engine.errors import InputError, StaleChangeError
from engine.learning.evaluate import held_out, right_items
from engine.learning.pairs import build_pairs
from engine.review import second_opinions
from engine.review.adjudication import adjudicate
from engine.review.decisions import decide
from engine.review.overlap import POLICY, coin, due_draws, entry_about, mix, without_evidence
from engine.review.queue import card
from engine.review.reviewers import reviewers_report
from engine.store import Store
from engine.workspace import Workspace
from tests.engine.small_workspace import NOW, RELEASE, SmallWorkspace


@pytest.fixture
def world(tmp_path):
    made = SmallWorkspace(tmp_path / "ws", listings=60, items=70)
    yield made
    made.store.close()


def draw_all(world, share=1.0):
    with world.writing() as uow:
        due = due_draws(uow, share, seed=0)
        uow.overlaps.add(due, share, POLICY)
    return [listing for _, listing in due]


def asked(world, reviewer):
    with world.reading() as uow:
        return [one.listing_id for one in uow.overlaps.asked_of(reviewer, 1000)]


def give(world, listing, verdict=Verdict.MATCH, item=None, reviewer="bob", about=None):
    with world.writing() as uow:
        if about is None:
            about = uow.overlaps.asked_on(listing, reviewer).about
        return second_opinions.give(
            uow,
            listing_id=listing,
            about=about,
            verdict=verdict,
            item_id=(item or listing) if verdict == Verdict.MATCH else None,
            reviewer=reviewer,
            champion=RELEASE,
            now=NOW,
        )


def settle(world, listing, verdict=Verdict.MATCH, item=None, reviewer="eve", note=""):
    with world.writing() as uow:
        return adjudicate(
            uow,
            listing_id=listing,
            verdict=verdict,
            item_id=(item or listing) if verdict == Verdict.MATCH else None,
            reviewer=reviewer,
            note=note,
            champion=RELEASE,
            now=NOW,
        )


def effects(world):
    """All that training and certificates are made of, and where every listing stands."""
    with world.reading() as uow:
        return (
            build_pairs(uow, text_of=lambda record: record.title, seed=0).pairs.to_pylist(),
            [(d.id, d.verdict, d.item_id) for d in held_out(uow.decisions.in_force())],
            [alias.decision_id for alias in uow.aliases.active(8)],
            uow.listings.placements(0, 1000),
            [draw.id for draw in uow.draws.open()],
            uow.decisions.counts(),
        )


def opinions(world):
    with world.reading() as uow:
        return [(one.second, one.second_answer) for one in uow.opinions.compared()]


# -- drawing -----------------------------------------------------------------------------------------


def test_that_a_share_of_the_decisions_is_drawn_whatever_they_say_and_whoever_made_them(world):
    listings = world.learning_ids(30)
    for number, listing in enumerate(listings):
        world.decide(
            listing, (Verdict.MATCH, Verdict.NONE)[number % 2], reviewer=("ann", "bob")[number % 3 > 0]
        )
    expected = [listing for n, listing in enumerate(listings, start=1) if coin(0, n) < 0.4]
    assert draw_all(world, 0.4) == expected
    assert 4 < len(expected) < 20


def test_that_coins_are_uniform_and_differ_with_the_seed():
    tossed = [coin(seed, number) for seed in range(3) for number in range(4000)]
    assert sum(one < 0.1 for one in tossed) / len(tossed) == pytest.approx(0.1, abs=0.01)
    assert coin(0, 5) != coin(1, 5)


def test_that_a_decision_is_drawn_once_and_a_higher_share_draws_from_earlier_ones_too(world):
    listings = world.learning_ids(20)
    for listing in listings[:10]:
        world.decide(listing)
    first = draw_all(world, 0.3)
    assert draw_all(world, 0.3) == []
    for listing in listings[10:]:
        world.decide(listing)
    later = draw_all(world, 0.3)
    raised = draw_all(world, 1.0)
    assert sorted([*first, *later, *raised]) == sorted(listings)
    assert {*later} <= {*listings[10:]}


def test_that_the_probability_of_every_draw_is_kept(world):
    world.decide(world.learning_ids(1)[0])
    draw_all(world, 0.9)
    with world.reading() as uow:
        assert uow.overlaps.last_draw()[1] == 0.9


def test_that_unsure_and_adjudicated_decisions_are_not_asked_again(world):
    unsure, listing = world.learning_ids(2)
    world.decide(unsure, Verdict.UNSURE, reviewer="ann")
    world.decide(listing, reviewer="ann")
    assert draw_all(world) == [listing]
    give(world, listing, Verdict.NONE)
    settle(world, listing)
    assert draw_all(world) == []


# -- of whom -----------------------------------------------------------------------------------------


def test_that_nobody_is_asked_about_their_own_decision_or_twice(world):
    one, other = world.learning_ids(2)
    world.decide(one, reviewer="ann")
    world.decide(other, reviewer="bob")
    draw_all(world)
    assert (asked(world, "ann"), asked(world, "bob")) == ([other], [one])
    give(world, one)
    assert (asked(world, "bob"), asked(world, "eve")) == ([], [other])
    with pytest.raises(StaleChangeError, match="ann is not asked"):
        give(world, one, reviewer="ann", about=1)
    with pytest.raises(StaleChangeError, match="bob is not asked"):
        give(world, one, about=1)


def test_that_who_has_seen_a_listing_before_is_not_asked_even_if_they_took_it_back(world):
    listing = world.learning_ids(1)[0]
    world.decide(listing, Verdict.NONE, reviewer="bob")
    with world.writing() as uow:
        second_opinions.undo_last(uow)
    world.decide(listing, reviewer="ann")
    draw_all(world)
    assert (asked(world, "bob"), asked(world, "eve")) == ([], [listing])


def test_that_a_decision_that_lost_its_force_is_not_asked_about_until_it_has_it_again(world):
    listing = world.learning_ids(1)[0]
    world.decide(listing, reviewer="ann")
    draw_all(world)
    world.decide(listing, Verdict.NONE, reviewer="ann")
    assert asked(world, "bob") == []
    with world.writing() as uow:
        second_opinions.undo_last(uow)
    assert asked(world, "bob") == [listing]


def test_that_a_whole_shift_of_second_opinions_never_repeats_a_pair_of_eyes(world):
    listings = world.learning_ids(24)
    for number, listing in enumerate(listings):
        world.decide(listing, reviewer=("ann", "bob", "eve")[number % 3])
    draw_all(world)
    seen = {(number % 3, listing) for number, listing in enumerate(listings)}
    for turn in range(40):
        who = turn % 3
        name = ("ann", "bob", "eve")[who]
        if not (waiting := asked(world, name)):
            continue
        assert (who, waiting[0]) not in seen
        seen.add((who, waiting[0]))
        give(world, waiting[0], (Verdict.MATCH, Verdict.NONE)[turn % 2], reviewer=name)
    assert [asked(world, name) for name in ("ann", "bob", "eve")] == [[], [], []]
    assert len(opinions(world)) == len(listings)


# -- in the queue ------------------------------------------------------------------------------------


def page(world, reviewer, limit=20, *, share=0.25, gold=0.0, skip=()):
    entries = world.queue(limit, skip=skip)
    with world.reading() as uow:
        return mix(
            uow,
            entries,
            reviewer=reviewer,
            limit=limit,
            feed_id=None,
            skip=skip,
            overlap_share=share,
            gold_share=gold,
        )


def test_that_second_opinions_have_their_share_of_the_answers(world):
    for listing in world.learning_ids(10):
        world.decide(listing, reviewer="ann")
    draw_all(world)
    shown = page(world, "bob")
    assert [bool(entry.about) for entry in shown] == [n % 5 == 4 for n in range(20)]
    assert len({entry.listing_id for entry in shown}) == 20
    assert not any(entry.about for entry in page(world, "ann"))
    assert not any(entry.about for entry in page(world, "bob", share=0.0))


def test_that_answering_one_at_a_time_keeps_the_share_across_restarts(world):
    for listing in world.learning_ids(10):
        world.decide(listing, reviewer="ann")
    draw_all(world)
    served = ""
    folder = world.store.folder
    for _ in range(15):
        world.store.close()
        world.store = Store.open(folder)
        entry = page(world, "bob", 1)[0]
        served += "S" if entry.about else "."
        if entry.about:
            give(world, entry.listing_id)
        else:
            world.decide(entry.listing_id, reviewer="bob", draw_id=entry.draw_id)
    assert served == "....S....S....S"


def test_that_second_opinions_fill_the_page_when_the_queue_is_dry(world):
    decided = world.learning_ids(4)
    for listing in decided:
        world.decide(listing, reviewer="ann")
    draw_all(world)
    with world.reading() as uow:
        rest = [entry.listing_id for entry in world.queue(100)]
        shown = mix(
            uow,
            [],
            reviewer="bob",
            limit=10,
            feed_id=None,
            skip=rest,
            overlap_share=0.1,
            gold_share=0.0,
        )
    assert [entry.listing_id for entry in shown] == decided
    assert len(page(world, "bob", 5, skip=decided)) == 5


def test_that_a_second_opinion_looks_like_an_audit_and_tells_nothing(world):
    drawn, listing = world.learning_ids(2)
    world.draw(drawn)
    world.decide(listing, item_id=listing + 2, reviewer="ann", note="clear case")
    draw_all(world)
    with world.reading() as uow:
        audit = next(entry for entry in world.queue(40) if entry.blind)
        entry = entry_about(uow, listing, 1)
        shown = without_evidence(card(uow, entry, shown=10))
    for field in ("reason", "confidence", "margin", "stream", "blind"):
        assert getattr(entry, field) == getattr(audit, field)
    assert [view.item.title for view in shown.candidates] == sorted(
        view.item.title for view in shown.candidates
    )
    assert {
        (v.candidate.confidence, v.candidate.similarity, v.candidate.via_alias) for v in shown.candidates
    } == {(0.0, 0.0, False)}
    assert "clear case" not in repr(shown)
    assert "ann" not in repr(shown.past_matches)


def test_that_gold_decisions_are_slipped_in_for_everybody_else_and_count(world):
    gold, *rest = world.learning_ids(4)
    made = world.decide(gold, reviewer="owner")
    with world.writing() as uow:
        second_opinions.mark_gold(uow, made.id, gold=True, reviewer="owner", now=NOW)
    assert [bool(entry.about) for entry in page(world, "bob", 4, gold=0.5)] == [True, False, False, False]
    assert not any(entry.about for entry in page(world, "owner", gold=0.5))
    give(world, gold, Verdict.NONE)
    give(world, gold, reviewer="eve")
    assert not any(entry.about for entry in page(world, "bob", gold=0.5))
    with world.reading() as uow:
        found = {one.reviewer: one.gold for one in reviewers_report(uow).reviewers}
        # What contradicts gold is an error of the reviewer's and no case for adjudication.
        assert uow.opinions.disagreements() == []
    assert (found["bob"].estimate, found["eve"].estimate, found["owner"].judged) == (0.0, 1.0, 0)
    with world.writing() as uow:
        second_opinions.mark_gold(uow, made.id, gold=False, reviewer="owner", now=NOW)
        assert [one.opinion.reviewer for one in uow.opinions.disagreements()] == ["bob"]
        with pytest.raises(InputError, match="not gold"):
            second_opinions.mark_gold(uow, made.id, gold=False, reviewer="owner", now=NOW)
    unsure = world.decide(rest[0], Verdict.UNSURE)
    with world.writing() as uow, pytest.raises(InputError, match="unsure"):
        second_opinions.mark_gold(uow, unsure.id, gold=True, reviewer="owner", now=NOW)


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
        assert right_items(certifying)[0] != listing
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
