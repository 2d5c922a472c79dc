"""Tables as rows of text, streamed: CSV and TSV, XLSX, Parquet, JSON lines.

Spreadsheets and Parquet are read by Polars. Delimited text and JSON lines are tokenised line by line
instead, because a reader of whole files cannot say which row is broken: Polars gives up on a file for
one stray inch mark (``Sony 55" TV``) or one surplus delimiter, and those rows are to be listed with
their number while the rest imports.
"""

from __future__ import annotations

import csv
import itertools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from engine.contracts import TableFormat
from engine.errors import UnreadableTableError
from engine.intake.cell_values import as_text, clean_text
from engine.intake.sniff import TextFacts, detect_delimiter, detect_encoding, sniff_kind

#: A longer cell is a quotation mark that is never closed, not data.
MAX_CELL_CHARS = 64 << 20
_PARQUET_ROWS = 50_000
_JSON_COLUMN_LINES = 1_000
_MOST_COLUMNS = 2_000
_FIRST_DATA_ROW = 2

# The limit is per process and guards nothing else; the default would refuse a 1 MB title with the
# whole file instead of its row.
csv.field_size_limit(MAX_CELL_CHARS)


@dataclass(frozen=True, slots=True)
class RawRow:
    """One data row as text. ``problem`` is set, and ``values`` short, when it cannot be read as one.

    ``row`` counts the header as row 1, as a spreadsheet shows it; for JSON lines it is the line.
    ``extra`` holds what a JSON line says beyond the table's columns.
    """

    row: int
    values: Sequence[str]
    problem: str = ""
    extra: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class RawTable:
    """A table that is known but not yet read. ``rows()`` starts a new pass each time.

    ``rows_estimate`` is exact for Parquet and XLSX and counts line ends otherwise. The decimal sign of
    ``point_columns`` is known to be a point. ``notes`` are worth a line to the user.
    """

    path: Path
    format: TableFormat
    columns: tuple[str, ...]
    rows_estimate: int
    rows: Callable[[], Iterator[RawRow]]
    point_columns: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()


def open_table(path: Path) -> RawTable:
    """Find out what a file is and how it is read.

    Raises:
        UnreadableTableError: See :func:`engine.intake.sniff.sniff_kind`; or a damaged file.
    """
    kind = sniff_kind(path)
    if kind == "xlsx":
        return _open_xlsx(path)
    if kind == "parquet":
        return _open_parquet(path)
    if kind == "jsonl":
        return _open_jsonl(path)
    return _open_delimited(path, kind)


def unique_columns(header: Sequence[str]) -> tuple[str, ...]:
    """Header cells as distinct, non-empty column names: ``column 3``, ``price (2)``."""
    names: list[str] = []
    for place, cell in enumerate(header, 1):
        name = base = clean_text(cell) or f"column {place}"
        for number in itertools.count(2):
            if name not in names:
                break
            name = f"{base} ({number})"
        names.append(name)
    return tuple(names)


def _open_delimited(path: Path, promised: str) -> RawTable:
    facts = detect_encoding(path)
    with path.open(encoding=facts.encoding, errors="replace", newline="") as stream:
        sample = stream.read(256 << 10)
    delimiter = detect_delimiter(sample, promised)
    header = next((cells for cells in _csv_records(path, facts, delimiter) if any(cells[2])), None)
    if header is None:
        raise UnreadableTableError(f"{path.name} is empty; there is nothing to import")
    columns = unique_columns(header[2])
    if len(columns) > _MOST_COLUMNS:
        raise UnreadableTableError(f"{path.name} has {len(columns)} columns; the most is {_MOST_COLUMNS}")
    notes = (
        (f"{path.name}: {facts.damaged} bytes are not UTF-8 and were replaced by U+FFFD",)
        if facts.damaged
        else ()
    )
    encoding = {"utf-8-sig": "utf-8", "cp1252": "windows-1252"}.get(facts.encoding, facts.encoding)
    kind = "tsv" if delimiter == "\t" else "csv"
    return RawTable(
        path,
        TableFormat(kind, encoding, delimiter),
        columns,
        max(0, facts.lines - 1),
        lambda: _delimited_rows(path, facts, delimiter, columns),
        notes=notes,
    )


def _csv_records(path: Path, facts: TextFacts, delimiter: str) -> Iterator[tuple[int, int, list[str]]]:
    """(first line, last line, cells) of every record that is not blank, the header included."""
    with path.open(encoding=facts.encoding, errors="replace", newline="") as stream:
        if not stream.readline(16).lstrip('"').startswith("sep="):
            stream.seek(0)
        reader = csv.reader(stream, delimiter=delimiter)
        first = 1
        try:
            for cells in reader:
                yield first, reader.line_num, cells
                first = reader.line_num + 1
        except csv.Error as error:
            raise UnreadableTableError(
                f"{path.name}, line {first}: {error}; look for a quotation mark that is not closed"
            ) from error


def _delimited_rows(path: Path, facts: TextFacts, delimiter: str, columns: Sequence[str]) -> Iterator[RawRow]:
    width = len(columns)
    records = _csv_records(path, facts, delimiter)
    for _, _, cells in records:
        if any(cells):
            break
    for row, (first, last, cells) in enumerate(records, _FIRST_DATA_ROW):
        if len(cells) == width:
            yield RawRow(row, cells)
        elif any(cells):
            yield _uneven_row(row, first, last, cells, width)


def _uneven_row(row: int, first: int, last: int, cells: list[str], width: int) -> RawRow:
    """Cells missing at the end are empty (spreadsheets leave them out); everything else is refused."""
    surplus = any(cells[width:])
    if last > first and (surplus or len(cells) < width):
        return RawRow(
            row,
            cells,
            f"lines {first} to {last} read as one row of {len(cells)} cells instead of {width}: "
            "a quotation mark is not closed",
        )
    if surplus:
        return RawRow(
            row, cells, f"the row has {len(cells)} cells, the header {width}: quote cells with a delimiter"
        )
    return RawRow(row, [*cells[:width], *[""] * (width - len(cells))])


def _open_xlsx(path: Path) -> RawTable:
    try:
        sheets = pl.read_excel(
            path,
            sheet_id=0,
            engine="calamine",
            infer_schema_length=0,
            drop_empty_rows=False,  # the row numbers of refusals are those of the sheet
            raise_if_empty=False,
        )
    except Exception as error:  # calamine's errors share no base but Exception
        raise UnreadableTableError(
            f"{path.name} is a damaged workbook ({_one_line(error)}); open it and save it again, or as CSV"
        ) from error
    filled = [name for name, frame in sheets.items() if frame.width]
    if not filled:
        raise UnreadableTableError(f"{path.name} has no cells; there is nothing to import")
    frame = sheets[filled[0]]
    header = ["" if name.startswith("__UNNAMED__") else name for name in frame.columns]
    notes = (f"{path.name} has {len(filled)} sheets; '{filled[0]}' is read",) if len(filled) > 1 else ()
    return RawTable(
        path,
        TableFormat("xlsx"),
        unique_columns(header),
        frame.height,
        lambda: _frame_rows(frame, _FIRST_DATA_ROW),
        notes=notes,
    )


def _frame_rows(frame: pl.DataFrame, first_row: int) -> Iterator[RawRow]:
    for row, values in enumerate(frame.iter_rows(), first_row):
        cells = [value if isinstance(value, str) else as_text(value) for value in values]
        if any(cells):
            yield RawRow(row, cells)


def _open_parquet(path: Path) -> RawTable:
    try:
        frame = pl.scan_parquet(path)
        schema = frame.collect_schema()
        height = int(frame.select(pl.len()).collect().item())
    except Exception as error:  # a damaged file surfaces as whatever the decoder met
        raise _damaged_parquet(path, error) from error
    readable = [name for name, dtype in schema.items() if dtype not in (pl.Binary, pl.Object)]
    if not readable:
        raise UnreadableTableError(f"{path.name} has no columns; there is nothing to import")

    def rows() -> Iterator[RawRow]:
        for offset in range(0, height, _PARQUET_ROWS):
            try:
                part = frame.select(readable).slice(offset, _PARQUET_ROWS).collect()
            except Exception as error:
                raise _damaged_parquet(path, error) from error
            yield from _frame_rows(part, offset + _FIRST_DATA_ROW)

    columns = unique_columns(readable)
    numeric = frozenset(
        column for column, name in zip(columns, readable, strict=True) if schema[name].is_numeric()
    )
    return RawTable(path, TableFormat("parquet"), columns, height, rows, numeric)


def _damaged_parquet(path: Path, error: Exception) -> UnreadableTableError:
    return UnreadableTableError(f"{path.name} is a damaged Parquet file ({_one_line(error)}); write it again")


def _one_line(error: Exception, most: int = 120) -> str:
    return " ".join(str(error).split())[:most]


def _open_jsonl(path: Path) -> RawTable:
    facts = detect_encoding(path)
    columns: dict[str, bool] = {}
    for _, value in itertools.islice(_json_lines(path, facts), _JSON_COLUMN_LINES):
        if isinstance(value, dict):
            for name, cell in value.items():
                numeric = isinstance(cell, (int, float)) and not isinstance(cell, bool)
                columns[name] = columns.get(name, True) and (numeric or cell is None)
    if not columns:
        raise UnreadableTableError(f"{path.name} holds no JSON object; there is nothing to import")
    names = unique_columns(list(columns))
    numeric_columns = frozenset(column for column, key in zip(names, columns, strict=True) if columns[key])
    keys = tuple(columns)
    return RawTable(
        path,
        TableFormat("jsonl", "utf-8" if facts.encoding == "utf-8-sig" else facts.encoding),
        names,
        facts.lines,
        lambda: _json_rows(path, facts, keys),
        numeric_columns,
    )


def _json_lines(path: Path, facts: TextFacts) -> Iterator[tuple[int, object]]:
    """(line, value) of every line that is not blank; a ``ValueError`` in place of what is not JSON."""
    with path.open(encoding=facts.encoding, errors="replace") as stream:
        for line, text in enumerate(stream, 1):
            if text.isspace():
                continue
            try:
                yield line, json.loads(text)
            except (ValueError, RecursionError) as error:
                yield line, ValueError(_one_line(error))


def _json_rows(path: Path, facts: TextFacts, keys: Sequence[str]) -> Iterator[RawRow]:
    known = frozenset(keys)
    for line, value in _json_lines(path, facts):
        if isinstance(value, dict):
            extra = {str(key): as_text(cell) for key, cell in value.items() if key not in known}
            yield RawRow(line, [as_text(value.get(key)) for key in keys], extra=extra or None)
        else:
            problem = str(value) if isinstance(value, ValueError) else "it is not an object"
            yield RawRow(line, (), f"the line is not a JSON object: {problem}")
