"""What one wrong confirmation automates: wrong answers planted in a replayed workspace, and counted.

``python -m tests.benchmarks.poisoning DATASET_DIR [--decisions 1000] [--precision 0.9] [--planted 200]``
replays a data set with gold answers, adds two feeds in which some listings occur several times (to the
letter, and with a word added), and then confirms listings for wrong items: half of them listings with a
match, confirmed for their best wrong candidate, half listings that are not in the catalogue (where there
are any), confirmed for their best candidate. The items of all plants differ, so they are planted at once
and each is counted by its item.
Everything goes through the workspace's own aliases, memory and routing, with the matcher kept as it is;
``--refits`` single plants are then followed by a full refit of the matcher.

A listing counts where it is automated, or settled from memory, for the planted item, was not without
the plant, and the gold answers say that it is wrong.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import polars as pl

from engine.contracts import Placement, Progress, RecordKind, Route, RouteReason, Verdict
from engine.pipeline.certify_release import load_aliases, refit
from engine.pipeline.match_listings import all_placements
from engine.pipeline.score_listings import LoadedRelease, score_listings
from engine.replay import ReplaySettings, _drain, _Gold, _read, _replay_seed
from engine.workspace import Workspace

T = TypeVar("T")
#: Listings of each added feed, and the word that each near repeat of one has more.
REPEATED = 120
WORDS = (
    "new",
    "sale",
    "boxed",
    "uk",
    "2024",
    "refurbished",
    "oem",
    "genuine",
    "retail",
    "eu",
    "black",
    "free",
)
REPEATS, NEARLY = "repeats", "near repeats"
#: Rounds of right confirmations.
ROUNDS = 4
_COUNTED = ("wrong", "wrong by memory", "wrong by alias", "right")
REVIEWER = "planted"


@dataclass(frozen=True, slots=True)
class Plant:
    """A wrong confirmation: ``family`` says how it was drawn."""

    listing_id: int
    item_id: int
    family: str


def _result(work: Generator[Progress, None, T]) -> T:
    while True:
        try:
            next(work)
        except StopIteration as end:
            return end.value


def prepared(dataset: Path, home: Path, decisions: int, precision: float, seed: int) -> Path:
    """A replayed workspace under ``home`` with the feed of repeats, made where it is missing."""
    folder = home / "workspace"
    if (home / "ready").exists():
        return folder
    home.mkdir(parents=True, exist_ok=True)
    source = dataset
    if (dataset / "open_world_drop.csv").exists():
        # Items left out of the catalogue, so that some listings have no match.
        source = home / dataset.name
        source.mkdir(exist_ok=True)
        dropped = pl.read_csv(dataset / "open_world_drop.csv", infer_schema=False)
        for name in ("catalogue.csv", "matches.csv"):
            frame = pl.read_csv(dataset / name, infer_schema=False)
            frame.join(dropped, on="item_id", how="anti").write_csv(source / name)
        (source / "queries.csv").write_bytes((dataset / "queries.csv").read_bytes())
    if not (home / "replayed").exists():
        queries, gold = _read(source)
        settings = ReplaySettings(decisions=decisions, rounds=2, precision=precision)
        for entry in _replay_seed(source, queries, gold, settings, seed, home, home / "vectors", _silent):
            print(f"{entry['decisions']} decisions, threshold {entry['threshold']}", file=sys.stderr)
        (home / "replayed").write_text("")
    pool = pl.read_csv(home / "pool.csv", infer_schema=False)
    order = np.random.default_rng([seed, 1]).permutation(pool.height)
    with Workspace.open(folder) as workspace:
        for feed, rows in ((REPEATS, order[:REPEATED]), (NEARLY, order[REPEATED : 2 * REPEATED])):
            table = home / f"{feed}.csv"
            pl.concat([_copy(pool[rows], n, feed) for n in range(len(WORDS))]).write_csv(table)
            _drain(workspace.import_table(table, RecordKind.LISTINGS, feed=feed), _silent)
        _drain(workspace.match(), _silent)
    (home / "ready").write_text("")
    return folder


def _silent(event: object) -> None:
    """Nobody watches."""


def _copy(some: pl.DataFrame, number: int, feed: str) -> pl.DataFrame:
    """A copy of listings under ids of its own."""
    title = pl.col("title") if feed == REPEATS else pl.format("{} {}", "title", pl.lit(WORDS[number]))
    return some.with_columns(
        pl.format("{}#{}", "query_id", pl.lit(number)).alias("query_id"), title.alias("title")
    )


class Bench:
    """A prepared workspace, its champion, and where every listing stands before anything is planted."""

    def __init__(self, workspace: Workspace, gold: _Gold) -> None:
        self.workspace = workspace
        self.store = workspace._store
        settings = workspace.settings
        self.release: LoadedRelease = _result(workspace._shelf.open(workspace._champion(), settings))
        self.blocks = workspace._shelf.blocks(self.release.search)
        self.gold = gold
        with self.store.reading() as uow:
            self.decided = {d.listing_id for d in uow.decisions.in_force()}
            drawn = {draw.listing_id for draw in uow.draws.open()}
            active = uow.aliases.active(settings.aliases_per_item)
            self.feeds = {
                feed: set(uow.listings.feed_listing_ids(uow.feeds.by_name(feed) or 0).tolist())
                for feed in (REPEATS, NEARLY)
            }
            ids = [listing.id for listing in _all_listings(uow)]
            found = uow.listings.get_many(ids)
            # Copies of a listing share its name.
            self.names = {i: listing.external_id.split("#")[0] for i, listing in found.items()}
            self.keys = uow.listings.text_keys(ids)
            items = {int(i): "" for i in self.release.search.index.ids}
            for start in range(0, len(items), 500):
                part = uow.items.get_many(list(items)[start : start + 500])
                items.update((number, item.external_id) for number, item in part.items())
        self.busy = self.decided | drawn
        self.remembered = {self.keys[a.listing_id] for a in active if a.listing_id in self.keys}
        numbers = {external: number for number, external in items.items()}
        self.right = {
            i: {numbers[e] for e in gold.of(name) if e in numbers} for i, name in self.names.items()
        }
        self.before = self.placed(self.release)

    def placed(self, release: LoadedRelease, scores: Any = None) -> dict[int, Placement]:
        """Where every listing stands under a release."""
        if scores is None:
            scores = _result(
                score_listings(release, self.blocks, shown=self.workspace.settings.shown_candidates)
            )
        return {p.listing_id: p for batch in all_placements(self.store, release, scores) for p in batch}

    def with_aliases(self) -> LoadedRelease:
        """The champion with the aliases in force now: matcher and threshold are kept."""
        settings = self.workspace.settings
        with self.store.reading() as uow:
            active = uow.aliases.active(settings.aliases_per_item)
        listings = np.asarray([a.listing_id for a in active], np.int64)
        items = np.asarray([a.item_id for a in active], np.int64)
        return replace(self.release, aliases=load_aliases(self.store, self.release.search, listings, items))

    def plant(self, plants: Sequence[Plant]) -> list[int]:
        """Confirm the plants; returns the numbers of the decisions."""
        made = []
        for plant in plants:
            decision, _ = self.workspace.decide(
                listing_id=plant.listing_id,
                verdict=Verdict.MATCH,
                item_id=plant.item_id,
                reviewer=REVIEWER,
            )
            made.append(decision.id)
        return made

    def withdraw(self, decisions: Sequence[int]) -> None:
        """Undo what was planted."""
        for number in reversed(decisions):
            self.workspace.undo(number)


def _all_listings(uow: Any) -> list[Any]:
    out: list[Any] = []
    while page := uow.listings.page(after_id=out[-1].id if out else 0, limit=5000):
        out.extend(page)
    return out


def _accepted(placement: Placement) -> bool:
    """Whether a listing has an item without a person's answer."""
    return placement.reason in (RouteReason.ABOVE_THRESHOLD, RouteReason.MEMORY) and placement.route in (
        Route.AUTOMATED,
        Route.SETTLED,
    )


def draw_plants(bench: Bench, count: int, seed: int, feed: str = "") -> list[Plant]:
    """Listings and wrong items, the items all different; of one of the added feeds, or of none of them."""
    random = np.random.default_rng([seed, 2, len(feed)])
    among = bench.feeds[feed] if feed else bench.before.keys() - bench.feeds[REPEATS] - bench.feeds[NEARLY]
    ids = sorted(among - bench.busy)
    half = count // 2
    wanted = {"wrong candidate": half, "not in catalogue": count - half}
    out: list[Plant] = []
    used: set[int] = set()
    texts: set[object] = set(bench.remembered)
    for listing in random.permutation(ids).tolist():
        right = bench.right[listing]
        family = "wrong candidate" if right else "not in catalogue"
        if not wanted[family] or texts & {bench.keys[listing], bench.names[listing]}:
            continue
        wrong = next(
            (c.item_id for c in bench.before[listing].candidates if c.item_id not in right | used), None
        )
        if wrong is None:
            continue
        wanted[family] -= 1
        used.add(wrong)
        texts.update((bench.keys[listing], bench.names[listing]))
        out.append(Plant(listing, wrong, family))
        if not any(wanted.values()):
            break
    return out


def count(bench: Bench, plants: Sequence[Plant], after: dict[int, Placement]) -> list[dict[str, Any]]:
    """What follows from each plant, beyond its own listing."""
    decided = bench.decided | {plant.listing_id for plant in plants}
    of_item = {plant.item_id: n for n, plant in enumerate(plants)}
    found = [Counter[str]() for _ in plants]
    for listing, placement in after.items():
        n = of_item.get(placement.item_id or 0)
        if n is None or listing in decided or not _accepted(placement):
            continue
        before = bench.before[listing]
        if _accepted(before) and before.item_id == placement.item_id:
            continue
        wrong = placement.item_id not in bench.right[listing]
        way = "memory" if placement.reason is RouteReason.MEMORY else "alias"
        found[n]["wrong" if wrong else "right"] += 1
        if wrong:
            found[n][f"wrong by {way}"] += 1
    return [
        {
            "family": plant.family,
            **{name: found[n][name] for name in _COUNTED},
        }
        for n, plant in enumerate(plants)
    ]


def summary(counted: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Median, 90th and 99th percentile, worst and mean of the wrong listings of each plant."""
    wrong = np.asarray([one["wrong"] for one in counted])
    if not len(wrong):
        return {"planted": 0}
    return {
        "planted": len(wrong),
        "median": float(np.median(wrong)),
        "p90": float(np.quantile(wrong, 0.9, method="higher")),
        "p99": float(np.quantile(wrong, 0.99, method="higher")),
        "worst": int(wrong.max()),
        "mean": round(float(wrong.mean()), 3),
        "over five": int((wrong > 5).sum()),
        "by memory": sum(one["wrong by memory"] for one in counted),
        "by alias": sum(one["wrong by alias"] for one in counted),
        "right": sum(one["right"] for one in counted),
    }


def refitted(bench: Bench, plants: Sequence[Plant]) -> list[dict[str, Any]]:
    """Each plant alone, with a full refit of matcher and certificate."""
    out = []
    settings = bench.workspace.settings

    def fit() -> tuple[float | None, dict[int, Placement]]:
        made = _result(
            refit(
                bench.store,
                bench.release.search,
                bench.blocks,
                settings,
                release_id="trial",
                precision=settings.precision,
                delta=settings.delta,
            )
        )
        certificate = made.release.certificate
        return certificate.threshold if certificate else None, bench.placed(made.release, made.scores)

    def wrong_in(placements: dict[int, Placement]) -> set[tuple[int, int]]:
        return {
            (i, p.item_id or 0)
            for i, p in placements.items()
            if i not in bench.decided and _accepted(p) and p.item_id not in bench.right[i]
        }

    threshold, without = fit()
    before = wrong_in(without)
    for plant in plants:
        made = bench.plant([plant])
        threshold_after, with_plant = fit()
        bench.withdraw(made)
        after = wrong_in(with_plant)
        fresh = {pair for pair in after - before if pair[0] != plant.listing_id}
        out.append(
            {
                "family": plant.family,
                "threshold": [threshold, threshold_after],
                "wrong to the item": sum(item == plant.item_id for _, item in fresh),
                "wrong in all": [len(before), len(after)],
                "accepted": [sum(map(_accepted, without.values())), sum(map(_accepted, with_plant.values()))],
            }
        )
    return out


def clean(bench: Bench, feed: str) -> dict[str, Any]:
    """What right confirmations of repeated listings give, one of each listing that waits in a round."""
    first: dict[str, list[int]] = {}
    for listing in sorted(bench.feeds[feed]):
        if listing not in bench.busy and bench.right[listing] and bench.keys[listing] not in bench.remembered:
            first.setdefault(bench.names[listing], []).append(listing)
    made: list[int] = []
    rows = []
    done: set[int] = set()
    everyone = {i for group in first.values() for i in group}
    for _ in range(ROUNDS):
        waiting = [
            next((i for i in group if i not in done and not _accepted(placed[i])), None)
            for group in first.values()
            for placed in [rows[-1][1] if rows else bench.before]
        ]
        asked = [i for i in waiting if i is not None]
        made += bench.plant([Plant(i, min(bench.right[i]), "right") for i in asked])
        done.update(asked)
        placed = bench.placed(bench.with_aliases())
        left = everyone - done
        rows.append(
            (
                {
                    "decisions": len(done),
                    "settled from memory": sum(placed[i].reason is RouteReason.MEMORY for i in left),
                    "automated": sum(placed[i].reason is RouteReason.ABOVE_THRESHOLD for i in left),
                    "reviewed": sum(not _accepted(placed[i]) for i in left),
                },
                placed,
            )
        )
    bench.withdraw(made)
    return {"texts": len(first), "listings": len(everyone), "rounds": [row for row, _ in rows]}


def run(folder: Path, gold: _Gold, planted: int, refits: int, seed: int) -> dict[str, Any]:
    """All figures of a prepared workspace, which is left as it was found."""
    with Workspace.open(folder) as workspace:
        bench = Bench(workspace, gold)
        assert bench.release.certificate is not None
        out: dict[str, Any] = {
            "listings": len(bench.before),
            "threshold": bench.release.certificate.threshold,
            "accepted": sum(map(_accepted, bench.before.values())),
        }
        for name, feed, some in (
            ("random", "", planted),
            ("repeated", REPEATS, REPEATED),
            ("nearly repeated", NEARLY, REPEATED),
        ):
            plants = draw_plants(bench, some, seed, feed)
            made = bench.plant(plants)
            counted = count(bench, plants, bench.placed(bench.with_aliases()))
            bench.withdraw(made)
            out[name] = summary(counted)
            for family in ("wrong candidate", "not in catalogue"):
                out[f"{name}, {family}"] = summary([one for one in counted if one["family"] == family])
            if not feed:
                worst = sorted(range(len(plants)), key=lambda n: -counted[n]["wrong"])[: refits // 2]
                chosen = [plants[n] for n in worst] + plants[: refits - len(worst)]
        out["right"] = {feed: clean(bench, feed) for feed in (REPEATS, NEARLY)}
        out["refits"] = refitted(bench, chosen)
        out["withdrawn"] = bench.placed(bench.with_aliases()) == bench.before
        return out


def main() -> int:
    """Print one row per family of plants."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--decisions", type=int, default=1000)
    parser.add_argument("--precision", type=float, default=0.9)
    parser.add_argument("--planted", type=int, default=200)
    parser.add_argument("--refits", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--workspace", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="alcove-poisoning-") as temporary:
        home = arguments.workspace or Path(temporary)
        folder = prepared(arguments.dataset, home, arguments.decisions, arguments.precision, arguments.seed)
        _, gold = _read(arguments.dataset)
        out = run(folder, gold, arguments.planted, arguments.refits, arguments.seed)
    if arguments.json:
        print(json.dumps({"dataset": arguments.dataset.name, **out}, indent=1))
        return 0
    print(f"{arguments.dataset.name}: {out['listings']:,} listings, {out['accepted']:,} accepted before")
    print("plants | planted | median | 90 % | 99 % | worst | over 5 | by memory | by alias | right ones")
    for name, row in out.items():
        if isinstance(row, dict) and row.get("planted"):
            print(
                f"{name} | {row['planted']} | {row['median']:g} | {row['p90']:g} | {row['p99']:g} | "
                f"{row['worst']} | {row['over five']} | {row['by memory']} | {row['by alias']} | "
                f"{row['right']}"
            )
    for feed, found in out["right"].items():
        for row in found["rounds"]:
            print(f"right, {feed}:", ", ".join(f"{value:,} {name}" for name, value in row.items()))
    for row in out["refits"]:
        print("refit:", ", ".join(f"{name} {value}" for name, value in row.items()))
    print("all as before after withdrawing:", out["withdrawn"])
    return 0


if __name__ == "__main__":
    sys.exit(main())
