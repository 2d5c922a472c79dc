"""Please check again: the answers that training found hard to believe."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from engine.contracts import QueueOrder, RouteReason, RunState, Verdict
from engine.contracts.training import DYNAMICS
from engine.errors import InputError
from engine.learning.rechecks import suspicious
from engine.workspace import Workspace
from tests.loop import FEED, certified_workspace


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with certified_workspace(tmp_path / "w") as made:
        yield made


def _trained(workspace: Workspace, margins: list[float]) -> list[tuple[int, int]]:
    """A finished run that noted these margins of the first confirmed pairs; returns the pairs."""
    run = workspace.prepare_training(recipe="quick")
    pairs = pl.read_parquet(Path(run.folder) / "pairs.parquet").filter(pl.col("verdict") == "match")
    some = list(pairs.select("listing_id", "item_id").iter_rows())[: len(margins)]
    pl.DataFrame(
        [(str(listing), str(item), margin, 3) for (listing, item), margin in zip(some, margins, strict=True)],
        schema=["listing_id", "item_id", "margin", "times"],
        orient="row",
    ).write_parquet(Path(run.folder) / DYNAMICS)
    workspace.note_training(run.id, RunState.FINISHED)
    return some


def _queue(workspace: Workspace, **choices: object) -> list[int]:
    return [e.listing_id for e in workspace.queue(order=QueueOrder.RECHECK, **choices)]  # type: ignore[arg-type]


def test_that_the_least_credible_answers_come_first_and_credible_ones_never(workspace: Workspace) -> None:
    assert _queue(workspace) == []
    pairs = _trained(workspace, [-0.1, 0.2, -0.4, -0.2])
    listings = [listing for listing, _ in pairs]
    assert _queue(workspace) == [listings[2], listings[3], listings[0]]
    assert _queue(workspace, limit=1) == [listings[2]]
    assert _queue(workspace, skip={listings[2]}, feed=FEED) == [listings[3], listings[0]]
    entry = workspace.queue(order=QueueOrder.RECHECK)[0]
    assert entry.reason is RouteReason.RECHECK
    assert not entry.blind
    assert workspace.card(entry).listing.id == listings[2]


def test_that_what_was_looked_at_again_is_not_asked_again(workspace: Workspace) -> None:
    pairs = _trained(workspace, [-0.1, -0.4, -0.2])
    (kept, item), (changed, _), (waiting, _) = pairs
    workspace.decide(listing_id=kept, verdict=Verdict.MATCH, item_id=item, reviewer="bob")
    workspace.decide(listing_id=changed, verdict=Verdict.NONE, reviewer="bob")
    assert _queue(workspace) == [waiting]
    workspace.undo()
    assert _queue(workspace) == [changed, waiting]


def test_that_a_pair_of_an_item_that_is_also_right_is_asked_again_and_its_decision_once(
    workspace: Workspace, tmp_path: Path
) -> None:
    (listing, item), _ = _trained(workspace, [-0.1, 0.2])
    decision = next(e.decision for e in workspace.history(limit=1000) if e.decision.listing_id == listing)
    other = next(number for number in decision.shown if number != item)
    workspace.decide(
        listing_id=listing, verdict=Verdict.MATCH, item_id=other, also_right=(item,), reviewer="bob"
    )
    pl.DataFrame(
        {"listing_id": [str(listing)] * 2, "item_id": [str(item), str(other)], "margin": [-0.2, -0.1]}
    ).write_parquet(tmp_path / DYNAMICS)
    with workspace._store.reading() as uow:
        [found] = suspicious(uow, tmp_path, trained_at="9999")
    assert found.right_items == (other, item)


def test_that_a_later_run_without_notes_asks_nothing(workspace: Workspace) -> None:
    _trained(workspace, [-0.1])
    later = workspace.prepare_training(recipe="quick")
    assert _queue(workspace)
    workspace.note_training(later.id, RunState.FINISHED)
    assert _queue(workspace) == []


def test_that_notes_that_cannot_be_read_are_said(workspace: Workspace) -> None:
    _trained(workspace, [-0.1])
    run = workspace.runs()[0]
    (Path(run.folder) / DYNAMICS).write_bytes(b"torn")
    with pytest.raises(InputError, match="train again to renew it"):
        _queue(workspace)
