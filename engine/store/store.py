"""A workspace's database: created, opened, locked, read from many threads and written by one."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine

from engine.errors import (
    BugError,
    EngineError,
    EnvironmentError_,
    InputError,
    ReadOnlyError,
)
from engine.store import backup as backups
from engine.store.connections import DATABASE, database_engine, may_write, plain_errors
from engine.store.lock import LOCK_FILE, WorkspaceLock
from engine.store.migrate import SCHEMA_VERSION, schema_version, upgrade
from engine.store.unit_of_work import UnitOfWork

#: The folders of a workspace beside its database.
FOLDERS = ("releases", "runs", "backups", "logs")
#: A database under construction; renamed to ``workspace.db`` once it is complete.
_UNFINISHED = DATABASE + ".new"


class Store:
    """The open database of one workspace.

    ``reading`` may be used from several threads at once; ``writing`` waits until other threads'
    transactions of this store are through. One store at a time, of all programs, can write.
    """

    def __init__(self, folder: Path, *, read_only: bool, lock: WorkspaceLock | None) -> None:
        self.folder = folder
        self.read_only = read_only
        self._lock = lock
        self._readers = database_engine(folder, writer=False, read_only=read_only)
        self._writer: Engine | None = None if read_only else database_engine(folder, writer=True)
        self._write_turn = threading.Lock()
        self._writing_thread: int | None = None
        self._closed = False

    @classmethod
    def create(cls, folder: Path) -> Store:
        """Make a workspace in ``folder``, which must be empty or not exist, and open it for writing.

        Raises:
            InputError: the folder is a workspace already, holds other files, or is a file.
            EnvironmentError_: it cannot be written to, or the disk is full.
        """
        if (folder / DATABASE).exists():
            raise InputError(f"{folder} is a workspace already: open it, or choose another folder")
        if folder.exists() and not folder.is_dir():
            raise InputError(f"{folder} is a file: choose a folder for the workspace")
        with _writable(folder), plain_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            # What a killed creation left behind is ours and no reason to refuse.
            ours = {LOCK_FILE, *FOLDERS}
            foreign = next(
                (p for p in folder.iterdir() if p.name not in ours and not _is_unfinished(p)), None
            )
            if foreign is not None:
                raise InputError(f"{folder} is not empty (it holds {foreign.name}): choose an empty folder")
            lock = WorkspaceLock(folder)
            try:
                _build_database(folder)
                for name in FOLDERS:
                    (folder / name).mkdir(exist_ok=True)
                return cls(folder, read_only=False, lock=lock)
            except BaseException:
                lock.release()
                raise

    @classmethod
    def open(cls, folder: Path, *, read_only: bool = False) -> Store:
        """Open the workspace in ``folder``; an older one is backed up and migrated first.

        Raises:
            InputError: there is no workspace.
            WorkspaceTooNewError: a newer Alcove wrote it.
            WorkspaceLockedError: another program has it open for writing.
            EnvironmentError_: the folder cannot be written to (open it read-only), or the database
                is damaged.
        """
        if not (folder / DATABASE).is_file():
            raise InputError(f"{folder} is not a workspace: it has no {DATABASE} (`alcove init` makes one)")
        if read_only:
            store = cls(folder, read_only=True, lock=None)
            try:
                store._check_version(migrate=False)
            except BaseException:
                store.close()
                raise
            return store
        with _writable(folder):
            lock = WorkspaceLock(folder)
            try:
                if not may_write(folder / DATABASE):
                    raise PermissionError(13, "not writable", str(folder / DATABASE))
                store = cls(folder, read_only=False, lock=lock)
                try:
                    store._check_version(migrate=True)
                except BaseException:
                    store.close()
                    raise
                return store
            except BaseException:
                lock.release()
                raise

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def reading(self) -> Iterator[UnitOfWork]:
        """One consistent state of the workspace, whatever is written meanwhile."""
        with plain_errors(self.folder), self._readers.connect() as connection, connection.begin():
            yield UnitOfWork(connection, self.folder)

    @contextmanager
    def writing(self) -> Iterator[UnitOfWork]:
        """One transaction: committed (durably) when the block ends, undone when it raises.

        Raises:
            ReadOnlyError: the workspace is open read-only, or its folder cannot be written to.
            DiskFullError: the disk is full; nothing was kept.
            BugError: this thread is in the middle of another writing block.
        """
        if self._writer is None:
            raise ReadOnlyError(f"{self.folder} is open read-only: open it for writing to change it")
        if self._writing_thread == threading.get_ident():
            raise BugError("a writing transaction was begun inside another one")
        with self._write_turn:
            self._writing_thread = threading.get_ident()
            try:
                with plain_errors(self.folder), self._writer.connect() as connection, connection.begin():
                    yield UnitOfWork(connection, self.folder)
            finally:
                self._writing_thread = None

    def backup(self, target: Path) -> None:
        """Write a consistent copy of the database to the file ``target`` while work goes on."""
        with plain_errors(self.folder):
            backups.copy_database(self.folder, target, read_only=self.read_only)

    def close(self) -> None:
        """Close all connections and give the lock back; a second call does nothing."""
        if self._closed:
            return
        self._closed = True
        self._readers.dispose()
        if self._writer is not None:
            self._writer.dispose()
        if self._lock is not None:
            self._lock.release()

    def _check_version(self, *, migrate: bool) -> None:
        with _database_errors(self.folder), self._readers.connect() as connection:
            version = schema_version(connection, self.folder)
        if version == SCHEMA_VERSION:
            return
        if not migrate or self._writer is None:
            raise EnvironmentError_(
                f"{self.folder} was written by an older Alcove: open it once for writing to update it"
            )
        if version:
            self.backup(self.folder / "backups" / f"workspace-before-schema-{SCHEMA_VERSION}.db")
        with plain_errors(self.folder), self._writer.connect() as connection, connection.begin():
            upgrade(connection)


@contextmanager
def _writable(folder: Path) -> Iterator[None]:
    """Say what to do where a folder cannot be written to."""
    try:
        yield
    except ReadOnlyError as error:
        raise EnvironmentError_(_denied(folder)) from error
    except EngineError:
        raise
    except OSError as error:
        with contextlib.suppress(OSError):
            if isinstance(error, PermissionError) or not may_write(folder):
                raise EnvironmentError_(_denied(folder)) from error
        raise EnvironmentError_(f"{folder} cannot be used: {error.strerror or error}") from error


def _denied(folder: Path) -> str:
    return f"{folder} cannot be written to: open it read-only, or choose a folder that you may write to"


@contextmanager
def _database_errors(folder: Path) -> Iterator[None]:
    """A file called workspace.db that SQLite does not take for a database is the user's file."""
    try:
        with plain_errors(folder):
            yield
    except EnvironmentError_ as error:
        cause = getattr(error.__cause__, "orig", error.__cause__)
        if getattr(cause, "sqlite_errorcode", None) == sqlite3.SQLITE_NOTADB:
            raise InputError(f"{folder / DATABASE} is not an Alcove workspace database") from error
        raise


def _is_unfinished(path: Path) -> bool:
    return path.name.startswith(_UNFINISHED)


def _build_database(folder: Path) -> None:
    """Make the database beside its name and rename it, so that a killed process leaves none half-made."""
    for leftover in filter(_is_unfinished, list(folder.iterdir())):
        leftover.unlink()
    engine = database_engine(folder, writer=True, name=_UNFINISHED)
    try:
        with engine.connect() as connection, connection.begin():
            upgrade(connection)
    finally:
        # The last connection to close writes the WAL back into the file.
        engine.dispose()
    (folder / _UNFINISHED).replace(folder / DATABASE)
    _sync_folder(folder)


def _sync_folder(folder: Path) -> None:
    with contextlib.suppress(OSError):  # Windows has no way and no need to sync a folder.
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
