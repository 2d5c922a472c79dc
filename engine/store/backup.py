"""Consistent copies of the database, which of them to keep, and the way back to one."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import sqlite3
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import create_engine

from engine.errors import EnvironmentError_, InputError
from engine.store.connections import DATABASE, database_uri, plain_errors
from engine.store.lock import WorkspaceLock
from engine.store.migrate import schema_version

#: Pages copied at a time: writers get their turn in between.
_PAGES = 4096
_NAME = re.compile(r"workspace-(\d{8}T\d{6})\.db")
_TIME = "%Y%m%dT%H%M%S"
#: A workspace that is used gets a copy by itself when the latest is this old.
DUE_AFTER = timedelta(days=1)
KEEP_DAILY, KEEP_WEEKLY, KEEP_MONTHLY = 12, 8, 6


def copy_database(folder: Path, target: Path, *, read_only: bool = False) -> None:
    """Copy the workspace's database to ``target`` through SQLite's backup API.

    The copy is complete or not there: it is written beside its name, checked, and renamed.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(target.name + ".partial")
    partial.unlink(missing_ok=True)
    uri = database_uri(folder.resolve() / DATABASE, read_only=read_only)
    try:
        with (
            contextlib.closing(sqlite3.connect(uri, uri=True)) as source,
            contextlib.closing(sqlite3.connect(partial)) as copy,
        ):
            source.backup(copy, pages=_PAGES)
            # A copy is one file: without this, opening it would leave -wal and -shm beside it.
            copy.execute("PRAGMA journal_mode = DELETE")
        check_database(partial)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def check_database(path: Path, *, thoroughly: bool = False) -> None:
    """Raise EnvironmentError_ unless SQLite finds the database whole.

    Thoroughly: every index is compared with its table, and every reference is followed.
    """
    uri = database_uri(path.resolve(), read_only=True)
    with contextlib.closing(sqlite3.connect(uri, uri=True)) as connection:
        check = "integrity_check" if thoroughly else "quick_check"
        found = connection.execute(f"PRAGMA {check}(1)").fetchone()[0]
        if found != "ok":
            raise EnvironmentError_(f"{path} is damaged: {found}")
        lost = connection.execute("PRAGMA foreign_key_check").fetchone() if thoroughly else None
        if lost is not None:
            raise EnvironmentError_(f"{path} is damaged: row {lost[1]} of {lost[0]} refers to nothing")


def keep_backup(folder: Path, at: datetime | None = None, *, read_only: bool = False) -> Path:
    """Add a copy to ``backups/`` and remove those that are not kept any more; returns the new one."""
    at = (at or datetime.now(UTC)).astimezone(UTC)
    target = folder / "backups" / f"workspace-{at.strftime(_TIME)}.db"
    copy_database(folder, target, read_only=read_only)
    paths = backups_in(folder)
    kept = backups_to_keep(paths)
    for path in paths:
        if path not in kept:
            path.unlink()
    return target


def backups_in(folder: Path) -> list[Path]:
    """The copies that :func:`keep_backup` made, oldest first."""
    if not (folder / "backups").is_dir():
        return []
    return sorted(path for path in (folder / "backups").iterdir() if _NAME.fullmatch(path.name))


def is_due(folder: Path, at: datetime | None = None) -> bool:
    """Whether the latest copy is older than :data:`DUE_AFTER`, or there is none."""
    at = (at or datetime.now(UTC)).astimezone(UTC)
    made = [_NAME.fullmatch(path.name) for path in backups_in(folder)[-1:]]
    times = [datetime.strptime(name[1], _TIME).replace(tzinfo=UTC) for name in made if name]
    return not times or at - times[0] >= DUE_AFTER


def restore_database(folder: Path, source: Path, at: datetime | None = None) -> Path | None:
    """Put the copy ``source`` in place of the workspace's database; returns where the old one is kept.

    SQLite writes the pages in one transaction: a killed process leaves the old database. One that SQLite
    cannot read is moved away first.

    Raises:
        InputError: ``source`` is no workspace database.
        WorkspaceTooNewError: a newer Alcove wrote it.
        WorkspaceLockedError: another program has the workspace open.
        EnvironmentError_: ``source`` is damaged, or the disk is full.
    """
    at = (at or datetime.now(UTC)).astimezone(UTC)
    lock = WorkspaceLock(folder)
    try:
        _check_source(source)
        with plain_errors(folder):
            kept = _keep_old(folder, folder / "backups" / f"before-restore-{at.strftime(_TIME)}")
            if not (folder / DATABASE).exists():
                partial = folder / f"{DATABASE}.partial"
                shutil.copyfile(source, partial)
                with partial.open("rb+") as file:
                    os.fsync(file.fileno())
                partial.replace(folder / DATABASE)
                return kept
            with (
                contextlib.closing(sqlite3.connect(source)) as copy,
                contextlib.closing(sqlite3.connect(folder / DATABASE)) as target,
            ):
                target.execute("PRAGMA synchronous = FULL")
                copy.backup(target)
            return kept
    finally:
        lock.release()


def _check_source(source: Path) -> None:
    engine = create_engine(f"sqlite:///{source.resolve().as_posix()}")
    try:
        check_database(source)
        with engine.connect() as connection:
            schema_version(connection, source)
    except (sqlite3.DatabaseError, InputError) as error:
        raise InputError(f"{source} is no backup of a workspace ({error}); name another one") from error
    finally:
        engine.dispose()


def _keep_old(folder: Path, target: Path) -> Path | None:
    """Keep the database as it is: a copy where SQLite can read it, else its files, moved away."""
    if not (folder / DATABASE).exists():
        return None
    copy, count = target.with_suffix(".db"), 1
    while copy.exists() or copy.with_suffix("").exists():  # never over what an earlier restore kept
        count += 1
        copy = target.with_name(f"{target.name}-{count}.db")
    try:
        copy_database(folder, copy)
    except (sqlite3.DatabaseError, EnvironmentError_) as error:
        if isinstance(error, sqlite3.OperationalError):  # a full disk, a lock: nothing wrong with the data
            raise
        moved = copy.with_suffix("")
        moved.mkdir(parents=True)
        for name in (DATABASE, f"{DATABASE}-wal", f"{DATABASE}-shm"):
            if (folder / name).exists():
                (folder / name).replace(moved / name)
        return moved
    return copy


def backups_to_keep(paths: Iterable[Path]) -> set[Path]:
    """The newest copy of each of the last 12 days, 8 weeks and 6 months that have one."""
    dated = sorted(((_time_of(path), path) for path in paths), reverse=True)
    kept: set[Path] = set()
    for period, count in (("%Y-%m-%d", KEEP_DAILY), ("%G-%V", KEEP_WEEKLY), ("%Y-%m", KEEP_MONTHLY)):
        newest: dict[str, Path] = {}
        for at, path in dated:
            newest.setdefault(at.strftime(period), path)
        kept.update(list(newest.values())[:count])
    return kept


def _time_of(path: Path) -> datetime:
    found = _NAME.fullmatch(path.name)
    if found is None:
        raise ValueError(f"{path.name} is not a backup's name")
    return datetime.strptime(found[1], _TIME).replace(tzinfo=UTC)
