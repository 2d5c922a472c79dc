"""Tables out of the workspace: CSV, XLSX, Parquet, JSON lines, streamed and written whole or not at all."""

from __future__ import annotations

import csv
import errno
import io
import json
import os
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import polars as pl
import xlsxwriter

from engine.errors import DiskFullError, EnvironmentError_, InputError
from engine.intake.cell_values import clean_text, escape_formula

Row = Mapping[str, object]
EXPORT_FORMATS = ("csv", "xlsx", "parquet", "jsonl")
#: Limits of the XLSX format.
XLSX_ROWS = 1_048_576
XLSX_CELL_CHARS = 32_767
_PART_ROWS = 50_000


def write_table(rows: Iterable[Row | Sequence[Row]], columns: Sequence[str], path: Path, format: str) -> int:
    """Write rows to a file that appears only when it is complete.

    Args:
        rows: Rows as column -> value, singly or in chunks; keys that are not in ``columns`` are left
            out, missing ones are empty.
        columns: The columns, in order.
        path: The file; replaced if it is there.
        format: One of :data:`EXPORT_FORMATS`.

    Returns:
        The number of rows written.

    Raises:
        InputError: Unknown format, missing folder, or too many rows for XLSX.
        DiskFullError: The disk is full; no file was left.
        EnvironmentError_: The file cannot be written.
    """
    with TableWriter(columns, path, format) as writer:
        for entry in rows:
            writer.write([entry] if isinstance(entry, Mapping) else entry)
    return writer.rows


def format_of(path: Path, format: str | None = None) -> str:
    """The export format to use: the one named, else the one of the file's extension.

    Raises:
        InputError: Neither is one of :data:`EXPORT_FORMATS`.
    """
    wanted = format or {".tsv": "csv", ".ndjson": "jsonl"}.get(path.suffix.casefold(), path.suffix[1:])
    if wanted.casefold() not in EXPORT_FORMATS:
        raise InputError(f"cannot export as '{wanted}'; formats are {', '.join(EXPORT_FORMATS)}")
    return wanted.casefold()


class TableWriter:
    """A context manager to write a table chunk by chunk, so that long exports can report and be cancelled.

    The rows go to a hidden file beside the target, which replaces the target when the block ends
    without an exception. Errors are those of :func:`write_table`.
    """

    def __init__(self, columns: Sequence[str], path: Path, format: str) -> None:
        kind = format_of(path, format)
        if not path.parent.is_dir():
            raise InputError(f"there is no folder {path.parent}; make it first")
        if path.is_dir():
            raise InputError(f"{path} is a folder; name a file")
        self.rows = 0
        self._path = path
        self._part = path.with_name(f".{path.name}.{os.getpid()}.part")
        with _PlainErrors(path):
            self._sink = _SINKS[kind](tuple(columns), self._part)

    def write(self, rows: Sequence[Row]) -> None:
        """Append rows."""
        with _PlainErrors(self._path):
            self._sink.write(rows)
        self.rows += len(rows)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            with _PlainErrors(self._path):
                self._sink.close(keep=kind is None)
                if kind is None:
                    with self._part.open("rb+") as stream:
                        os.fsync(stream.fileno())
                    self._part.replace(self._path)
        finally:
            self._part.unlink(missing_ok=True)


class _PlainErrors:
    """Says an ``OSError`` while writing ``path`` in the user's words."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        full = isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}
        if full or (isinstance(error, pl.exceptions.ComputeError) and "space left" in str(error)):
            raise DiskFullError(f"the disk is full; {self._path} was not written") from error
        if isinstance(error, (OSError, xlsxwriter.exceptions.FileCreateError)):
            reason = getattr(error, "strerror", None) or error
            raise EnvironmentError_(f"{self._path} cannot be written: {reason}") from error


class _Sink(ABC):
    """One format: opened on a path, fed rows, closed (``keep`` is False when the file is given up)."""

    def __init__(self, columns: tuple[str, ...], part: Path) -> None:
        self.columns = columns
        self.part = part

    @abstractmethod
    def write(self, rows: Sequence[Row]) -> None: ...

    @abstractmethod
    def close(self, *, keep: bool) -> None: ...


class _CsvSink(_Sink):
    """UTF-8, comma, quotes where needed, formulas escaped (numbers are numbers: they stay)."""

    def __init__(self, columns: tuple[str, ...], part: Path) -> None:
        super().__init__(columns, part)
        self._stream: io.TextIOWrapper = part.open("w", encoding="utf-8", errors="replace", newline="")
        self._writer = csv.writer(self._stream)
        self._writer.writerow([_safe(column) for column in columns])

    def write(self, rows: Sequence[Row]) -> None:
        self._writer.writerows([_safe(row.get(column)) for column in self.columns] for row in rows)

    def close(self, *, keep: bool) -> None:
        self._stream.close()


class _XlsxSink(_Sink):
    """One sheet, a bold frozen header; rows go to disk as they come."""

    def __init__(self, columns: tuple[str, ...], part: Path) -> None:
        super().__init__(columns, part)
        options = {
            "constant_memory": True,
            "strings_to_formulas": False,
            "strings_to_urls": False,
            "strings_to_numbers": False,
            "nan_inf_to_errors": True,
        }
        self._book = xlsxwriter.Workbook(str(part), options)
        self._sheet = self._book.add_worksheet("Alcove")
        self._sheet.freeze_panes(1, 0)
        bold = self._book.add_format({"bold": True})
        self._sheet.write_row(0, 0, [_safe(column) for column in columns], bold)
        self._next = 1

    def write(self, rows: Sequence[Row]) -> None:
        if self._next + len(rows) > XLSX_ROWS:
            raise InputError(f"XLSX holds at most {XLSX_ROWS - 1:,} rows; export as CSV or Parquet")
        for row in rows:
            for place, column in enumerate(self.columns):
                value = _plain(row.get(column))
                if isinstance(value, str):
                    if value:
                        self._sheet.write_string(self._next, place, sheet_text(value))
                else:
                    self._sheet.write(self._next, place, value)
            self._next += 1

    def close(self, *, keep: bool) -> None:
        # Only closing removes the writer's own temporary files, so a file given up is closed too.
        self._book.close()


class _JsonlSink(_Sink):
    """One UTF-8 object a line; values that are not there are null."""

    def __init__(self, columns: tuple[str, ...], part: Path) -> None:
        super().__init__(columns, part)
        self._stream: io.TextIOWrapper = part.open("w", encoding="utf-8", errors="replace", newline="\n")

    def write(self, rows: Sequence[Row]) -> None:
        for row in rows:
            cells = {column: _plain(row.get(column)) for column in self.columns}
            self._stream.write(json.dumps(cells, ensure_ascii=False) + "\n")

    def close(self, *, keep: bool) -> None:
        self._stream.close()


class _ParquetSink(_Sink):
    """Parts of typed rows, joined at the end: a column's type is the least that fits all parts."""

    def __init__(self, columns: tuple[str, ...], part: Path) -> None:
        super().__init__(columns, part)
        self._folder = tempfile.TemporaryDirectory(prefix=f"{part.name}.", dir=part.parent)
        self._parts: list[Path] = []
        self._waiting: list[Row] = []

    def write(self, rows: Sequence[Row]) -> None:
        self._waiting.extend(rows)
        if len(self._waiting) >= _PART_ROWS:
            self._flush()

    def _flush(self) -> None:
        series = []
        for column in self.columns:
            values = [_plain(row.get(column)) for row in self._waiting]
            kinds = {type(value) for value in values if value is not None}
            if len(kinds) > 1 and kinds != {int, float}:
                values = [None if value is None else str(value) for value in values]
            series.append(pl.Series(column, values, strict=False))
        part = Path(self._folder.name) / f"{len(self._parts):06d}.parquet"
        pl.DataFrame(series).write_parquet(part)
        self._parts.append(part)
        self._waiting = []

    def close(self, *, keep: bool) -> None:
        try:
            if keep:
                if self._waiting or not self._parts:
                    self._flush()
                frames = [pl.scan_parquet(part) for part in self._parts]
                joined = pl.concat(frames, how="vertical_relaxed")
                untyped = [name for name, dtype in joined.collect_schema().items() if dtype == pl.Null]
                joined.with_columns(pl.col(untyped).cast(pl.String)).sink_parquet(self.part)
        finally:
            self._folder.cleanup()


_SINKS: Mapping[str, type[_Sink]] = {
    "csv": _CsvSink,
    "xlsx": _XlsxSink,
    "parquet": _ParquetSink,
    "jsonl": _JsonlSink,
}


def sheet_text(text: str) -> str:
    """A text as an XLSX cell can hold it: no control characters, escaped, at most 32,767 characters."""
    if not text.isprintable():
        text = "\n".join(clean_text(line) for line in text.splitlines())
    return escape_formula(text)[:XLSX_CELL_CHARS]


def _plain(value: object) -> str | int | float | bool | None:
    if isinstance(value, str):
        if value.isprintable():
            return value
        # UTF-8 has no lone surrogates, and readers take a file with a NUL for a binary one.
        return value.encode("utf-8", "replace").decode().replace("\x00", " ")
    if value is None or isinstance(value, (int, float, bool)):
        return value
    if isinstance(value, (list, tuple, set, frozenset)):
        return ", ".join(str(part) for part in value)
    if isinstance(value, Mapping):
        return json.dumps(dict(value), ensure_ascii=False, default=str)
    return str(value)


def _safe(value: object) -> str | int | float | bool | None:
    plain = _plain(value)
    return escape_formula(plain) if isinstance(plain, str) else plain
