"""How long the segment report takes on a large made-up workspace.

python -m tests.benchmarks.segments --listings 200000
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from engine.contracts import Candidate, Item, Listing, Placement, Route, RouteReason, Stream, Verdict
from engine.reporting.segments import segment_report
from engine.store import Store
from tests.engine.store_samples import decide
from tests.engine.test_reporting_segments import certify

_CHUNK = 20_000
_FEEDS, _BRANDS, _CATEGORIES, _AUDITS = 4, 3000, 120, 2000
_CANDIDATES = tuple(Candidate(1 + n, 0.5, 0.5, 0.5) for n in range(10))


def main() -> int:
    """Make the workspace, report twice (the first reads from disk), print the seconds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--listings", type=int, default=50_000)
    listings = parser.parse_args().listings
    with tempfile.TemporaryDirectory() as place:
        started = time.perf_counter()
        with Store.create(Path(place) / "w") as store:
            _fill(store, listings)
            print(f"{listings:,} listings stored in {time.perf_counter() - started:.1f} s")
            for turn in ("first", "again"):
                started = time.perf_counter()
                with store.reading() as uow:
                    report = segment_report(uow)
                seconds = time.perf_counter() - started
                shown = sum(len(grouping.segments) for grouping in report.groupings)
                print(f"{turn}: {shown} segments from {report.audits:,} audits in {seconds:.2f} s")
    return 0


def _fill(store: Store, count: int) -> None:
    rng = np.random.default_rng(0)
    popularity = 1 / np.arange(1, _BRANDS + 1)
    brands = rng.choice(_BRANDS, count, p=popularity / popularity.sum())
    items = max(1, count // 5)
    shared, confidence = rng.integers(1, items + 1, count), rng.random(count)
    with store.writing() as uow:
        certify(uow)
        uow.items.upsert(
            [Item(0, f"i{n}", f"item {n}") for n in range(items)], [f"i{n}" for n in range(items)]
        )
        for feed in range(_FEEDS):
            feed_id = uow.feeds.ensure(f"feed {feed}")
            rows = range(feed, count, _FEEDS)
            records = [
                Listing(
                    0,
                    f"l{n}",
                    f"brand {brands[n]} kettle XK{n % 977} 1.7l steel {'pack of 2' if n % 11 == 0 else ''}",
                    brand=f"Brand {brands[n]}",
                    category=f"category {n % _CATEGORIES}",
                    description="what a shop says of a kettle " * 10,
                )
                for n in rows
            ]
            uow.listings.upsert(feed_id, records, [f"l{n}" for n in rows])
    for start in range(0, count, _CHUNK):
        placements = [
            Placement(
                listing_id=n + 1,
                route=Route.AUTOMATED if confidence[n] >= 0.5 else Route.REVIEW,
                reason=RouteReason.ABOVE_THRESHOLD if confidence[n] >= 0.5 else RouteReason.BELOW_THRESHOLD,
                item_id=int(shared[n]),
                confidence=float(confidence[n]),
                none_confidence=0.1,
                margin=0.2,
                candidates=_CANDIDATES,
            )
            for n in range(start, min(count, start + _CHUNK))
        ]
        with store.writing() as uow:
            uow.listings.save_placements("r0001", placements, [1.0] * len(placements))
    with store.writing() as uow:
        undrawn = uow.listings.reserve_zone(min_confidence=0.3).undrawn
        drawn = [int(n) for n in rng.choice(undrawn, min(_AUDITS, len(undrawn)), replace=False)]
        probability = len(drawn) / len(undrawn)
        uow.listings.raise_inclusion(feed_id=None, min_confidence=0.3, probability=probability)
        for draw, listing in zip(uow.draws.add(drawn, probability, "b", None, 0.3), drawn, strict=True):
            verdict = Verdict.MATCH if listing % 10 else Verdict.NONE
            decide(uow, listing, verdict, 1, stream=Stream.RANDOM, draw_id=draw)


if __name__ == "__main__":
    sys.exit(main())
