"""Deciding, over a real database."""

from __future__ import annotations

import pytest

from engine.contracts import Listing, Route, RouteReason, Stream, Verdict
from engine.errors import InputError, NotInWorkspaceError, StaleChangeError
from engine.intake.record_text import text_key
from engine.learning.evaluate import held_out
from engine.learning.pairs import build_pairs
from engine.review.decisions import decide_identical
from engine.store.memory import Remembered
from tests.engine.small_workspace import NOW, RELEASE, SmallWorkspace, candidates_of


@pytest.fixture
def world(tmp_path):
    made = SmallWorkspace(tmp_path / "ws")
    yield made
    made.store.close()


def test_that_a_decision_settles_its_listing_and_keeps_what_was_on_screen(world):
    listing = world.learning_ids(1)[0]
    made = world.decide(listing, Verdict.MATCH, listing + 1, rejected=[listing + 2], note=" near twin ")
    assert made.id > 0
    assert (made.verdict, made.item_id, made.reviewer, made.decided_at) == ("match", listing + 1, "ada", NOW)
    assert (made.release_id, made.stream, made.note) == (RELEASE, Stream.LEARNING, "near twin")
    assert made.shown == (listing, listing + 1, listing + 2)
    assert made.rejected == (listing + 2,)
    with world.reading() as uow:
        placement = uow.listings.placement(listing)
        assert (placement.route, placement.reason) == (Route.SETTLED, RouteReason.DECIDED)
        assert uow.decisions.in_force_for(listing) == made
    assert listing not in [entry.listing_id for entry in world.queue(40)]


def test_that_a_confirmed_listing_becomes_an_alias_of_its_item(world):
    listing = world.learning_ids(1)[0]
    made = world.decide(listing)
    with world.reading() as uow:
        alias = uow.aliases.active(8)[0]
        assert (alias.item_id, alias.listing_id, alias.decision_id) == (listing, listing, made.id)
        assert uow.memory.recall([alias.text_key]) == {alias.text_key: Remembered(listing, 1)}


def test_that_a_match_names_every_right_item_and_confirms_one(world):
    listing = world.learning_ids(1)[0]
    made = world.decide(listing, also_right=[listing + 2, listing + 2, 50], rejected=[listing + 1])
    assert made.right_items == (listing, listing + 2, 50)
    assert made.confirms(listing + 2)
    assert not made.confirms(listing + 1)
    assert not made.confirms(None)
    with world.reading() as uow:
        assert uow.decisions.in_force_for(listing) == made
        assert [alias.item_id for alias in uow.aliases.active(8)] == [listing]
        [entry] = uow.decisions.history("P50")
        assert entry.also_right == (
            (f"P{listing + 2}", f"Acme kettle {listing + 2} steel"),
            ("P50", "Acme kettle 50 steel"),
        )


@pytest.mark.parametrize(
    ("verdict", "item", "also_right", "rejected", "message"),
    [
        (Verdict.VARIANT, 1, [2], [], "only match"),
        (Verdict.NONE, None, [2], [], "only match"),
        (Verdict.MATCH, 1, [2, 1], [], "name it once"),
        (Verdict.MATCH, 1, [2], [2], "among the rejected"),
        (Verdict.MATCH, 1, [999], [], "no item with number 999"),
    ],
)
def test_that_items_that_cannot_be_also_right_are_refused_and_nothing_is_kept(
    world, verdict, item, also_right, rejected, message
):
    with pytest.raises(InputError, match=message):
        world.decide(1, verdict, item, also_right=also_right, rejected=rejected)
    with world.reading() as uow:
        assert uow.decisions.last_number() == 0


@pytest.mark.parametrize(
    "verdict", [Verdict.NONE, Verdict.NEW_ITEM, Verdict.UNSURE, Verdict.BAD_LISTING, Verdict.VARIANT]
)
def test_that_only_a_match_makes_an_alias(world, verdict):
    listing = world.learning_ids(1)[0]
    world.decide(listing, verdict, listing if verdict == Verdict.VARIANT else None)
    with world.reading() as uow:
        assert uow.aliases.active(8) == []


def test_that_a_blind_audit_settles_and_certifies_but_never_teaches(world):
    drawn, learnt = world.learning_ids(2)
    draw_id = world.draw(drawn)[0]
    audit = world.decide(drawn, draw_id=draw_id)
    taught = world.decide(learnt)
    assert (audit.stream, audit.draw_id, audit.draw_probability) == (Stream.RANDOM, draw_id, 0.25)
    with world.reading() as uow:
        assert uow.listings.placement(drawn).route == Route.SETTLED
        assert [alias.decision_id for alias in uow.aliases.active(8)] == [taught.id]
        pairs, _ = build_pairs(uow, text_of=lambda record: record.title, seed=0)
        assert set(pairs.column("listing_id").to_pylist()) == {learnt}
        assert held_out(uow.decisions.in_force()) == [audit]


def test_that_a_drawn_listing_is_judged_as_its_draw_whichever_way_it_was_reached(world):
    drawn = world.learning_ids(1)[0]
    draw_id = world.draw(drawn)[0]
    made = world.decide(drawn, stream=Stream.MANUAL)
    assert (made.stream, made.draw_id) == (Stream.RANDOM, draw_id)
    with world.reading() as uow:
        assert uow.draws.open() == []
        assert uow.aliases.active(8) == []


def test_that_a_listing_settled_by_the_machine_is_decided_manually(world):
    listing = world.learning_ids(1)[0]
    world.place({listing: (Route.AUTOMATED, 0.99)})
    made = world.decide(listing, Verdict.NONE)
    assert made.stream == Stream.MANUAL


def test_that_deciding_again_supersedes_with_alias_and_training(world):
    listing = world.learning_ids(1)[0]
    first = world.decide(listing)
    second = world.decide(listing, Verdict.NONE)
    with world.reading() as uow:
        assert uow.decisions.get(first.id).undone
        assert [d.id for d in uow.decisions.in_force()] == [second.id]
        assert second.stream == Stream.LEARNING
        assert uow.aliases.active(8) == []
        pairs, _ = build_pairs(uow, text_of=lambda record: record.title, seed=0)
        assert "match" not in pairs.column("verdict").to_pylist()


def test_that_deciding_an_audit_again_stays_an_audit(world):
    drawn = world.learning_ids(1)[0]
    draw_id = world.draw(drawn)[0]
    world.decide(drawn, draw_id=draw_id)
    again = world.decide(drawn, Verdict.NONE)
    assert (again.stream, again.draw_id) == (Stream.RANDOM, draw_id)
    with world.reading() as uow:
        assert uow.decisions.counts().random == 1
        assert uow.draws.by_decision(again.id).id == draw_id
        assert uow.draws.open() == []


def test_that_an_audit_left_unsure_comes_back_blind_and_stays_an_audit(world):
    drawn = world.learning_ids(1)[0]
    draw_id = world.draw(drawn)[0]
    world.decide(drawn, Verdict.UNSURE, draw_id=draw_id)
    entry = next(entry for entry in world.queue(40) if entry.listing_id == drawn)
    assert (entry.blind, entry.draw_id, entry.stream) == (True, draw_id, "random")
    final = world.decide(drawn, draw_id=entry.draw_id)
    assert final.stream == Stream.RANDOM
    with world.reading() as uow:
        assert uow.aliases.active(8) == []


def test_that_a_choice_beyond_the_screen_keeps_all_that_was_above_it(world):
    listing = world.learning_ids(1)[0]
    with world.writing() as uow:
        uow.settings.save(uow.settings.load().model_copy(update={"shown_candidates": 1}))
    assert world.decide(listing, Verdict.MATCH, listing + 1).shown == (listing, listing + 1)


def test_that_an_item_found_by_search_can_be_confirmed(world):
    listing = world.learning_ids(1)[0]
    assert world.decide(listing, Verdict.MATCH, 50).item_id == 50


@pytest.mark.parametrize(
    ("verdict", "item", "rejected", "message"),
    [
        (Verdict.VARIANT, None, (), "needs an item"),
        (Verdict.NONE, 3, (), "takes no item"),
        (Verdict.MATCH, 3, (3,), "among the rejected"),
        (Verdict.MATCH, 9999, (), "no item with number 9999"),
        (Verdict.MATCH, 3, (8888,), "no item with number 8888"),
    ],
)
def test_that_what_does_not_go_together_is_refused_and_nothing_is_kept(
    world, verdict, item, rejected, message
):
    listing = world.learning_ids(1)[0]
    with pytest.raises(InputError, match=message):
        world.decide(listing, verdict, item, rejected=rejected)
    with world.reading() as uow:
        assert uow.decisions.counts().total == 0


def test_that_a_nameless_reviewer_and_an_unknown_listing_are_refused(world):
    with pytest.raises(InputError, match="name of its reviewer"):
        world.decide(1, reviewer="  ")
    with pytest.raises(NotInWorkspaceError, match="no listing with number 777"):
        world.decide(777, Verdict.NONE)


def test_that_a_draw_of_another_listing_or_an_answered_one_is_stale(world):
    one, other = world.learning_ids(2)
    draw_id = world.draw(one)[0]
    with pytest.raises(StaleChangeError, match="does not wait"):
        world.decide(other, draw_id=draw_id)
    world.decide(one, draw_id=draw_id)
    with world.reading() as uow:
        assert uow.decisions.in_force_for(other) is None
    with pytest.raises(InputError, match="was not drawn"):
        world.decide(other, stream=Stream.RANDOM)


def test_that_a_decision_lapses_with_its_text_and_the_listing_is_asked_again(world):
    listing = world.learning_ids(1)[0]
    world.decide(listing)
    with world.writing() as uow:
        record = uow.listings.get(listing)
        changed = Listing(0, record.external_id, "something else")
        uow.listings.upsert(record.feed_id, [changed], [text_key(changed)])
    with world.reading() as uow:
        assert uow.aliases.active(8) == []
        pairs, _ = build_pairs(uow, text_of=lambda record: record.title, seed=0)
        assert pairs.num_rows == 0
    world.place({listing: (Route.REVIEW, 0.5)})
    assert listing in [entry.listing_id for entry in world.queue(40)]


class TestIdentical:
    @pytest.fixture
    def twins(self, tmp_path):
        made = SmallWorkspace(tmp_path / "twins", titles=["Acme kettle red"] * 12 + ["Acme kettle blue"] * 4)
        yield made
        made.store.close()

    def test_that_the_answer_goes_to_all_waiting_ones_with_the_same_text(self, twins):
        with twins.reading() as uow:
            same = uow.listings.identical_waiting(uow.listings.text_key(1))
        assert len(same) >= 3
        source = twins.decide(same[0], Verdict.MATCH, 7, rejected=[8], also_right=[9])
        with twins.writing() as uow:
            made = decide_identical(uow, source.id, NOW)
        assert [d.listing_id for d in made] == same[1:]
        said = {(d.verdict, d.right_items, d.rejected, d.reviewer) for d in made}
        assert said == {("match", (7, 9), (8,), "ada")}
        with twins.writing() as uow:
            assert decide_identical(uow, source.id, NOW) == []

    def test_that_an_audit_is_not_applied_to_others(self, twins):
        with twins.reading() as uow:
            same = uow.listings.identical_waiting(uow.listings.text_key(1))
        draw_id = twins.draw(same[0])[0]
        audit = twins.decide(same[0], Verdict.MATCH, 7, draw_id=draw_id)
        with twins.writing() as uow, pytest.raises(InputError, match="own listing only"):
            decide_identical(uow, audit.id, NOW)

    def test_that_a_draw_is_not_swept_along(self, twins):
        with twins.reading() as uow:
            same = uow.listings.identical_waiting(uow.listings.text_key(1))
        open_draw = twins.draw(same[1])[0]
        unsure_draw = twins.draw(same[2])[0]
        twins.decide(same[2], Verdict.UNSURE, draw_id=unsure_draw)
        source = twins.decide(same[0], Verdict.NONE)
        with twins.writing() as uow:
            made = decide_identical(uow, source.id, NOW)
        assert [d.listing_id for d in made] == same[3:]
        assert all(d.stream == Stream.LEARNING for d in made)
        with twins.reading() as uow:
            assert [draw.id for draw in uow.draws.open()] == [open_draw]

    def test_that_an_undone_or_unsure_decision_is_not_applied(self, twins):
        with twins.reading() as uow:
            same = uow.listings.identical_waiting(uow.listings.text_key(1))
        unsure = twins.decide(same[0], Verdict.UNSURE)
        replaced = twins.decide(same[0], Verdict.NONE)
        with twins.writing() as uow, pytest.raises(StaleChangeError):
            decide_identical(uow, unsure.id, NOW)
        again = twins.decide(same[0], Verdict.UNSURE)
        assert again.id != replaced.id
        with twins.writing() as uow, pytest.raises(InputError, match="not an answer"):
            decide_identical(uow, again.id, NOW)


def test_that_the_evidence_on_screen_is_kept_exactly(world):
    listing = world.learning_ids(1)[0]
    made = world.decide(listing, Verdict.NONE)
    with world.reading() as uow:
        assert uow.decisions.shown_candidates(made.id) == candidates_of(listing, 0.4 + listing / 1000)
