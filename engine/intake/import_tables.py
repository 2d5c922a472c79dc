"""One file, one transaction: import it whole (less its refused rows) or not at all."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from engine.contracts import (
    ChangeSet,
    Finished,
    ImportReport,
    Item,
    Listing,
    Notice,
    Progress,
    RecordKind,
    WorkEvent,
)
from engine.errors import InputError
from engine.intake.import_items import import_items
from engine.intake.import_listings import import_listings
from engine.intake.record_reader import TableReader, no_rows, read_items, read_listings
from engine.intake.upsert_totals import UpsertTotals
from engine.store import Store, UnitOfWork

STAGE = "import"
AnyReader = TableReader[Item] | TableReader[Listing]


def import_table(
    store: Store,
    path: Path,
    kind: RecordKind,
    *,
    feed: str | None = None,
    mapping: Mapping[str, str] | None = None,
) -> Iterator[WorkEvent[ImportReport]]:
    """Import a file in one transaction.

    Args:
        store: An open workspace database.
        path: A CSV, TSV, XLSX, Parquet or JSONL file.
        kind: Whether its rows are catalogue items or listings.
        feed: Name of the feed for listings; the file's stem if None. Ignored for the catalogue.
        mapping: Field -> column where the guess is to be overruled; ``""`` unmaps a field.

    Yields:
        Progress in rows, notices, and last a Finished with the report. Nothing is kept unless
        Finished was reached: closing the iterator before that rolls everything back.

    Raises:
        InputError: Unreadable file, unmapped columns, no rows, or no row that could be imported.
    """
    path = Path(path)
    feed = "" if kind is RecordKind.CATALOGUE else " ".join((feed or path.stem).split())
    reader, steps = _planned(path, kind, feed, mapping)
    digest = _sha256(path)
    totals = UpsertTotals()
    with store.writing() as uow:
        yield Progress(STAGE, 0, reader.rows_estimate, path.name)
        for so_far in steps(uow):
            totals = so_far
            yield Progress(STAGE, reader.rows, max(reader.rows, reader.rows_estimate), path.name)
        report = _report(reader, kind, feed, totals)
        uow.imports.add(report, digest)
        # Everything said before Finished is said inside the transaction: whoever closes the iterator
        # on any of these events has cancelled, and nothing may be kept.
        yield Progress(STAGE, report.rows, report.rows, path.name)
        for note in reader.notes():
            yield Notice(note)
        if report.refused_total:
            yield Notice(f"{path.name}: {report.refused_total:,} of {report.rows:,} rows were refused")
    changed = bool(report.added or report.updated)
    yield Finished(
        report,
        ChangeSet(
            items=changed and kind is RecordKind.CATALOGUE,
            listings=changed and kind is RecordKind.LISTINGS,
            routes=changed and kind is RecordKind.LISTINGS,
        ),
    )


def _planned(
    path: Path, kind: RecordKind, feed: str, mapping: Mapping[str, str] | None
) -> tuple[AnyReader, Callable[[UnitOfWork], Iterator[UpsertTotals]]]:
    if kind is RecordKind.CATALOGUE:
        items = read_items(path, mapping)
        return items, lambda uow: import_items(uow, items)
    listings = read_listings(path, mapping)
    return listings, lambda uow: import_listings(uow, listings, feed)


def _report(reader: AnyReader, kind: RecordKind, feed: str, totals: UpsertTotals) -> ImportReport:
    if reader.rows == 0:
        raise no_rows(reader.path.name)
    if reader.refused_total == reader.rows:
        first = reader.refused[0]
        where = f"row {first.row}" + (f", column {first.column}" if first.column else "")
        raise InputError(
            f"{reader.path.name}: none of the {reader.rows:,} rows can be imported; "
            f"{where}: {first.reason}. Check the column mapping"
        )
    return ImportReport(
        kind=kind,
        feed=feed,
        path=str(reader.path),
        rows=reader.rows,
        added=totals.added,
        updated=totals.updated,
        unchanged=totals.unchanged,
        refused=tuple(reader.refused),
        refused_total=reader.refused_total,
    )


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
