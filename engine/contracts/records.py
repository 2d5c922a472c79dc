"""Records: what a catalogue item and an incoming listing are, and how a file becomes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class RecordKind(StrEnum):
    """Which of the two tables a file holds."""

    CATALOGUE = "catalogue"
    LISTINGS = "listings"


@dataclass(frozen=True, slots=True)
class Record:
    """What items and listings share. Empty string means "the source does not say".

    ``id`` is the workspace's own number (0 before it is stored), ``external_id`` the user's.
    """

    id: int
    external_id: str
    title: str
    brand: str = ""
    model: str = ""
    category: str = ""
    price: float | None = None
    gtin: str = ""
    description: str = ""
    image: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Item(Record):
    """A product of the catalogue."""


@dataclass(frozen=True, slots=True)
class Listing(Record):
    """An incoming product record to be matched."""

    feed_id: int = 0


#: Record fields a file's columns can be mapped to, in the order screens show them.
#: Columns mapped to none of these are kept as attributes.
MAPPABLE_FIELDS: tuple[str, ...] = (
    "external_id",
    "title",
    "brand",
    "model",
    "category",
    "price",
    "gtin",
    "description",
    "image",
)
REQUIRED_FIELDS: tuple[str, ...] = ("external_id", "title")


@dataclass(frozen=True, slots=True)
class ColumnMapping:
    """``field -> column name`` for every mapped field of :data:`MAPPABLE_FIELDS`."""

    columns: Mapping[str, str]

    def column(self, field_name: str) -> str | None:
        """The file's column for a record field, or None."""
        return self.columns.get(field_name)


@dataclass(frozen=True, slots=True)
class TableFormat:
    """How a file was read: ``csv``/``tsv``/``xlsx``/``parquet``/``jsonl``, encoding, delimiter."""

    kind: str
    encoding: str = ""
    delimiter: str = ""


@dataclass(frozen=True, slots=True)
class RefusedRow:
    """A row that was not imported. ``row`` is 1-based with the header counted as row 1."""

    row: int
    column: str
    reason: str


@dataclass(frozen=True, slots=True)
class ImportPreview:
    """What an import would do, before anything is written."""

    path: str
    kind: RecordKind
    format: TableFormat
    columns: tuple[str, ...]
    mapping: ColumnMapping
    sample: tuple[Mapping[str, str], ...]
    rows: int
    refused: tuple[RefusedRow, ...]
    refused_total: int


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import did. ``refused`` holds the first thousand refusals, ``refused_total`` counts all."""

    kind: RecordKind
    feed: str
    path: str
    rows: int
    added: int
    updated: int
    unchanged: int
    refused: tuple[RefusedRow, ...]
    refused_total: int


@dataclass(frozen=True, slots=True)
class FeedSummary:
    """One feed and where its listings stand."""

    id: int
    name: str
    imported_at: str
    listings: int
    unmatched: int
    automated: int
    review: int
    settled: int
