"""What one wrong confirmation automates wrongly, by each of its ways.

``python -m tests.benchmarks.poisoning DATASET_DIR [--decisions 500] [--precision 0.95] [--planted 200]``
reviews a data set with its gold answers and certifies. Then it plants wrong confirmations: half of them
confirm a listing without an item (any listing, where all have one), half another, each to its best candidate
that is wrong. For each it counts the other listings that are automated or settled with the planted item
although that is wrong, and were not before:

* *alias*: matcher and threshold stay, the confirmed listing stands for the wrong item. Plants have different
  items and do not meet, so all are scored at once;
* *memory*: identical texts, as the next match routes them;
* *refit*: a few single plants with everything fitted and certified again, against a refit without them.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np

from engine.contracts import Placement, QueueOrder, RecordKind, Route, RouteReason, Verdict
from engine.pipeline.certify_release import load_aliases
from engine.pipeline.match_listings import UNCONFIRMED_REPEATS, all_placements
from engine.pipeline.release_shelf import ReleaseShelf
from engine.pipeline.score_listings import score_listings
from engine.replay import POOL, Gold, read_dataset, review
from engine.store import Store
from engine.workspace import Workspace
from tests.benchmarks.certificates import ROOT, _drain
from tests.loop import returned

REFITS = 5


def reviewed(dataset: Path, folder: Path, decisions: int, precision: float) -> Gold:
    """A workspace reviewed with gold answers and certified; returns the gold."""
    _, gold = read_dataset(dataset)
    if folder.exists():
        return gold
    with Workspace.create(folder) as workspace:
        workspace.update_settings(precision=precision)
        _drain(workspace.import_table(dataset / "catalogue.csv", RecordKind.CATALOGUE))
        _drain(workspace.import_table(dataset / "queries.csv", RecordKind.LISTINGS, feed=POOL))
        _drain(workspace.match())
        done = 0
        for part in (0.5, 1.0):
            wanted = int(part * decisions) - done
            done += review(workspace, gold, wanted, QueueOrder.GAIN, lambda event: None)
            _drain(workspace.certify())
    return gold


class Planting:
    """The certified workspace, and what it would answer with other aliases."""

    def __init__(self, store: Store, gold: Gold) -> None:
        self.store, self.shelf = store, ReleaseShelf(store)
        with store.reading() as uow:
            champion, self.settings = uow.releases.champion(), uow.settings.load()
            self.decided = frozenset(decision.listing_id for decision in uow.decisions.in_force())
            active = uow.aliases.active(self.settings.aliases_per_item)
            self.listings, self.keys = {}, {}
            after = 0
            while page := uow.listings.page(after_id=after, limit=2000):
                self.listings |= {one.id: one.external_id for one in page}
                self.keys |= uow.listings.text_keys([one.id for one in page])
                after = page[-1].id
            self.items = {}
            after = 0
            while found := uow.items.page(after_id=after, limit=2000):
                self.items |= {one.id: one.external_id for one in found}
                after = found[-1].id
        assert champion is not None
        self.release = returned(self.shelf.open(champion, self.settings))
        self.aliases = {alias.listing_id: alias.item_id for alias in active}
        self.gold = gold

    def wrong(self, listing: int, item: int) -> bool:
        """Whether an item is no right answer to a listing."""
        return self.items[item] not in self.gold.of(self.listings[listing])

    def answers(self, planted: dict[int, int]) -> dict[int, Placement]:
        """Placements of the undecided listings with further aliases (listing -> item)."""
        both = self.aliases | planted
        aliases = load_aliases(
            self.store,
            self.release.search,
            np.asarray(list(both), dtype=np.int64),
            np.asarray(list(both.values()), dtype=np.int64),
        )
        release = replace(self.release, aliases=aliases)
        scores = returned(
            score_listings(release, self.shelf.blocks(release.search), shown=self.settings.shown_candidates)
        )
        out = {}
        for placements in all_placements(self.store, release, scores, forget=frozenset(self.listings)):
            out |= {p.listing_id: p for p in placements if p.listing_id not in self.decided}
        return out

    def plants(self, before: dict[int, Placement], count: int, random: np.random.Generator) -> dict[int, int]:
        """Listings to confirm wrongly, each to another item."""
        candidates = np.asarray(sorted(before))
        random.shuffle(candidates)
        without = [i for i in candidates.tolist() if not self.gold.of(self.listings[i])]
        with_item = [i for i in candidates.tolist() if self.gold.of(self.listings[i])]
        planted: dict[int, int] = {}
        for some, most in ((without, count // 2), (with_item, count)):
            for listing in some:
                if len(planted) >= most:
                    break
                shown = [c.item_id for c in before[listing].candidates]
                item = next((i for i in shown if self.wrong(listing, i)), None)
                if item is not None and item not in planted.values():
                    planted[listing] = item
        return planted


def automated(placement: Placement | None) -> int | None:
    """The item a listing is given without a person, or None."""
    if placement is None:
        return None
    alone = placement.route is Route.AUTOMATED or placement.reason is RouteReason.MEMORY
    return placement.item_id if alone else None


def spread(
    planting: Planting, planted: dict[int, int], before: dict[int, Placement], after: dict[int, Placement]
) -> dict[int, int]:
    """Wrong answers each plant brought, by planted listing."""
    of_item = {item: listing for listing, item in planted.items()}
    brought = Counter(
        of_item[item]
        for listing, placement in after.items()
        if (item := automated(placement)) in of_item
        and item is not None
        and listing != of_item[item]
        and automated(before.get(listing)) != item
        and planting.wrong(listing, item)
    )
    return {listing: brought[listing] for listing in planted}


def by_memory(planting: Planting, planted: dict[int, int], limit: int) -> list[int]:
    """How many other undecided listings each plant's text settles wrongly, at most ``limit``."""
    same: dict[str, list[int]] = {}
    for listing, key in planting.keys.items():
        same.setdefault(key, []).append(listing)
    return [
        min(
            limit,
            sum(
                other != listing and other not in planting.decided and planting.wrong(other, item)
                for other in same[planting.keys[listing]]
            ),
        )
        for listing, item in planted.items()
    ]


def refitted(folder: Path, planted: dict[int, int], gold: Gold) -> list[int]:
    """The same counts for single plants with everything fitted and certified again."""
    found = []
    with Workspace.open(folder) as workspace:
        _drain(workspace.certify())
    with Store.open(folder) as store:
        planting = Planting(store, gold)
        before = planting.answers({})
    for listing, item in planted.items():
        with Workspace.open(folder) as workspace:
            made, _ = workspace.decide(
                listing_id=listing, verdict=Verdict.MATCH, item_id=item, reviewer="careless"
            )
            _drain(workspace.certify())
            after = {p.listing_id: p for p in workspace.placements(feed=POOL)}
            found.append(spread(planting, {listing: item}, before, after)[listing])
            workspace.undo(made.id)
    return found


def main() -> int:
    """Print one row per way."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "dataset", nargs="?", type=Path, default=ROOT.parent / "shared" / "data" / "pricerunner"
    )
    parser.add_argument("--decisions", type=int, default=500)
    parser.add_argument("--precision", type=float, default=0.95)
    parser.add_argument("--planted", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workspace", type=Path, help="kept there for the next run")
    arguments = parser.parse_args()
    if not (arguments.dataset / "matches.csv").exists():
        print("no data set to measure on; name a folder with catalogue.csv, queries.csv and matches.csv")
        return 0
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.workspace or Path(temporary) / "w"
        gold = reviewed(arguments.dataset, folder, arguments.decisions, arguments.precision)
        with Store.open(folder) as store:
            planting = Planting(store, gold)
            before = planting.answers({})
            planted = planting.plants(before, arguments.planted, np.random.default_rng(arguments.seed))
            alias = list(spread(planting, planted, before, planting.answers(planted)).values())
            memory = by_memory(planting, planted, UNCONFIRMED_REPEATS)
            unlimited = by_memory(planting, planted, len(planting.listings))
        some = dict(list(planted.items())[:: max(1, len(planted) // REFITS)][:REFITS])
        rows = {
            "alias": alias,
            "memory": memory,
            "alias and memory": [a + m for a, m in zip(alias, memory, strict=True)],
            "memory without its limit": unlimited,
            "refit": refitted(folder, some, gold),
        }
    print("way | planted | mean | median | 90 % | worst")
    for way, counts in rows.items():
        figures = np.asarray(counts)
        print(
            f"{way} | {len(figures)} | {figures.mean():.3f} | {np.median(figures):.0f} | "
            f"{np.quantile(figures, 0.9):.0f} | {figures.max()}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
