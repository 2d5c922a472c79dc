"""Old feeds beside the new one, for champion and challenger."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engine.contracts import RecordKind
from engine.learning.feed_coverage import feed_coverages
from engine.learning.promote import Answered, loosest_threshold
from tests.loop import FEED, answers, certified_workspace, drain, sample_files


def answered(confidence, right) -> Answered:
    return Answered(np.array(confidence, dtype=np.float64), np.array(right, dtype=bool))


def plain_coverage(release: Answered, weight, precision, group) -> float:
    """Threshold by trying every one, loosest first."""
    for t in sorted(set(release.confidence.tolist())):
        taken = [i for i, c in enumerate(release.confidence) if c >= t]
        total = sum(weight[i] for i in taken)
        if sum(weight[i] for i in taken if release.right[i]) >= precision * total - 1e-9:
            inside = [i for i in taken if i in group]
            return sum(weight[i] for i in inside) / sum(weight[i] for i in group)
    return 0.0


@pytest.mark.parametrize("seed", range(5))
def test_that_old_and_new_feeds_are_measured_as_by_plain_loops(seed: int) -> None:
    random = np.random.default_rng(seed)
    m = 40
    place = random.integers(0, 3, m)
    inclusion = random.uniform(0.1, 1, m)
    releases = [answered(random.integers(0, 8, m) / 8, random.random(m) < 0.7) for _ in range(2)]
    newest, earlier = feed_coverages(("may", "june", "july"), place, *releases, 0.8, inclusion)
    assert newest.feeds == ("july",)
    assert earlier.feeds == ("may", "june")
    for found, group in (
        (newest, {i for i in range(m) if place[i] == 2}),
        (earlier, {i for i in range(m) if place[i] < 2}),
    ):
        assert found.labels == len(group)
        expected = [plain_coverage(release, 1 / inclusion, 0.8, group) for release in releases]
        assert [found.champion, found.challenger] == pytest.approx(expected)


def test_that_what_a_challenger_forgets_is_seen_though_it_gains_over_all() -> None:
    champion = answered([0.9, 0.9, 0.1, 0.1, 0.1], [True, True, True, True, False])
    challenger = answered([0.1, 0.9, 0.9, 0.9, 0.05], [False, True, True, True, False])
    newest, earlier = feed_coverages(("old", "new"), [0, 0, 1, 1, 1], champion, challenger, 0.9, np.ones(5))
    assert (earlier.champion, earlier.challenger) == (1.0, 0.5)
    assert newest.champion == 0.0
    assert newest.challenger == pytest.approx(2 / 3)


def test_that_one_feed_is_not_compared_with_itself() -> None:
    one = answered([0.9, 0.8], [True, True])
    assert feed_coverages(("may", "june"), [0, 0], one, one, 0.9, np.ones(2)) == ()
    assert feed_coverages(("may",), [], answered([], []), answered([], []), 0.9, []) == ()


def test_that_nothing_is_covered_where_no_threshold_is_precise_enough() -> None:
    wrong = answered([0.9, 0.8], [False, False])
    assert loosest_threshold(wrong, np.ones(2), 0.9) == float("inf")
    newest, _ = feed_coverages(("may", "june"), [0, 1], wrong, wrong, 0.9, np.ones(2))
    assert newest.challenger == 0.0


def test_that_a_comparison_shows_old_feeds_beside_the_new_one(tmp_path: Path) -> None:
    with certified_workspace(tmp_path / "w") as workspace:
        releases = [release.id for release in workspace.releases()]
        assert drain(workspace.evaluate(releases[0], against=releases[1])).feeds == ()
        listings = sample_files() / "listings.csv"
        drain(workspace.import_table(listings, RecordKind.LISTINGS, feed="next month"))
        drain(workspace.match())
        answers().review(workspace, 100)
        comparison = drain(workspace.evaluate(releases[0], against=releases[1]))
    newest, earlier = comparison.feeds
    assert newest.feeds == ("next month",)
    assert earlier.feeds == (FEED,)
    assert newest.labels > 0
    assert newest.labels + earlier.labels == comparison.champion.labels
