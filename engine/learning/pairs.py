"""Pairs: what reviewers' decisions teach the encoder, and the folder a training run starts from.

Only decisions of the learning and manual streams make pairs; the random stream certifies and is
never trained on, and no automated match that nobody has seen becomes a pair.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from engine.contracts import Decision, Record, Stream, Verdict
from engine.contracts.training import FOLD_STARTS, ITEM_COLUMNS, PAIR_COLUMNS, TrainingJob
from engine.errors import DiskFullError, EnvironmentError_, InputError
from engine.learning.families import family_of, role_of
from engine.learning.mining import MinedCounts, duplicate_guard, read, unread

if TYPE_CHECKING:
    import pyarrow as pa

    from engine.store import UnitOfWork

#: Items of the catalogue beside those that pairs name, as something to tell apart from.
CATALOGUE_SAMPLE = 4000
MATCH, VARIANT, NONE, MINED = "match", "variant", "none", "mined"
#: What a pair of the same texts is, where decisions differ: a confirmed match is not a counterexample.
_STRENGTH = {MATCH: 2, VARIANT: 1, NONE: 0}


class TrainingTables(NamedTuple):
    """``pairs`` with PAIR_COLUMNS and ``items`` with ITEM_COLUMNS, as Arrow tables."""

    pairs: pa.Table
    items: pa.Table


class _Pair(NamedTuple):
    listing_id: int
    item_id: int
    verdict: str
    family: int


def pairs_of(decision: Decision, shown_negatives: int = 4) -> Iterator[_Pair]:
    """The pairs of one decision, those it confirms first.

    * match: every item it says is right; and as ``none`` the other candidates that were shown above the
      last of these, and those rejected one by one. What was shown below it was perhaps not read.
    * variant: the item as ``variant``; as ``none`` those shown above it and those rejected.
    * none, new item: the first ``shown_negatives`` that were shown, and those rejected.
    * unsure, bad listing: nothing.

    Args:
        decision: in force, of the learning or manual stream.
        shown_negatives: at most so many candidates that were shown count as turned down.
    """
    turned_down: tuple[int, ...] = ()
    named = decision.right_items
    if decision.verdict == Verdict.VARIANT and decision.item_id is not None:
        named = (decision.item_id,)
    if named:
        family = int(family_of(named[:1])[0])
        for item_id in named:
            said = MATCH if decision.verdict == Verdict.MATCH else VARIANT
            yield _Pair(decision.listing_id, item_id, said, family)
        above = decision.shown[: read(decision.shown, named)]
        turned_down = tuple(item_id for item_id in above if item_id not in named)[-shown_negatives:]
    elif decision.verdict in (Verdict.NONE, Verdict.NEW_ITEM) and (decision.shown or decision.rejected):
        turned_down = decision.shown[:shown_negatives]
        family = int(family_of([(*decision.shown, *decision.rejected)[0]])[0])
    else:
        return
    for item_id in dict.fromkeys((*turned_down, *decision.rejected)):
        if item_id not in named:
            yield _Pair(decision.listing_id, item_id, NONE, family)


def build_pairs(
    uow: UnitOfWork,
    *,
    text_of: Callable[[Record], str],
    shown_negatives: int = 4,
    seed: int,
    catalogue_sample: int = CATALOGUE_SAMPLE,
    mined_counts: Callable[[MinedCounts], None] | None = None,
    weights: Mapping[int, float] | None = None,
) -> TrainingTables:
    """The tables of a training run from the decisions in force.

    One row per listing and item; listings with the same text count once. Roles go by family: a pair
    trains or validates with its listing's family (its confirmed item's), and any other item whose own
    family plays the other role is left out, so that no item is on both sides. Mined negatives
    (``mining.py``) join the confirmed matches.

    Args:
        uow: of the workspace.
        text_of: record to record text, the same as for encoding.
        shown_negatives: as in :func:`pairs_of`.
        seed: of the roles and of the sample of the catalogue.
        catalogue_sample: items to add to those that decisions showed.
        mined_counts: told what is known of the mined negatives.
        weights: of confirmed pairs, by listing number; all others count 1.

    Returns:
        ``pairs`` ordered by decision, mined ones last, ``items`` by number; both possibly empty.
    """
    import pyarrow as pa  # deferred: only training and export need it

    decisions = [d for d in uow.decisions.in_force() if d.stream in (Stream.LEARNING, Stream.MANUAL)]
    texts = texts_by_number(uow.listings.get_many, (d.listing_id for d in decisions), text_of)
    kept: dict[tuple[str, int], _Pair] = {}
    for decision in decisions:
        for pair in pairs_of(decision, shown_negatives):
            role = role_of(pair.family, seed)
            if role_of(int(family_of([pair.item_id])[0]), seed) != role:
                continue
            key = (texts[pair.listing_id], pair.item_id)
            known = kept.get(key)
            if known is None or _STRENGTH[pair.verdict] > _STRENGTH[known.verdict]:
                kept[key] = pair
    named = {pair.item_id for pair in kept.values()} | {i for d in decisions for i in d.shown}
    items = texts_by_number(uow.items.get_many, named | _sampled(uow, seed, catalogue_sample), text_of)
    mined, counts = _mined(decisions, texts, items, kept, seed)
    if mined_counts is not None:
        mined_counts(counts)
    kept.update(mined)
    rows = list(kept.values())
    pairs = pa.table(
        [
            pa.array([pair.listing_id for pair in rows], pa.int64()),
            pa.array([text for text, _ in kept], pa.string()),
            pa.array([pair.item_id for pair in rows], pa.int64()),
            pa.array([pair.verdict for pair in rows], pa.string()),
            pa.array([_weight(pair, weights or {}) for pair in rows], pa.float32()),
            pa.array([role_of(pair.family, seed) for pair in rows], pa.string()),
        ],
        names=list(PAIR_COLUMNS),
    )
    numbers = sorted(items)
    catalogue = pa.table(
        [pa.array(numbers, pa.int64()), pa.array([items[number] for number in numbers], pa.string())],
        names=list(ITEM_COLUMNS),
    )
    return TrainingTables(pairs, catalogue)


def _weight(pair: _Pair, weights: Mapping[int, float]) -> float:
    """What a pair counts. The trainer weighs a listing's counterexamples as its confirmed item."""
    return weights.get(pair.listing_id, 1.0) if pair.verdict == MATCH else 1.0


def _mined(
    decisions: list[Decision],
    texts: Mapping[int, str],
    items: Mapping[int, str],
    kept: Mapping[tuple[str, int], _Pair],
    seed: int,
) -> tuple[list[tuple[tuple[str, int], _Pair]], MinedCounts]:
    """Mined negatives of confirmed listings, by text and item, as far as the duplicate guard keeps them."""
    found: dict[tuple[str, int], _Pair] = {}
    confirmed: list[int] = []
    judged: dict[tuple[str, int], bool] = {}
    for decision in decisions:
        text = texts[decision.listing_id]
        known = kept.get((text, decision.item_id or 0))
        if known is None or known.verdict != MATCH:
            continue
        role = role_of(known.family, seed)
        for item in unread(decision):
            key = (text, item)
            if key in kept:
                judged[key] = kept[key].verdict == MATCH
            if key not in kept and key not in found and role_of(int(family_of([item])[0]), seed) == role:
                found[key] = _Pair(decision.listing_id, item, MINED, known.family)
                confirmed.append(known.item_id)
    guarded = duplicate_guard([text for text, _ in found], confirmed, [item for _, item in found], items)
    right = sum(judged.values())
    counts = MinedCounts(right, len(judged) - right, len(found), int((~guarded).sum()))
    return [entry for entry, keeps in zip(found.items(), guarded, strict=True) if keeps], counts


def write_job(
    folder: Path,
    job: TrainingJob,
    pairs: pa.Table,
    items: pa.Table,
    start_folder: Path,
    fold_starts: Sequence[Path] = (),
) -> None:
    """Write the folder of a training run; it appears complete or not at all.

    Args:
        folder: to be made; must not exist.
        job: ``job.json``.
        pairs: with PAIR_COLUMNS.
        items: with ITEM_COLUMNS.
        start_folder: sentence-transformers folder to start from, copied to ``start/``.
        fold_starts: those that the encoders of the folds start from, copied to ``start-folds/``.

    Raises:
        InputError: the folder exists, there is no confirmed match to train on, or no start folder.
        DiskFullError: the disk is full.
        EnvironmentError_: the folder cannot be written.
    """
    if folder.exists():
        raise InputError(f"{folder} exists already: a training run is written once")
    if not start_folder.is_dir():
        raise InputError(f"there is no encoder to start from at {start_folder}")
    roles = zip(pairs.column("verdict").to_pylist(), pairs.column("role").to_pylist(), strict=True)
    if (MATCH, "train") not in set(roles):
        raise InputError(
            "there is no confirmed match to train on yet: decide listings of the queue first "
            "(blind audits do not teach)"
        )
    unfinished = folder.with_name(f".{folder.name}.writing")
    shutil.rmtree(unfinished, ignore_errors=True)
    try:
        unfinished.mkdir(parents=True)
        _write(unfinished / "job.json", job.model_dump_json(indent=2).encode())
        _write_table(unfinished / "pairs.parquet", pairs)
        _write_table(unfinished / "items.parquet", items)
        shutil.copytree(start_folder, unfinished / "start")
        for number, fold_start in enumerate(fold_starts):
            shutil.copytree(fold_start, unfinished / FOLD_STARTS / str(number))
        unfinished.rename(folder)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise DiskFullError(
                f"the disk is full; the training run {folder.name} was not written"
            ) from error
        raise EnvironmentError_(
            f"cannot write the training run {folder}: {error.strerror or error}"
        ) from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def texts_by_number(
    get_many: Callable[[Iterable[int]], Mapping[int, Record]],
    ids: Iterable[int],
    text_of: Callable[[Record], str],
) -> dict[int, str]:
    """Record texts by number; records are read in portions so that they are not all held at once."""
    wanted = sorted(set(ids))
    texts: dict[int, str] = {}
    for start in range(0, len(wanted), 2000):
        for number, record in get_many(wanted[start : start + 2000]).items():
            texts[number] = text_of(record)
    return texts


def _sampled(uow: UnitOfWork, seed: int, size: int) -> set[int]:
    """Numbers of items drawn uniformly; items are numbered from 1 without gaps."""
    count = uow.items.count()
    if count == 0:
        return set()
    chosen = np.random.default_rng(seed).choice(count, size=min(size, count), replace=False)
    return {int(number) + 1 for number in chosen}


def _write_table(path: Path, table: pa.Table) -> None:
    import pyarrow as pa
    import pyarrow.parquet as parquet

    sink = pa.BufferOutputStream()
    parquet.write_table(table, sink)
    _write(path, sink.getvalue().to_pybytes())


def _write(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
