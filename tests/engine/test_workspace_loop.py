"""The loop through the workspace's public methods, over a real database and a real (tiny) encoder."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from engine.automation.certificate import certify
from engine.contracts import (
    WAITING_ORDERS,
    Certificate,
    Finished,
    Notice,
    QueueOrder,
    RecordKind,
    Route,
    RouteReason,
    Stream,
    Verdict,
)
from engine.errors import ArtefactDamagedError, InputError, ReadOnlyError, StaleChangeError
from engine.pipeline.random_stream import draw
from engine.workspace import Workspace
from tests.loop import (
    FEED,
    LISTINGS,
    answers,
    certified_workspace,
    drain,
    matched_workspace,
    sample_files,
    tiny_base,
)


@pytest.fixture
def matched(tmp_path: Path) -> Iterator[Workspace]:
    with matched_workspace(tmp_path / "w") as workspace:
        yield workspace


@pytest.fixture
def certified(tmp_path: Path) -> Iterator[Workspace]:
    with certified_workspace(tmp_path / "w") as workspace:
        yield workspace


def test_that_nothing_is_automated_before_any_decision(matched: Workspace) -> None:
    status = matched.status()
    assert status.counts.automated == 0
    assert status.counts.review + status.counts.settled == LISTINGS
    assert status.champion == "r0001"
    assert status.next_steps


def test_that_matching_again_changes_nothing(matched: Workspace) -> None:
    before = list(matched.placements(feed=FEED))
    drain(matched.match())
    assert list(matched.placements(feed=FEED)) == before


def test_that_a_cancelled_match_goes_on_where_it_was(tmp_path: Path) -> None:
    files = sample_files()
    with tiny_base(), Workspace.create(tmp_path / "w") as workspace:
        drain(workspace.import_table(files / "catalogue.csv", RecordKind.CATALOGUE))
        drain(workspace.import_table(files / "listings.csv", RecordKind.LISTINGS, feed=FEED))
        events = workspace.match()
        for event in events:
            if getattr(event, "stage", "") == "encoding listings":
                break
        events.close()  # type: ignore[attr-defined]
        assert workspace.status().counts.unmatched == LISTINGS
        drain(workspace.match())
        assert workspace.status().counts.unmatched == 0
        assert [r.id for r in workspace.releases()] == ["r0001"]


def test_that_the_learning_stream_never_asks_the_reserve(matched: Workspace) -> None:
    seen_random, seen_learning = set(), set()
    judge = answers()
    for _ in range(6):
        for entry in matched.queue(limit=30):
            (seen_random if entry.stream == Stream.RANDOM else seen_learning).add(entry.listing_id)
            judge.decide(matched, entry)
    with matched._store.reading() as uow:
        reserve = set(uow.listings.reserve()[0].tolist())
    assert seen_random
    assert seen_random <= reserve
    assert not seen_learning & reserve


def test_that_the_whole_feed_can_be_reviewed_to_the_end(matched: Workspace) -> None:
    assert answers().review(matched, 2 * LISTINGS) == matched.status().counts.decisions
    counts = matched.status().counts
    assert counts.review == 0
    assert matched.queue() == []


def test_that_certifying_automates_and_the_answers_bear_it_out(certified: Workspace) -> None:
    status = certified.status()
    assert status.certificate is not None
    assert status.certificate.threshold is not None
    judge = answers()
    automated = [
        p
        for p in certified.placements(feed=FEED)
        if p.route == Route.AUTOMATED and p.reason == RouteReason.ABOVE_THRESHOLD
    ]
    assert automated
    assert all(p.confidence >= status.certificate.threshold for p in automated)
    right = sum(
        certified.item(p.item_id or 0).external_id == judge.item(certified.listing(p.listing_id).external_id)
        for p in automated
    )
    assert right / len(automated) > 0.6
    assert certified.automation_rates()[-1].automation_rate == pytest.approx(status.automation_rate)


def test_that_the_random_stream_teaches_nothing(certified: Workspace) -> None:
    with certified._store.reading() as uow:
        random = {d.listing_id for d in uow.decisions.in_force(Stream.RANDOM)}
        aliases = {a.listing_id for a in uow.aliases.active(8)}
    assert random
    assert not random & aliases


def test_that_undo_takes_a_decision_out_of_the_next_certificate(certified: Workspace) -> None:
    before = certified.status().counts
    decision, _ = certified.undo()
    assert certified.status().counts.decisions == before.decisions - 1
    redone, _ = certified.redo()
    assert redone.id == decision.id
    assert certified.status().counts == before


def test_that_rolling_back_restores_the_earlier_release_with_its_certificate(certified: Workspace) -> None:
    now, before = certified.releases()[0], certified.releases()[1]
    routes_now = {p.listing_id: p.route for p in certified.placements(feed=FEED)}
    drain(certified.rollback())
    assert certified.status().champion == before.id
    assert certified.status().certificate == before.certificate
    drain(certified.promote(now.id, force=True))
    assert {p.listing_id: p.route for p in certified.placements(feed=FEED)} == routes_now


def test_that_a_damaged_release_is_refused_and_the_champion_stays(certified: Workspace) -> None:
    earlier = certified.releases()[1]
    champion = certified.status().champion
    (certified.path / "releases" / earlier.id / "matcher.onnx").write_bytes(b"not a graph")
    with pytest.raises(ArtefactDamagedError, match=r"matcher\.onnx"):
        drain(certified.rollback())
    assert certified.status().champion == champion


def test_that_a_matcher_of_other_evidence_is_refused_until_certified_again(certified: Workspace) -> None:
    champion = certified.status().champion
    assert champion is not None
    manifest = certified.path / "releases" / champion / "manifest.json"
    manifest.write_text(
        manifest.read_text(encoding="utf-8").replace('"lead"', '"lead_of_old"'), encoding="utf-8"
    )
    with pytest.raises(StaleChangeError, match="run certify"):
        drain(certified.match())
    drain(certified.certify())
    assert certified.status().champion != champion
    drain(certified.match())


def test_that_a_new_item_is_found_after_matching_again(certified: Workspace, tmp_path: Path) -> None:
    file = tmp_path / "more.csv"
    file.write_text("item_id,title\nnew-1,Zyxwv Q999 toaster unheard of\n", encoding="utf-8")
    listing = tmp_path / "more-listings.csv"
    listing.write_text("listing_id,title\nl-new,zyxwv q999 toaster unheard of\n", encoding="utf-8")
    drain(certified.import_table(file, RecordKind.CATALOGUE))
    drain(certified.import_table(listing, RecordKind.LISTINGS, feed="late"))
    certificate = certified.status().certificate
    drain(certified.match())
    (placement,) = certified.placements(feed="late")
    assert certified.item(placement.candidates[0].item_id).external_id == "new-1"
    assert certified.releases()[0].origin == "reindex"
    assert certified.status().certificate == certificate


def test_that_a_release_cannot_be_promoted_past_the_gate(certified: Workspace) -> None:
    with pytest.raises(StaleChangeError, match="champion already"):
        drain(certified.promote(certified.status().champion or ""))
    earlier = certified.releases()[-1].id  # r0001: no matcher, no certificate
    with pytest.raises(StaleChangeError, match="gate refuses"):
        drain(certified.promote(earlier))


def test_that_matching_without_a_catalogue_says_what_to_do(tmp_path: Path) -> None:
    with Workspace.create(tmp_path / "w") as workspace, pytest.raises(InputError, match="import a catalogue"):
        drain(workspace.match())


def test_that_reading_works_beside_a_writer_and_writing_does_not(certified: Workspace) -> None:
    with Workspace.open(certified.path, read_only=True) as second:
        assert second.status().counts == certified.status().counts
        entry = second.queue(limit=1)[0]
        with pytest.raises(ReadOnlyError):
            second.decide(listing_id=entry.listing_id, verdict=Verdict.NONE, reviewer="x")


def test_that_exports_hold_every_listing_and_every_decision(certified: Workspace, tmp_path: Path) -> None:
    matches = tmp_path / "matches.xlsx"
    assert drain(certified.export("matches", matches)) == LISTINGS
    frame = pl.read_excel(matches)
    assert frame.height == LISTINGS
    assert frame.filter(pl.col("route") == "automated")["item_id"].null_count() == 0
    decisions = tmp_path / "decisions.csv"
    assert drain(certified.export("decisions", decisions)) == certified.status().counts.decisions
    encoder = tmp_path / "encoder"
    drain(certified.export("encoder", encoder))
    assert (encoder / "encoder.onnx").exists()


def test_that_an_interrupted_export_leaves_no_file(certified: Workspace, tmp_path: Path) -> None:
    target = tmp_path / "matches.csv"
    events = certified.export("matches", target)
    next(events)
    events.close()  # type: ignore[attr-defined]
    assert list(tmp_path.glob("matches*")) == []


def test_that_a_copy_of_the_folder_is_the_whole_workspace(certified: Workspace, tmp_path: Path) -> None:
    status = certified.status()
    certified.close()
    shutil.copytree(tmp_path / "w", tmp_path / "moved")
    shutil.rmtree(tmp_path / "moved" / "cache")
    with Workspace.open(tmp_path / "moved") as moved:
        drain(moved.match())
        assert moved.status().counts == status.counts
        assert moved.status().certificate == status.certificate


def test_that_similarity_alone_is_reported_beside_confidence(certified: Workspace) -> None:
    curve = certified.risk_coverage()
    assert curve.labels == certified.status().counts.random_decisions
    assert len(curve.coverage) == len(curve.precision) == len(curve.low) == len(curve.high)
    scored = drain(certified.scored(feed=FEED, candidates=5))
    assert scored.item_ids.shape == (LISTINGS, 5)


@pytest.mark.parametrize("order", WAITING_ORDERS)
def test_that_every_order_asks_each_listing_once(certified: Workspace, order: QueueOrder) -> None:
    page = certified.queue(order=order, limit=60)
    assert page
    assert len({entry.listing_id for entry in page}) == len(page)


def test_that_long_work_ends_with_finished(certified: Workspace) -> None:
    assert isinstance(list(certified.evaluate("r0001"))[-1], Finished)


def test_that_a_refit_that_cannot_be_certified_does_not_replace_one_that_is(
    certified: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = certified.status()
    routes = list(certified.placements(feed=FEED))

    def nothing(*args: object, **options: object) -> Certificate:
        made = certify(*args, **options)  # type: ignore[arg-type]
        return replace(made, threshold=None, expected_coverage=0.0, labels_missing=30)

    monkeypatch.setattr("engine.pipeline.promises.certify", nothing)
    events = list(certified.certify())
    assert any(
        isinstance(e, Notice) and f"{before.champion} keeps its certificate" in e.message for e in events
    )
    assert certified.status().champion == before.champion
    assert list(certified.placements(feed=FEED)) == routes
    # A stricter promise is another matter: the old certificate does not hold it.
    drain(certified.certify(precision=0.9))
    assert certified.status().champion != before.champion
    assert certified.status().counts.automated == 0


def test_that_draws_reach_beyond_the_zone_too(matched: Workspace) -> None:
    with matched._store.reading() as uow:
        reserve = uow.listings.reserve_zone()
        floor = float(np.quantile([p.confidence for p in uow.listings.placements(0, LISTINGS)], 0.5))
        zone = set(uow.listings.reserve_zone(min_confidence=floor).undrawn.tolist())
    with matched._store.writing() as uow:
        draws = draw(uow, 60, feed_id=None, zone_floor=floor, release_id=None, seed=3)
        drawn = [uow.draws.get(number).listing_id for number in draws]
        ids, inclusion = uow.listings.reserve()
    assert len(set(drawn)) == len(drawn) == 60
    outside = [listing for listing in drawn if listing not in zone]
    assert 0 < len(outside) < 18  # half of three in ten, give or take
    assert set(drawn) <= set(reserve.undrawn.tolist())
    inside = np.isin(ids, list(zone))
    assert np.unique(inclusion[inside].round(9)).size == 1
    assert np.unique(inclusion[~inside].round(9)).size == 1
    assert inclusion[inside][0] > inclusion[~inside][0] > 0
    # What the probabilities say is what was drawn.
    assert inclusion.sum() == pytest.approx(60, abs=6)
