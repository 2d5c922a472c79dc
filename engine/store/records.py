"""What the tables of items and listings share: rows to records, records to rows, bulk upserts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import ColumnElement, Connection, func, select

from engine.contracts.records import Item, Listing, Record
from engine.store.packing import AnyRow, attributes_json, attributes_of, content_hash, is_in
from engine.store.schema import ItemRow, ListingRow

#: Records per statement of a bulk upsert.
CHUNK = 2000

_Chunked = TypeVar("_Chunked")


class Incoming(NamedTuple):
    """A record on its way in, with what decides whether it is new."""

    record: Record
    text_key: str
    attributes: str
    content_hash: bytes


class Stored(NamedTuple):
    """What is compared of a record that is stored already."""

    id: int
    content_hash: bytes
    text_key: str


def record_columns(row: type[ItemRow] | type[ListingRow]) -> tuple[Any, ...]:
    """The columns of a record, in the order of :class:`Record`'s fields."""
    return (
        row.id,
        row.external_id,
        row.title,
        row.brand,
        row.model,
        row.category,
        row.price,
        row.gtin,
        row.description,
        row.image,
        row.attributes,
    )


def item_of(row: AnyRow) -> Item:
    """An item from its record columns."""
    id_, external_id, title, brand, model, category, price, gtin, description, image, attributes = row
    return Item(
        id_,
        external_id,
        title,
        brand,
        model,
        category,
        price,
        gtin,
        description,
        image,
        attributes_of(attributes),
    )


def listing_of(row: AnyRow) -> Listing:
    """A listing from its record columns and the feed's id."""
    id_, external_id, title, brand, model, category, price, gtin, description, image, attributes, feed_id = (
        row
    )
    return Listing(
        id_,
        external_id,
        title,
        brand,
        model,
        category,
        price,
        gtin,
        description,
        image,
        attributes_of(attributes),
        feed_id,
    )


def chunks(values: Sequence[_Chunked], size: int = CHUNK) -> Iterator[Sequence[_Chunked]]:
    """``values`` in slices of at most ``size``."""
    for start in range(0, len(values), size):
        yield values[start : start + size]


def incoming(records: Sequence[Record], text_keys: Sequence[str]) -> dict[str, Incoming]:
    """Records by external id, hashed; of several with one id the last one counts."""
    if len(records) != len(text_keys):
        raise ValueError(f"{len(records)} records but {len(text_keys)} text keys")
    found: dict[str, Incoming] = {}
    for record, text_key in zip(records, text_keys, strict=True):
        attributes = attributes_json(record.attributes)
        found[record.external_id] = Incoming(record, text_key, attributes, content_hash(record, attributes))
    return found


def stored(
    connection: Connection,
    row: type[ItemRow] | type[ListingRow],
    external_ids: Sequence[str],
    *where: ColumnElement[bool],
) -> dict[str, Stored]:
    """Those of the external ids that the table holds."""
    found = connection.execute(
        select(row.external_id, row.id, row.content_hash, row.text_key).where(
            is_in(row.external_id, external_ids), *where
        )
    )
    return {external_id: Stored(id_, hash_, key) for external_id, id_, hash_, key in found}


def next_ids(connection: Connection, row: type[ItemRow] | type[ListingRow]) -> Iterator[int]:
    """Numbers for new records. Safe because there is one writer and records are never deleted."""
    highest = connection.execute(select(func.max(row.id))).scalar() or 0
    return iter(range(highest + 1, 2**62))


def insert_records(
    connection: Connection,
    row: type[ItemRow] | type[ListingRow],
    ids: Iterator[int],
    new: Sequence[Incoming],
    at: str,
    feed_id: int | None = None,
) -> list[int]:
    """Insert records under the next ids, which are returned in order; listings with their feed."""
    taken = list(islice(ids, len(new)))
    feed = () if feed_id is None else (feed_id,)
    columns = ["id", "external_id", "added_at", *_CONTENT, *(["feed_id"] if feed else [])]
    # Plain tuples: at hundreds of thousands of rows, building each statement's parameters by name
    # costs more than SQLite does.
    connection.exec_driver_sql(
        f"INSERT INTO {row.__tablename__} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})",
        [
            (id_, entry.record.external_id, at, *_content(entry), *feed)
            for id_, entry in zip(taken, new, strict=True)
        ],
    )
    return taken


def update_records(
    connection: Connection,
    row: type[ItemRow] | type[ListingRow],
    changed: Sequence[tuple[int, Incoming]],
    at: str,
) -> None:
    """Write the new content of records and the time they changed."""
    assignments = ", ".join(f"{column} = ?" for column in ("changed_at", *_CONTENT))
    connection.exec_driver_sql(
        f"UPDATE {row.__tablename__} SET {assignments} WHERE id = ?",
        [(at, *_content(entry), id_) for id_, entry in changed],
    )


#: The columns that :func:`_content` fills, in its order.
_CONTENT = (
    "content_hash",
    "text_key",
    "title",
    "brand",
    "model",
    "category",
    "price",
    "gtin",
    "description",
    "image",
    "attributes",
)


def _content(entry: Incoming) -> tuple[object, ...]:
    record = entry.record
    return (
        entry.content_hash,
        entry.text_key,
        record.title,
        record.brand,
        record.model,
        record.category,
        record.price,
        record.gtin,
        record.description,
        record.image,
        entry.attributes,
    )
