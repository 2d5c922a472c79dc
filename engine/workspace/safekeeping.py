"""Safekeeping: copies of the database, the way back to one, and whether everything is whole."""

from __future__ import annotations

import shutil
from pathlib import Path

from engine.contracts import DoctorLine
from engine.errors import EngineError, InputError
from engine.pipeline.release_files import read_manifest, verify_files
from engine.store import backup as backups
from engine.store.connections import plain_errors
from engine.workspace.base import WorkspaceBase


class Safekeeping(WorkspaceBase):
    """What keeps a workspace from getting lost."""

    def backup(self) -> Path:
        """Add a consistent copy of the database to ``backups/`` while work goes on; returns its file.

        Of the copies made so, the newest of each of the last 12 days, 8 weeks and 6 months are kept.
        Releases and training runs are not copied: they are folders that never change.
        """
        with plain_errors(self.path):
            return backups.keep_backup(self.path, read_only=self.read_only)

    def backup_if_due(self) -> Path | None:
        """:meth:`backup` once a day where there is something that cannot be made again: decisions.

        The desktop calls this while it is open, the command line before a verb that may change something.

        Returns:
            The copy's file; None where none was due.

        Raises:
            EnvironmentError_: it could not be written.
        """
        with self._store.reading() as uow:
            nothing = uow.decisions.last_number() == 0
        return None if nothing or not backups.is_due(self.path) else self.backup()

    def verify(self) -> list[DoctorLine]:
        """Whether the database, every release and every backup are whole: one line each."""
        found = [self._database()]
        with self._store.reading() as uow:
            releases = [(release.id, release.is_champion) for release in uow.releases.all()]
        found.extend(self._release(number, champion) for number, champion in releases)
        found.extend(_backup(path) for path in backups.backups_in(self.path))
        return found

    def _database(self) -> DoctorLine:
        advice = "alcove restore goes back to the latest backup"
        try:
            with plain_errors(self.path):
                backups.check_database(self.path / "workspace.db", thoroughly=True)
        except EngineError as error:
            return DoctorLine("database", False, error.message, advice)
        return DoctorLine("database", True, "whole")

    def _release(self, number: str, champion: bool) -> DoctorLine:
        name = f"release {number}{', the champion' if champion else ''}"
        folder = self._shelf.folder_of(number)
        try:
            manifest = read_manifest(folder)
            verify_files(folder, manifest, encoder_too=True)
        except EngineError as error:
            return DoctorLine(name, False, error.message)
        return DoctorLine(name, True, f"{len(manifest.files):,} files as they were written")


def _backup(path: Path) -> DoctorLine:
    try:
        with plain_errors(path.parent.parent):
            backups.check_database(path, thoroughly=True)
    except EngineError as error:
        return DoctorLine(f"backup {path.name}", False, error.message, "delete it, and make another one")
    return DoctorLine(f"backup {path.name}", True, f"{path.stat().st_size / 1024**2:,.1f} MiB")


def restore(folder: Path, source: Path | None = None) -> tuple[Path, Path | None]:
    """Put a backup in place of the workspace's database, in one step, whole or not at all.

    What was there before is kept beside the backups. Works on a damaged or missing database too.

    Args:
        folder: the workspace; no other program may have it open for writing.
        source: the backup; without it the latest that :meth:`Safekeeping.backup` made.

    Returns:
        The backup that was restored, and where the database from before is (None: there was none).

    Raises:
        InputError: there is no such backup, or it is no workspace database.
        WorkspaceLockedError: another program has the workspace open.
        WorkspaceTooNewError: a newer Alcove wrote the backup.
        EnvironmentError_: the backup is damaged, or the disk is full.
    """
    if not (folder / "workspace.db").exists() and not (folder / "backups").is_dir():
        raise InputError(f"{folder} is not a workspace: it has neither workspace.db nor backups")
    if source is None:
        source = max(backups.backups_in(folder), default=None)
        if source is None:
            raise InputError(
                f"there is no backup in {folder / 'backups'} (`alcove backup` makes one); "
                "name one with --from"
            )
    elif not source.is_file():
        raise InputError(f"there is no file {source}")
    kept = backups.restore_database(folder, source)
    # Evidence is kept under the catalogue's revision, whose numbers the restored one gives anew.
    shutil.rmtree(folder / "cache" / "evidence", ignore_errors=True)
    return source, kept
