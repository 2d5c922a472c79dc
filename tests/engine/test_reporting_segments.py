"""The segment report: numbers that loops confirm, flags that chance does not raise."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from engine.contracts import (
    Certificate,
    CertificateKind,
    Item,
    Listing,
    ReleaseManifest,
    Route,
    RouteReason,
    SegmentReport,
    Stream,
    Verdict,
)
from engine.reporting.segments import NOTHING_CERTIFIED, OTHERS, segment_report
from engine.reporting.weighted import share_interval
from engine.store import Store, UnitOfWork
from engine.workspace import Workspace
from tests.engine.store_samples import decide, place
from tests.loop import certified_workspace

THRESHOLD = 0.5


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.create(tmp_path / "shop") as opened:
        yield opened


def certify(uow: UnitOfWork, threshold: float | None = THRESHOLD, precision: float = 0.9) -> None:
    manifest = ReleaseManifest(
        id="r0001", created_at="2026-01-01T00:00:00Z", encoder_sha256="0", encoder_variant="int8", dimension=4
    )
    certificate = Certificate(
        CertificateKind.MATCH, precision, 0.1, threshold, 100, 60, 1, 0.01, 0.95, 0.5, None, 0.1
    )
    uow.releases.add(manifest, certificate, None)
    uow.releases.make_champion("r0001", "first")


def feed(uow: UnitOfWork, brands: list[str], automated: np.ndarray, name: str = "monday") -> list[int]:
    """Matched listings, automated or not, all with item 1."""
    if not uow.items.count():
        uow.items.upsert([Item(0, f"i{n}", f"Item {n}") for n in range(1, 4)], ["a", "b", "c"])
    feed_id = uow.feeds.ensure(name)
    listings = [Listing(0, f"{name}{n}", "kettle", brand=brand) for n, brand in enumerate(brands)]
    uow.listings.upsert(feed_id, listings, [f"{name}{n}" for n in range(len(brands))])
    known = uow.listings.ids_by_external([f"{name}{n}" for n in range(len(brands))], feed_id)
    ids = [known[f"{name}{n}"][0] for n in range(len(brands))]
    for flag in (True, False):
        some = [id_ for id_, one in zip(ids, automated, strict=True) if bool(one) is flag]
        place(
            uow,
            some,
            Route.AUTOMATED if flag else Route.REVIEW,
            RouteReason.ABOVE_THRESHOLD if flag else RouteReason.BELOW_THRESHOLD,
            confidences=[0.9 if flag else 0.2] * len(some),
        )
    return ids


def audit(uow: UnitOfWork, ids: list[int], right: list[bool], probability: float = 0.5) -> None:
    """Draw listings and judge their best candidate (item 1)."""
    for draw, id_, one in zip(
        uow.draws.add(ids, probability, "test", "r0001", None), ids, right, strict=True
    ):
        decide(uow, id_, Verdict.MATCH if one else Verdict.NONE, 1, stream=Stream.RANDOM, draw_id=draw)


def brands(report: SegmentReport) -> dict[str, object]:
    return {segment.name: segment for segment in report.groupings[0].segments}


def read(store: Store, **options: int) -> SegmentReport:
    with store.reading() as uow:
        return segment_report(uow, **options)


def test_that_an_empty_workspace_has_no_segments(store: Store) -> None:
    report = read(store)
    assert (report.workspace.listings, report.audits, report.promise, report.release) == (0, 0, None, None)
    assert all(not grouping.segments for grouping in report.groupings)
    assert report.workspace.precision.said == NOTHING_CERTIFIED


def test_that_unmatched_listings_are_counted_and_nothing_is_claimed_of_them(store: Store) -> None:
    with store.writing() as uow:
        uow.listings.upsert(uow.feeds.ensure("monday"), [Listing(0, "a", "kettle")], ["a"])
    report = read(store)
    assert report.workspace.listings == 1
    only = brands(report)["(no brand)"]
    assert (only.automation_rate, only.precision.share, only.starved) == (0.0, None, False)


def test_that_one_item_and_one_listing_make_one_segment_each(store: Store) -> None:
    with store.writing() as uow:
        feed(uow, ["Sony"], np.array([True]))
    for grouping in read(store).groupings:
        assert [segment.listings for segment in grouping.segments] == [1]


def test_that_without_a_certificate_nothing_is_accepted_and_nothing_promised(store: Store) -> None:
    with store.writing() as uow:
        certify(uow, threshold=None)
        ids = feed(uow, ["Sony"] * 200, np.arange(200) % 2 == 0)
        uow.listings.raise_inclusion(feed_id=None, min_confidence=None, probability=0.5)
        audit(uow, [int(i) for i in uow.listings.reserve_zone().undrawn[:20]], [True] * 20)
        assert set(uow.listings.reserve()[0].tolist()) <= set(ids)
    report = read(store)
    assert report.promise is None
    assert report.workspace.precision.said == NOTHING_CERTIFIED
    assert report.workspace.automated_of_right.share == 0.0
    assert not brands(report)["Sony"].below_promise


def test_that_the_numbers_are_those_of_a_loop_over_listings_and_audits(tmp_path: Path) -> None:
    with certified_workspace(tmp_path / "w") as workspace:
        report, status = workspace.segment_report(), workspace.status()
        with workspace._store.reading() as uow:
            listings = {one.id: one for one in uow.listings.page(limit=1000)}
            placed = {i: uow.listings.placement(i) for i in listings}
            ids, chances = uow.listings.reserve()
            inclusion = dict(zip(ids.tolist(), chances.tolist(), strict=True))
            judged = [d for d in uow.decisions.in_force(Stream.RANDOM) if inclusion.get(d.listing_id, 0) > 0]
    assert status.certificate is not None
    threshold = status.certificate.threshold
    assert report.workspace.automation_rate == status.automation_rate
    assert report.workspace.coverage == status.coverage
    assert report.audits == len(judged) > 20
    for segment in report.groupings[0].segments:
        if segment.name.startswith(OTHERS):
            continue
        name = "" if segment.name == "(no brand)" else segment.name.casefold()
        mine = [i for i, one in listings.items() if " ".join(one.brand.split()).casefold() == name]
        assert segment.listings == len(mine)
        automated = [
            i for i in mine if placed[i].route == Route.AUTOMATED or placed[i].reason == RouteReason.MEMORY
        ]
        assert segment.automation_rate == len(automated) / len(mine)
    for grouping in report.groupings:
        assert sum(segment.listings for segment in grouping.segments) == len(listings)
    accepted = [d for d in judged if placed[d.listing_id].confidence >= threshold]
    right = [d.item_id == placed[d.listing_id].candidates[0].item_id for d in accepted]
    chance = [inclusion[d.listing_id] for d in accepted]
    assert report.workspace.precision.audits <= len(accepted)
    if min(chance) == max(chance):
        assert report.workspace.precision.share == share_interval(right, chance).share


def test_that_a_starved_brand_is_flagged_and_its_neighbours_are_not(store: Store) -> None:
    names = ["Sony"] * 300 + ["Bose"] * 300 + ["Rare"] * 20
    automated = np.array([n % 10 < 7 for n in range(300)] + [n % 10 < 3 for n in range(300)] + [False] * 20)
    with store.writing() as uow:
        certify(uow)
        feed(uow, names, automated)
    found = brands(read(store))
    assert found["Bose"].starved
    assert not found["Sony"].starved
    # Twenty listings without one automated say much, but too few listings are no segment to act on.
    assert not found["Rare"].starved


def test_that_chance_alone_seldom_starves_a_segment(tmp_path: Path) -> None:
    flagged = 0
    rng = np.random.default_rng(0)
    for number in range(12):
        with Store.create(tmp_path / f"w{number}") as store:
            with store.writing() as uow:
                feed(uow, [f"b{n % 8}" for n in range(640)], rng.random(640) < 0.5)
            report = read(store)
            flagged += any(one.starved for grouping in report.groupings for one in grouping.segments)
    assert flagged <= 3


def test_that_a_segment_whose_automated_are_wrong_is_below_the_promise(store: Store) -> None:
    with store.writing() as uow:
        certify(uow, precision=0.9)
        feed(uow, ["Sony", "Bose"] * 300, np.ones(600, dtype=bool))
        uow.listings.raise_inclusion(feed_id=None, min_confidence=None, probability=0.5)
        drawn = [int(id_) for id_ in uow.listings.reserve_zone().undrawn[:100]]
        brand = {one.id: one.brand for one in uow.listings.get_many(drawn).values()}
        audit(uow, drawn, [brand[id_] == "Sony" or id_ % 4 == 0 for id_ in drawn])
    found = brands(read(store))
    assert found["Bose"].below_promise
    assert not found["Sony"].below_promise
    assert found["Sony"].precision.method == "exact"
    assert found["Bose"].precision.high < 0.9


def test_that_three_audits_are_too_few_to_say(store: Store) -> None:
    with store.writing() as uow:
        certify(uow)
        feed(uow, ["Sony"] * 60, np.ones(60, dtype=bool))
    assert brands(read(store))["Sony"].precision.said == "no audits yet"
    with store.writing() as uow:
        uow.listings.raise_inclusion(feed_id=None, min_confidence=None, probability=0.5)
        audit(uow, [int(id_) for id_ in uow.listings.reserve_zone().undrawn[:3]], [True] * 3)
    assert brands(read(store))["Sony"].precision.said == "too few to say: 3 audits"


def test_that_many_brands_are_cut_and_the_rest_is_one_segment(store: Store) -> None:
    with store.writing() as uow:
        feed(uow, [f"brand {n % 30}" for n in range(90)], np.arange(90) % 3 == 0)
    grouping = read(store, most=4).groupings[0]
    assert grouping.distinct == 30
    assert len(grouping.segments) == 5
    rest = grouping.segments[-1]
    assert (rest.name, rest.listings) == (f"{OTHERS} (26)", 90 - 4 * 3)
    assert sum(round(one.coverage * one.listings) for one in grouping.segments) == 30


def test_that_tenths_by_popularity_hold_every_listing_once(store: Store) -> None:
    with store.writing() as uow:
        uow.items.upsert([Item(0, f"i{n}", "x") for n in range(200)], [str(n) for n in range(200)])
        ids = feed(uow, ["Sony"] * 400, np.ones(400, dtype=bool))
        shared = [1 + min(n, 150) for n in range(400)]
        place(uow, ids, Route.AUTOMATED, RouteReason.ABOVE_THRESHOLD, items=shared)
    grouping = next(one for one in read(store).groupings if one.key == "popularity")
    assert sum(segment.listings for segment in grouping.segments) == 400
    assert [segment.name for segment in grouping.segments] == ["1", "250"]


def test_that_a_name_for_brands_cannot_break_out_of_its_grouping(tmp_path: Path) -> None:
    with Workspace.create(tmp_path / "w") as workspace:
        with workspace._store.writing() as uow:
            feed(uow, ["<script>alert(1)</script>", "'; DROP TABLE listing; --"], np.array([True, False]))
        assert set(brands(workspace.segment_report())) == {
            "<script>alert(1)</script>",
            "'; DROP TABLE listing; --",
        }
