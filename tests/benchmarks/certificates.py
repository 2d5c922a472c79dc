"""Certificates checked by repetition: how often is the promise broken, and how near is it to the oracle?

``python -m tests.benchmarks.certificates DATASET_DIR [--draws 1000]`` takes real scores of a data set
(the packaged encoder, a matcher fitted on judged listings), redraws the random stream many times, certifies
each draw and looks at the precision on the listings of the future, which nothing has seen.
Without arguments it uses the data sets beside the project, where they are.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import numpy as np
import polars as pl
from scipy import stats

from engine.automation.certificate import Audits, Estimates, Population, certify, forecasts, zone_floor
from engine.contracts import Certificate, Finished, Forecast, QueueOrder, RecordKind, Verdict, WorkEvent
from engine.contracts.selective import coverage_at
from engine.pipeline.random_stream import EVERYWHERE
from engine.workspace import Workspace

T = TypeVar("T")
ROOT = Path(__file__).resolve().parents[2]
SETTINGS = {
    "abt_buy": ((0.9, 300, 200), (0.95, 300, 200)),
    "pricerunner": ((0.9, 700, 300), (0.95, 700, 300)),
}
RESERVE = 0.35
DELTA = 0.1


def _drain(events: Iterator[WorkEvent[T]]) -> T:
    for event in events:
        if isinstance(event, Finished):
            return event.result
    raise AssertionError("long work ends with Finished")


def scored(dataset: Path, learning: int, seed: int) -> dict[str, np.ndarray]:
    """Confidence and right/wrong of reserve and future under a matcher taught by ``learning`` decisions."""
    queries = pl.read_csv(dataset / "queries.csv", infer_schema=False)
    gold: dict[str, set[str]] = {}
    for query, item in pl.read_csv(dataset / "matches.csv", infer_schema=False).iter_rows():
        gold.setdefault(query, set()).add(item)
    order = np.random.default_rng(seed).permutation(queries.height)
    cut, kept = queries.height // 4, queries.height // 4 + int(RESERVE * queries.height * 3 / 4)
    with tempfile.TemporaryDirectory() as folder:
        parts = {"future": order[:cut], "reserve": order[cut:kept], "learning": order[kept:]}
        with Workspace.create(Path(folder) / "w") as workspace:
            _drain(workspace.import_table(dataset / "catalogue.csv", RecordKind.CATALOGUE))
            for name, rows in parts.items():
                queries[rows].write_csv(Path(folder) / f"{name}.csv")
                _drain(workspace.import_table(Path(folder) / f"{name}.csv", RecordKind.LISTINGS, feed=name))
            _drain(workspace.match())
            workspace.update_settings(random_share=0.0)
            for entry in workspace.queue(order=QueueOrder.RANDOM, limit=learning, feed="learning"):
                card = workspace.card(entry)
                right = [v for v in card.candidates if v.item.external_id in gold.get(entry.external_id, ())]
                workspace.decide(
                    listing_id=entry.listing_id,
                    verdict=Verdict.MATCH if right else Verdict.NONE,
                    item_id=right[0].item.id if right else None,
                    also_right=tuple(view.item.id for view in right[1:]),
                    reviewer="gold",
                )
            _drain(workspace.certify())
            out = {}
            for name in ("future", "reserve", "learning"):
                scores = _drain(workspace.scored(feed=name, candidates=1))
                out[f"{name}_confidence"] = scores.confidence.astype(np.float64)
                out[f"{name}_right"] = np.asarray(
                    [
                        scores.item_external_id(i) in gold.get(listing, ())
                        for i, listing in zip(
                            scores.best_item,
                            scores.listing_external_ids,
                            strict=True,
                        )
                    ]
                )
            return out


def kept_scores(dataset: Path, learning: int, seed: int, folder: Path | None) -> dict[str, np.ndarray]:
    """:func:`scored`, kept in ``folder`` for the next run where one is given."""
    if folder is None:
        return scored(dataset, learning, seed)
    path = folder / f"{dataset.name}-{learning}-{seed}.npz"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        np.savez(path, **scored(dataset, learning, seed))
    with np.load(path, allow_pickle=False) as kept:
        return dict(kept)


class Drawing:
    """A random stream drawn anew from the reserve, as the product draws it."""

    def __init__(
        self, scores: dict[str, np.ndarray], precision: float, learning: int, random: np.random.Generator
    ) -> None:
        self._confidence, self._right = scores["reserve_confidence"], scores["reserve_right"]
        self._random = random
        count = len(scores["learning_right"])
        learnt = random.choice(count, min(learning, count))
        self.estimates = Estimates(scores["learning_confidence"][learnt], scores["learning_right"][learnt])
        everything = Population(self._confidence, np.ones(len(self._confidence)))
        floor = zone_floor(self.estimates, everything, precision=precision)
        self._zone = self._confidence >= (floor or 0.0)
        self._inclusion = np.zeros(len(self._confidence))
        self._drawn = np.zeros(0, dtype=np.int64)
        self._coin = random.random(len(self._confidence))

    def draw(self, count: int) -> None:
        """Judge ``count`` more listings (fewer where the reserve runs out)."""
        everywhere = int(count * EVERYWHERE)
        for some, among in ((everywhere, np.ones_like(self._zone)), (count - everywhere, self._zone)):
            left = np.setdiff1d(np.flatnonzero(among), self._drawn)
            taken = min(some, len(left))
            self._drawn = np.r_[self._drawn, self._random.choice(left, taken, replace=False)]
            chance = taken / max(1, len(left))
            self._inclusion[among] = 1 - (1 - self._inclusion[among]) * (1 - chance)

    @property
    def _labels(self) -> tuple[Audits, Population]:
        at = self._drawn
        audits = Audits(self._confidence[at], self._right[at], self._inclusion[at], self._coin[at])
        return audits, Population(self._confidence, self._inclusion)

    def certificate(self, precision: float) -> Certificate:
        """What the draws so far certify."""
        return certify(self.estimates, *self._labels, precision=precision, delta=DELTA)

    def forecasts(self, precision: float) -> tuple[Forecast, ...]:
        """What is forecast of further draws."""
        return forecasts(self.estimates, *self._labels, precision=precision, delta=DELTA)


def dealt_again(scores: dict[str, np.ndarray], random: np.random.Generator) -> dict[str, np.ndarray]:
    """Reserve and future dealt anew from both: a promise is about listings to come, whichever they are."""
    out = dict(scores)
    size = len(scores["reserve_right"])
    order = random.permutation(size + len(scores["future_right"]))
    for what in ("confidence", "right"):
        both = np.r_[scores[f"reserve_{what}"], scores[f"future_{what}"]][order]
        out[f"reserve_{what}"], out[f"future_{what}"] = both[:size], both[size:]
    return out


def redraw(
    scores: dict[str, np.ndarray], precision: float, learning: int, audits: int, draws: int, seed: int
) -> list[tuple[float, float]]:
    """(coverage, realised precision) on the future, for every redraw of estimates, reserve and audits."""
    random = np.random.default_rng(seed)
    out = []
    for _ in range(draws):
        dealt = dealt_again(scores, random)
        drawing = Drawing(dealt, precision, learning, random)
        drawing.draw(audits)
        certificate = drawing.certificate(precision)
        if certificate.threshold is None:
            out.append((0.0, 1.0))
            continue
        accepted = dealt["future_confidence"] >= certificate.threshold
        real = float(dealt["future_right"][accepted].mean()) if accepted.any() else 1.0
        out.append((float(accepted.mean()), real))
    return out


def main() -> int:
    """Print one row per data set and setting."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("datasets", nargs="*", type=Path)
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--scores", type=Path, help="folder to keep the scores in, for further runs")
    arguments = parser.parse_args()
    folders = arguments.datasets or [ROOT.parent / "shared" / "data" / name for name in SETTINGS]
    folders = [folder for folder in folders if (folder / "matches.csv").exists()]
    if not folders:
        print("no data set to measure on; name a folder with catalogue.csv, queries.csv and matches.csv")
        return 0
    print(
        "data set | p | learning + audits | draws | broken promises (95 % bound) | coverage | oracle | none"
    )
    for folder in folders:
        for precision, learning, audits in SETTINGS.get(folder.name, ((0.95, 300, 200),)):
            scores = kept_scores(folder, learning, arguments.seed, arguments.scores)
            drawn = redraw(scores, precision, learning, audits, arguments.draws, arguments.seed)
            broken = sum(real < precision for _, real in drawn)
            bound = stats.beta.ppf(0.95, broken + 1, len(drawn) - broken)
            coverage = np.mean([c for c, _ in drawn])
            oracle = coverage_at(scores["future_confidence"], scores["future_right"], precision)
            none = np.mean([c == 0 for c, _ in drawn])
            print(
                f"{folder.name} | {precision} | {learning} + {audits} | {len(drawn)} | "
                f"{broken / len(drawn):.3f} ({bound:.3f}) | {coverage:.3f} | {oracle:.3f} | {none:.3f}"
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
