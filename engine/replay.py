"""``alcove replay``: the gold answers of a data set play the reviewer.

A quarter of the listings, drawn by seed, is the *future*: never queued, never trained on, never used
for a threshold. The rest is the *pool*, from which the tool's own queue asks. The replay uses the
workspace's public methods, as the desktop does; the gold of what was not asked stays in this file.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import polars as pl

from engine.contracts import (
    CertificateKind,
    Finished,
    Notice,
    Progress,
    Promise,
    QueueOrder,
    RecordKind,
    ReviewCard,
    Route,
    RouteReason,
    Verdict,
    WorkEvent,
)
from engine.contracts.selective import area_under_risk_coverage, coverage_at
from engine.errors import InputError
from engine.training_process import run_training
from engine.workspace import Workspace

T = TypeVar("T")
OnEvent = Callable[[object], None]

POOL, _FUTURE = "pool", "future"
_REVIEWER = "gold"
_PAGE = 200
_PRECISIONS = (90, 95, 98, 99)
#: Wide enough for every candidate retrieval keeps.
_ALL_CANDIDATES = 64


@dataclass(frozen=True, slots=True)
class ReplaySettings:
    """How to replay; ``recipe`` "none" trains nothing."""

    decisions: int = 500
    rounds: int = 4
    policy: str = QueueOrder.GAIN.value
    recipe: str = "none"
    precision: float = 0.95
    delta: float = 0.1
    seeds: int = 1
    promise: str = Promise.EACH.value


@dataclass(frozen=True, slots=True)
class Gold:
    """Right items by listing, both by the data set's own ids; it plays the reviewer."""

    answers: dict[str, frozenset[str]]

    def of(self, listing: str) -> frozenset[str]:
        """The right items of a listing; empty for none."""
        return self.answers.get(listing, frozenset())


def replay(dataset: Path, settings: ReplaySettings, on_event: OnEvent | None = None) -> dict[str, Any]:
    """Replay a data set folder; returns the document that ``--json`` prints.

    Raises:
        InputError: the folder lacks ``catalogue.csv``, ``queries.csv`` or ``matches.csv``.
    """
    listen = on_event or (lambda event: None)
    if settings.policy == QueueOrder.RECHECK:
        raise InputError(
            "a replay starts without decisions, so there is nothing to check again: choose another policy"
        )
    queries, gold = read_dataset(dataset)
    rounds: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="alcove-replay-") as folder:
        shared = Path(folder) / "vectors"
        for seed in range(settings.seeds):
            home = Path(folder) / f"seed-{seed}"
            home.mkdir()
            for entry in _replay_seed(dataset, queries, gold, settings, seed, home, shared, listen):
                rounds.append(entry)
                listen(Notice(_line(entry)))
            shutil.rmtree(home)
    shown = {k: v for k, v in asdict(settings).items() if k != "seeds"}
    return {"dataset": dataset.name, "settings": shown, "rounds": rounds, "final": _final(rounds)}


def read_dataset(dataset: Path) -> tuple[pl.DataFrame, Gold]:
    """The listings and the gold answers of a data set folder.

    Raises:
        InputError: a file or a column is missing.
    """
    for name in ("catalogue.csv", "queries.csv", "matches.csv"):
        if not (dataset / name).is_file():
            raise InputError(
                f"{dataset} is not a data set to replay: {name} is missing (it needs catalogue.csv, "
                "queries.csv with a query_id column and matches.csv with query_id and item_id)"
            )
    queries = pl.read_csv(dataset / "queries.csv", infer_schema=False)
    matches = pl.read_csv(dataset / "matches.csv", infer_schema=False)
    for frame, name, columns in (
        (queries, "queries.csv", {"query_id"}),
        (matches, "matches.csv", {"query_id", "item_id"}),
    ):
        missing = sorted(columns - set(frame.columns))
        if missing:
            raise InputError(f"{dataset / name}: column {missing[0]} is missing")
    answers: dict[str, set[str]] = {}
    for query, item in matches.select("query_id", "item_id").iter_rows():
        answers.setdefault(query, set()).add(item)
    return queries, Gold({query: frozenset(items) for query, items in answers.items()})


def _replay_seed(
    dataset: Path,
    queries: pl.DataFrame,
    gold: Gold,
    settings: ReplaySettings,
    seed: int,
    home: Path,
    shared: Path,
    listen: OnEvent,
) -> Iterator[dict[str, Any]]:
    order = np.random.default_rng(seed).permutation(queries.height)
    future = order[: queries.height // 4]
    pool = order[queries.height // 4 :]
    queries[pool].write_csv(home / "pool.csv")
    queries[future].write_csv(home / "future.csv")
    with Workspace.create(home / "workspace") as workspace:
        workspace.update_settings(
            seed=seed, precision=settings.precision, delta=settings.delta, promise=settings.promise
        )
        vectors = workspace.path / "cache" / "vectors"
        if shared.exists():
            # The same texts under the same encoder: encoded once for all seeds.
            shutil.copytree(shared, vectors)
        _drain(workspace.import_table(dataset / "catalogue.csv", RecordKind.CATALOGUE), listen)
        _drain(workspace.import_table(home / "pool.csv", RecordKind.LISTINGS, feed=POOL), listen)
        _drain(workspace.import_table(home / "future.csv", RecordKind.LISTINGS, feed=_FUTURE), listen)
        _drain(workspace.match(), listen)
        if not shared.exists():
            shutil.copytree(vectors, shared)
        spent = 0
        for number in range(1, settings.rounds + 1):
            started = time.monotonic()
            goal = round(settings.decisions * number / settings.rounds)
            spent += review(workspace, gold, goal - spent, QueueOrder(settings.policy), listen)
            _drain(workspace.certify(), listen)
            promoted, before = False, None
            if settings.recipe != "none" and number == settings.rounds:
                # What `--recipe none` ends with on this seed: the two compare training, paired.
                before = _measure(workspace, gold, listen)
                promoted = _train(workspace, settings.recipe, seed, listen)
            entry = _measure(workspace, gold, listen)
            yield {
                "seed": seed,
                "round": number,
                "decisions": spent,
                **entry,
                "before_training": before,
                "promoted": promoted,
                "seconds": round(time.monotonic() - started, 1),
            }


def _drain(events: Iterator[WorkEvent[T]], listen: OnEvent) -> T:
    for event in events:
        listen(event)
        if isinstance(event, Finished):
            return event.result
    raise AssertionError("long work ends with Finished")


def review(workspace: Workspace, gold: Gold, count: int, order: QueueOrder, listen: OnEvent) -> int:
    """Answer the queue of the feed :data:`POOL`: ``count`` decisions, or fewer if it runs dry; how many."""
    done = 0
    while done < count:
        entries = workspace.queue(order=order, limit=min(_PAGE, count - done), feed=POOL)
        if not entries:
            break
        for entry in entries:
            verdict, item_id, also_right = _answer(workspace, gold, workspace.card(entry))
            workspace.decide(
                listing_id=entry.listing_id,
                verdict=verdict,
                item_id=item_id,
                also_right=also_right,
                reviewer=_REVIEWER,
                draw_id=entry.draw_id,
            )
            done += 1
        listen(Progress("reviewing", done, count))
    return done


def _answer(
    workspace: Workspace, gold: Gold, card: ReviewCard
) -> tuple[Verdict, int | None, tuple[int, ...]]:
    """What a careful reviewer says: all right candidates, one found by search, or none of these.

    Of the right candidates on the card the one of highest confidence is the item, and the others are also
    right. A right item that is not on the card is not named, and counts as wrong if the machine answers
    with it: so what is certified holds for what a reviewer can know.
    """
    right = gold.of(card.listing.external_id)
    if not right:
        return Verdict.NONE, None, ()
    shown = [view for view in card.candidates if view.item.external_id in right]
    if shown:
        best = max(shown, key=lambda view: view.candidate.confidence).item.id
        return Verdict.MATCH, best, tuple(view.item.id for view in shown if view.item.id != best)
    for external_id in sorted(right):
        for item in workspace.search_items(external_id, 5):
            if item.external_id == external_id:
                return Verdict.MATCH, item.id, ()
    return Verdict.NONE, None, ()


def _train(workspace: Workspace, recipe: str, seed: int, listen: OnEvent) -> bool:
    """Train, build the challenger, let the gate decide; True if it was promoted."""
    run = workspace.prepare_training(recipe=recipe, seed=seed)
    for event in run_training(workspace, run.id, Path(run.folder)):
        listen(event)
    challenger = _drain(workspace.build_challenger(run.id), listen)
    comparison = _drain(workspace.challenge(challenger.id), listen)
    listen(Notice("; ".join(comparison.gate.reasons)))
    if comparison.gate.passed:
        _drain(workspace.promote(comparison.challenger.release_id), listen)
    return comparison.gate.passed


def _measure(workspace: Workspace, gold: Gold, listen: OnEvent) -> dict[str, Any]:
    """The champion on the future listings, judged with gold."""
    scores = _drain(workspace.scored(feed=_FUTURE, candidates=_ALL_CANDIDATES), listen)
    listings = len(scores.listing_ids)
    right_items = [gold.of(external_id) for external_id in scores.listing_external_ids]
    best_right = np.asarray(
        [scores.item_external_id(i) in right for i, right in zip(scores.best_item, right_items, strict=True)],
        dtype=bool,
    )
    nearest_right = np.asarray(
        [
            scores.item_external_id(i) in right
            for i, right in zip(scores.top_similarity_item, right_items, strict=True)
        ],
        dtype=bool,
    )
    answerable = [row for row, right in enumerate(right_items) if right]
    found = sum(
        any(scores.item_external_id(i) in right_items[row] for i in scores.item_ids[row])
        for row in answerable
    )
    automated = none = memory = wrong = none_wrong = memory_wrong = 0
    row_of = {int(listing): row for row, listing in enumerate(scores.listing_ids)}
    for placement in workspace.placements(feed=_FUTURE):
        right = right_items[row_of[placement.listing_id]]
        match placement.route, placement.reason:
            case Route.AUTOMATED, RouteReason.NOT_IN_CATALOGUE:
                none += 1
                none_wrong += bool(right)
            case Route.AUTOMATED, _:
                automated += 1
                wrong += scores.item_external_id(placement.item_id or 0) not in right
            case Route.SETTLED, RouteReason.MEMORY:
                memory += 1
                # What is remembered need not be among the candidates.
                memory_wrong += workspace.item(placement.item_id or 0).external_id not in right
            case _:
                pass
    status = workspace.status()
    certificate = status.certificate
    together = certificate is not None and certificate.kind is CertificateKind.BOTH
    # What the certificate is about: matches, or the answers of both kinds.
    promised, promised_wrong = (automated + none, wrong + none_wrong) if together else (automated, wrong)

    def precision(answers: int, wrong_ones: int) -> float | None:
        return round(1 - wrong_ones / answers, 4) if answers else None

    def oracle(confidence: np.ndarray, right: np.ndarray) -> dict[str, float]:
        return {f"C@{p}": round(coverage_at(confidence, right, p / 100), 4) for p in _PRECISIONS}

    return {
        "random": status.counts.random_decisions,
        "learning": status.counts.learning_decisions,
        "release": status.champion,
        "threshold": certificate.threshold if certificate else None,
        "certified_coverage": round(automated / listings, 4),
        "realised_precision": precision(promised, promised_wrong),
        "none_precision": precision(none, none_wrong),
        "automated_precision": precision(automated + none + memory, wrong + none_wrong + memory_wrong),
        "automation_rate": round((automated + none + memory) / listings, 4),
        "certified_none_rate": round(none / listings, 4),
        "memory_rate": round(memory / listings, 4),
        "oracle": oracle(scores.confidence, best_right),
        "similarity_oracle": oracle(scores.top_similarity, nearest_right),
        "aurc": round(area_under_risk_coverage(scores.confidence, best_right), 4),
        "similarity_aurc": round(area_under_risk_coverage(scores.top_similarity, nearest_right), 4),
        "best_right": round(float(best_right.mean()), 4),
        "candidate_recall": round(found / max(1, len(answerable)), 4),
    }


def _line(entry: dict[str, Any]) -> str:
    precision = "-" if entry["realised_precision"] is None else f"{entry['realised_precision']:.3f}"
    return (
        f"seed {entry['seed']} round {entry['round']}: {entry['decisions']} decisions "
        f"({entry['random']} random), certified coverage {entry['certified_coverage']:.3f}, "
        f"realised precision {precision}, automation rate {entry['automation_rate']:.3f}, "
        f"oracle C@90 {entry['oracle']['C@90']:.3f} C@95 {entry['oracle']['C@95']:.3f}, "
        f"{entry['seconds']:.0f} s"
    )


def _numbers(entry: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, float]]:
    """Every number of an entry, those of nested entries by joined names."""
    for name, value in entry.items():
        if isinstance(value, dict):
            yield from _numbers(value, f"{prefix}{name}_")
        elif isinstance(value, int | float):
            yield prefix + name, float(value)


def _final(rounds: list[dict[str, Any]]) -> dict[str, Any]:
    """Mean and standard deviation over seeds of every number of the last round."""
    last: dict[int, dict[str, Any]] = {entry["seed"]: entry for entry in rounds}
    values: dict[str, list[float]] = {}
    for entry in last.values():
        for name, number in _numbers(entry):
            if name not in ("seed", "round"):
                values.setdefault(name, []).append(number)
    return {
        "mean": {name: round(float(np.mean(numbers)), 4) for name, numbers in values.items()},
        "std": {name: round(float(np.std(numbers)), 4) for name, numbers in values.items()},
        "uncertified_seeds": sum(entry["threshold"] is None for entry in last.values()),
    }
