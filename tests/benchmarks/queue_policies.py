"""Orders of the learning stream against each other: how many decisions until how much is certified.

``python -m tests.benchmarks.queue_policies DATASET_DIR... [--precision 0.9] [--seeds 4]`` replays a review
in memory on the product's evidence, matcher, queue orders, random stream and certificate: a quarter of the
listings is the future, the gold answers play the reviewer, the matcher is fitted again at every mark. It
prints the certified coverage at every mark and, for each order, the decisions at which 50, 70 and 90 % of
what random order certifies in the end are reached (between marks by straight lines).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from engine.automation.certificate import Audits, Estimates, Population, certify, zone_floor
from engine.contracts import WAITING_ORDERS, QueueOrder
from engine.contracts.selective import coverage_at
from engine.pipeline.random_stream import EVERYWHERE
from engine.review.priorities import gain_priorities
from engine.review.queue import EXPLORED, share_of_random
from engine.settings import WorkspaceSettings
from tests.benchmarks.certificates import DELTA, RESERVE, ROOT
from tests.benchmarks.evidence import Evidence, Judged, fit, gather, judge

MARKS = (40, 80, 120, 160, 240, 320, 400, 500, 700, 1000, 1400, 2000)
PARTS = (0.5, 0.7, 0.9)


class Desk:
    """One review of one data set."""

    def __init__(self, data: Evidence, precision: float, seed: int) -> None:
        self.data, self.precision = data, precision
        self.random = np.random.default_rng(seed)
        order = self.random.permutation(len(data.matchable))
        cut = len(order) // 4
        reserve = cut + int(RESERVE * (len(order) - cut))
        self.future, self.reserve, self.learnable = order[:cut], order[cut:reserve], order[reserve:]
        self.drawn, self.asked = np.zeros(0, np.int64), np.zeros(0, np.int64)
        self.inclusion, self.coin = np.zeros(len(order)), self.random.random(len(order))
        self.said: Judged = judge(data, data.evidence, np.arange(len(order)), None)
        self.threshold: float | None = None
        self.floor: float | None = None
        self.fitted = False

    def review(self, policy: QueueOrder, count: int) -> None:
        """Judge ``count`` more listings, of both streams."""
        share = share_of_random(
            WorkspaceSettings().random_share,
            has_certificate=self.threshold is not None,
            has_matcher=self.fitted,
        )
        audits = int(count * share + self.random.random())
        everywhere = audits if self.floor is None else int(audits * EVERYWHERE + self.random.random())
        self._draw(everywhere, self.reserve)
        if self.floor is not None:
            inside = self.reserve[self.said.confidence[self.reserve] >= self.floor]
            self._draw(audits - everywhere, inside)
        waiting = np.setdiff1d(self.learnable, self.asked)
        if self.threshold is not None:
            waiting = waiting[self.said.confidence[waiting] < self.threshold]
        if policy == QueueOrder.GAIN:
            # As the queue does: some of the order's places go to listings drawn from all that wait.
            self._ask(QueueOrder.RANDOM, waiting, round(EXPLORED * (count - audits)))
            waiting, audits = np.setdiff1d(waiting, self.asked), audits + round(EXPLORED * (count - audits))
        self._ask(policy, waiting, count - audits)

    def _ask(self, policy: QueueOrder, waiting: np.ndarray, count: int) -> None:
        self.asked = np.r_[self.asked, waiting[np.lexsort(self._keys(policy, waiting))][:count]]

    def _draw(self, count: int, among: np.ndarray) -> None:
        left = np.setdiff1d(among, self.drawn)
        taken = min(count, len(left))
        self.drawn = np.r_[self.drawn, self.random.choice(left, taken, replace=False)]
        self.inclusion[among] = 1 - (1 - self.inclusion[among]) * (1 - taken / max(1, len(left)))

    def _keys(self, policy: QueueOrder, waiting: np.ndarray) -> tuple[np.ndarray, ...]:
        """Sort keys as of the product's queue, the last one first."""
        said = self.said
        match policy:
            case QueueOrder.GAIN:
                _, family, sizes = np.unique(said.item, return_inverse=True, return_counts=True)
                gain = gain_priorities(
                    said.confidence, said.none, said.margin, sizes[family], self.threshold, said.item
                )
                return (waiting, -gain[waiting])
            case QueueOrder.UNCERTAIN:
                return (waiting, said.margin[waiting], np.abs(said.confidence[waiting] - 0.5))
            case QueueOrder.FAMILY:
                return (waiting, -said.confidence[waiting], said.item[waiting])
            case QueueOrder.OLDEST:
                return (waiting,)
            case _:
                return (self.coin[waiting],)

    def certify(self) -> tuple[float, float, float]:
        """Fit and certify; certified coverage, its precision, and C at the precision, on the future."""
        data = self.data
        fitted, evidence = fit(data, data.evidence, np.sort(self.asked))
        if fitted is None:
            return 0.0, 1.0, 0.0
        self.fitted = True
        self.said = said = judge(data, evidence, np.arange(len(data.matchable)), fitted)
        estimates = Estimates(fitted.confidence.astype(np.float64), fitted.right)
        population = Population(said.confidence[self.reserve], self.inclusion[self.reserve])
        at = self.drawn
        audits = Audits(said.confidence[at], said.right[at], self.inclusion[at], self.coin[at])
        certificate = certify(estimates, audits, population, precision=self.precision, delta=DELTA)
        self.threshold = certificate.threshold
        self.floor = zone_floor(estimates, population, precision=self.precision)
        confidence, right = said.confidence[self.future], said.right[self.future]
        oracle = coverage_at(confidence, right, self.precision)
        if certificate.threshold is None:
            return 0.0, 1.0, oracle
        accepted = confidence >= certificate.threshold
        return float(accepted.mean()), float(right[accepted].mean()) if accepted.any() else 1.0, oracle


def replay(
    data: Evidence, policy: QueueOrder, precision: float, marks: Sequence[int], seed: int
) -> np.ndarray:
    """Certified coverage, realised precision and oracle coverage at every mark: [marks, 3]."""
    desk = Desk(data, precision, seed)
    found, done = [], 0
    for mark in marks:
        desk.review(policy, mark - done)
        done = mark
        found.append(desk.certify())
    return np.asarray(found)


def decisions_for(marks: Sequence[int], coverage: np.ndarray, wanted: float) -> float:
    """Decisions at which a coverage is reached for good, between marks by a straight line; inf for never."""
    # What is reached is kept: a later dip is noise of the certificate.
    reached = np.maximum.accumulate(np.r_[0.0, coverage])
    at = int(np.searchsorted(reached, wanted))
    if at == len(reached):
        return float("inf")
    steps = np.r_[0.0, marks]
    low, high = reached[at - 1], reached[at]
    return float(steps[at - 1] + (steps[at] - steps[at - 1]) * (wanted - low) / max(high - low, 1e-12))


def main() -> int:
    """Print the curves, then the decisions needed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("datasets", nargs="*", type=Path)
    parser.add_argument("--precision", type=float, default=0.9)
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--most", type=int, default=1000, help="decisions at the last mark")
    parser.add_argument("--policies", nargs="*", default=[one.value for one in WAITING_ORDERS])
    arguments = parser.parse_args()
    folders = arguments.datasets or [ROOT.parent / "shared" / "data" / n for n in ("abt_buy", "pricerunner")]
    for folder in (folder for folder in folders if (folder / "matches.csv").exists()):
        data = gather(folder)
        marks = [mark for mark in MARKS if mark <= min(arguments.most, len(data.matchable) // 2)]
        print(f"{folder.name}, p {arguments.precision}, {arguments.seeds} seeds")
        print("certified coverage | " + " | ".join(map(str, marks)))
        curves = {}
        for policy in map(QueueOrder, arguments.policies):
            runs = np.stack(
                [replay(data, policy, arguments.precision, marks, s) for s in range(arguments.seeds)]
            )
            curves[policy] = mean = runs.mean(axis=0)
            for name, figures in (
                (policy.value, mean[:, 0]),
                (f"{policy.value}, seeds without a certificate", (runs[:, :, 0] == 0).mean(axis=0)),
                (f"{policy.value}, realised precision", mean[:, 1]),
                (f"{policy.value}, best threshold", mean[:, 2]),
            ):
                print(f"{name} | " + " | ".join(f"{v:.3f}" for v in figures), flush=True)
        final = curves.get(QueueOrder.RANDOM, next(iter(curves.values())))[-1]
        for column, what in ((0, "certified"), (2, "best threshold")):
            print(f"decisions for a share of {final[column]:.3f} ({what}) | 50 % | 70 % | 90 %")
            for policy, curve in curves.items():
                needed = (decisions_for(marks, curve[:, column], part * final[column]) for part in PARTS)
                print(f"{policy.value} | " + " | ".join(f"{one:.0f}" for one in needed), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
