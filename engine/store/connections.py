"""Connections to ``workspace.db``: pragmas, transactions, and SQLite's errors in Alcove's words."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.pool import QueuePool

from engine.errors import BugError, DiskFullError, EnvironmentError_, ReadOnlyError, WorkspaceLockedError

DATABASE = "workspace.db"
#: How long a statement waits for another connection's short lock, milliseconds.
BUSY_TIMEOUT_MS = 10_000
_WRITER_CACHE_KIB = 128 * 1024
_READER_CACHE_KIB = 32 * 1024
#: Bulk work writes the same pages many times over; checkpointing less often writes them once.
_CHECKPOINT_PAGES = 4000
_WAL_LIMIT_BYTES = 64 * 1024 * 1024

_FULL_ERRNOS = frozenset({errno.ENOSPC, errno.EDQUOT})
_DENIED_ERRNOS = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})


def database_engine(folder: Path, *, writer: bool, read_only: bool = False, name: str = DATABASE) -> Engine:
    """An engine on the workspace's database.

    Args:
        folder: the workspace.
        writer: transactions begin IMMEDIATE (the one writer); otherwise connections only query.
        read_only: the files must not be touched: another program may be writing, or nobody can.
        name: the database's file; any other than ``workspace.db`` is made where it is missing.
    """
    uri = database_uri(folder.resolve() / name, read_only=read_only, create=name != DATABASE)

    def connect() -> sqlite3.Connection:
        # Transactions are begun by hand below: Python's own handling would begin them late and DEFERRED.
        return sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False, timeout=10.0)

    engine = create_engine(
        "sqlite://",
        creator=connect,
        poolclass=QueuePool,
        pool_size=1 if writer else 8,
        max_overflow=0 if writer else 64,
        query_cache_size=1000,
    )

    @event.listens_for(engine, "connect")
    def _prepare(connection: sqlite3.Connection, _record: object) -> None:
        connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA temp_store = MEMORY")
        connection.execute(f"PRAGMA cache_size = -{_WRITER_CACHE_KIB if writer else _READER_CACHE_KIB}")
        if writer:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
            connection.execute(f"PRAGMA journal_size_limit = {_WAL_LIMIT_BYTES}")
        else:
            connection.execute("PRAGMA query_only = ON")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writer else "BEGIN")

    return engine


def database_uri(path: Path, *, read_only: bool, create: bool = False) -> str:
    """How SQLite is to open a database, also one in a folder that nobody may write to."""
    uri = "file:" + quote(path.as_posix())
    if not read_only:
        return uri + ("?mode=rwc" if create else "?mode=rw")
    wal = path.with_name(path.name + "-wal")
    # Reading a WAL database makes a -shm file beside it. Where that is impossible and no writer left
    # pages in the WAL, the main file is complete and nobody can change it: read it as it is.
    if not may_write(path.parent) and (not wal.exists() or wal.stat().st_size == 0):
        return uri + "?mode=ro&immutable=1"
    return uri + "?mode=ro"


def may_write(path: Path) -> bool:
    """Whether this process may write to a file or folder (as the user it acts for)."""
    return os.access(path, os.W_OK, effective_ids=os.access in os.supports_effective_ids)


@contextmanager
def plain_errors(folder: Path) -> Iterator[None]:
    """Turn what SQLite and the disk raise inside the block into one line of Alcove's own."""
    try:
        yield
    except DBAPIError as error:
        cause = error.orig
        if isinstance(cause, sqlite3.Error):
            raise translated(cause, folder) from error
        raise
    except SQLAlchemyError as error:
        raise BugError(f"{folder}: {error}") from error
    except sqlite3.Error as error:
        raise translated(error, folder) from error
    except OSError as error:
        if error.errno in _FULL_ERRNOS:
            raise _disk_full(folder) from error
        if error.errno in _DENIED_ERRNOS and error.filename and _inside(Path(str(error.filename)), folder):
            raise _denied(folder) from error
        raise


def translated(error: sqlite3.Error, folder: Path) -> Exception:
    """The Alcove error that says what an SQLite error means for the workspace in ``folder``."""
    code = getattr(error, "sqlite_errorcode", None)
    primary = code & 0xFF if isinstance(code, int) else None
    if primary == sqlite3.SQLITE_FULL or code == sqlite3.SQLITE_IOERR_SHMSIZE:
        return _disk_full(folder)
    if primary in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM):
        return _denied(folder)
    if primary in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return WorkspaceLockedError(
            f"{folder} is being written by another program: close it, or open the workspace read-only"
        )
    if primary in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return EnvironmentError_(
            f"{folder / DATABASE} is damaged ({error}): restore the latest copy from {folder / 'backups'}"
        )
    if primary == sqlite3.SQLITE_CANTOPEN:
        return EnvironmentError_(f"{folder / DATABASE} cannot be opened: check that the folder is readable")
    if primary == sqlite3.SQLITE_IOERR:
        return EnvironmentError_(
            f"{folder / DATABASE} cannot be read or written ({error}): check the disk; nothing was changed"
        )
    return BugError(f"{folder / DATABASE}: {error}")


def _disk_full(folder: Path) -> DiskFullError:
    return DiskFullError(
        f"the disk of {folder} is full: free some space and do it again; nothing was changed"
    )


def _denied(folder: Path) -> ReadOnlyError:
    return ReadOnlyError(f"{folder} cannot be written to: open it read-only, or change its permissions")


def _inside(path: Path, folder: Path) -> bool:
    return path == folder or folder in path.parents
