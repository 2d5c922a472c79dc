"""Nasty files: encodings, delimiters, quotes, wrong names, broken rows."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
import xlsxwriter
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.contracts import Listing, RecordKind
from engine.errors import ColumnMappingError, UnreadableTableError
from engine.intake import TableReader, preview_table, read_records

GERMAN = "id;Bezeichnung;Preis\n1;Kühlschrank weiß für Großfamilien;1.299,00 €\n2;Waschmaschine;399,00 €\n"


def reader_of(path: Path) -> TableReader[Listing]:
    reader = read_records(path, RecordKind.LISTINGS)
    assert isinstance(reader, TableReader)
    return reader  # type: ignore[return-value]


def read(path: Path) -> list[Listing]:
    return list(reader_of(path))


def refusals(path: Path) -> list[tuple[int, str]]:
    reader = reader_of(path)
    list(reader)
    return [(refused.row, refused.reason) for refused in reader.refused]


def write(path: Path, content: str | bytes, encoding: str = "utf-8") -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
    return path


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"]
)
def test_that_every_usual_encoding_reads_the_same(tmp_path: Path, encoding: str) -> None:
    listings = read(write(tmp_path / "feed.csv", GERMAN, encoding))
    assert [(one.external_id, one.title, one.price) for one in listings] == [
        ("1", "Kühlschrank weiß für Großfamilien", 1299.0),
        ("2", "Waschmaschine", 399.0),
    ]


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("id;název;cena\n1;Žehlička Philips stříbrná;690\n2;Kávovar černý nerezový;1290\n", "cp1250"),
        ("id;название;цена\n1;Телевизор Самсунг черный;399\n2;Холодильник белый;23\n", "cp1251"),
        ("id,name\n1,ソニー テレビ 55インチ\n2,シャープ 冷蔵庫 大型\n", "shift_jis"),
    ],
)
def test_that_other_code_pages_are_recognised_by_their_language(
    tmp_path: Path, text: str, encoding: str
) -> None:
    path = write(tmp_path / "feed.csv", text, encoding)
    assert preview_table(path, RecordKind.LISTINGS).format.encoding == encoding
    assert read_records(
        path, RecordKind.LISTINGS, {"title": preview_table(path, RecordKind.LISTINGS).columns[1]}
    )


def test_that_a_few_broken_bytes_do_not_turn_utf8_into_something_else(tmp_path: Path) -> None:
    rows = "".join(f"{n},Kühlschrank {n} weiß\n" for n in range(200)).encode()
    reader = reader_of(write(tmp_path / "feed.csv", b"id,title\n" + rows + b"x,broken \xff byte\n"))
    listings = list(reader)
    assert listings[0].title == "Kühlschrank 0 weiß"
    assert listings[-1].title == "broken \ufffd byte"
    assert "1 bytes are not UTF-8" in reader.notes()[0]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_that_the_delimiter_is_found_among_commas_and_quotes(tmp_path: Path, delimiter: str) -> None:
    rows = [
        ["id", "title", "price"],
        ["1", '"Sony, TV; 55|"""', "9"],
        ["2", '"a, b, c"', "8"],
        ["3", "x", "7"],
    ]
    text = "\r\n".join(delimiter.join(row) for row in rows)
    listings = read(write(tmp_path / "feed.csv", text))
    assert [one.title for one in listings] == ['Sony, TV; 55|"', "a, b, c", "x"]


def test_that_the_delimiter_line_of_a_spreadsheet_is_obeyed(tmp_path: Path) -> None:
    assert read(write(tmp_path / "feed.csv", "sep=|\nid|title\n1|a,b\n"))[0].title == "a,b"


def test_that_line_breaks_inside_quotes_stay_in_their_cell(tmp_path: Path) -> None:
    path = write(tmp_path / "feed.csv", 'id,title,description\n1,"TV\n55","line\r\nbreak"\n2,Radio,\n')
    assert [(one.title, one.description) for one in read(path)] == [("TV 55", "line break"), ("Radio", "")]


def test_that_a_stray_inch_mark_costs_nothing(tmp_path: Path) -> None:
    path = write(
        tmp_path / "feed.csv", 'id,title,brand\n1,Sony 55" TV,Sony\n2,LG 42 TV,LG\n3,Samsung 24" M,Sam\n'
    )
    assert [one.title for one in read(path)] == ['Sony 55" TV', "LG 42 TV", 'Samsung 24" M']


def test_that_old_macintosh_line_ends_are_line_ends(tmp_path: Path) -> None:
    assert [one.title for one in read(write(tmp_path / "feed.csv", "id,title\r1,a\r2,b\r"))] == ["a", "b"]


def test_that_broken_rows_are_listed_and_the_rest_is_read(tmp_path: Path) -> None:
    text = "id,title,price\n1,Radio,5\n2,Lamp, red,5\n\n,TV,5\n5,,5\n6,nan,5\n1,Radio,5\n8,Clock\n9,Phone,5\n"
    path = write(tmp_path / "feed.csv", text)
    assert [one.external_id for one in read(path)] == ["1", "8", "9"]
    assert refusals(path) == [
        (3, "the row has 4 cells, the header 3: quote cells with a delimiter"),
        (5, "the id is empty"),
        (6, "the title is empty"),
        (7, "the title is empty"),
        (8, "the id '1' is already in row 2"),
    ]


def test_that_a_quotation_mark_that_is_never_closed_names_its_lines(tmp_path: Path) -> None:
    rows = "".join(f"{n},TV {n},5\n" for n in range(3, 30))
    path = write(tmp_path / "feed.csv", f'id,title,price\n1,Radio,5\n2,"55 inch TV,5\n{rows}')
    assert [one.external_id for one in read(path)] == ["1"]
    assert refusals(path)[0][0] == 3
    assert "lines 3 to 30" in refusals(path)[0][1]


def test_that_long_titles_are_cut_and_absurd_ones_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "feed.csv", f"id,title\n1,{'x' * 1_000_000}\n2,{'y' * 20_000}\n3,TV\n")
    reader = reader_of(path)
    assert [len(one.title) for one in reader] == [10_000, 2]
    assert [(refused.row, refused.column, refused.reason) for refused in reader.refused] == [
        (2, "title", "title is longer than 100,000 characters")
    ]
    assert reader.notes() == ("1 titles are longer than 10,000 characters and were cut",)


def test_that_every_refusal_is_counted_and_the_first_thousand_kept(tmp_path: Path) -> None:
    path = write(tmp_path / "feed.csv", "id,title\n" + "1,TV\n" * 1500)
    reader = reader_of(path)
    assert len(list(reader)) == 1
    assert (reader.rows, reader.refused_total, len(reader.refused)) == (1500, 1499, 1000)
    assert len(list(reader)) == 1, "a second pass starts afresh"
    assert reader.refused_total == 1499


def test_that_what_has_no_field_is_kept_as_attributes(tmp_path: Path) -> None:
    text = "id,title,price,ean,colour,,price\n1,TV,on request,123,black,x,\n2,TV 2,1.50,4006381333931,,,7\n"
    one, two = read(write(tmp_path / "feed.csv", text))
    assert (one.price, one.gtin) == (None, "")
    assert one.attributes == {"price": "on request", "ean": "123", "colour": "black", "column 6": "x"}
    assert (two.price, two.gtin, two.attributes) == (1.5, "4006381333931", {"price (2)": "7"})


def test_that_other_scripts_survive(tmp_path: Path) -> None:
    titles = ["索尼 电视 55 英寸", "تلفزيون سوني", "सोनी टीवी", "😀 TV"]
    text = "id,title\n" + "".join(f"{n},{title}\n" for n, title in enumerate(titles))
    assert [one.title for one in read(write(tmp_path / "feed.csv", text))] == titles


def test_that_one_row_is_a_table_and_none_is_not(tmp_path: Path) -> None:
    assert preview_table(write(tmp_path / "one.csv", "id,title\n1,TV"), RecordKind.CATALOGUE).rows == 1
    with pytest.raises(UnreadableTableError, match="a header but no rows"):
        preview_table(write(tmp_path / "none.csv", "id,title\n"), RecordKind.CATALOGUE)
    for content in (b"", b"\n\n", b"\xef\xbb\xbf"):
        with pytest.raises(UnreadableTableError, match="is empty"):
            preview_table(write(tmp_path / "empty.csv", content), RecordKind.CATALOGUE)


def test_that_a_preview_without_a_title_shows_the_rows_and_reading_refuses(tmp_path: Path) -> None:
    path = write(tmp_path / "feed.csv", "id,weight\n1,2\n2,3\n")
    preview = preview_table(path, RecordKind.LISTINGS)
    assert (preview.rows, preview.mapping.column("title"), preview.refused_total) == (2, None, 0)
    assert preview.sample[0] == {"id": "1", "weight": "2"}
    with pytest.raises(ColumnMappingError, match="the title"):
        read_records(path, RecordKind.LISTINGS)
    mapped = read_records(path, RecordKind.LISTINGS, {"title": "weight"})
    assert [one.title for one in mapped] == ["2", "3"]


# --- spreadsheets, Parquet, JSON lines ------------------------------------------------------------


def workbook(path: Path, rows: list[list[object]], start: int = 0) -> Path:
    book = xlsxwriter.Workbook(str(path))
    sheet = book.add_worksheet("Feed")
    for number, row in enumerate(rows, start):
        sheet.write_row(number, 0, row)
    book.close()
    return path


def test_that_numbers_in_a_workbook_keep_their_digits(tmp_path: Path) -> None:
    rows: list[list[object]] = [
        ["id", "title", "price", "ean"],
        [17, "TV", 12.5, 4006381333931],
        ["A2", "Radio", "n/a", None],
        [None, None, None, None],
        [None, "Lamp", 3, 5],
    ]
    path = workbook(tmp_path / "feed.xlsx", rows)
    one, two = read(path)
    assert (one.external_id, one.price, one.gtin) == ("17", 12.5, "4006381333931")
    assert (two.external_id, two.price) == ("A2", None)
    assert refusals(path) == [(5, "the id is empty")]


def test_that_a_workbook_without_rows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableTableError, match="no rows"):
        preview_table(workbook(tmp_path / "feed.xlsx", [["id", "title"]]), RecordKind.LISTINGS)
    with pytest.raises(UnreadableTableError, match="no cells"):
        preview_table(workbook(tmp_path / "empty.xlsx", []), RecordKind.LISTINGS)


def test_that_parquet_types_become_text(tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {
            "id": [1, 2],
            "title": ["TV", "Radio"],
            "price": [1.299, None],
            "ean": [4006381333931.0, None],
            "tags": [["a", "b"], []],
            "raw": [b"\x00", b"\x01"],
        }
    )
    frame.write_parquet(tmp_path / "feed.parquet")
    one, two = read(tmp_path / "feed.parquet")
    assert (one.external_id, one.price, one.gtin) == ("1", pytest.approx(1.299), "4006381333931")
    assert one.attributes == {"tags": "a, b"}
    assert (two.price, two.attributes) == (None, {})


def test_that_bad_json_lines_are_refused_by_their_line(tmp_path: Path) -> None:
    lines = [
        '{"id": 1, "title": "TV", "price": 1.299}',
        "",
        '{"id": 2, "title": ',
        "[1, 2]",
        '{"id": 3, "title": "Radio", "colour": {"a": 1}}',
        '{"title": "no id"}',
    ]
    path = write(tmp_path / "feed.jsonl", "\n".join(lines))
    one, two = read(path)
    assert (one.external_id, one.price) == ("1", pytest.approx(1.299))
    assert two.attributes == {"colour": '{"a": 1}'}
    assert [row for row, _ in refusals(path)] == [3, 4, 6]


def test_that_keys_only_late_json_lines_have_are_kept(tmp_path: Path) -> None:
    rows = [{"id": n, "title": f"TV {n}"} for n in range(1200)]
    rows[-1] = {"id": 1199, "title": "TV", "colour": "red"}
    path = write(tmp_path / "feed.jsonl", "\n".join(map(json.dumps, rows)))
    assert read(path)[-1].attributes == {"colour": "red"}


# --- files that are not what their name says ------------------------------------------------------


def zipped(name: str = "feed.csv") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(name, "id,title\n1,TV\n")
    return buffer.getvalue()


def impostors() -> Iterator[tuple[str, bytes, str]]:
    csv_bytes = b"id,title\n1,TV\n"
    yield "feed.xlsx", csv_bytes, r"not what its name says.*rename it to end in \.csv"
    yield "feed.parquet", csv_bytes, r"not what its name says.*rename it to end in \.csv"
    yield "feed.jsonl", csv_bytes, r"not what its name says.*rename it to end in \.csv"
    yield "feed.csv", zipped(), "a zip archive; unpack it"
    yield "feed.csv", zipped("xl/workbook.xml"), r"an Excel workbook; rename it to end in \.xlsx"
    yield "feed.xlsx", zipped("xl/workbook.xml"), "damaged workbook"
    yield "feed.xlsx", zipped()[:40], "zip archive"
    yield "feed.csv", gzip.compress(csv_bytes, mtime=0), "a gzip archive; unpack it"
    yield "feed.csv", b'{"id": 1, "title": "TV"}\n', r"JSON lines; rename it to end in \.jsonl"
    yield "feed.jsonl", b'[{"id": 1}]', "one JSON object a line"
    yield "feed.jsonl", b'{\n  "id": 1\n}\n', "one JSON object a line"
    yield "feed.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\x00" * 600, r"save it as \.xlsx"
    yield "feed.csv", b"<!DOCTYPE html><html><table>", "a web page"
    yield "feed.csv", b"%PDF-1.7 ...", "a PDF"
    yield "feed.csv", bytes(range(256)) * 20, "neither text nor a table"
    yield "feed.parquet", b"PAR1 cut off", "damaged or cut off Parquet"
    yield "feed.parquet", b"PAR1" + b"\x01" * 100 + b"PAR1", "damaged Parquet"


# Archives carry their time of making, so their bytes must not become part of a test's name.
@pytest.mark.parametrize(
    ("name", "content", "says"), [pytest.param(*one, id=f"{n}-{one[0]}") for n, one in enumerate(impostors())]
)
def test_that_impostors_are_named_with_what_to_do(
    tmp_path: Path, name: str, content: bytes, says: str
) -> None:
    path = write(tmp_path / name, content)
    with pytest.raises(UnreadableTableError, match=says) as error:
        preview_table(path, RecordKind.LISTINGS)
    assert name in error.value.message
    assert "\n" not in error.value.message


def test_that_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(UnreadableTableError, match="there is no file"):
        preview_table(tmp_path / "feed.csv", RecordKind.LISTINGS)
    with pytest.raises(UnreadableTableError, match="is a folder"):
        preview_table(tmp_path, RecordKind.LISTINGS)


def test_that_a_name_without_a_known_ending_is_read_by_content(tmp_path: Path) -> None:
    assert read(write(tmp_path / "feed", "id\ttitle\n1\tTV\n"))[0].title == "TV"
    assert read(write(tmp_path / "feed.txt", "id|title\n1|TV\n"))[0].title == "TV"


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=400))
def test_that_no_bytes_at_all_break_the_reader(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    folder = tmp_path_factory.getbasetemp()
    for name in ("any.csv", "any.jsonl"):
        path = write(folder / name, content)
        try:
            preview = preview_table(path, RecordKind.LISTINGS)
        except (UnreadableTableError, ColumnMappingError):
            continue
        assert preview.rows >= preview.refused_total


# --- real data ------------------------------------------------------------------------------------

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"


@pytest.mark.skipif(not DATA.is_dir(), reason="the real data sets are not beside the project")
@pytest.mark.parametrize("name", ["abt_buy", "amazon_google", "pricerunner", "promap_cz", "promap_en"])
def test_that_real_tables_are_read_whole(name: str) -> None:
    for file, kind in (("catalogue.csv", RecordKind.CATALOGUE), ("queries.csv", RecordKind.LISTINGS)):
        preview = preview_table(DATA / name / file, kind)
        assert preview.rows > 200
        assert preview.refused_total == 0
        assert preview.mapping.column("title") == "title"
        assert preview.format.encoding == "utf-8"
