"""Rows of a feed into the workspace."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from engine.contracts import Listing
from engine.intake.record_reader import TableReader
from engine.intake.record_text import text_key
from engine.intake.upsert_totals import UpsertTotals
from engine.store import UnitOfWork


def import_listings(uow: UnitOfWork, reader: TableReader[Listing], feed: str) -> Iterator[UpsertTotals]:
    """Add or update every valid listing of the file in ``feed``, inside the caller's transaction.

    A listing that changed is unmatched again; the store sees to that.

    Yields:
        The totals so far after each chunk.
    """
    totals = UpsertTotals()
    feed_id = uow.feeds.ensure(feed)
    for chunk in reader.chunks():
        listings = [replace(listing, feed_id=feed_id) for listing in chunk]
        totals += uow.listings.upsert(feed_id, listings, [text_key(listing) for listing in listings])
        yield totals
