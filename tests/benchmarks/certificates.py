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

from engine.automation.certificate import Audits, Estimates, Population, certify, zone_floor
from engine.contracts import Finished, QueueOrder, RecordKind, Verdict, WorkEvent
from engine.contracts.selective import coverage_at
from engine.pipeline.random_stream import EVERYWHERE
from engine.workspace import Workspace

T = TypeVar("T")
ROOT = Path(__file__).resolve().parents[2]
SETTINGS = {"abt_buy": ((0.95, 300, 200),), "pricerunner": ((0.9, 700, 300), (0.95, 700, 300))}
RESERVE = 0.35


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


def redraw(
    scores: dict[str, np.ndarray], precision: float, learning: int, audits: int, draws: int, seed: int
) -> list[tuple[float, float]]:
    """(coverage, realised precision) on the future, for every redraw of estimates and audits."""
    random = np.random.default_rng(seed)
    reserve, right = scores["reserve_confidence"], scores["reserve_right"]
    out = []
    for _ in range(draws):
        learnt = random.choice(len(scores["learning_right"]), min(learning, len(scores["learning_right"])))
        estimates = Estimates(scores["learning_confidence"][learnt], scores["learning_right"][learnt])
        floor = zone_floor(estimates, Population(reserve, np.ones(len(reserve))), precision=precision)
        inside = reserve >= (floor or 0.0)
        first = random.choice(len(reserve), int(audits * EVERYWHERE), replace=False)
        rest = np.setdiff1d(np.flatnonzero(inside), first)
        taken = min(audits - len(first), len(rest))
        drawn = np.r_[first, random.choice(rest, taken, replace=False)]
        inclusion = np.full(len(reserve), len(first) / len(reserve))
        inclusion[inside] = 1 - (1 - inclusion[inside]) * (1 - taken / max(1, len(rest)))
        certificate = certify(
            estimates,
            Audits(reserve[drawn], right[drawn], inclusion[drawn], random.random(len(drawn))),
            Population(reserve, inclusion),
            precision=precision,
            delta=0.1,
        )
        if certificate.threshold is None:
            out.append((0.0, 1.0))
            continue
        accepted = scores["future_confidence"] >= certificate.threshold
        real = float(scores["future_right"][accepted].mean()) if accepted.any() else 1.0
        out.append((float(accepted.mean()), real))
    return out


def main() -> int:
    """Print one row per data set and setting."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("datasets", nargs="*", type=Path)
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
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
            scores = scored(folder, learning, arguments.seed)
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
