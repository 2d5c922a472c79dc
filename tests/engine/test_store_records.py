"""Items and listings: upserts, pages, search."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.contracts import Item, Listing, Route, RouteReason, Verdict
from engine.errors import NotInWorkspaceError
from engine.store import Store, UpsertCounts
from tests.engine.store_samples import add_items, add_listings, decide, matched_store, place


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.create(tmp_path / "shop") as opened:
        yield opened


FULL = Item(
    id=0,
    external_id="A-1",
    title='Fernseher „Große" 55"',
    brand="Löwe",
    model="UE55",
    category="TV",
    price=1299.0,
    gtin="4006381333931",
    description="x\ny\tz",
    image="a.jpg",
    attributes={"Farbe": "schwarz", "größe": '55"'},
)


def test_that_an_item_comes_back_as_it_was_given(store: Store) -> None:
    with store.writing() as uow:
        uow.items.upsert([FULL], ["key"])
    with store.reading() as uow:
        assert uow.items.get(1) == replace(FULL, id=1)
        assert uow.items.text_keys([1, 9]) == {1: "key"}


def test_that_a_listing_comes_back_as_it_was_given(store: Store) -> None:
    given_listing = Listing(
        0, "L-1", FULL.title, price=None, attributes=FULL.attributes, description="d", gtin="123"
    )
    with store.writing() as uow:
        feed_id = uow.feeds.ensure("monday")
        uow.listings.upsert(feed_id, [given_listing], ["key"])
        assert uow.listings.get(1) == replace(given_listing, id=1, feed_id=feed_id)
        assert uow.listings.text_key(1) == "key"


def test_that_the_same_items_again_change_nothing_not_even_the_revision(store: Store) -> None:
    items = [replace(FULL, external_id=f"A-{n}") for n in range(4500)]
    keys = ["key"] * len(items)
    with store.writing() as uow:
        assert uow.items.upsert(items, keys) == UpsertCounts(added=4500)
        revision = uow.items.revision()
        assert uow.items.upsert(items, keys) == UpsertCounts(unchanged=4500)
        assert uow.items.revision() == revision
        assert uow.items.count() == 4500


@pytest.mark.parametrize(
    "change",
    [
        {"title": "other"},
        {"brand": ""},
        {"model": "UE65"},
        {"category": "x"},
        {"price": None},
        {"price": 1299.5},
        {"gtin": ""},
        {"description": "x"},
        {"image": ""},
        {"attributes": {}},
        {"attributes": {"Farbe": "weiss"}},
        {"title": FULL.title + FULL.brand, "brand": ""},
    ],
)
def test_that_a_change_of_any_field_updates_the_item_and_raises_the_revision(
    store: Store, change: dict[str, object]
) -> None:
    changed = replace(FULL, **change)  # type: ignore[arg-type]
    with store.writing() as uow:
        uow.items.upsert([FULL, replace(FULL, external_id="A-2")], ["key", "key"])
        revision = uow.items.revision()
        assert uow.items.upsert([changed], ["new key"]) == UpsertCounts(updated=1)
        assert uow.items.revision() > revision
        assert uow.items.get(1) == replace(changed, id=1)
        assert uow.items.get(2) == replace(FULL, id=2, external_id="A-2")
        assert uow.items.text_keys([1]) == {1: "new key"}


def test_that_of_items_with_one_id_in_one_call_the_last_counts(store: Store) -> None:
    with store.writing() as uow:
        counts = uow.items.upsert([FULL, replace(FULL, title="last")], ["a", "b"])
        assert counts == UpsertCounts(added=1, unchanged=1)
        assert uow.items.get(1).title == "last"


def test_that_pages_run_through_all_items_once(store: Store) -> None:
    with store.writing() as uow:
        add_items(uow, 23)
    seen: list[str] = []
    with store.reading() as uow:
        after = 0
        while page := uow.items.page(after, limit=10):
            seen += [item.external_id for item in page]
            after = page[-1].id
    assert seen == [f"i{n}" for n in range(1, 24)]


def test_that_thousands_of_ids_are_looked_up_in_one_call(store: Store) -> None:
    items = [Item(0, f"i{n}", f"title {n}") for n in range(5000)]
    with store.writing() as uow:
        uow.items.upsert(items, ["key"] * 5000)
        ids = uow.items.ids_by_external([item.external_id for item in items] + ["unknown"])
        assert len(ids) == 5000
        assert "unknown" not in ids
        found = uow.items.get_many([*ids.values(), 999_999])
        assert {item.external_id for item in found.values()} == {item.external_id for item in items}


def test_that_what_is_not_there_is_said(store: Store) -> None:
    with store.reading() as uow:
        with pytest.raises(NotInWorkspaceError, match="no item with number 7"):
            uow.items.get(7)
        with pytest.raises(NotInWorkspaceError, match="no listing with number 7"):
            uow.listings.get(7)
        with pytest.raises(NotInWorkspaceError):
            uow.listings.text_key(7)
        assert uow.items.get_many([7]) == {}
        assert uow.listings.get_many([7]) == {}


@pytest.fixture
def shop(store: Store) -> Store:
    titles = {
        "TV-1": ("Samsung UE55KU6000 55 inch", "Samsung", "UE55KU6000", "4006381333931"),
        "TV-2": ("Samsung UE65KU6000 65 inch", "Samsung", "UE65KU6000", ""),
        "CAFE": ("Kaffeemaschine Café Crème", "Müller", "C-100", "0012345678905"),
        "55": ("Unrelated", "Nobody", "", ""),
    }
    items = [Item(0, id_, title, brand, model, gtin=g) for id_, (title, brand, model, g) in titles.items()]
    with store.writing() as uow:
        uow.items.upsert(items, ["key"] * len(items))
    return store


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("TV-1", ["TV-1"]),
        ("4006381333931", ["TV-1"]),
        ("4006381-333931", ["TV-1"]),
        ("012345678905", ["CAFE"]),
        ("samsung 65", ["TV-2"]),
        ("SAMS ue6", ["TV-2"]),
        ("55", ["55", "TV-1"]),
        ("creme cafe", ["CAFE"]),
        ("muller", ["CAFE"]),
        ("samsung müller", []),
        ("ue55ku6000", ["TV-1"]),
        ("", []),
        ("  ", []),
        ("-- ** ''", []),
    ],
)
def test_that_search_finds_ids_barcodes_and_beginnings_of_words(
    shop: Store, typed: str, found: list[str]
) -> None:
    with shop.reading() as uow:
        assert [item.external_id for item in uow.items.search(typed)] == found


def test_that_search_puts_whole_words_before_beginnings_and_short_titles_first(store: Store) -> None:
    titles = ["Galaxy Tablet 10 inch", "Galaxy Tab with pen and case", "Galaxy Tab", "Galaxy Tab pen"]
    with store.writing() as uow:
        uow.items.upsert([Item(0, f"i{n}", title) for n, title in enumerate(titles)], ["key"] * 4)
    with store.reading() as uow:
        found = [item.title for item in uow.items.search("galaxy TÁB")]
    assert found == [titles[2], titles[3], titles[1], titles[0]]


def test_that_search_knows_a_changed_title_and_forgets_the_old_one(shop: Store) -> None:
    with shop.writing() as uow:
        uow.items.upsert([Item(0, "TV-1", "Panasonic Viera", "Panasonic")], ["key"])
    with shop.reading() as uow:
        assert [item.external_id for item in uow.items.search("viera")] == ["TV-1"]
        assert [item.external_id for item in uow.items.search("samsung")] == ["TV-2"]


def test_that_search_returns_no_more_than_asked_and_each_item_once(shop: Store) -> None:
    with shop.reading() as uow:
        assert len(uow.items.search("samsung", limit=1)) == 1
        assert uow.items.search("samsung", limit=0) == []
        assert [item.external_id for item in uow.items.search("55")].count("55") == 1


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(typed=st.text(max_size=60) | st.from_regex(r'["*():^+\-ANDORNEAR{} \x00]{1,20}'))
def test_that_no_text_breaks_search_or_history(shop: Store, typed: str) -> None:
    if any("\ud800" <= character <= "\udfff" for character in typed):
        return
    with shop.reading() as uow:
        uow.items.search(typed)
        uow.decisions.history(typed)


def test_that_a_very_long_text_is_searched_by_its_beginning(shop: Store) -> None:
    with shop.reading() as uow:
        assert uow.items.search("samsung " * 200_000)


# Listings


def test_that_an_external_id_is_unique_within_its_feed_only(store: Store) -> None:
    with store.writing() as uow:
        first, second = uow.feeds.ensure("first"), uow.feeds.ensure("second")
        for feed_id in (first, second, first):
            uow.listings.upsert(feed_id, [Listing(0, "L", "title")], ["key"])
        assert uow.listings.count() == 2
        assert uow.listings.ids_by_external(["L", "M"]) == {"L": [1, 2]}
        assert uow.listings.ids_by_external(["L"], second) == {"L": [2]}
        assert uow.feeds.ensure("first") == first
        assert uow.feeds.by_name("third") is None
        assert uow.feeds.names() == {first: "first", second: "second"}


def test_that_unchanged_listings_keep_their_placement(store: Store) -> None:
    with store.writing() as uow:
        add_items(uow)
        ids = add_listings(uow, 3)
        place(uow, ids)
        before = uow.listings.placement(ids[0])
        add_listings(uow, 3)
        assert uow.listings.placement(ids[0]) == before
        assert uow.listings.counts().review == 3


def test_that_a_changed_listing_waits_to_be_matched_again_and_says_why(store: Store) -> None:
    with store.writing() as uow:
        add_items(uow)
        ids = add_listings(uow, 2)
        place(uow, ids, Route.AUTOMATED, RouteReason.ABOVE_THRESHOLD)
        listing = uow.listings.get(ids[0])
        feed_id = listing.feed_id
        counts = uow.listings.upsert(feed_id, [replace(listing, title="new title")], ["new"])
        assert counts == UpsertCounts(updated=1)
        assert uow.listings.placement(ids[0]) is None
        assert [found.id for found in uow.listings.page(unmatched_only=True)] == [ids[0]]
        assert uow.listings.counts().unmatched == 1
        assert uow.listings.get(ids[0]).title == "new title"
        assert uow.listings.text_keys(ids)[ids[0]] == "new"


def test_that_a_changed_text_makes_a_decision_lapse_and_the_listing_comes_back_as_changed(
    store: Store,
) -> None:
    ids = matched_store(store)
    with store.writing() as uow:
        made = decide(uow, ids[0])
        uow.aliases.add(1, ids[0], made.id, "old text")
        listing = uow.listings.get(ids[0])
        uow.listings.upsert(listing.feed_id, [replace(listing, title="another product")], ["new text"])
        assert uow.decisions.in_force() == []
        assert uow.decisions.in_force_for(ids[0]) is None
        assert uow.aliases.active(8) == []
        assert [entry.decision.id for entry in uow.decisions.history()] == [made.id]
        assert uow.decisions.last_undoable() is None
        assert uow.decisions.last_redoable() is None
        place(uow, [ids[0]])
        placed = uow.listings.placement(ids[0])
        assert placed is not None
        assert (placed.route, placed.reason) == (Route.REVIEW, RouteReason.CHANGED)
        assert placed.machine_reason == RouteReason.BELOW_THRESHOLD
        again = decide(uow, ids[0], Verdict.NONE)
        assert uow.decisions.in_force() == [again]


def test_that_a_new_price_does_not_ask_a_decided_listing_again(store: Store) -> None:
    ids = matched_store(store)
    with store.writing() as uow:
        made = decide(uow, ids[0])
        listing = uow.listings.get(ids[0])
        key = uow.listings.text_key(ids[0])
        assert uow.listings.upsert(listing.feed_id, [replace(listing, price=5.0)], [key]).updated == 1
        assert uow.decisions.in_force_for(ids[0]) == made
        placed = uow.listings.placement(ids[0])
        assert placed is not None
        assert (placed.route, placed.reason) == (Route.SETTLED, RouteReason.DECIDED)
        assert (placed.machine_route, placed.release_id, placed.candidates) == (None, None, ())
        # Its evidence is matched again all the same.
        assert [found.id for found in uow.listings.page(unmatched_only=True)] == [ids[0]]
        assert uow.listings.counts().unmatched == 0


def test_that_pages_of_listings_follow_feed_route_and_number(store: Store) -> None:
    with store.writing() as uow:
        add_items(uow)
        monday, tuesday = add_listings(uow, 7, "monday"), add_listings(uow, 5, "tuesday")
        place(uow, [*monday[:4], *tuesday[:2]])
        place(uow, [monday[4]], Route.AUTOMATED)
        tuesday_id = uow.feeds.ensure("tuesday")

        def ids(**filters: object) -> list[int]:
            found: list[int] = []
            after = 0
            while page := uow.listings.page(after, 2, **filters):  # type: ignore[arg-type]
                found += [listing.id for listing in page]
                after = page[-1].id
            return found

        assert ids() == sorted([*monday, *tuesday])
        assert ids(feed_id=tuesday_id) == tuesday
        assert ids(route=Route.REVIEW) == sorted([*monday[:4], *tuesday[:2]])
        assert ids(route=Route.REVIEW, feed_id=tuesday_id) == tuesday[:2]
        assert ids(route=Route.AUTOMATED) == [monday[4]]
        assert ids(unmatched_only=True) == sorted([*monday[5:], *tuesday[2:]])
        assert ids(unmatched_only=True, feed_id=tuesday_id) == tuesday[2:]
