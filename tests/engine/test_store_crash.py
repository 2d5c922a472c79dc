"""What is left of a workspace when its process is killed or the disk is full."""

from __future__ import annotations

import errno
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from engine.contracts import Item, Listing
from engine.errors import BugError, DiskFullError, EngineError, EnvironmentError_, WorkspaceLockedError
from engine.store import Store
from engine.store import backup as backups
from engine.store.connections import plain_errors, translated
from tests.engine.store_samples import add_items, counted_anew, decide, matched_store

ROOT = Path(__file__).resolve().parents[2]

#: Decides listing 1 and says so once it is committed, then dies in the middle of deciding another.
KILLED_WHILE_DECIDING = """
import os, signal, sys
from pathlib import Path
from engine.store import Store
from tests.engine.store_samples import decide
store = Store.open(Path(sys.argv[1]))
with store.writing() as uow:
    made = decide(uow, int(sys.argv[2]), note="kept")
print("saved", made.id, flush=True)
with store.writing() as uow:
    decide(uow, int(sys.argv[3]), note="lost")
    os.kill(os.getpid(), signal.SIGKILL)
"""

#: Imports until more than the cache holds was written to the log, then dies before committing.
KILLED_WHILE_IMPORTING = """
import os, signal, sys
from pathlib import Path
from engine.contracts import Item
from engine.store import Store
store = Store.open(Path(sys.argv[1]))
with store.writing() as uow:
    uow.items._connection.exec_driver_sql("PRAGMA cache_size = 10")
    for start in range(0, 4000, 1000):
        items = [Item(0, f"new{n}", f"title {n}", description="x" * 500) for n in range(start, start + 1000)]
        uow.items.upsert(items, ["key"] * 1000)
    wal = Path(sys.argv[1]) / "workspace.db-wal"
    print("written", wal.stat().st_size, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""

KILLED_WHILE_CREATING = """
import os, signal, sys
from pathlib import Path
import engine.store.store as module
real = module.upgrade
def upgrade(connection):
    real(connection)
    os.kill(os.getpid(), signal.SIGKILL)
module.upgrade = upgrade
module.Store.create(Path(sys.argv[1]))
"""

HOLDS_THE_LOCK = """
import sys
from pathlib import Path
from engine.store import Store
store = Store.open(Path(sys.argv[1]))
print("open", flush=True)
sys.stdin.read()
"""

posix = pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is POSIX")


def run_until_killed(program: str, *arguments: object) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    return done.stdout


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "workspace"


@posix
def test_that_a_saved_decision_survives_a_kill_and_the_unfinished_one_is_gone(
    folder: Path,
) -> None:
    with Store.create(folder) as store:
        first, second, *_ = matched_store(store)
    said = run_until_killed(KILLED_WHILE_DECIDING, folder, first, second)
    with Store.open(folder) as store, store.reading() as uow:
        kept = uow.decisions.in_force()
        assert said.split() == ["saved", str(kept[0].id)]
        assert [(decision.listing_id, decision.note) for decision in kept] == [(first, "kept")]
        assert uow.decisions.in_force_for(second) is None
        assert uow.listings.counts().decided == 1
        assert counted_anew(uow) == {("settled", "decided"): 1, ("review", "below_threshold"): 5}
        assert [entry.decision.note for entry in uow.decisions.history("kept")] == ["kept"]
        assert uow.decisions.history("lost") == []
    backups.check_database(folder / "workspace.db")


@posix
def test_that_a_killed_import_leaves_nothing_of_itself(folder: Path) -> None:
    with Store.create(folder) as store, store.writing() as uow:
        add_items(uow, 3)
    written = run_until_killed(KILLED_WHILE_IMPORTING, folder).split()
    # Otherwise the test would only show that memory is forgotten.
    assert int(written[1]) > 500_000
    with Store.open(folder) as store:
        with store.reading() as uow:
            assert uow.items.count() == 3
            assert uow.items.revision() == 1
            assert uow.items.search("title") == []
        with store.writing() as uow:
            add_items(uow, 5)
            assert uow.items.count() == 5
    backups.check_database(folder / "workspace.db")


@posix
def test_that_a_killed_creation_is_no_workspace_and_can_be_repeated(folder: Path) -> None:
    run_until_killed(KILLED_WHILE_CREATING, folder)
    with pytest.raises(EngineError, match="not a workspace"):
        Store.open(folder)
    with Store.create(folder) as store, store.reading() as uow:
        assert uow.items.count() == 0


@posix
def test_that_the_lock_of_another_process_holds_until_that_is_killed(folder: Path) -> None:
    Store.create(folder).close()
    with subprocess.Popen(
        [sys.executable, "-c", HOLDS_THE_LOCK, str(folder)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "open\n"
        with pytest.raises(WorkspaceLockedError, match=f"process {holder.pid}"):
            Store.open(folder)
        with Store.open(folder, read_only=True) as reader, reader.reading() as uow:
            assert uow.items.count() == 0
        holder.kill()
        holder.wait()
    Store.open(folder).close()


def test_that_a_full_disk_keeps_nothing_of_the_operation_and_the_rest_goes_on(folder: Path) -> None:
    with Store.create(folder) as store:
        ids = matched_store(store)
        with store.writing() as uow:
            pragma = uow.items._connection.exec_driver_sql
            pragma(f"PRAGMA max_page_count = {pragma('PRAGMA page_count').scalar() + 20}")
        big = [Item(0, f"big{n}", "title", description="x" * 3000) for n in range(500)]

        def decide_and_import() -> None:
            with store.writing() as uow:
                decide(uow, ids[0])
                uow.items.upsert(big, ["key"] * len(big))

        with pytest.raises(DiskFullError, match="full") as caught:
            decide_and_import()
        assert "\n" not in caught.value.message
        with store.reading() as uow:
            assert uow.items.count() == 5
            assert uow.decisions.counts().total == 0
        with store.writing() as uow:
            decide(uow, ids[0])
        with store.reading() as uow:
            assert uow.decisions.counts().total == 1


def test_that_a_full_disk_in_the_middle_of_listings_keeps_the_counts_right(folder: Path) -> None:
    with Store.create(folder) as store:
        with store.writing() as uow:
            feed_id = uow.feeds.ensure("monday")
            pragma = uow.items._connection.exec_driver_sql
            pragma(f"PRAGMA max_page_count = {pragma('PRAGMA page_count').scalar() + 30}")
        big = [Listing(0, f"big{n}", "title", description="x" * 3000) for n in range(500)]
        with pytest.raises(DiskFullError), store.writing() as uow:
            uow.listings.upsert(feed_id, big, ["key"] * len(big))
        with store.reading() as uow:
            assert uow.listings.count() == 0
            assert uow.listings.page() == []


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_that_the_systems_own_full_disk_is_said_in_the_same_words(folder: Path, code: int) -> None:
    with Store.create(folder) as store:

        def write_a_file_too() -> None:
            with store.writing() as uow:
                add_items(uow)
                raise OSError(code, "no space")

        with pytest.raises(DiskFullError, match="nothing was changed"):
            write_a_file_too()
        with store.reading() as uow:
            assert uow.items.count() == 0


def test_that_other_files_errors_are_left_as_they_are(folder: Path, tmp_path: Path) -> None:
    with Store.create(folder) as store, pytest.raises(FileNotFoundError), store.writing():
        (tmp_path / "elsewhere.csv").read_text()


@pytest.mark.parametrize(
    ("code", "kind", "words"),
    [
        (sqlite3.SQLITE_FULL, "DiskFullError", "full"),
        (sqlite3.SQLITE_IOERR_SHMSIZE, "DiskFullError", "full"),
        (sqlite3.SQLITE_READONLY, "ReadOnlyError", "read-only"),
        (sqlite3.SQLITE_READONLY_DBMOVED, "ReadOnlyError", "read-only"),
        (sqlite3.SQLITE_BUSY, "WorkspaceLockedError", "another program"),
        (sqlite3.SQLITE_BUSY_SNAPSHOT, "WorkspaceLockedError", "another program"),
        (sqlite3.SQLITE_CORRUPT, "EnvironmentError_", "backups"),
        (sqlite3.SQLITE_CANTOPEN, "EnvironmentError_", "readable"),
        (sqlite3.SQLITE_IOERR_READ, "EnvironmentError_", "check the disk"),
        (sqlite3.SQLITE_CONSTRAINT, "BugError", "boom"),
    ],
)
def test_that_every_database_error_says_whose_fault_it_is(code: int, kind: str, words: str) -> None:
    error = sqlite3.OperationalError("boom")
    error.sqlite_errorcode = code
    said = translated(error, Path("shop"))
    assert type(said).__name__ == kind
    assert isinstance(said, EngineError)
    assert words in said.message


def test_that_a_broken_reference_is_a_bug_and_not_the_users_fault(folder: Path) -> None:
    with Store.create(folder) as store:
        ids = matched_store(store)
        with pytest.raises(BugError), store.writing() as uow:
            uow.aliases.add(item_id=4711, listing_id=ids[0], decision_id=1, text_key="key")


def test_that_a_damaged_database_is_said_plainly(folder: Path) -> None:
    error = sqlite3.DatabaseError("malformed")
    error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    with pytest.raises(EnvironmentError_, match="backups"), plain_errors(folder):
        raise error
