"""The pairs of a job folder, read, validated and numbered."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from engine.contracts.training import ITEM_COLUMNS, PAIR_COLUMNS, TrainingJob
from engine.errors import InputError
from trainer.pairs import JudgedListing, PairSet

VERDICTS = ("match", "variant", "none", "mined")
ROLES = ("train", "validation")
#: A confirmed pair that weighs less is counted in a notice.
LITTLE_WEIGHT = 0.5


def read_job(job_folder: Path) -> TrainingJob:
    """``job.json`` of a folder.

    Raises:
        InputError: it is missing or not a job.
    """
    path = job_folder / "job.json"
    try:
        return TrainingJob.model_validate_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(f"{job_folder} holds no job.json; give the folder of a training run.") from error
    except ValueError as error:
        raise InputError(f"{path} is not a training job: {error}") from error


def read_pairs(job_folder: Path) -> PairSet:
    """``pairs.parquet`` and ``items.parquet`` of a job folder.

    Pairs without text or weight are left out with a notice; everything else that is wrong is an error,
    because training on half of what reviewers said would pass unseen.

    Raises:
        InputError: a table is missing or unreadable, lacks a column, holds an unknown verdict or role,
            names an item that ``items.parquet`` lacks, or no confirmed pair is left to train on.
    """
    pairs = _read_table(job_folder / "pairs.parquet", PAIR_COLUMNS)
    items = _read_table(job_folder / "items.parquet", ITEM_COLUMNS)
    _refuse_unknown(pairs, "verdict", VERDICTS)
    _refuse_unknown(pairs, "role", ROLES)
    notices: list[str] = []
    items = _without_empty(items, "item_text", "items.parquet", notices).unique(
        "item_id", keep="first", maintain_order=True
    )
    pairs = _without_empty(pairs, "listing_text", "pairs.parquet", notices)
    weightless = pairs.filter(~((pl.col("weight") > 0) & pl.col("weight").is_finite()).fill_null(False))
    if len(weightless):
        notices.append(
            f"{len(weightless)} pairs of pairs.parquet have no finite weight above 0 and are left out."
        )
        pairs = pairs.join(weightless, on=["listing_id", "item_id"], how="anti")
    notices.extend(_doubted(pairs))
    missing = pairs.join(items, on="item_id", how="anti")
    if len(missing):
        raise InputError(
            f"pairs.parquet names {missing['item_id'].n_unique()} items that items.parquet lacks or leaves "
            f"without text, such as {missing['item_id'][0]}; write the job again."
        )
    item_texts = tuple(items["item_text"].to_list())
    number = {item_id: row for row, item_id in enumerate(items["item_id"].to_list())}
    first: dict[str, int] = {}
    same_text = tuple(first.setdefault(text, row) for row, text in enumerate(item_texts))
    train = _listings(pairs.filter(pl.col("role") == "train"), number)
    validation = _listings(pairs.filter(pl.col("role") == "validation"), number)
    if not any(listing.matches for listing in train):
        raise InputError("pairs.parquet holds no confirmed pair with role train; confirm some matches first.")
    return PairSet(
        item_texts,
        train,
        validation,
        same_text,
        tuple(items["item_id"].to_list()),
        tuple(notices),
        fingerprint=_fingerprint(pairs, items),
    )


def _read_table(path: Path, columns: Sequence[str]) -> pl.DataFrame:
    """The named columns of a Parquet file, ids as text."""
    if not path.is_file():
        raise InputError(f"{path} is missing; write the job again.")
    try:
        table = pl.read_parquet(path)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise InputError(f"{path} is not a Parquet file that can be read: {error}") from error
    lacking = [column for column in columns if column not in table.columns]
    if lacking:
        raise InputError(f"{path.name} lacks column {', '.join(lacking)}; it needs {', '.join(columns)}.")
    ids = [column for column in columns if column.endswith("_id")]
    table = table.select(columns).with_columns(pl.col(ids).cast(pl.String))
    for column in ids:
        if table[column].null_count():
            raise InputError(f"{path.name} has {table[column].null_count()} rows without {column}.")
    return table


def _refuse_unknown(pairs: pl.DataFrame, column: str, allowed: tuple[str, ...]) -> None:
    """Refuse values of ``column`` that are not in ``allowed``, null included."""
    found = pairs.with_row_index("row").filter(
        ~pl.col(column).cast(pl.String).is_in(allowed).fill_null(False)
    )
    if len(found):
        raise InputError(
            f"pairs.parquet row {found['row'][0] + 1}: {column} is {found[column][0]!r}, "
            f"which is none of {', '.join(allowed)}."
        )


def _without_empty(table: pl.DataFrame, column: str, name: str, notices: list[str]) -> pl.DataFrame:
    """The rows whose text in ``column`` is not empty."""
    kept = table.filter(pl.col(column).fill_null("").str.strip_chars().str.len_chars() > 0)
    if len(kept) < len(table):
        notices.append(f"{len(table) - len(kept)} rows of {name} have an empty {column} and are left out.")
    return kept


def _doubted(pairs: pl.DataFrame) -> list[str]:
    """A line about the confirmed pairs that weigh little, where there are any."""
    confirmed = pairs.filter((pl.col("role") == "train") & (pl.col("verdict") == "match"))
    doubted = int((confirmed["weight"] < LITTLE_WEIGHT).sum())
    if not doubted:
        return []
    return [
        f"{doubted:,} of {len(confirmed):,} confirmed pairs count less than half: a matcher that had not "
        "seen their decisions finds another candidate of the listing much likelier. If such a confirmation "
        "is wrong, the encoder learns little of it."
    ]


def _listings(pairs: pl.DataFrame, number: dict[str, int]) -> tuple[JudgedListing, ...]:
    """Group the pairs by listing, in the order in which listings first appear."""
    text: dict[str, str] = {}
    judged: dict[str, dict[str, list[int]]] = defaultdict(lambda: {verdict: [] for verdict in VERDICTS})
    weight: dict[str, dict[int | None, float]] = defaultdict(dict)
    columns = ("listing_id", "listing_text", "item_id", "verdict", "weight")
    for listing_id, listing_text, item_id, verdict, pair_weight in pairs.select(columns).iter_rows():
        item = number[item_id]
        text.setdefault(listing_id, listing_text)
        if item not in judged[listing_id][verdict]:
            judged[listing_id][verdict].append(item)
        key = item if verdict == "match" else None
        weight[listing_id][key] = max(weight[listing_id].get(key, 0.0), float(pair_weight))
    found = []
    for listing_id, by_verdict in judged.items():
        matches = tuple(by_verdict["match"])
        variants = tuple(item for item in by_verdict["variant"] if item not in matches)
        rejected = tuple(item for item in by_verdict["none"] if item not in matches + variants)
        known = matches + variants + rejected
        mined = tuple(item for item in by_verdict["mined"] if item not in known)
        found.append(
            JudgedListing(
                text[listing_id], matches, variants, rejected, weight[listing_id], mined, listing_id
            )
        )
    return tuple(found)


def _fingerprint(pairs: pl.DataFrame, items: pl.DataFrame) -> str:
    """A hash of the content of both tables, row order included."""
    digest = hashlib.blake2b(digest_size=16)
    for table in (pairs, items):
        for row in table.iter_rows():
            digest.update(repr(row).encode())
    return digest.hexdigest()
