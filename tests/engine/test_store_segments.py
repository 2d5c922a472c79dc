"""Segments in the store: traits that follow their listings, counts that a loop confirms."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import event

from engine.contracts import Listing, Route, RouteReason, Stream, Verdict
from engine.contracts.traits import has_model_code, is_pack, listing_traits
from engine.store import Store, UnitOfWork
from engine.store.segments import ReserveCounts, form_of
from engine.store.traits import keep_all_traits
from tests.engine.store_samples import add_items, decide, place

THRESHOLD = 0.6


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.create(tmp_path / "shop") as opened:
        yield opened


def fill(uow: UnitOfWork, count: int = 120) -> list[Listing]:
    """Two feeds of listings of three brands, matched; some drawn, some decided."""
    add_items(uow)
    rng = np.random.default_rng(1)
    for feed in ("monday", "tuesday"):
        feed_id = uow.feeds.ensure(feed)
        listings = [
            Listing(
                0,
                f"{feed}-{n}",
                f"{'pack of 3 ' if n % 5 == 0 else ''}kettle {'KX55-2' if n % 3 == 0 else 'steel'}",
                brand=("Sony", "SONY ", "", "Bose")[n % 4],
                category=f"cat {n % 2}",
            )
            for n in range(count // 2)
        ]
        uow.listings.upsert(feed_id, listings, [f"{feed}-{n}" for n in range(count // 2)])
    found = uow.listings.page(limit=count)
    confidences = rng.random(count)
    for listing, confidence in zip(found, confidences, strict=True):
        automated = confidence >= THRESHOLD
        place(
            uow,
            [listing.id],
            Route.AUTOMATED if automated else Route.REVIEW,
            RouteReason.ABOVE_THRESHOLD if automated else RouteReason.BELOW_THRESHOLD,
            confidences=[float(confidence)],
            items=[None if listing.id % 10 == 0 else 1 + listing.id % 4],
        )
    for floor, probability in ((None, 0.1), (0.5, 0.4)):
        uow.listings.raise_inclusion(feed_id=1, min_confidence=floor, probability=probability)
    reserve = [int(id_) for id_ in uow.listings.reserve_zone(feed_id=1).undrawn[:12]]
    for draw_id, listing_id in zip(uow.draws.add(reserve, 0.4, "test", "r1", None), reserve, strict=True):
        decide(uow, listing_id, Verdict.MATCH, 1, stream=Stream.RANDOM, draw_id=draw_id)
    return found


def plain_counts(uow: UnitOfWork, listings: list[Listing], key) -> dict[object, tuple]:
    """The same counts, from one listing after another."""
    ids, inclusion = uow.listings.reserve()
    drawn_from = dict(zip(ids.tolist(), inclusion.tolist(), strict=True))
    reserve = {int(i) for i in uow.listings.reserve_zone().undrawn} | set(drawn_from)
    counts: dict[object, list] = {}
    for listing in listings:
        placed = uow.listings.placement(listing.id)
        assert placed is not None
        row = counts.setdefault(key(listing, placed), [0, 0, 0, 0, 0, []])
        row[0] += 1
        row[1] += placed.route == Route.AUTOMATED
        row[2] += placed.reason != RouteReason.DECIDED
        if listing.id in reserve:
            row[3] += 1
            row[4] += drawn_from.get(listing.id, 0.0) > 0
            if placed.confidence >= THRESHOLD:
                row[5].append(drawn_from.get(listing.id, 0.0))
    return {
        name: (*row[:5], len(row[5]), min((c for c in row[5] if c > 0), default=None))
        for name, row in counts.items()
    }


def found_counts(uow: UnitOfWork, key) -> dict[object, tuple]:
    return {
        one.key: (
            one.listings,
            one.alone,
            one.open,
            one.reserve.listings,
            one.reserve.reached,
            one.accepted.listings,
            one.accepted.least_inclusion,
        )
        for one in uow.segments.counts(key, THRESHOLD)
    }


def test_that_counts_by_segment_are_those_of_a_loop(store: Store) -> None:
    with store.writing() as uow:
        listings = fill(uow)
        shared: dict[int, int] = {}
        for listing in listings:
            item = uow.listings.placement(listing.id).item_id
            shared[item or 0] = shared.get(item or 0, 0) + 1
        brand = plain_counts(uow, listings, lambda one, _: one.brand.strip().casefold())
        category = plain_counts(uow, listings, lambda one, _: one.category)
        popularity = plain_counts(
            uow, listings, lambda _, placed: shared[placed.item_id] if placed.item_id else 0
        )
        form = plain_counts(
            uow,
            listings,
            lambda one, _: (one.feed_id, int("pack of" in one.title), int("KX55" in one.title)),
        )
        assert found_counts(uow, "brand") == brand
        assert found_counts(uow, "category") == category
        assert found_counts(uow, "popularity") == popularity
        assert {form_of(key): row for key, row in found_counts(uow, "form").items()} == form
        assert uow.segments.distinct("brand") == len(brand) == 3


def test_that_the_largest_groups_come_first_and_can_be_cut(store: Store) -> None:
    with store.writing() as uow:
        fill(uow)
        first, *_ = uow.segments.counts("brand", None, 1)
        assert (first.key, len(uow.segments.counts("brand", None, 1))) == ("sony", 1)
        assert first.accepted == ReserveCounts(0, 0, None)
        assert uow.segments.spellings("brand", [first.first_listing])[first.first_listing] == "Sony"


def test_that_an_audit_is_right_with_any_item_its_reviewer_named(store: Store) -> None:
    with store.writing() as uow:
        fill(uow)
        before = uow.segments.audits()[0]
        said = uow.decisions.in_force_for(before.listing_id)
        assert said is not None
        uow.decisions.add(replace(said, item_id=2, also_right=(before.best_item, 3)))
        after = uow.segments.audits()[0]
        assert (after.listing_id, after.right_items) == (before.listing_id, {2, before.best_item, 3})
        assert after.right
        assert after.nearest_right


def test_that_audits_are_the_answered_draws_in_force(store: Store) -> None:
    with store.writing() as uow:
        fill(uow)
        audits = uow.segments.audits()
        assert len(audits) == 12
        for audit in audits:
            placed = uow.listings.placement(audit.listing_id)
            listing = uow.listings.get(audit.listing_id)
            assert audit.confidence == placed.confidence
            assert audit.best_item == placed.candidates[0].item_id == 1
            assert audit.right_items == {1}
            assert audit.right
            assert audit.brand == listing.brand.strip().casefold()
            assert 0 < audit.inclusion < 1
        last = uow.decisions.in_force(Stream.RANDOM)[-1]
        uow.decisions.undo(last.id)
        assert len(uow.segments.audits()) == 11


def test_that_traits_follow_a_changed_listing(store: Store) -> None:
    with store.writing() as uow:
        feed = uow.feeds.ensure("monday")
        first = Listing(0, "a", "Bose headphones", brand="Bose")
        uow.listings.upsert(feed, [first], ["k"])
        assert [c.key for c in uow.segments.counts("brand", None)] == ["bose"]
        uow.listings.upsert(feed, [replace(first, brand="Sony", title="Sony twin pack")], ["k2"])
        assert [c.key for c in uow.segments.counts("brand", None)] == ["sony"]
        assert form_of(int(uow.segments.counts("form", None)[0].key)) == (feed, 1, 0)


def test_that_a_workspace_from_before_the_traits_gets_them_for_every_listing(store: Store) -> None:
    with store.writing() as uow:
        fill(uow)
        before = found_counts(uow, "brand"), found_counts(uow, "form")
        uow._connection.exec_driver_sql("DELETE FROM listing_trait")
        assert found_counts(uow, "brand") == {}
        keep_all_traits(uow._connection)
        assert (found_counts(uow, "brand"), found_counts(uow, "form")) == before


def test_that_counting_segments_reads_no_record(store: Store) -> None:
    with store.writing() as uow:
        fill(uow)
    statements: list[str] = []
    with store.reading() as uow:
        connection = uow._connection
        event.listen(connection, "before_cursor_execute", lambda _c, _k, sql, *_: statements.append(sql))
        for key in ("brand", "category", "popularity", "form"):
            uow.segments.counts(key, THRESHOLD)
        uow.segments.audits()
        uow.segments.reserve()
        uow.segments.distinct("brand")
        for sql in list(statements):
            parameters = max((n for n in range(1, 6) if f"?{n}" in sql), default=0)
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", (0.5,) * parameters)
            touched = [row[-1].split() for row in plan]
            assert not [line for line in touched if line[0] in ("SCAN", "SEARCH") and line[1] == "listing"]


@pytest.mark.parametrize(
    ("title", "code"),
    [
        ("sony wh-1000xm4 headphones", True),
        ("lg 55up75 tv", True),
        ("sandisk card 128gb 2-pack", False),
        ("monitor 1920x1080p 27inch", False),
        ("kettle steel", False),
        ("part a1", False),
    ],
)
def test_that_model_codes_are_told_from_measures(title: str, code: bool) -> None:
    assert has_model_code(title) is code


@pytest.mark.parametrize(
    ("title", "pack"),
    [
        ("pack of 2 cards", True),
        ("batteries 10 pcs", True),
        ("twin pack", True),
        ("pack of 1", False),
        ("backpack 30 l", False),
    ],
)
def test_that_packs_are_told_from_single_pieces(title: str, pack: bool) -> None:
    assert is_pack(title) is pack


def test_that_spellings_of_a_name_are_one_and_long_ones_are_cut() -> None:
    assert listing_traits("x", " Müller  & Co", "").brand == listing_traits("x", "MÜLLER & CO", "").brand
    assert len(listing_traits("x", "b" * 5000, "").brand) == 80
