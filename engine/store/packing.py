"""Small encodings of the store: candidate lists as bytes, records as hashes, lists as JSON."""

from __future__ import annotations

import functools
import hashlib
import json
import struct
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, CursorResult, Row, bindparam, func, select
from sqlalchemy.orm import InstrumentedAttribute

from engine.contracts.matching import Candidate
from engine.contracts.records import Record
from engine.errors import BugError

#: A row of any statement.
AnyRow = Row[*tuple[Any, ...]]

#: One candidate: item id, confidence, similarity, lexical, via_alias; little-endian, 33 bytes.
_CANDIDATE = "qddd?"
_ONE_CANDIDATE = struct.Struct("<" + _CANDIDATE)


@functools.cache
def _candidate_list(length: int) -> struct.Struct:
    return struct.Struct("<" + _CANDIDATE * length)


def now() -> str:
    """The time as the store writes it: ISO 8601, UTC, milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def pack_candidates(candidates: Iterable[Candidate]) -> bytes:
    """Candidates as bytes, exactly: what comes back is equal to what went in."""
    flat = [
        value for c in candidates for value in (c.item_id, c.confidence, c.similarity, c.lexical, c.via_alias)
    ]
    return _candidate_list(len(flat) // len(_CANDIDATE)).pack(*flat)


def unpack_candidates(packed: bytes) -> tuple[Candidate, ...]:
    """The candidates that :func:`pack_candidates` packed."""
    return tuple([Candidate(*fields) for fields in _ONE_CANDIDATE.iter_unpack(packed)])


def attributes_json(attributes: Mapping[str, str]) -> str:
    """A record's attributes as a JSON object, in their order."""
    return json.dumps(dict(attributes), ensure_ascii=False) if attributes else "{}"


def attributes_of(text: str) -> Mapping[str, str]:
    """The attributes that :func:`attributes_json` wrote."""
    if text == "{}":
        return {}
    loaded: dict[str, str] = json.loads(text)
    return loaded


def content_hash(record: Record, attributes: str) -> bytes:
    """16 bytes that change when any field of the record does.

    Fields are separated by a character that tables do not hold, so that none runs into the next.
    """
    text = "\x1f".join(
        (
            record.title,
            record.brand,
            record.model,
            record.category,
            "" if record.price is None else repr(float(record.price)),
            record.gtin,
            record.description,
            record.image,
            attributes,
        )
    )
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def random_key(feed_id: int, external_id: str) -> int:
    """A stored random order of listings, the same wherever the same files are imported: 63 bits."""
    digest = hashlib.blake2b(f"{feed_id}\x1f{external_id}".encode("utf-8", "surrogatepass"), digest_size=8)
    return int.from_bytes(digest.digest(), "little") >> 1


#: Share of every feed that is kept for the random stream. Fixed: a listing that could have been
#: asked by the learning stream for a while would not represent its feed any more.
RESERVE_SHARE = 0.35


def in_reserve(feed_id: int, external_id: str) -> int:
    """1 for the listings kept for the random stream, drawn by lot from the id, else 0."""
    return int(random_key(feed_id, f"reserve\x1f{external_id}") < RESERVE_SHARE * 2**63)


def inserted_id(inserted: CursorResult[*tuple[Any, ...]]) -> int:
    """The number that an inserted row got."""
    key = inserted.inserted_primary_key
    if key is None:
        raise BugError("an inserted row has no number")
    return int(key[0])


def id_list(values: Iterable[int]) -> str:
    """Ids as one JSON parameter (see :func:`is_in`)."""
    return json.dumps([int(value) for value in values])


def is_in(
    column: InstrumentedAttribute[Any] | ColumnElement[Any], values: Sequence[int] | Sequence[str]
) -> ColumnElement[bool]:
    """``column IN values`` for lists of any length, bound as a single parameter.

    SQLite reads the list from one JSON text, so no statement binds a long list and one compiled
    statement serves all lengths.
    """
    listed = json.dumps([int(v) if not isinstance(v, str) else v for v in values])
    each = func.json_each(bindparam(None, listed, unique=True)).table_valued("value")
    return column.in_(select(each.c.value))
