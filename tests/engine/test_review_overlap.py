"""Overlap: drawn by lot, asked blind of other eyes, mixed into the queue; gold decisions."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.contracts import Verdict
from engine.errors import InputError, StaleChangeError
from engine.review import second_opinions
from engine.review.overlap import coin, entry_about, mix, without_evidence
from engine.review.queue import card, entry_for
from engine.review.reviewers import reviewers_report
from engine.store import Store
from tests.engine.opinion_samples import asked, draw_all, give, opinions, settle
from tests.engine.small_workspace import NOW, SmallWorkspace


@pytest.fixture
def world(tmp_path):
    made = SmallWorkspace(tmp_path / "ws", listings=60, items=70)
    yield made
    made.store.close()


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


def test_that_audits_and_second_opinions_differ_only_in_what_they_answer(world):
    listing = world.learning_ids(1)[0]
    [draw] = world.draw(listing)
    with world.reading() as uow:
        audit, opinion = entry_for(uow, listing), entry_about(uow, listing, 7)
    served = next(entry for entry in world.queue(40) if entry.listing_id == listing)
    world.decide(listing, Verdict.UNSURE, draw_id=draw)
    with world.writing() as uow:
        uow.listings.recall()
    again = next(entry for entry in world.queue(80) if entry.listing_id == listing)
    assert audit == served == again
    assert ((audit.draw_id, audit.about), (opinion.draw_id, opinion.about)) == ((draw, None), (None, 7))
    assert replace(opinion, draw_id=draw, about=None) == audit


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
