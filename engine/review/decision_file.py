"""Decisions from a file: CSV, TSV or JSONL, checked row by row before anything is written."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from engine.contracts import VERDICTS_WITH_ITEM, Verdict
from engine.errors import ColumnMappingError, EnvironmentError_, InputError, UnreadableTableError

#: What a row may say; anything else in the file is passed over.
COLUMNS = ("listing_id", "verdict", "item_id", "also_item_ids", "decided_at", "feed", "reviewer", "note")
REQUIRED_COLUMNS = ("listing_id", "verdict")
#: Between the ids of one cell.
SEPARATOR = ";"
#: A decision is some hundred bytes; a larger file is something else.
LARGEST_FILE = 256 * 1024 * 1024
_JSON_LINES = frozenset({".jsonl", ".ndjson", ".json"})
_DELIMITERS = (",", ";", "\t", "|")
_VERDICTS = ", ".join(verdict.value for verdict in Verdict)


@dataclass(frozen=True, slots=True)
class DecisionRow:
    """One readable row, with the user's own ids. ``row`` is 1-based, a CSV's header counted as row 1.

    ``also_item_ids`` is None where the file has no such column: then the row does not speak of it.
    """

    row: int
    listing_id: str
    verdict: Verdict
    item_id: str = ""
    decided_at: str = ""
    feed: str = ""
    reviewer: str = ""
    note: str = ""
    also_item_ids: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class DecisionFile:
    """A whole file: its readable rows, the others with row number and reason, and how many in all."""

    rows: tuple[DecisionRow, ...]
    refused: tuple[tuple[int, str], ...]
    total: int


def read_decision_file(path: Path) -> DecisionFile:
    """Read decisions; rows that cannot be one are refused with their number and reason.

    Columns (or JSON keys): listing_id and verdict; item_id for ``match`` and ``variant``; optionally
    also_item_ids (further right items of a ``match``, separated by ``;`` or as a JSON list), decided_at
    (ISO 8601, UTC unless it says otherwise), feed, reviewer, note.

    Args:
        path: ``.jsonl`` and ``.ndjson`` are read as one JSON object a line, anything else as a table
            with a header, separated by comma, semicolon, tab or bar.

    Raises:
        UnreadableTableError: it is not text, not the table its name says, or has no row.
        ColumnMappingError: the listing_id or verdict column is missing.
        InputError: there is no such file.
        EnvironmentError_: it cannot be read.
    """
    text = _text(path)
    raw = _json_rows(text) if path.suffix.lower() in _JSON_LINES else _table_rows(text, path.name)
    rows: list[DecisionRow] = []
    refused: list[tuple[int, str]] = []
    total = 0
    for number, values in raw:
        total += 1
        parsed = _parse(number, values) if not isinstance(values, str) else values
        if isinstance(parsed, str):
            refused.append((number, parsed))
        else:
            rows.append(parsed)
    if total == 0:
        raise UnreadableTableError(f"{path.name} has no rows; there is nothing to decide")
    return DecisionFile(tuple(rows), tuple(refused), total)


def _text(path: Path) -> str:
    try:
        if path.is_dir():
            raise InputError(f"{path} is a folder; name a CSV or JSONL file of decisions")
        if path.stat().st_size > LARGEST_FILE:
            raise InputError(f"{path.name} is larger than 256 MB; split it")
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise InputError(f"there is no file {path}") from error
    except OSError as error:
        raise EnvironmentError_(f"{path} cannot be read: {error.strerror or error}") from error
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        encoding = "utf-16"
    elif b"\x00" in data[:4096] or data[:4] == b"PK\x03\x04":
        raise UnreadableTableError(f"{path.name} is not text; save the decisions as CSV or JSONL")
    else:
        encoding = "utf-8-sig"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")


def _table_rows(text: str, name: str) -> Iterator[tuple[int, dict[str, str] | str]]:
    header_line = text.lstrip("\r\n").split("\n", 1)[0]
    if header_line.lstrip().startswith("{"):
        raise UnreadableTableError(f"{name} looks like JSON lines; give it the ending .jsonl")
    delimiter = max(_DELIMITERS, key=header_line.count)
    reader = csv.reader(io.StringIO(text.lstrip("\r\n"), newline=""), delimiter=delimiter)
    try:
        header = [cell.strip().casefold() for cell in next(reader, [])]
        missing = [column for column in REQUIRED_COLUMNS if column not in header]
        if missing:
            raise ColumnMappingError(
                f"{name} has no column {missing[0]}; decisions need the columns listing_id and verdict "
                "(and item_id for match and variant)"
            )
        for number, cells in enumerate(reader, start=2):
            if any(cell.strip() for cell in cells):
                yield number, dict(zip(header, cells, strict=False))
    except csv.Error as error:
        raise UnreadableTableError(
            f"{name} is not a readable table near line {reader.line_num}: {error}"
        ) from error


def _json_rows(text: str) -> Iterator[tuple[int, dict[str, str] | str]]:
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            loaded = json.loads(line)
        except (ValueError, RecursionError):
            yield number, "this line is not JSON"
            continue
        if not isinstance(loaded, dict):
            yield number, "this line is not a JSON object"
            continue
        yield number, {str(key).casefold(): _cell(value) for key, value in loaded.items()}


def _cell(value: object) -> str:
    """A JSON value as a table's cell."""
    if isinstance(value, list):
        return SEPARATOR.join(map(str, value))
    return "" if value is None else str(value)


def _parse(number: int, values: Mapping[str, str]) -> DecisionRow | str:
    """The row, or why it is refused."""
    said = {column: values.get(column, "").strip() for column in COLUMNS}
    if not said["listing_id"]:
        return "the listing_id is empty"
    word = said["verdict"].casefold().replace(" ", "_").replace("-", "_")
    try:
        verdict = Verdict(word)
    except ValueError:
        return f"the verdict is {said['verdict'][:40]!r}; it must be one of {_VERDICTS}"
    if verdict in VERDICTS_WITH_ITEM and not said["item_id"]:
        return f"the verdict {verdict.value} needs an item_id"
    if verdict not in VERDICTS_WITH_ITEM and said["item_id"]:
        return f"the verdict {verdict.value} takes no item_id, and there is {said['item_id'][:80]!r}"
    also = tuple(
        dict.fromkeys(one for part in said["also_item_ids"].split(SEPARATOR) if (one := part.strip()))
    )
    if also and verdict != Verdict.MATCH:
        return f"the verdict {verdict.value} takes no also_item_ids, and there is {also[0][:80]!r}"
    if said["item_id"] in also:
        return f"also_item_ids names {said['item_id'][:80]!r}, which is the item_id; name it once"
    decided_at = _moment(said["decided_at"])
    if decided_at is None:
        return f"decided_at is {said['decided_at'][:40]!r}; write it as 2026-01-31T09:30:00Z"
    return DecisionRow(
        row=number,
        listing_id=said["listing_id"],
        verdict=verdict,
        item_id=said["item_id"],
        decided_at=decided_at,
        feed=said["feed"],
        reviewer=said["reviewer"],
        note=said["note"],
        also_item_ids=also if "also_item_ids" in values else None,
    )


def _moment(text: str) -> str | None:
    """ISO 8601 in UTC with milliseconds, "" for none, None for what is not a moment."""
    if not text:
        return ""
    try:
        at = datetime.fromisoformat(text)
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return at.isoformat(timespec="milliseconds")
