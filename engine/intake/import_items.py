"""Catalogue rows into the workspace."""

from __future__ import annotations

from collections.abc import Iterator

from engine.contracts import Item
from engine.intake.record_reader import TableReader
from engine.intake.record_text import text_key
from engine.intake.upsert_totals import UpsertTotals
from engine.store import UnitOfWork


def import_items(uow: UnitOfWork, reader: TableReader[Item]) -> Iterator[UpsertTotals]:
    """Add or update every valid item of the file inside the caller's transaction.

    Yields:
        The totals so far after each chunk.
    """
    totals = UpsertTotals()
    for chunk in reader.chunks():
        totals += uow.items.upsert(chunk, [text_key(item) for item in chunk])
        yield totals
