"""What one wrong confirmation can do: settle a few identical listings, carry a few like it, and no more."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.automation.routing import ALONE_AS_ALIAS, ALONE_FROM_MEMORY, Thresholds, place
from engine.contracts import (
    Candidate,
    CertificateKind,
    Placement,
    Remembered,
    Route,
    RouteReason,
    Stream,
    Verdict,
)
from engine.pipeline.match_listings import resting_on_one
from engine.pipeline.score_listings import Scores
from engine.review.decisions import decide_identical
from engine.review.undo import redo, undo
from engine.store import Memory
from engine.workspace import Workspace
from tests.engine.small_workspace import NOW, SmallWorkspace
from tests.loop import FEED, certified_workspace, drain

#: Ten listings with one text, and as many others.
SAME = list(range(1, 11))
TITLES = ["acme kettle steel"] * 10 + [f"bravo toaster no {i}" for i in range(10)]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[SmallWorkspace]:
    made = SmallWorkspace(tmp_path / "w", titles=TITLES)
    yield made
    made.store.close()


@pytest.fixture
def certified(tmp_path: Path) -> Iterator[Workspace]:
    with certified_workspace(tmp_path / "w") as workspace:
        yield workspace


def memory_of(world: SmallWorkspace) -> Memory | None:
    with world.reading() as uow:
        key = uow.listings.text_key(SAME[0])
        return uow.aliases.memory([key], alone=ALONE_FROM_MEMORY).get(key)


def settle_from_memory(world: SmallWorkspace, *listings: int, item: int = 1) -> None:
    with world.writing() as uow:
        candidates = (Candidate(item, 0.5, 0.9, 0.8),)
        made = [
            Placement(i, Route.SETTLED, RouteReason.MEMORY, item, 0.5, 0.1, 0.2, candidates) for i in listings
        ]
        uow.listings.save_placements("r0001", made, [0.5] * len(made))


def routes(world: SmallWorkspace, *listings: int) -> set[tuple[Route, RouteReason]]:
    with world.reading() as uow:
        placed = [uow.listings.placement(i) for i in listings]
    return {(p.route, p.reason) for p in placed if p is not None}


def placed(remembered: Remembered | None, confidence: float = 0.9, **options: bool) -> Placement:
    thresholds = Thresholds(match=0.8, none=0.8, has_matcher=True)
    candidates = (Candidate(7, confidence, 0.9, 0.9), Candidate(8, 0.01, 0.5, 0.5))
    return place(1, candidates, none_confidence=0.05, thresholds=thresholds, remembered=remembered, **options)


def test_that_one_confirmation_settles_a_few_identical_listings_and_a_second_one_all(world):
    world.decide(1, item_id=5)
    alone = memory_of(world)
    assert alone == Memory(5, 1, frozenset({2, 3, 4}))
    assert len(alone.first) == ALONE_FROM_MEMORY
    world.decide(9, item_id=5)
    assert memory_of(world) == Memory(5, 2)


def test_that_the_few_are_those_that_still_wait(world):
    world.decide(1, item_id=5)
    world.draw(2, 3)
    world.decide(2, item_id=5)  # an audit: it certifies, and confirms nothing
    assert memory_of(world) == Memory(5, 1, frozenset({3, 4, 5}))


def test_that_the_same_answer_applied_to_identical_listings_is_no_second_confirmation(world):
    made = world.decide(1, item_id=5)
    with world.writing() as uow:
        copies = decide_identical(uow, made.id, NOW)
    assert copies
    memory = memory_of(world)
    assert memory is not None
    assert (memory.item_id, memory.confirmations) == (5, 1)
    with world.writing() as uow:
        undo(uow, made.id)
    assert memory_of(world) is None


@pytest.mark.parametrize("verdict", [Verdict.NONE, Verdict.VARIANT, Verdict.NEW_ITEM])
def test_that_any_other_answer_to_the_same_text_silences_memory(world, verdict):
    world.decide(1, item_id=5)
    world.decide(9, verdict, 5 if verdict == Verdict.VARIANT else None)
    assert memory_of(world) == Memory(None, 1)


def test_that_an_answer_that_leaves_the_question_open_contradicts_nothing(world):
    world.decide(1, item_id=5)
    world.decide(9, Verdict.UNSURE)
    world.decide(10, Verdict.BAD_LISTING)
    memory = memory_of(world)
    assert memory is not None
    assert memory.item_id == 5


def test_that_an_audit_contradicts_what_was_remembered(world):
    world.decide(1, item_id=5)
    settle_from_memory(world, 2, 3, 4, item=5)
    (draw,) = world.draw(3)
    decision = world.decide(3, Verdict.NONE, draw_id=draw)
    assert decision.stream == Stream.RANDOM
    assert routes(world, 2, 4) == {(Route.REVIEW, RouteReason.CONTRADICTED)}


def test_that_a_contradiction_sends_what_memory_had_settled_to_review_at_once(world):
    world.decide(1, item_id=5)
    settle_from_memory(world, 2, 3, 4, item=5)
    assert routes(world, 2, 3, 4) == {(Route.SETTLED, RouteReason.MEMORY)}
    world.decide(9, item_id=6)
    assert routes(world, 2, 3, 4) == {(Route.REVIEW, RouteReason.CONTRADICTED)}
    # Nor do the two speak for their items elsewhere.
    with world.reading() as uow:
        assert uow.aliases.active(8) == []
    with world.writing() as uow:
        undo(uow)
        assert [alias.listing_id for alias in uow.aliases.active(8)] == [1]


def test_that_an_agreeing_confirmation_leaves_memory_alone(world):
    world.decide(1, item_id=5)
    settle_from_memory(world, 2, 3, 4, item=5)
    world.decide(9, item_id=5)
    assert routes(world, 2, 3, 4) == {(Route.SETTLED, RouteReason.MEMORY)}


def test_that_undoing_a_confirmation_sends_what_it_settled_to_review_at_once(world):
    made = world.decide(1, item_id=5)
    settle_from_memory(world, 2, 3, 4, item=5)
    with world.writing() as uow:
        undo(uow, made.id)
    assert routes(world, 2, 3, 4) == {(Route.REVIEW, RouteReason.WITHDRAWN)}
    assert memory_of(world) is None
    with world.writing() as uow:
        redo(uow)
    assert memory_of(world) == Memory(5, 1, frozenset({2, 3, 4}))


def test_that_a_changed_mind_takes_what_memory_had_settled_along(world):
    world.decide(1, item_id=5)
    settle_from_memory(world, 2, 3, item=5)
    world.decide(1, item_id=6)
    assert routes(world, 2, 3) == {(Route.REVIEW, RouteReason.CONTRADICTED)}
    assert memory_of(world) == Memory(6, 1, frozenset({2, 3, 4}))


def test_that_the_decided_listings_of_a_withdrawn_memory_stay_decided(world):
    made = world.decide(1, item_id=5)
    settle_from_memory(world, 1, 2, item=5)
    world.decide(2, Verdict.BAD_LISTING)
    with world.writing() as uow:
        undo(uow, made.id)
    assert routes(world, 2) == {(Route.SETTLED, RouteReason.DECIDED)}
    # The listing itself does not come back as settled by the memory of itself.
    assert routes(world, 1) == {(Route.REVIEW, RouteReason.WITHDRAWN)}


def test_that_an_item_keeps_its_newest_aliases_up_to_the_cap(world):
    for listing in range(11, 17):
        world.decide(listing, item_id=5)
    with world.reading() as uow:
        assert [alias.listing_id for alias in uow.aliases.active(4)] == [13, 14, 15, 16]


def test_that_memory_settles_what_it_may_and_the_rest_is_reviewed():
    assert placed(Remembered(7, True), 0.5).reason == RouteReason.MEMORY
    beyond = placed(Remembered(7, False), 0.5)
    assert (beyond.route, beyond.reason, beyond.item_id) == (Route.REVIEW, RouteReason.ONE_CONFIRMATION, 7)
    # What the matcher would automate by itself needs no memory, unless the two disagree.
    assert placed(Remembered(7, False)).route == Route.AUTOMATED
    assert placed(Remembered(8, False)).reason == RouteReason.ONE_CONFIRMATION
    assert placed(None).route == Route.AUTOMATED


def test_that_contradicted_texts_are_reviewed_whatever_the_confidence():
    shown = placed(Remembered(None, False), 0.99)
    assert (shown.route, shown.reason) == (Route.REVIEW, RouteReason.CONTRADICTED)


def test_that_a_listing_that_rests_on_one_alias_is_reviewed_but_not_if_it_is_below_the_threshold():
    assert placed(None, rests_on_one=True).reason == RouteReason.ONE_CONFIRMATION
    assert placed(None, 0.5, rests_on_one=True).reason == RouteReason.BELOW_THRESHOLD
    suspended = Thresholds(0.8, None, True, frozenset({CertificateKind.MATCH}))
    candidates = (Candidate(7, 0.9, 0.9, 0.9),)
    found = place(
        1, candidates, none_confidence=0.0, thresholds=suspended, remembered=None, rests_on_one=True
    )
    assert found.reason == RouteReason.SUSPENDED


def test_that_one_alias_carries_a_few_listings_over_the_threshold(certified: Workspace):
    release = drain_result(certified._shelf.open(certified.status().champion or "", certified.settings))
    assert release.certificate is not None
    threshold = release.certificate.threshold
    with certified._store.reading() as uow:
        decided = {d.listing_id for d in uow.decisions.in_force()}
        waiting = [p.listing_id for p in uow.listings.placements(0, 1000) if p.listing_id not in decided]
    some = np.asarray(sorted([*waiting[:8], min(decided)]), dtype=np.int64)
    scores = scores_of(some, confidence=threshold, leans_on=max(decided), unaided=threshold - 0.01)
    expected = [i for i in some.tolist() if i not in decided][ALONE_AS_ALIAS:]
    assert resting_on_one(certified._store, release, scores) == frozenset(expected)
    # Those that would be there without the alias rest on nothing, nor do those without one.
    enough = replace(scores, unaided=np.full(len(some), threshold, np.float32))
    assert resting_on_one(certified._store, release, enough) == frozenset()
    none = replace(scores, leans_on=np.zeros(len(some), np.int64))
    assert resting_on_one(certified._store, release, none) == frozenset()


def test_that_a_withdrawn_alias_speaks_in_no_release_any_more(certified: Workspace):
    champion = certified.status().champion or ""
    before = drain_result(certified._shelf.open(champion, certified.settings))
    assert before.aliases is not None
    with certified._store.reading() as uow:
        alias = uow.aliases.active(8)[0]
    certified.undo(alias.decision_id)
    after = drain_result(certified._shelf.open(champion, certified.settings))
    assert after.aliases is not None
    gone = Counter(before.aliases.listing_id.tolist()) - Counter(after.aliases.listing_id.tolist())
    assert gone == Counter([alias.listing_id])
    drain(certified.match())
    (placement,) = [p for p in certified.placements(feed=FEED) if p.listing_id == alias.listing_id]
    assert placement.reason != RouteReason.MEMORY


def scores_of(listing_ids: np.ndarray, *, confidence: float, leans_on: int, unaided: float) -> Scores:
    n = len(listing_ids)
    column = np.full((n, 1), 1)
    return Scores(
        listing_ids=listing_ids,
        item_ids=column.astype(np.int64),
        confidence=np.full((n, 1), confidence, np.float32),
        similarity=np.zeros((n, 1), np.float32),
        lexical=np.zeros((n, 1), np.float32),
        via_alias=np.zeros((n, 1), bool),
        none_confidence=np.zeros(n, np.float32),
        top_similarity=np.zeros(n, np.float32),
        top_similarity_item=np.zeros(n, np.int64),
        leans_on=np.full(n, leans_on, np.int64),
        unaided=np.full(n, unaided, np.float32),
    )


def drain_result(work):
    """What a generator returns."""
    while True:
        try:
            next(work)
        except StopIteration as end:
            return end.value
