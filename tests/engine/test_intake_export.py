"""Exports: round trips, formulas, and files that appear whole or not at all."""

from __future__ import annotations

import csv
import errno
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.contracts import RecordKind
from engine.errors import DiskFullError, EnvironmentError_, InputError
from engine.intake import EXPORT_FORMATS, TableWriter, export_tables, format_of, read_records, write_table
from engine.intake.cell_values import clean_text, is_empty_word

FORMULAS = ["=HYPERLINK(1)", "+1", "-1", "@SUM(1)", "\t=1", "'=1"]


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("kind", EXPORT_FORMATS)
def test_that_rows_come_back_with_their_values(tmp_path: Path, kind: str) -> None:
    rows = [
        {"id": "1", "title": 'TV, 55"\nnew', "confidence": 0.5, "extra": "left out"},
        {"id": "2", "title": "索尼", "confidence": None},
    ]
    path = tmp_path / f"out.{kind}"
    assert write_table(iter(rows), ["id", "title", "confidence"], path, kind) == 2
    one, two = read_records(path, RecordKind.LISTINGS)
    assert (one.external_id, one.title, one.attributes) == ("1", 'TV, 55" new', {"confidence": "0.5"})
    assert (two.title, two.attributes) == ("索尼", {})
    assert names_in(tmp_path) == [path.name]


@pytest.mark.parametrize("kind", EXPORT_FORMATS)
def test_that_rows_may_come_in_chunks_or_not_at_all(tmp_path: Path, kind: str) -> None:
    chunks: Iterator[list[dict[str, object]]] = ([{"id": n, "title": "x"}] * 3 for n in range(4))
    assert write_table(chunks, ["id", "title"], tmp_path / f"out.{kind}", kind) == 12
    assert write_table([], ["id", "title"], tmp_path / f"none.{kind}", kind) == 0
    assert (tmp_path / f"none.{kind}").exists()


@pytest.mark.parametrize("formula", FORMULAS)
def test_that_no_exported_text_cell_starts_a_formula(tmp_path: Path, formula: str) -> None:
    rows = [{"id": formula, "=title": formula, "margin": -0.25}]
    write_table(rows, ["id", "=title", "margin"], tmp_path / "out.csv", "csv")
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as stream:
        header, cells = csv.reader(stream)
    assert header[1] == "'=title"
    assert cells == [f"'{formula}", f"'{formula}", "-0.25"]
    write_table(rows, ["id", "=title", "margin"], tmp_path / "out.xlsx", "xlsx")
    with zipfile.ZipFile(tmp_path / "out.xlsx") as archive:
        sheet = archive.read("xl/worksheets/sheet1.xml").decode()
    assert "<f>" not in sheet
    assert sheet.count("<t") == 5
    assert "<t>=" not in sheet
    assert '<c r="C2"><v>-0.25</v></c>' in sheet


CELLS = st.text(st.characters(codec="utf-8"), max_size=40)


@pytest.mark.parametrize("kind", EXPORT_FORMATS)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.tuples(CELLS, CELLS, CELLS), min_size=1, max_size=6))
def test_that_any_text_survives_export_and_import(
    tmp_path: Path, kind: str, rows: list[tuple[str, str, str]]
) -> None:
    path = tmp_path / f"out.{kind}"
    # The sentinel keeps a table of nothing but blanks from being refused as a whole.
    table = [
        *(
            {"id": f"{n}{one}", "title": f"t{two}", "description": three}
            for n, (one, two, three) in enumerate(rows)
        ),
        {"id": "last", "title": "t", "description": "d"},
    ]
    write_table(table, ["id", "title", "description"], path, kind)
    reader = read_records(path, RecordKind.LISTINGS)
    back = list(reader)
    assert reader.refused_total == 0
    assert [(one.external_id, one.title) for one in back] == [
        (clean_text(str(row["id"])), clean_text(str(row["title"]))) for row in table
    ]
    for one, row in zip(back, table, strict=True):
        text = clean_text(row["description"])
        assert one.description == ("" if is_empty_word(text) else text)


@pytest.mark.parametrize("kind", EXPORT_FORMATS)
def test_that_what_is_no_character_is_left_out_wherever_it_is_written(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"out.{kind}"
    row = {"id": "1\uffff", "title": "a\ufffeb\uffff", "description": "\ufffe"}
    write_table([row, {"id": "2", "title": "t", "description": "d"}], list(row), path, kind)
    back = list(read_records(path, RecordKind.LISTINGS))
    assert [(one.external_id, one.title, one.description) for one in back] == [
        ("1", "a b", ""),
        ("2", "t", "d"),
    ]


def test_that_parquet_keeps_types_across_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export_tables, "_PART_ROWS", 2)
    rows = [
        {"a": None, "b": 1, "c": True, "d": None},
        {"a": None, "b": 2, "c": None, "d": None},
        {"a": "x", "b": 2.5, "c": False, "d": None},
    ]
    write_table(([row] for row in rows), ["a", "b", "c", "d"], tmp_path / "out.parquet", "parquet")
    frame = pl.read_parquet(tmp_path / "out.parquet")
    assert frame.to_dicts() == rows
    assert frame.schema == {"a": pl.String, "b": pl.Float64, "c": pl.Boolean, "d": pl.String}
    assert names_in(tmp_path) == ["out.parquet"]


def test_that_mixed_columns_become_text_in_parquet(tmp_path: Path) -> None:
    write_table([{"a": 1}, {"a": "x"}, {"a": None}], ["a"], tmp_path / "out.parquet", "parquet")
    assert pl.read_parquet(tmp_path / "out.parquet")["a"].to_list() == ["1", "x", None]


def test_that_json_lines_keep_types(tmp_path: Path) -> None:
    write_table([{"a": 1, "b": None, "c": ["x", "y"]}], ["a", "b", "c"], tmp_path / "out.jsonl", "jsonl")
    assert json.loads((tmp_path / "out.jsonl").read_text(encoding="utf-8")) == {
        "a": 1,
        "b": None,
        "c": "x, y",
    }


@pytest.mark.parametrize("kind", EXPORT_FORMATS)
def test_that_a_cancelled_export_leaves_the_old_file(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"out.{kind}"
    path.write_text("old", encoding="utf-8")

    def rows() -> Iterator[dict[str, object]]:
        yield {"id": "1"}
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_table(rows(), ["id"], path, kind)
    assert path.read_text(encoding="utf-8") == "old"
    assert names_in(tmp_path) == [path.name]


@pytest.mark.parametrize("kind", EXPORT_FORMATS)
def test_that_a_full_disk_is_said_and_leaves_nothing(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(DiskFullError, match="disk is full"):
        write_table([{"id": "1"}], ["id"], tmp_path / f"out.{kind}", kind)
    assert names_in(tmp_path) == []


def test_that_an_unwritable_target_is_one_plain_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="no folder"):
        write_table([], ["id"], tmp_path / "none" / "out.csv", "csv")
    with pytest.raises(InputError, match="is a folder"):
        write_table([], ["id"], tmp_path, "csv")

    def locked(source: Path, target: Path) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "replace", locked)
    with pytest.raises(EnvironmentError_, match=r"out\.csv cannot be written: Permission denied"):
        write_table([], ["id"], tmp_path / "out.csv", "csv")
    assert names_in(tmp_path) == []


def test_that_the_format_comes_from_the_name_unless_given() -> None:
    assert format_of(Path("a.XLSX")) == "xlsx"
    assert format_of(Path("a.ndjson")) == "jsonl"
    assert format_of(Path("a.csv"), "Parquet") == "parquet"
    with pytest.raises(InputError, match="formats are csv"):
        format_of(Path("a.doc"))
    with pytest.raises(InputError, match="formats are csv"):
        format_of(Path("a"))


def test_that_xlsx_refuses_more_rows_than_a_sheet_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export_tables, "XLSX_ROWS", 4)
    with TableWriter(["id"], tmp_path / "out.xlsx", "xlsx") as writer:
        writer.write([{"id": n} for n in range(3)])
    with pytest.raises(InputError, match="at most 3 rows"):
        write_table([{"id": n} for n in range(4)], ["id"], tmp_path / "more.xlsx", "xlsx")
    assert names_in(tmp_path) == ["out.xlsx"]


def test_that_a_cell_longer_than_xlsx_holds_is_cut_not_lost(tmp_path: Path) -> None:
    write_table([{"id": "1", "title": "x" * 40_000}], ["id", "title"], tmp_path / "out.xlsx", "xlsx")
    (one,) = read_records(tmp_path / "out.xlsx", RecordKind.LISTINGS, {"title": "title"})
    assert one.title == "x" * 10_000
