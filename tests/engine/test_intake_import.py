"""Importing over a real database: all or nothing, repeats, changes, cancelling."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.contracts import Finished, ImportReport, Notice, Progress, RecordKind, WorkEvent
from engine.errors import ColumnMappingError, InputError, ReadOnlyError, UnreadableTableError
from engine.intake import import_table, read_records, text_key
from engine.store import Store

CATALOGUE = RecordKind.CATALOGUE
LISTINGS = RecordKind.LISTINGS
DATA = Path(__file__).resolve().parents[3] / "shared" / "data"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    workspace = Store.create(tmp_path / "workspace")
    yield workspace
    workspace.close()


def csv_file(path: Path, rows: int, *, title: str = "TV") -> Path:
    lines = (f"{n},{title} {n},Sony,{n}.50" for n in range(1, rows + 1))
    path.write_text("id,title,brand,price\n" + "\n".join(lines), encoding="utf-8")
    return path


def finish(events: Iterator[WorkEvent[ImportReport]]) -> Finished[ImportReport]:
    last = list(events)[-1]
    assert isinstance(last, Finished)
    return last


def counts(store: Store) -> tuple[int, int]:
    with store.reading() as uow:
        return uow.items.count(), uow.listings.count()


def test_that_a_catalogue_is_imported_with_its_fields(store: Store, tmp_path: Path) -> None:
    finished = finish(import_table(store, csv_file(tmp_path / "catalogue.csv", 3), CATALOGUE))
    assert (finished.result.rows, finished.result.added, finished.result.feed) == (3, 3, "")
    assert finished.changes.items
    assert not finished.changes.listings
    with store.reading() as uow:
        item = uow.items.get(uow.items.ids_by_external(["2"])["2"])
    assert (item.title, item.brand, item.price) == ("TV 2", "Sony", 2.5)


def test_that_listings_go_to_the_feed_named_or_that_of_the_file(store: Store, tmp_path: Path) -> None:
    path = csv_file(tmp_path / "monday.csv", 2)
    assert finish(import_table(store, path, LISTINGS)).result.feed == "monday"
    assert finish(import_table(store, path, LISTINGS, feed=" shop  7 ")).result.feed == "shop 7"
    with store.reading() as uow:
        assert [(feed.name, feed.listings) for feed in uow.feeds.all()] == [("monday", 2), ("shop 7", 2)]
        (listing_id,) = uow.listings.ids_by_external(["1"], uow.feeds.by_name("monday"))["1"]
        assert uow.listings.text_key(listing_id) == text_key(uow.listings.get(listing_id))


@pytest.mark.parametrize("kind", [CATALOGUE, LISTINGS])
def test_that_the_same_file_twice_changes_nothing(store: Store, tmp_path: Path, kind: RecordKind) -> None:
    path = csv_file(tmp_path / "feed.csv", 5)
    finish(import_table(store, path, kind))
    again = finish(import_table(store, path, kind))
    assert (again.result.added, again.result.updated, again.result.unchanged) == (0, 0, 5)
    assert not again.changes


@pytest.mark.parametrize("kind", [CATALOGUE, LISTINGS])
def test_that_changed_and_new_rows_are_told_apart(store: Store, tmp_path: Path, kind: RecordKind) -> None:
    path = csv_file(tmp_path / "feed.csv", 5)
    finish(import_table(store, path, kind))
    text = path.read_text(encoding="utf-8").replace("TV 3", "OLED TV 3") + "\n6,Radio,Sony,1"
    path.write_text(text, encoding="utf-8")
    again = finish(import_table(store, path, kind))
    assert (again.result.added, again.result.updated, again.result.unchanged) == (1, 1, 4)
    assert again.changes


def test_that_refused_rows_are_reported_and_the_rest_is_kept(store: Store, tmp_path: Path) -> None:
    path = csv_file(tmp_path / "feed.csv", 3)
    path.write_text(path.read_text(encoding="utf-8") + "\n,no id,,\n2,again,,\n", encoding="utf-8")
    events = list(import_table(store, path, LISTINGS))
    assert any(isinstance(event, Notice) and "2 of 5 rows" in event.message for event in events)
    report = events[-1].result  # type: ignore[union-attr]
    assert (report.rows, report.added, report.refused_total) == (5, 3, 2)
    assert [(refused.row, refused.column) for refused in report.refused] == [(5, "id"), (6, "id")]
    assert counts(store) == (0, 3)


def test_that_closing_the_import_at_any_event_keeps_nothing(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.intake.record_reader.CHUNK_ROWS", 20)
    path = csv_file(tmp_path / "feed.csv", 45)
    path.write_text(path.read_text(encoding="utf-8") + "\n,no id,,\n", encoding="utf-8")
    before_finished = len(list(import_table(store, path, LISTINGS, feed="whole"))) - 1
    assert before_finished >= 5, "several chunks and a notice"
    for stop_after in range(1, before_finished + 1):
        events = import_table(store, path, LISTINGS, feed="cancelled")
        for _ in range(stop_after):
            assert isinstance(next(events), Progress | Notice)
        events.close()  # type: ignore[attr-defined]
    with store.reading() as uow:
        assert [feed.name for feed in uow.feeds.all()] == ["whole"]
        assert uow.listings.count() == 45
    assert finish(import_table(store, path, LISTINGS, feed="cancelled")).result.added == 45


def test_that_an_error_in_mid_import_keeps_nothing(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.intake.record_reader.CHUNK_ROWS", 20)
    path = csv_file(tmp_path / "feed.csv", 45)
    events = import_table(store, path, CATALOGUE)
    next(events)
    next(events)
    with monkeypatch.context() as patch:
        patch.setattr("engine.intake.import_items.text_key", lambda record: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            list(events)
    assert counts(store) == (0, 0)


_DIE_IN_MID_IMPORT = """
import os, sys
from pathlib import Path
from engine.contracts import RecordKind
from engine.intake import import_table, record_reader
from engine.store import Store
record_reader.CHUNK_ROWS = 20
events = import_table(Store.open(Path(sys.argv[1])), Path(sys.argv[2]), RecordKind.CATALOGUE)
for _ in range(int(sys.argv[3])):
    next(events)
os._exit(9)
"""


@pytest.mark.parametrize("events", [1, 2, 4])
def test_that_a_process_killed_in_mid_import_leaves_nothing(
    tmp_path: Path, project_root: Path, events: int
) -> None:
    path = csv_file(tmp_path / "feed.csv", 45)
    Store.create(tmp_path / "workspace").close()
    arguments = [str(tmp_path / "workspace"), str(path), str(events)]
    died = subprocess.run(
        [sys.executable, "-c", _DIE_IN_MID_IMPORT, *arguments], cwd=project_root, check=False
    )
    assert died.returncode == 9
    store = Store.open(tmp_path / "workspace")
    try:
        assert counts(store) == (0, 0)
        assert finish(import_table(store, path, CATALOGUE)).result.added == 45
    finally:
        store.close()


def test_that_a_file_of_nothing_but_refusals_is_an_error(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "feed.csv"
    path.write_text("id,title\n1,\n2,\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"none of the 2 rows.*row 2, column title: the title is empty"):
        list(import_table(store, path, LISTINGS))
    with store.reading() as uow:
        assert uow.feeds.all() == []


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("id,title\n", UnreadableTableError),
        ("id,weight\n1,2\n", ColumnMappingError),
        ("", UnreadableTableError),
    ],
)
def test_that_files_without_a_table_change_nothing(
    store: Store, tmp_path: Path, text: str, error: type[InputError]
) -> None:
    path = tmp_path / "feed.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(error):
        list(import_table(store, path, LISTINGS))
    with store.reading() as uow:
        assert uow.feeds.all() == []


def test_that_one_row_and_another_mapping_import(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "feed.csv"
    path.write_text("id,title,long name\n1,TV,Television\n", encoding="utf-8")
    finish(import_table(store, path, LISTINGS, mapping={"title": "long name"}))
    with store.reading() as uow:
        (listing,) = uow.listings.page()
    assert (listing.title, dict(listing.attributes)) == ("Television", {"title": "TV"})


def test_that_any_unicode_survives_the_database(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "feed.jsonl"
    path.write_text('{"id": "\\ud83d\\ude00", "title": "TV \\ud800 \\u0000 索尼"}\n', encoding="utf-8")
    finish(import_table(store, path, CATALOGUE))
    with store.reading() as uow:
        (item,) = uow.items.page()
    assert (item.external_id, item.title) == ("😀", "TV 索尼")


def test_that_a_read_only_workspace_refuses_the_import(store: Store, tmp_path: Path) -> None:
    path = csv_file(tmp_path / "feed.csv", 2)
    reader = Store.open(store.folder, read_only=True)
    try:
        with pytest.raises(ReadOnlyError):
            list(import_table(reader, path, CATALOGUE))
    finally:
        reader.close()


@pytest.mark.skipif(not DATA.is_dir(), reason="the real data sets are not beside the project")
def test_that_a_real_catalogue_and_feed_are_in_the_database_as_in_the_files(store: Store) -> None:
    for name, kind in (("catalogue.csv", CATALOGUE), ("queries.csv", LISTINGS)):
        path = DATA / "abt_buy" / name
        report = finish(import_table(store, path, kind, feed="abt")).result
        assert (report.added, report.refused_total) == (report.rows, 0)
        with store.reading() as uow:
            stored = uow.items.page(limit=2000) if kind is CATALOGUE else uow.listings.page(limit=2000)
        read = read_records(path, kind)
        assert [(one.external_id, one.title, one.price, one.description) for one in stored] == [
            (one.external_id, one.title, one.price, one.description) for one in read
        ]
