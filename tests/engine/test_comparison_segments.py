"""The segments of a comparison: in the result, in the JSON and in words."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.table import Table

from engine.cli.app import run
from engine.cli.documents import comparison_document
from engine.cli.words import comparison_tables, segment_parts
from engine.contracts import Comparison, SegmentCoverage
from engine.learning.evaluate import (
    NOT_AUTOMATED,
    NOT_IN_CATALOGUE,
    EvaluationLabels,
    MeasuredRelease,
    compare,
)
from engine.learning.promote import LEAST_SEGMENT, Answered
from tests.engine.small_workspace import SmallWorkspace
from tests.loop import FEED, certified_workspace, drain

#: What each of 60 tyres, 60 lamps and 60 rims, and of 10 bolts, is answered by champion and challenger.
ANSWERS = {
    "lamps": (60, 7, 7),
    "rims": (60, NOT_IN_CATALOGUE, NOT_AUTOMATED),
    "tyres": (60, 7, NOT_AUTOMATED),
    "bolts": (10, 7, NOT_AUTOMATED),
}


def release(name: str, answers: list[int]) -> MeasuredRelease:
    one = np.ones(1)
    labels = EvaluationLabels(np.array([1]), one, one == 1, one, one == 1, one)
    return MeasuredRelease(name, labels, 0.5, 0.4, 0.5, np.array(answers), Answered(one, one == 1))


def compared(world: SmallWorkspace, *, together: bool = False) -> Comparison:
    segments = [name for name, (size, _, _) in ANSWERS.items() for _ in range(size)]
    with world.reading() as uow:
        return compare(
            uow,
            champion=release("r0001", [ANSWERS[name][1] for name in segments]),
            challenger=release("r0002", [ANSWERS[name][2] for name in segments]),
            listing_ids=range(1, len(segments) + 1),
            segments=segments,
            precision=0.9,
            max_segment_drop=0.1,
            max_automation_drop=1.0,
            max_contradiction_share=0.02,
            flips_listed=0,
            together=together,
        )


@pytest.fixture
def world(tmp_path):
    made = SmallWorkspace(tmp_path / "ws")
    yield made
    made.store.close()


def changed(comparison: Comparison, *segments: SegmentCoverage) -> Comparison:
    return replace(comparison, segments=segments, max_segment_drop=0.1)


def cells(part: Table | str) -> list[list[str]]:
    """The rows of a table as plain text."""
    assert isinstance(part, Table)
    return [
        list(row) for row in zip(*([str(c) for c in column.cells] for column in part.columns), strict=True)
    ]


def test_that_segments_with_enough_listings_are_compared_what_loses_most_first(world):
    comparison = compared(world)
    assert comparison.segments == (
        SegmentCoverage("tyres", 60, 1.0, 0.0),
        SegmentCoverage("lamps", 60, 1.0, 1.0),
        SegmentCoverage("rims", 60, 0.0, 0.0),
    )
    assert comparison.max_segment_drop == 0.1


def test_that_segments_are_compared_on_what_is_promised(world):
    lost = {one.name: one.lost for one in compared(world, together=True).segments}
    assert lost == {"rims": 1.0, "tyres": 1.0, "lamps": 0.0}


def test_that_a_segment_is_marked_where_the_gate_refuses_for_it(world):
    comparison = compared(world)
    marked = [one["name"] for one in comparison_document(comparison)["segments"] if one["beyond_tolerance"]]
    assert marked == ["tyres"]
    assert [reason for reason in comparison.gate.reasons if reason.startswith("refused: segment tyres")]
    assert not SegmentCoverage("tyres", 60, 0.5, 0.41).falls_beyond(0.1)
    assert not SegmentCoverage("tyres", 60, 0.4, 0.3).falls_beyond(0.1)
    assert not SegmentCoverage("tyres", 60, 0.0, 1.0).falls_beyond(0.0)


def test_that_the_words_are_falls_then_rises_and_a_count_of_the_rest(world):
    falls = [SegmentCoverage(f"f{k}", 1200, 0.9, 0.7 + k / 50) for k in range(7)]
    rises = [SegmentCoverage(f"r{k}", 80, 0.1, 0.1 + k / 100) for k in range(1, 9)]
    same = SegmentCoverage("same", 80, 0.5, 0.5)
    listed, rest = segment_parts(changed(compared(world), *falls, same, *rises))
    rows = cells(listed)
    assert [row[0] for row in rows] == ["f0", "f1", "f2", "f3", "f4", "r8", "r7", "r6", "r5", "r4"]
    assert rows[0] == ["f0", "1,200", "90.0 %", "70.0 %", "falls by 20.0 points, more than the 10 tolerated"]
    assert rows[5][4] == "rises by 8.0 points"
    assert rest == "Segments not listed: 2 that fall less, 3 that rise less, 1 that stays the same"


def test_that_nothing_is_counted_where_every_segment_is_listed(world):
    (listed,) = segment_parts(changed(compared(world), SegmentCoverage("tyres", 60, 0.5, 0.45)))
    assert cells(listed)[0][4] == "falls by 5.0 points"


def test_that_no_change_and_no_segment_are_said(world):
    same = changed(compared(world), SegmentCoverage("tyres", 60, 0.5, 0.5))
    assert "No segment changes" in str(segment_parts(same))
    assert segment_parts(changed(same)) == ["No segment has enough listings to be compared."]
    alone = replace(same, challenger=same.champion)
    assert "egment" not in str([part for part in comparison_tables(alone) if isinstance(part, str)])


def test_that_evaluate_shows_the_segments_of_a_workspace(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    with certified_workspace(tmp_path / "w") as workspace:
        releases = [one.id for one in workspace.releases()]
        # Listings of the sample that have no category are the only segment large enough.
        (segment,) = drain(workspace.evaluate(releases[0], against=releases[1])).segments
    assert segment.name == FEED
    assert segment.listings >= LEAST_SEGMENT
    arguments = ["evaluate", str(tmp_path / "w"), "--release", releases[0], "--against", releases[1]]
    assert run([*arguments, "--json"]) == 0
    (shown,) = json.loads(capsys.readouterr().out)["segments"]
    assert (shown["name"], shown["champion"], shown["challenger"]) == (
        FEED,
        segment.champion,
        segment.challenger,
    )
    assert run(arguments) == 0
    assert "egment" in capsys.readouterr().out
