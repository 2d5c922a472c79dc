"""Keeps ``listing_trait`` in step with ``listing``."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection

from engine.contracts.records import Record
from engine.contracts.traits import listing_traits

_PAGE = 5000
_KEEP = (
    "INSERT INTO listing_trait (listing_id, brand, category, pack, model_code) VALUES (?, ?, ?, ?, ?)"
    " ON CONFLICT (listing_id) DO UPDATE SET brand = excluded.brand, category = excluded.category,"
    " pack = excluded.pack, model_code = excluded.model_code"
)


def keep_traits(connection: Connection, listings: Iterable[tuple[int, Record]]) -> None:
    """Write the traits of listings, given with their numbers."""
    rows = [_row(id_, record.title, record.brand, record.category) for id_, record in listings]
    if rows:
        connection.exec_driver_sql(_KEEP, rows)


def keep_all_traits(connection: Connection) -> None:
    """Write the traits of every listing, page by page: for workspaces older than the table."""
    after = 0
    while True:
        page = connection.exec_driver_sql(
            "SELECT id, title, brand, category FROM listing WHERE id > ? ORDER BY id LIMIT ?",
            (after, _PAGE),
        ).all()
        if not page:
            return
        connection.exec_driver_sql(_KEEP, [_row(*row) for row in page])
        after = page[-1][0]


def _row(id_: int, title: str, brand: str, category: str) -> tuple[int, str, str, int, int]:
    traits = listing_traits(title, brand, category)
    return id_, traits.brand, traits.category, int(traits.pack), int(traits.model_code)
