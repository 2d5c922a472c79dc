"""Consistent copies of the database, and which of them to keep."""

from __future__ import annotations

import contextlib
import re
import sqlite3
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

from engine.errors import EnvironmentError_
from engine.store.connections import DATABASE

#: Pages copied at a time: writers get their turn in between.
_PAGES = 4096
_NAME = re.compile(r"workspace-(\d{8}T\d{6})\.db")
_TIME = "%Y%m%dT%H%M%S"
KEEP_DAILY, KEEP_WEEKLY, KEEP_MONTHLY = 12, 8, 6


def copy_database(folder: Path, target: Path, *, read_only: bool = False) -> None:
    """Copy the workspace's database to ``target`` through SQLite's backup API.

    The copy is complete or not there: it is written beside its name, checked, and renamed.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(target.name + ".partial")
    partial.unlink(missing_ok=True)
    mode = "ro" if read_only else "rw"
    uri = "file:" + quote((folder.resolve() / DATABASE).as_posix()) + f"?mode={mode}"
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


def check_database(path: Path) -> None:
    """Raise EnvironmentError_ unless SQLite finds the database whole and its references valid."""
    uri = "file:" + quote(path.resolve().as_posix()) + "?mode=ro"
    with contextlib.closing(sqlite3.connect(uri, uri=True)) as connection:
        found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if found != "ok":
            raise EnvironmentError_(f"{path} is damaged: {found}")


def keep_backup(folder: Path, at: datetime | None = None, *, read_only: bool = False) -> Path:
    """Add a copy to ``backups/`` and remove those that are not kept any more; returns the new one."""
    at = (at or datetime.now(UTC)).astimezone(UTC)
    target = folder / "backups" / f"workspace-{at.strftime(_TIME)}.db"
    copy_database(folder, target, read_only=read_only)
    paths = sorted(path for path in target.parent.iterdir() if _NAME.fullmatch(path.name))
    kept = backups_to_keep(paths)
    for path in paths:
        if path not in kept:
            path.unlink()
    return target


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
