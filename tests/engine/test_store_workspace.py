"""Creating, opening, locking and copying a workspace."""

from __future__ import annotations

import os
import shutil
import sqlite3
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from engine.errors import (
    BugError,
    EnvironmentError_,
    InputError,
    ReadOnlyError,
    WorkspaceLockedError,
    WorkspaceTooNewError,
)
from engine.settings import WorkspaceSettings
from engine.store import Store
from engine.store import backup as backups
from engine.store.migrate import APPLICATION_ID, SCHEMA_VERSION
from tests.engine.store_samples import add_items


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "workspace"


@pytest.fixture
def unprivileged() -> Iterator[Path]:
    """A folder that the rest of the test does not own rights by being root for."""
    place = Path(tempfile.mkdtemp(prefix="alcove-test-"))
    place.chmod(0o777)
    root = sys.platform != "win32" and os.geteuid() == 0
    if root:
        os.chown(place, 65534, 65534)
        os.seteuid(65534)
    try:
        yield place
    finally:
        if root:
            os.seteuid(0)
        for path in [place, *place.rglob("*")]:
            if path.is_dir():
                path.chmod(0o777)
        shutil.rmtree(place)


def test_that_a_new_workspace_has_its_folders_and_an_empty_catalogue(folder: Path) -> None:
    with Store.create(folder) as store, store.reading() as uow:
        assert uow.items.count() == 0
        assert uow.listings.counts().total == 0
    assert {path.name for path in folder.iterdir() if path.is_dir()} == {
        "releases",
        "runs",
        "backups",
        "logs",
    }


def test_that_what_was_written_is_there_after_reopening(folder: Path) -> None:
    with Store.create(folder) as store, store.writing() as uow:
        add_items(uow, 3)
    with Store.open(folder) as store, store.reading() as uow:
        assert uow.items.count() == 3


def test_that_the_database_is_written_ahead_synced_fully_and_checks_its_references(folder: Path) -> None:
    with Store.create(folder) as store, store.writing() as uow:
        pragma = uow.items._connection.exec_driver_sql
        assert pragma("PRAGMA journal_mode").scalar() == "wal"
        assert pragma("PRAGMA synchronous").scalar() == 2
        assert pragma("PRAGMA foreign_keys").scalar() == 1


def test_that_a_folder_that_is_a_workspace_is_not_made_one_again(folder: Path) -> None:
    Store.create(folder).close()
    with pytest.raises(InputError, match="workspace already"):
        Store.create(folder)


def test_that_a_folder_with_other_files_is_refused_and_left_alone(folder: Path) -> None:
    folder.mkdir()
    (folder / "thesis.txt").write_text("mine")
    with pytest.raises(InputError, match=r"thesis\.txt"):
        Store.create(folder)
    assert [path.name for path in folder.iterdir()] == ["thesis.txt"]


def test_that_a_file_is_refused_as_a_workspace(folder: Path) -> None:
    folder.write_text("a file")
    with pytest.raises(InputError, match="is a file"):
        Store.create(folder)


def test_that_what_a_killed_creation_left_behind_does_not_stop_the_next(folder: Path) -> None:
    folder.mkdir()
    (folder / "releases").mkdir()
    (folder / "workspace.lock").write_text("process 1")
    (folder / "workspace.db.new").write_bytes(b"half a database")
    (folder / "workspace.db.new-wal").write_bytes(b"half a log")
    with Store.create(folder) as store, store.reading() as uow:
        assert uow.items.count() == 0
    assert not list(folder.glob("workspace.db.new*"))


@pytest.mark.parametrize("read_only", [False, True])
def test_that_a_folder_without_a_database_is_no_workspace(folder: Path, read_only: bool) -> None:
    folder.mkdir()
    with pytest.raises(InputError, match="alcove init"):
        Store.open(folder, read_only=read_only)
    assert not list(folder.iterdir())


@pytest.mark.parametrize("read_only", [False, True])
@pytest.mark.parametrize("content", [b"title,price\n" * 100, b"", b"SQLite format 3\x00" + b"\x01" * 4096])
def test_that_a_file_that_is_no_database_is_refused_in_one_line(
    folder: Path, content: bytes, read_only: bool
) -> None:
    folder.mkdir()
    (folder / "workspace.db").write_bytes(content)
    with pytest.raises((InputError, EnvironmentError_)) as caught:
        Store.open(folder, read_only=read_only)
    assert "\n" not in caught.value.message
    assert (folder / "workspace.db").read_bytes() == content


def test_that_another_programs_database_is_not_taken_for_a_workspace(folder: Path) -> None:
    folder.mkdir()
    with closing(sqlite3.connect(folder / "workspace.db")) as connection:
        connection.execute("CREATE TABLE item (id INTEGER)")
    with pytest.raises(InputError, match="not an Alcove workspace"):
        Store.open(folder)


@pytest.mark.parametrize("read_only", [False, True])
def test_that_a_workspace_of_a_newer_alcove_is_refused_unchanged(folder: Path, read_only: bool) -> None:
    Store.create(folder).close()
    with closing(sqlite3.connect(folder / "workspace.db")) as connection:
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    with pytest.raises(WorkspaceTooNewError, match="update Alcove"):
        Store.open(folder, read_only=read_only)
    with closing(sqlite3.connect(folder / "workspace.db")) as connection:
        assert connection.execute("PRAGMA user_version").fetchone()[0] == SCHEMA_VERSION + 1


def test_that_an_older_workspace_is_brought_up_to_date_when_opened_for_writing(folder: Path) -> None:
    folder.mkdir()
    (folder / "backups").mkdir()
    with closing(sqlite3.connect(folder / "workspace.db")) as connection:
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute("CREATE TABLE keep (word TEXT)")
        connection.commit()
    with pytest.raises(EnvironmentError_, match="open it once for writing"):
        Store.open(folder, read_only=True)
    with Store.open(folder) as store, store.writing() as uow:
        add_items(uow)
    with Store.open(folder, read_only=True) as store, store.reading() as uow:
        assert uow.items.count() == 5


def test_that_a_second_writer_is_told_to_open_read_only_and_who_has_it(folder: Path) -> None:
    with Store.create(folder):
        with pytest.raises(WorkspaceLockedError, match=rf"process {os.getpid()} .*read-only"):
            Store.open(folder)
        with pytest.raises(InputError):
            Store.create(folder)
    Store.open(folder).close()


def test_that_a_second_program_reads_while_the_first_writes(folder: Path) -> None:
    with Store.create(folder) as writer, Store.open(folder, read_only=True) as reader:
        with writer.writing() as uow:
            add_items(uow, 2)
            with reader.reading() as seen:
                assert seen.items.count() == 0
        with reader.reading() as seen:
            assert seen.items.count() == 2


def test_that_a_read_only_workspace_refuses_to_be_changed(folder: Path) -> None:
    Store.create(folder).close()
    with Store.open(folder, read_only=True) as store:
        with pytest.raises(ReadOnlyError, match="read-only"), store.writing():
            pass
        with pytest.raises(ReadOnlyError), store.reading() as uow:
            add_items(uow)


@pytest.mark.skipif(sys.platform == "win32", reason="permissions of folders do not bind on Windows")
def test_that_a_folder_without_write_permission_opens_read_only_only(unprivileged: Path) -> None:
    folder = unprivileged / "workspace"
    with Store.create(folder) as store, store.writing() as uow:
        add_items(uow, 4)
    for path in [*folder.rglob("*"), folder]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    with pytest.raises(EnvironmentError_, match="read-only") as caught:
        Store.open(folder)
    assert not isinstance(caught.value, WorkspaceLockedError)
    before = sorted(path.name for path in folder.iterdir())
    with Store.open(folder, read_only=True) as store, store.reading() as uow:
        assert uow.items.count() == 4
    assert sorted(path.name for path in folder.iterdir()) == before


@pytest.mark.skipif(sys.platform == "win32", reason="permissions of folders do not bind on Windows")
def test_that_a_workspace_cannot_be_made_where_one_may_not_write(unprivileged: Path) -> None:
    unprivileged.chmod(0o555)
    with pytest.raises(EnvironmentError_, match="cannot be written to"):
        Store.create(unprivileged / "workspace")


def test_that_a_database_file_that_may_not_be_written_is_said_when_opening(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Store.create(folder).close()
    monkeypatch.setattr("engine.store.store.may_write", lambda path: path.name != "workspace.db")
    with pytest.raises(EnvironmentError_, match="open it read-only"):
        Store.open(folder)
    monkeypatch.undo()
    Store.open(folder).close()


def test_that_an_exception_undoes_the_whole_transaction(folder: Path) -> None:
    with Store.create(folder) as store:

        def fail_halfway() -> None:
            with store.writing() as uow:
                add_items(uow)
                raise RuntimeError("halfway")

        with pytest.raises(RuntimeError):
            fail_halfway()
        with store.reading() as uow:
            assert uow.items.count() == 0
        with store.writing() as uow:
            add_items(uow, 1)
        with store.reading() as uow:
            assert uow.items.count() == 1


def test_that_a_writing_generator_closed_early_keeps_nothing(folder: Path) -> None:
    with Store.create(folder) as store:

        def work() -> Iterator[int]:
            with store.writing() as uow:
                add_items(uow, 1)
                yield 1
                add_items(uow, 2)
                yield 2

        steps = work()
        next(steps)
        steps.close()  # type: ignore[attr-defined]
        with store.writing() as uow:
            assert uow.items.count() == 0


def test_that_writing_inside_writing_is_refused_instead_of_waiting_forever(folder: Path) -> None:
    with Store.create(folder) as store, store.writing() as uow:
        with pytest.raises(BugError), store.writing():
            pass
        add_items(uow, 1)
        assert uow.items.count() == 1


def test_that_writers_of_several_threads_take_turns(folder: Path) -> None:
    with Store.create(folder) as store:

        def add() -> None:
            for _ in range(10):
                with store.writing() as uow:
                    settings = uow.settings.load()
                    more = settings.neighbours + 1
                    uow.settings.save(settings.model_copy(update={"neighbours": more}))

        threads = [threading.Thread(target=add) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        with store.reading() as uow:
            assert uow.settings.load().neighbours == WorkspaceSettings().neighbours + 40


def test_that_readers_of_several_threads_each_see_one_state(folder: Path) -> None:
    with Store.create(folder) as store:
        torn: list[tuple[int, int]] = []
        stop = threading.Event()

        def read() -> None:
            while not stop.is_set():
                with store.reading() as uow:
                    revision = uow.items.revision()
                    count = uow.items.count()
                    if revision != count:
                        torn.append((revision, count))

        threads = [threading.Thread(target=read) for _ in range(3)]
        for thread in threads:
            thread.start()
        for n in range(1, 30):
            with store.writing() as uow:
                add_items(uow, n)
        stop.set()
        for thread in threads:
            thread.join()
        assert not torn


def test_that_closing_twice_is_harmless_and_gives_the_lock_back(folder: Path) -> None:
    store = Store.create(folder)
    store.close()
    store.close()
    Store.open(folder).close()
    assert not list(folder.glob("*-wal"))


def test_that_a_backup_is_a_workspace_with_what_was_committed(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    with Store.create(folder) as store:
        with store.writing() as uow:
            add_items(uow, 3)
        store.backup(copy / "workspace.db")
        with store.writing() as uow:
            add_items(uow, 5)
    assert [path.name for path in copy.iterdir()] == ["workspace.db"]
    with Store.open(copy) as restored, restored.reading() as uow:
        assert uow.items.count() == 3


def test_that_a_backup_can_be_made_of_a_read_only_workspace(folder: Path, tmp_path: Path) -> None:
    Store.create(folder).close()
    with Store.open(folder, read_only=True) as store:
        store.backup(tmp_path / "copy.db")
    backups.check_database(tmp_path / "copy.db")


def test_that_a_failed_backup_leaves_the_one_before(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Store.create(folder) as store:
        target = folder / "backups" / "copy.db"
        store.backup(target)
        before = target.read_bytes()

        def damaged(path: Path) -> None:
            raise EnvironmentError_(f"{path} is damaged")

        monkeypatch.setattr(backups, "check_database", damaged)
        with pytest.raises(EnvironmentError_):
            store.backup(target)
        assert target.read_bytes() == before
        assert [path.name for path in target.parent.iterdir()] == ["copy.db"]


def test_that_damage_is_found(folder: Path) -> None:
    Store.create(folder).close()
    database = folder / "workspace.db"
    content = bytearray(database.read_bytes())
    content[8192:40960] = bytes(40960 - 8192)
    database.write_bytes(content)
    with pytest.raises((EnvironmentError_, sqlite3.DatabaseError)):
        backups.check_database(database)


def test_that_backups_are_kept_by_day_week_and_month(tmp_path: Path) -> None:
    end = datetime(2031, 6, 30, 12, tzinfo=UTC)
    names = [
        tmp_path / f"workspace-{(end - timedelta(hours=6 * n)).strftime('%Y%m%dT%H%M%S')}.db"
        for n in range(4 * 400)
    ]
    kept = backups.backups_to_keep(names)
    assert names[0] in kept
    assert {path.name[10:18] for path in kept} >= {
        (end - timedelta(days=n)).strftime("%Y%m%d") for n in range(backups.KEEP_DAILY)
    }
    assert len(kept) <= backups.KEEP_DAILY + backups.KEEP_WEEKLY + backups.KEEP_MONTHLY
    assert {path.name[10:16] for path in kept} >= {"203106", "203105", "203104", "203103", "203102", "203101"}


def test_that_keeping_a_backup_removes_only_backups(folder: Path) -> None:
    with Store.create(folder):
        at = datetime(2031, 1, 1, tzinfo=UTC)
        (folder / "backups" / "notes.txt").write_text("mine")
        for hour in range(3):
            backups.keep_backup(folder, at + timedelta(hours=hour))
        assert sorted(path.name for path in (folder / "backups").iterdir()) == [
            "notes.txt",
            "workspace-20310101T020000.db",
        ]
