"""What each training objective adds: to similarity alone, and behind the matcher.

``python -m tests.benchmarks.objectives DATASET_DIR --home FOLDER [--seeds 3] [--variants infonce,tcm]``
trains the base encoder on the same confirmed pairs for the same number of steps under every variant,
exports it, and measures the shipped artefact on listings that nothing was learnt from. What is done is
kept in ``--home``; a run that was stopped goes on where it was.

A quarter of the listings, drawn by seed, is held out. From the others come up to 4,000 confirmed pairs (two
thirds of what there is at most), each with the candidates that stood above the right item as rejected ones;
and up to 1,000 other listings, with a match or without, that fit the matcher. ``peer`` is
sentence-transformers' own trainer with MultipleNegativesRankingLoss at its defaults: the same pairs and
steps; ``peer 64`` the same with our batch size. With ``--flipped 0.1`` one in ten confirmed pairs is
confirmed for its best wrong candidate instead, and how many of the first hundred pairs to check again are
such ones is measured as well.
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from engine.automation.evidence_columns import column
from engine.automation.matcher import fit_matcher
from engine.automation.ranking import group_starts, plain_score
from engine.backends.base_encoder import base_model_folder
from engine.contracts import RecordKind
from engine.contracts.selective import area_under_risk_coverage, coverage_at
from engine.contracts.training import DYNAMICS, TrainingJob
from engine.learning.families import role_of
from engine.learning.mining import duplicate_guard
from engine.learning.pairs import write_job
from engine.pipeline.release_files import ENCODER_FOLDER
from engine.pipeline.release_shelf import ReleaseShelf
from engine.pipeline.search_side import TextRecipe
from engine.store import Store
from engine.workspace import Workspace
from tests.benchmarks.certificates import ROOT, _drain
from tests.benchmarks.evidence import Evidence, judge, read_evidence, teach

PAIRS, JUDGED, HELD_OUT, SAMPLE, REJECTED, SHOWN = 4000, 1000, 4000, 4000, 4, 10
EPOCHS, LEAST_STEPS, BATCH = 3, 150, 64
#: Nothing is chosen on validation pairs here, so few are held out of training.
VALIDATION = 0.05
#: Pairs at the top of the list to check again that are looked at.
RECHECKED = 100

_PLAIN: dict[str, Any] = {"query_label_weight": 0.0, "batch_aware_weight": 0.0, "tcm_weight": 0.0}
_QL, _QB, _TCM = {"query_label_weight": 0.1}, {"batch_aware_weight": 0.1}, {"tcm_weight": 1.0}
#: Variants by name: the recipe's settings that differ from plain InfoNCE.
VARIANTS: dict[str, dict[str, Any]] = {
    "infonce": {},
    "tcm": _TCM,
    "query-label": _QL,
    "batch-aware": _QB,
    "both": _QL | _QB,
    "both + tcm": _QL | _QB | _TCM,
    "mined": _QL | _QB | _TCM | {"mined_negatives": True},
    "mined 3": _QL | _QB | _TCM | {"mined_negatives": True, "hard_negatives": 3},
}
PEERS = {"peer": 8, "peer 64": BATCH}
METRICS = ("C@90", "C@95", "C@98", "AURC", "P@1")


@dataclass(frozen=True, slots=True)
class World:
    """One data set dealt by one seed, prepared in ``folder``."""

    folder: Path
    seed: int
    flipped: float = 0.0

    @property
    def workspace(self) -> Path:
        return self.folder / "workspace"

    @property
    def job(self) -> Path:
        return self.folder / "job"

    def flips(self) -> set[str]:
        """Numbers of the listings that were confirmed for a wrong item."""
        return set(json.loads((self.folder / "flips.json").read_text()))

    def roles(self) -> dict[str, str]:
        """``train``, ``judged`` or ``held out`` by listing."""
        return dict(json.loads((self.folder / "roles.json").read_text()))


def deal(dataset: Path, seed: int) -> tuple[pl.DataFrame, dict[str, str], dict[str, set[str]]]:
    """The listings that play a part, their parts, and the gold answers."""
    queries = pl.read_csv(dataset / "queries.csv", infer_schema=False)
    gold: dict[str, set[str]] = {}
    for query, item in (
        pl.read_csv(dataset / "matches.csv", infer_schema=False).select("query_id", "item_id").iter_rows()
    ):
        gold.setdefault(query, set()).add(item)
    names = queries["query_id"].to_list()
    order = np.random.default_rng(seed).permutation(len(names))
    cut = len(names) // 4
    roles = {names[i]: "held out" for i in order[:cut][:HELD_OUT]}
    pool = [names[i] for i in order[cut:]]
    matched = [name for name in pool if gold.get(name)]
    train = matched[: min(PAIRS, 2 * len(matched) // 3)]
    roles |= dict.fromkeys(train, "train")
    left = [name for name in pool if name not in roles]
    roles |= dict.fromkeys(left[:JUDGED], "judged")
    return queries.filter(pl.col("query_id").is_in(list(roles))), roles, gold


def prepare(dataset: Path, home: Path, seed: int, flipped: float) -> World:
    """The world of a seed, made where it is missing."""
    suffix = f"-flipped-{flipped:g}" if flipped else ""
    world = World(home / f"{dataset.name}-{seed}{suffix}", seed, flipped)
    if (world.folder / "roles.json").exists():
        return world
    shutil.rmtree(world.folder, ignore_errors=True)
    world.folder.mkdir(parents=True)
    listings, roles, gold = deal(dataset, seed)
    listings.write_csv(world.folder / "listings.csv")
    with Workspace.create(world.workspace) as workspace:
        _drain(workspace.import_table(dataset / "catalogue.csv", RecordKind.CATALOGUE))
        _drain(workspace.import_table(world.folder / "listings.csv", RecordKind.LISTINGS, feed="all"))
        _drain(workspace.match())
    with Store.open(world.workspace) as store:
        base = ReleaseShelf(store).folder_of("r0001") / ENCODER_FOLDER
        data = read_evidence(store, gold, base)
        _write_pairs(store, world, data, roles)
    (world.folder / "roles.json").write_text(json.dumps(roles))
    return world


def _write_pairs(store: Store, world: World, data: Evidence, roles: dict[str, str]) -> None:
    """The job every variant starts from: confirmed items, and the rejected ones above them."""
    with store.reading() as uow:
        text = TextRecipe.of(uow.settings.load()).text
        found = {int(i): uow.listings.get_many([int(i)])[int(i)] for i in data.listing_ids}
        items = {}
        after = 0
        while page := uow.items.page(after_id=after, limit=2000):
            items |= {item.id: text(item) for item in page}
            after = page[-1].id
    rows: list[tuple[int, str, int, str, float, str]] = []
    mined: list[tuple[int, str, int, str, float, str]] = []
    confirmed_of: list[int] = []
    wrong: list[bool] = []
    flips: list[str] = []
    random = np.random.default_rng([world.seed, 1])
    strength = plain_score(data.evidence)
    for row, low, high in _groups(data):
        listing = found[int(data.listing_ids[row])]
        order = low + np.argsort(-strength[low:high], kind="stable")
        right = [place for place, pair in enumerate(order) if data.right[pair]]
        # An answer that is no candidate would be found by search; it brings no rejected ones.
        if roles[listing.external_id] != "train" or not right:
            continue
        place = right[0]
        if random.random() < world.flipped and len(right) < len(order):
            place = next(n for n in range(len(order)) if n not in right)
        confirmed = int(data.item[order[place]])
        role = role_of(confirmed, world.seed, VALIDATION)
        if place != right[0] and role == "train":
            flips.append(str(listing.id))
        shown = data.item[order[:place][-REJECTED:]].tolist()
        for item, verdict in [(confirmed, "match"), *((item, "none") for item in shown)]:
            if role_of(int(item), world.seed, VALIDATION) == role:
                rows.append((listing.id, text(listing), int(item), verdict, 1.0, role))
        for pair in order[place + 1 : SHOWN]:
            item = int(data.item[pair])
            if role_of(item, world.seed, VALIDATION) == role:
                mined.append((listing.id, text(listing), item, "mined", 1.0, role))
                confirmed_of.append(confirmed)
                wrong.append(not data.right[pair])
    kept = duplicate_guard([row[1] for row in mined], confirmed_of, [row[2] for row in mined], items)
    false = ~np.asarray(wrong, dtype=bool)
    print(
        f"seed {world.seed}: {len(mined):,} unread candidates, {false.mean():.2%} of them right; "
        f"{kept.sum():,} kept by the duplicate guard, {false[kept].mean():.2%} right",
        file=sys.stderr,
    )
    rows.extend(row for row, keeps in zip(mined, kept, strict=True) if keeps)
    names = ["listing_id", "listing_text", "item_id", "verdict", "weight", "role"]
    pairs = pl.DataFrame(rows, schema=names, orient="row").with_columns(pl.col("weight").cast(pl.Float32))
    named = set(pairs["item_id"].to_list())
    others = np.random.default_rng(world.seed).permutation(sorted(items))[:SAMPLE].tolist()
    taught = sorted(named | set(others))
    table = pl.DataFrame({"item_id": taught, "item_text": [items[i] for i in taught]})
    (world.folder / "flips.json").write_text(json.dumps(flips))
    write_job(
        world.job,
        TrainingJob(run_id="ablation", recipe="infonce", seed=world.seed),
        pairs.to_arrow(),
        table.to_arrow(),
        base_model_folder(None),
    )


def _groups(data: Evidence) -> Iterator[tuple[int, int, int]]:
    """Listing row, first pair and one past the last pair of every listing that has candidates."""
    starts = group_starts(data.listing_row)
    for low, high in zip(starts, [*starts[1:], len(data.listing_row)], strict=True):
        yield int(data.listing_row[low]), int(low), int(high)


def steps_of(world: World) -> int:
    """Training steps of every variant."""
    pairs = pl.read_parquet(world.job / "pairs.parquet")
    confirmed = pairs.filter((pl.col("verdict") == "match") & (pl.col("role") == "train")).height
    return max(LEAST_STEPS, math.ceil(EPOCHS * confirmed / BATCH))


def train(world: World, variant: str, overrides: dict[str, Any]) -> Path:
    """The artefact of a variant, trained where it is missing."""
    folder = world.folder / variant.replace(" ", "_")
    if not (folder / "result.json").exists() and not (folder / "artefact" / "encoder.json").exists():
        if not (folder / "job.json").exists():
            shutil.copytree(world.job, folder, dirs_exist_ok=True)
            job = TrainingJob.model_validate_json((folder / "job.json").read_text())
            settings = _PLAIN | {
                "max_epochs": 1000,
                "min_steps": steps_of(world),
                "max_steps": steps_of(world),
            }
            (folder / "job.json").write_text(
                job.model_copy(update={"overrides": settings | overrides}).model_dump_json()
            )
        peer = ["tests.benchmarks._objectives_peer"] if variant in PEERS else ["trainer"]
        more = [str(PEERS[variant]), str(steps_of(world))] if variant in PEERS else []
        with (folder / "trainer.log").open("w") as log:
            subprocess.run(
                [sys.executable, "-m", *peer, str(folder), *more],
                check=True,
                cwd=ROOT,
                stdout=log,
                stderr=log,
            )
    return folder / "artefact"


def rechecked(world: World, run: Path) -> dict[str, float]:
    """How many of the first pairs to check again were flipped, beside how many of all were."""
    noted = pl.read_parquet(run / DYNAMICS)
    flipped = noted["listing_id"].is_in(list(world.flips()))
    return {"first": float(flipped[:RECHECKED].mean()), "all": float(flipped.mean())}


def measure(world: World, gold: dict[str, set[str]], encoder: Path | None) -> dict[str, dict[str, float]]:
    """Similarity alone and behind the matcher, on the held-out listings; without an encoder, untrained."""
    roles = world.roles()
    with Store.open(world.workspace) as store:
        folder = encoder or ReleaseShelf(store).folder_of("r0001") / ENCODER_FOLDER
        data = read_evidence(store, gold, folder)
        with store.reading() as uow:
            found = uow.listings.get_many(data.listing_ids.tolist())
    part = np.asarray([roles[found[int(i)].external_id] for i in data.listing_ids])
    judged, held_out = np.flatnonzero(part == "judged"), np.flatnonzero(part == "held out")
    similarity = data.evidence[:, column("similarity")]
    best = np.zeros(len(data.listing_ids), dtype=np.int64)
    has = np.zeros(len(data.listing_ids), dtype=bool)
    for row, low, high in _groups(data):
        best[row], has[row] = low + int(np.argmax(similarity[low:high])), True
    mine = held_out[has[held_out]]
    said = judge(data, data.evidence, held_out, fit_matcher(teach(data, data.evidence, judged)))
    return {
        "similarity": _figures(similarity[best[mine]].astype(float), data.right[best[mine]], len(held_out)),
        "matcher": _figures(said.confidence, said.right, len(held_out)),
    }


def _figures(confidence: np.ndarray, right: np.ndarray, listings: int) -> dict[str, float]:
    share = len(right) / max(1, listings)
    return {f"C@{round(100 * p)}": coverage_at(confidence, right, p) * share for p in (0.9, 0.95, 0.98)} | {
        "AURC": area_under_risk_coverage(confidence, right),
        "P@1": float(right.mean()) * share,
    }


def main() -> int:
    """Train and measure what is missing, then print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "dataset", nargs="?", type=Path, default=ROOT.parent / "shared" / "data" / "pricerunner"
    )
    parser.add_argument("--home", type=Path, help="where worlds and results are kept")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--variants", default=",".join(["untrained", *VARIANTS, *PEERS]))
    parser.add_argument("--flipped", type=float, default=0.0, help="share of wrong confirmations")
    parser.add_argument("--keep", action="store_true", help="keep the encoders")
    arguments = parser.parse_args()
    if not (arguments.dataset / "matches.csv").exists():
        print("no data set to measure on; name a folder with catalogue.csv, queries.csv and matches.csv")
        return 0
    if arguments.home is None:
        print("this takes hours; name a folder to keep what was measured in with --home")
        return 0
    names = arguments.variants.split(",")
    unknown = [name for name in names if name not in {"untrained", *VARIANTS, *PEERS}]
    if unknown:
        print(f"there is no variant {unknown[0]}; there are: untrained, {', '.join([*VARIANTS, *PEERS])}")
        return 2
    found: dict[str, list[dict[str, dict[str, float]]]] = {}
    for seed in range(arguments.seeds):
        world = prepare(arguments.dataset, arguments.home, seed, arguments.flipped)
        _, _, gold = deal(arguments.dataset, seed)
        for name in names:
            kept = world.folder / f"{name.replace(' ', '_')}.json"
            if not kept.exists():
                encoder = None if name == "untrained" else train(world, name, VARIANTS.get(name, {}))
                figures = measure(world, gold, encoder)
                if world.flipped and encoder is not None and name not in PEERS:
                    figures["recheck"] = rechecked(world, encoder.parent)
                kept.write_text(json.dumps(figures))
                if encoder is not None and not arguments.keep:
                    shutil.rmtree(encoder.parent)
            found.setdefault(name, []).append(json.loads(kept.read_text()))
            print(f"seed {seed} {name}: {json.dumps(found[name][-1])}", file=sys.stderr, flush=True)
    for line in table(found):
        print(line)
    return 0


def table(found: dict[str, list[dict[str, dict[str, float]]]]) -> Iterator[str]:
    """Mean over seeds, spread, and paired difference to plain InfoNCE, by way and variant."""
    yield "| behind | variant | " + " | ".join(METRICS) + " | seeds |"
    yield "|" + " --- |" * (len(METRICS) + 3)
    for way in ("similarity", "matcher"):
        for name, seeds in found.items():
            values = np.asarray([[one[way][metric] for metric in METRICS] for one in seeds])
            base = found.get("infonce")
            cells = []
            for n in range(len(METRICS)):
                cell = f"{values[:, n].mean():.3f} ± {values[:, n].std(ddof=0):.3f}"
                if base is not None and name != "infonce":
                    pairs = zip(values[:, n], base, strict=False)
                    cell += f" ({np.mean([v - one[way][METRICS[n]] for v, one in pairs]):+.3f})"
                cells.append(cell)
            yield f"| {way} | {name} | " + " | ".join(cells) + f" | {len(seeds)} |"
    for name, seeds in found.items():
        if all("recheck" in one for one in seeds):
            first, every = (np.mean([one["recheck"][part] for one in seeds]) for part in ("first", "all"))
            yield ""
            yield f"{name}: to check again, {first:.0%} of the first {RECHECKED} flipped, of all {every:.0%}"


if __name__ == "__main__":
    sys.exit(main())
