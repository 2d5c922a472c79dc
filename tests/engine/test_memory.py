"""Memory and its protection: what one wrong confirmation can do, and that it is taken back whole."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from engine.contracts import RecordKind, Route, RouteReason, Verdict
from engine.pipeline.match_listings import UNCONFIRMED_REPEATS
from engine.workspace import Workspace
from tests.loop import certified_workspace, drain, sample_files, tiny_base

REPEATS = 12


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Workspace]:
    """A matched workspace in which twelve listings have one text and twelve another."""
    titles = pl.read_csv(sample_files() / "catalogue.csv")["title"].to_list()
    rows = [(f"a{n}", titles[0]) for n in range(REPEATS)] + [(f"b{n}", titles[1]) for n in range(REPEATS)]
    pl.DataFrame(rows, schema=["listing_id", "title"], orient="row").write_csv(tmp_path / "feed.csv")
    with tiny_base(), Workspace.create(tmp_path / "w") as workspace:
        # Nothing is in reserve: every listing can be decided in the queue.
        workspace.update_settings(random_share=0.0)
        drain(workspace.import_table(sample_files() / "catalogue.csv", RecordKind.CATALOGUE))
        drain(workspace.import_table(tmp_path / "feed.csv", RecordKind.LISTINGS, feed="repeats"))
        drain(workspace.match())
        yield workspace


def _listings(shop: Workspace, text: str) -> list[int]:
    """Numbers of the listings of one text that are judged in the open, by number."""
    with shop._store.reading() as uow:
        reserve = set(uow.listings.reserve_zone().undrawn.tolist())
        found = uow.listings.page(limit=100)
    return [one.id for one in found if one.external_id.startswith(text) and one.id not in reserve]


def _settled(shop: Workspace) -> dict[int, int]:
    return {
        p.listing_id: p.item_id or 0
        for p in shop.placements(feed="repeats")
        if p.route is Route.SETTLED and p.reason is RouteReason.MEMORY
    }


def _items(shop: Workspace) -> list[int]:
    with shop._store.reading() as uow:
        return [item.id for item in uow.items.page(limit=3)]


def _confirm(shop: Workspace, listing: int, item: int, reviewer: str = "ann") -> int:
    decision, _ = shop.decide(listing_id=listing, verdict=Verdict.MATCH, item_id=item, reviewer=reviewer)
    return decision.id


def test_that_one_confirmation_settles_a_few_repeats_and_a_second_the_rest(shop: Workspace) -> None:
    right = _items(shop)[0]
    first, second = _listings(shop, "a")[:2]
    _confirm(shop, first, right)
    drain(shop.match())
    once = _settled(shop)
    assert len(once) == UNCONFIRMED_REPEATS
    assert set(once.values()) == {right}
    _confirm(shop, second, right, "bob")
    drain(shop.match())
    assert len(_settled(shop)) == REPEATS - 2
    assert set(_settled(shop).values()) == {right}


def test_that_undo_takes_back_at_once_what_memory_had_settled(shop: Workspace) -> None:
    wrong = _items(shop)[2]
    before = {p.listing_id: p.route for p in shop.placements(feed="repeats")}
    made = _confirm(shop, _listings(shop, "a")[0], wrong)
    drain(shop.match())
    assert len(_settled(shop)) == UNCONFIRMED_REPEATS
    shop.undo(made)
    assert _settled(shop) == {}
    assert {p.listing_id: p.route for p in shop.placements(feed="repeats")} == before
    drain(shop.match())
    assert _settled(shop) == {}


def test_that_memory_is_silent_at_once_where_decisions_disagree(shop: Workspace) -> None:
    right, _, wrong = _items(shop)
    first, *rest = _listings(shop, "a")
    _confirm(shop, first, wrong)
    drain(shop.match())
    asked = next(one for one in rest if one not in _settled(shop))
    _confirm(shop, asked, right, "bob")
    assert _settled(shop) == {}
    drain(shop.match())
    assert _settled(shop) == {}


@pytest.mark.parametrize("verdict", [Verdict.NONE, Verdict.NEW_ITEM])
def test_that_an_answer_without_an_item_disagrees_too(shop: Workspace, verdict: Verdict) -> None:
    first, second, third, *_ = _listings(shop, "a")
    for listing in (first, second):
        _confirm(shop, listing, _items(shop)[2])
    drain(shop.match())
    assert len(_settled(shop)) == REPEATS - 2
    shop.decide(listing_id=third, verdict=verdict, item_id=None, reviewer="bob")
    assert _settled(shop) == {}


def test_that_other_texts_are_left_alone(shop: Workspace) -> None:
    _confirm(shop, _listings(shop, "a")[0], _items(shop)[2])
    drain(shop.match())
    others = np.isin(list(_settled(shop)), _listings(shop, "b"))
    assert not others.any()


def test_that_what_waits_for_a_second_confirmation_says_so(shop: Workspace) -> None:
    _confirm(shop, _listings(shop, "a")[0], _items(shop)[0])
    drain(shop.certify())
    reasons = {p.reason for p in shop.placements(feed="repeats") if p.route is Route.REVIEW}
    assert RouteReason.UNCONFIRMED in reasons
    assert len(_settled(shop)) == UNCONFIRMED_REPEATS


def test_that_one_answer_given_to_identical_listings_is_one_confirmation(
    shop: Workspace, tmp_path: Path
) -> None:
    made = _confirm(shop, _listings(shop, "a")[0], _items(shop)[2])
    copies, _ = shop.decide_identical(decision_id=made)
    assert copies
    with shop._store.reading() as uow:
        key = uow.listings.text_key(copies[0].listing_id)
        assert uow.memory.recall([key])[key].confirmations == 1
    feed = pl.read_csv(tmp_path / "feed.csv").with_columns(
        pl.format("next-{}", "listing_id").alias("listing_id")
    )
    feed.write_csv(tmp_path / "next.csv")
    drain(shop.import_table(tmp_path / "next.csv", RecordKind.LISTINGS, feed="next"))
    drain(shop.match())
    settled = [p for p in shop.placements() if p.reason is RouteReason.MEMORY]
    assert len(settled) == UNCONFIRMED_REPEATS
    # With the answer that they repeat, the copies have nothing to say of other listings either.
    shop.undo(made)
    assert not [p for p in shop.placements() if p.reason is RouteReason.MEMORY]
    drain(shop.match())
    assert not [p for p in shop.placements() if p.reason is RouteReason.MEMORY]


def test_that_a_changed_mind_takes_back_at_once_what_memory_had_settled(shop: Workspace) -> None:
    right, _, wrong = _items(shop)
    first = _listings(shop, "a")[0]
    _confirm(shop, first, wrong)
    drain(shop.match())
    assert set(_settled(shop).values()) == {wrong}
    _confirm(shop, first, right)
    assert _settled(shop) == {}
    drain(shop.match())
    assert set(_settled(shop).values()) == {right}


def test_that_an_agreeing_answer_takes_nothing_back(shop: Workspace) -> None:
    first, *rest = _listings(shop, "a")
    _confirm(shop, first, _items(shop)[0])
    drain(shop.match())
    settled = _settled(shop)
    _confirm(shop, next(one for one in rest if one not in settled), _items(shop)[0], "bob")
    assert _settled(shop) == settled


def test_that_aliases_of_one_text_and_two_items_silence_each_other(shop: Workspace) -> None:
    right, _, wrong = _items(shop)
    first, second = _listings(shop, "a")[:2]
    _confirm(shop, first, right)
    made = _confirm(shop, second, wrong)
    with shop._store.reading() as uow:
        assert uow.aliases.active(8) == []
    shop.undo(made)
    with shop._store.reading() as uow:
        assert [alias.listing_id for alias in uow.aliases.active(8)] == [first]


def test_that_a_confirmation_taken_back_speaks_in_no_release(tmp_path: Path) -> None:
    with certified_workspace(tmp_path / "w") as workspace:
        champion = workspace.status().champion or ""

        def aliases() -> set[int]:
            opened = workspace._shelf.open(champion, workspace.settings)
            while True:
                try:
                    next(opened)
                except StopIteration as end:
                    return set(end.value.aliases.listing_id.tolist())

        before = aliases()
        with workspace._store.reading() as uow:
            alias = uow.aliases.active(8)[0]
        workspace.undo(alias.decision_id)
        assert before - aliases() == {alias.listing_id}
        workspace.redo()
        assert aliases() == before
