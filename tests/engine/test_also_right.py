"""A decision that names several right items: what the matcher learns, what certifies, what the gate sees."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import numpy as np
import polars as pl
import pytest

from engine.automation.matcher import LearningSet
from engine.contracts import Promise, QueueOrder, Stream, Verdict
from engine.pipeline import certify_release
from engine.pipeline.evaluate_release import labels_of, measure
from engine.pipeline.release_shelf import ReleaseShelf
from engine.pipeline.score_listings import score_listings
from engine.replay import Gold, review
from engine.workspace import Workspace
from tests.loop import FEED, drain, matched_workspace, promised_workspace, returned, sample_files


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Workspace]:
    with promised_workspace(tmp_path / "w", Promise.EACH) as workspace:
        yield workspace


def learnt(workspace: Workspace) -> LearningSet:
    """What the matcher is fitted on when the workspace is certified."""
    with mock.patch.object(certify_release, "fit_matcher", wraps=certify_release.fit_matcher) as fit:
        drain(workspace.certify())
    return fit.call_args.args[0]


def best_candidates(workspace: Workspace) -> dict[int, int]:
    """The champion's best candidate of every listing."""
    scores = drain(workspace.scored(feed=FEED, candidates=10))
    return dict(zip(scores.listing_ids.tolist(), scores.best_item.tolist(), strict=True))


def test_that_the_matcher_learns_every_right_item_as_right(shop: Workspace) -> None:
    before = learnt(shop)
    changed = 0
    for entry in shop.history(limit=1000):
        decision = entry.decision
        others = [item for item in decision.shown if item != decision.item_id]
        if decision.stream is Stream.LEARNING and decision.verdict is Verdict.MATCH and others:
            changed += 1
            shop.decide(
                listing_id=decision.listing_id,
                verdict=Verdict.MATCH,
                item_id=decision.item_id,
                also_right=others[:1],
                reviewer="ann",
            )
    after = learnt(shop)
    assert changed > 20
    # An item that only an alias had brought in may be no candidate any more.
    assert after.positive.sum() > before.positive.sum() + 0.9 * changed
    assert np.array_equal(after.none, before.none)


def test_that_an_answer_with_any_right_item_is_right_to_the_certificate_and_to_the_gate(
    shop: Workspace,
) -> None:
    drain(shop.certify())
    before, best = shop.status().certificate, best_candidates(shop)
    store, shelf = shop._store, ReleaseShelf(shop._store)

    def gate_sees() -> tuple[int, int]:
        release = returned(shelf.open(shop.status().champion, shop.settings))
        scores = returned(score_listings(release, shelf.blocks(release.search), shown=10))
        measured = returned(measure(store, shelf, release, shop.settings))
        return int(labels_of(store, scores).best_right.sum()), int(measured.answered.right.sum())

    right_before = gate_sees()
    changed = 0
    for entry in shop.history(limit=1000):
        decision = entry.decision
        machine = best[decision.listing_id]
        wrong = decision.verdict is Verdict.MATCH and not decision.confirms(machine)
        if decision.stream is Stream.RANDOM and not decision.undone and wrong:
            changed += 1
            shop.decide(
                listing_id=decision.listing_id,
                verdict=Verdict.MATCH,
                item_id=decision.item_id,
                also_right=[machine],
                reviewer="ann",
            )
    assert changed > 0
    assert gate_sees() == tuple(count + changed for count in right_before)
    drain(shop.certify())
    after = shop.status().certificate
    assert before is not None
    assert after is not None
    assert after.expected_coverage > before.expected_coverage


def test_that_the_replays_reviewer_names_every_right_candidate_on_the_card(tmp_path: Path) -> None:
    with (sample_files() / "answers.csv").open(newline="", encoding="utf-8") as file:
        right = {row["listing_id"]: {row["item_id"]} for row in csv.DictReader(file) if row["item_id"]}
    with matched_workspace(tmp_path / "w") as workspace:
        first, *_ = workspace.queue(order=QueueOrder.OLDEST, limit=1)
        shown = workspace.card(first).candidates
        best = max(shown, key=lambda view: view.candidate.confidence)
        others = [view.item for view in shown if view is not best][:2]
        unseen = "never shown"
        right[first.external_id] = {best.item.external_id, *(one.external_id for one in others), unseen}
        gold = Gold({listing: frozenset(items) for listing, items in right.items()})
        with mock.patch.object(workspace, "queue", return_value=[first]):
            review(workspace, gold, 1, QueueOrder.OLDEST, lambda event: None)
        [entry] = workspace.history()
        assert entry.decision.item_id == best.item.id
        assert set(entry.decision.also_right) == {one.id for one in others}


def test_that_exports_name_every_right_item_and_can_be_decided_from(tmp_path: Path) -> None:
    with matched_workspace(tmp_path / "w") as workspace:
        first, *_ = workspace.queue(order=QueueOrder.OLDEST, limit=1)
        one, two, three = [view.item for view in workspace.card(first).candidates[:3]]
        workspace.decide(
            listing_id=first.listing_id,
            verdict=Verdict.MATCH,
            item_id=one.id,
            also_right=[two.id, three.id],
            reviewer="ann",
        )
        for what in ("decisions", "matches"):
            drain(workspace.export(what, tmp_path / f"{what}.csv"))
        also = f"{two.external_id};{three.external_id}"
        [row] = pl.read_csv(tmp_path / "decisions.csv", infer_schema=False).to_dicts()
        assert (row["item_id"], row["also_item_ids"]) == (one.external_id, also)
        rows = pl.read_csv(tmp_path / "matches.csv", infer_schema=False).to_dicts()
        assert [r["also_item_ids"] for r in rows if r["also_item_ids"]] == [also]
        workspace.undo()
        assert drain(workspace.decide_from_file(tmp_path / "decisions.csv", reviewer="ann")).decided == 1
        assert workspace.history()[0].decision.right_items == (one.id, two.id, three.id)
