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
from tests.loop import drain, sample_files, tiny_base

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
