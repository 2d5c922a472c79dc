"""Rows of a table as validated records, streamed, with a list of what was refused and why."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from operator import itemgetter
from pathlib import Path
from typing import Generic, TypeVar

from engine.contracts import (
    ColumnMapping,
    ImportPreview,
    Item,
    Listing,
    Record,
    RecordKind,
    RefusedRow,
    TableFormat,
)
from engine.errors import UnreadableTableError
from engine.intake.cell_values import (
    clean_text,
    guess_decimal,
    is_empty_word,
    parse_gtin,
    parse_price,
    unescape_formula,
)
from engine.intake.column_mapping import apply_overrides, guess_mapping, require_columns
from engine.intake.read_tables import RawRow, RawTable, open_table

RecordT = TypeVar("RecordT", bound=Record)

#: A title is cut here; one beyond ``TITLE_REFUSED`` is not a title but a broken file.
TITLE_CHARS = 10_000
TITLE_REFUSED = 100_000
ID_CHARS = 1_000
_FIELD_CHARS = 2_000
#: Refusals kept one by one; all are counted.
REFUSALS_KEPT = 1_000
CHUNK_ROWS = 2_000
_SAMPLE_ROWS = 200
_PREVIEW_ROWS = 20
_PREVIEW_CELL = 500
_TEXT_FIELDS = (
    ("brand", _FIELD_CHARS),
    ("model", _FIELD_CHARS),
    ("category", _FIELD_CHARS),
    ("description", 50_000),
    ("image", _FIELD_CHARS),
)


class TableReader(Generic[RecordT]):
    """Streams the valid records of one file; after (and during) that, what was refused.

    Attributes:
        path, format, columns, mapping: What is read and how.
        rows_estimate: Rows to expect, for a progress bar.
        rows: Data rows seen so far, refused ones included; blank lines are not rows.
        refused: The first :data:`REFUSALS_KEPT` refusals of the pass.
        refused_total: All of them.
    """

    def __init__(self, table: RawTable, mapping: ColumnMapping, record_type: type[RecordT]) -> None:
        self.path: Path = table.path
        self.format: TableFormat = table.format
        self.columns: tuple[str, ...] = table.columns
        self.mapping = mapping
        self.rows_estimate = table.rows_estimate
        self.rows = 0
        self.refused: list[RefusedRow] = []
        self.refused_total = 0
        self._table = table
        self._record_type = record_type
        self._places = {name: table.columns.index(column) for name, column in mapping.columns.items()}
        used = set(self._places.values())
        self._attributes = [(place, name) for place, name in enumerate(table.columns) if place not in used]
        self._first_rows: dict[str, int] = {}
        self._remarks: Counter[str] = Counter()
        self._decimal = self._guess_decimal()

    def _guess_decimal(self) -> str:
        column = self.mapping.column("price")
        if column is None or column in self._table.point_columns:
            return "."
        pick = itemgetter(self._places["price"])
        rows = itertools.islice(self._table.rows(), _SAMPLE_ROWS)
        return guess_decimal([pick(raw.values) for raw in rows if not raw.problem])

    def chunks(self, size: int | None = None) -> Iterator[list[RecordT]]:
        """The valid records in file order, ``size`` (2,000) at a time; one pass, from the first row.

        Raises:
            UnreadableTableError: The file turns out to be damaged on the way.
        """
        self.rows = self.refused_total = 0
        self.refused.clear()
        self._first_rows.clear()
        self._remarks.clear()
        records = self._records()
        while chunk := list(itertools.islice(records, size or CHUNK_ROWS)):
            yield chunk

    def __iter__(self) -> Iterator[RecordT]:
        for chunk in self.chunks():
            yield from chunk

    def notes(self) -> tuple[str, ...]:
        """What was read other than it is written, one line each (cut titles, kept-aside prices)."""
        return self._table.notes + tuple(f"{count:,} {remark}" for remark, count in self._remarks.items())

    def _records(self) -> Iterator[RecordT]:
        for raw in self._table.rows():
            self.rows += 1
            record = self._record(raw)
            if record is not None:
                yield record

    def _refuse(self, row: int, field_name: str, reason: str) -> None:
        self.refused_total += 1
        if len(self.refused) < REFUSALS_KEPT:
            column = self.mapping.column(field_name) if field_name else ""
            self.refused.append(RefusedRow(row, column or "", reason))

    def _record(self, raw: RawRow) -> RecordT | None:
        if raw.problem:
            self._refuse(raw.row, "", raw.problem)
            return None
        values, places = raw.values, self._places
        external_id = self._external_id(raw.row, values[places["external_id"]])
        if external_id is None:
            return None
        title = self._title(raw.row, values[places["title"]])
        if title is None:
            return None
        first = self._first_rows.setdefault(external_id, raw.row)
        if first != raw.row:
            self._refuse(raw.row, "external_id", f"the id '{external_id[:80]}' is already in row {first}")
            return None
        attributes: dict[str, str] = {}
        fields = {
            name: self._text(values[places[name]], limit) for name, limit in _TEXT_FIELDS if name in places
        }
        price = self._price(values, attributes)
        gtin = self._gtin(values, attributes)
        for place, name in self._attributes:
            if values[place] and (text := self._text(values[place], _FIELD_CHARS)):
                attributes[name] = text
        for name, value in (raw.extra or {}).items():
            if text := self._text(value, _FIELD_CHARS):
                attributes.setdefault(clean_text(name)[:_FIELD_CHARS], text)
        return self._record_type(
            id=0,
            external_id=external_id,
            title=title,
            price=price,
            gtin=gtin,
            attributes=attributes,
            **fields,
        )

    def _external_id(self, row: int, value: str) -> str | None:
        text = clean_text(unescape_formula(value))
        if not text:
            self._refuse(row, "external_id", "the id is empty")
            return None
        if len(text) > ID_CHARS:
            self._refuse(row, "external_id", f"the id is longer than {ID_CHARS:,} characters")
            return None
        return text

    def _title(self, row: int, value: str) -> str | None:
        if len(value) > TITLE_REFUSED:
            self._refuse(row, "title", f"title is longer than {TITLE_REFUSED:,} characters")
            return None
        text = clean_text(unescape_formula(value))
        if is_empty_word(text):
            self._refuse(row, "title", "the title is empty")
            return None
        if len(text) > TITLE_CHARS:
            self._remarks[f"titles are longer than {TITLE_CHARS:,} characters and were cut"] += 1
            text = text[:TITLE_CHARS].rstrip()
        return text

    def _text(self, value: str, limit: int) -> str:
        if not value:
            return ""
        text = clean_text(unescape_formula(value))
        if len(text) > limit:
            self._remarks[f"cells are longer than {limit:,} characters and were cut"] += 1
            text = text[:limit].rstrip()
        return "" if is_empty_word(text) else text

    def _price(self, values: Sequence[str], attributes: dict[str, str]) -> float | None:
        place = self._places.get("price")
        if place is None or not (text := self._text(values[place], _FIELD_CHARS)):
            return None
        price = parse_price(text, self._decimal)
        if price is None:
            attributes[self.columns[place]] = text
            self._remarks["prices are not a single amount and were kept as text"] += 1
        return price

    def _gtin(self, values: Sequence[str], attributes: dict[str, str]) -> str:
        place = self._places.get("gtin")
        if place is None or not (text := self._text(values[place], _FIELD_CHARS)):
            return ""
        gtin = parse_gtin(text)
        if not gtin:
            attributes[self.columns[place]] = text
            self._remarks["GTINs have a wrong length or check digit and were kept as text"] += 1
        return gtin


def read_items(path: Path, mapping: Mapping[str, str] | None = None) -> TableReader[Item]:
    """A reader of catalogue items; see :func:`read_records`."""
    table, columns = _mapped(path, mapping)
    require_columns(columns, table.columns, table.path.name)
    return TableReader(table, columns, Item)


def read_listings(path: Path, mapping: Mapping[str, str] | None = None) -> TableReader[Listing]:
    """A reader of listings, whose feed is not set yet; see :func:`read_records`."""
    table, columns = _mapped(path, mapping)
    require_columns(columns, table.columns, table.path.name)
    return TableReader(table, columns, Listing)


def read_records(
    path: Path, kind: RecordKind, mapping: Mapping[str, str] | None = None
) -> TableReader[Item] | TableReader[Listing]:
    """Open a file for reading records.

    Args:
        path: A CSV, TSV, XLSX, Parquet or JSONL file.
        kind: Whether its rows are catalogue items or listings.
        mapping: Field -> column where the guess is to be overruled; ``""`` unmaps a field.

    Raises:
        UnreadableTableError: Not a readable table; the message says what it is instead.
        ColumnMappingError: No column for the id or the title, or the mapping names none.
    """
    return read_items(path, mapping) if kind is RecordKind.CATALOGUE else read_listings(path, mapping)


def preview_table(path: Path, kind: RecordKind, mapping: Mapping[str, str] | None = None) -> ImportPreview:
    """What importing a file would do; reads all of it and writes nothing.

    While the id or the title has no column yet, rows are counted but not judged.

    Raises:
        UnreadableTableError: Not a readable table, or one without a data row.
        ColumnMappingError: ``mapping`` names an unknown field or column.
    """
    table, columns = _mapped(path, mapping)
    refused: list[RefusedRow] = []
    refused_total = 0
    if columns.column("external_id") is not None and columns.column("title") is not None:
        reader = TableReader(table, columns, Item if kind is RecordKind.CATALOGUE else Listing)
        for _ in reader.chunks():
            pass
        rows, refused, refused_total = reader.rows, reader.refused, reader.refused_total
    else:
        rows = sum(1 for _ in table.rows())
    if rows == 0:
        raise no_rows(table.path.name)
    return ImportPreview(
        path=str(table.path),
        kind=kind,
        format=table.format,
        columns=table.columns,
        mapping=columns,
        sample=_sample(table, _PREVIEW_ROWS),
        rows=rows,
        refused=tuple(refused),
        refused_total=refused_total,
    )


def no_rows(name: str) -> UnreadableTableError:
    """The error for a table that is nothing but a header."""
    return UnreadableTableError(f"{name} has a header but no rows; there is nothing to import")


def _mapped(path: Path, mapping: Mapping[str, str] | None) -> tuple[RawTable, ColumnMapping]:
    table = open_table(Path(path))
    guess = guess_mapping(table.columns, _sample(table, _SAMPLE_ROWS))
    return table, apply_overrides(guess, table.columns, mapping)


def _sample(table: RawTable, rows: int) -> tuple[Mapping[str, str], ...]:
    readable = (raw for raw in table.rows() if not raw.problem)
    sample = []
    for raw in itertools.islice(readable, rows):
        cells = (clean_text(unescape_formula(cell[:_PREVIEW_CELL])) for cell in raw.values)
        sample.append(dict(zip(table.columns, cells, strict=True)))
    return tuple(sample)
