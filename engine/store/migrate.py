"""Brings a workspace's schema up to date, and tells a newer one from an older one."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection

from engine.errors import InputError, WorkspaceTooNewError

#: Written to the database header, so that a stray SQLite file is not taken for a workspace ("Alcv").
APPLICATION_ID = 0x416C6376
#: The number of the last revision, kept in ``PRAGMA user_version``: checked without loading Alembic.
SCHEMA_VERSION = 6

MIGRATIONS = Path(__file__).parent / "migrations"


def schema_version(connection: Connection, folder: Path) -> int:
    """The schema version of the workspace in ``folder``.

    Raises:
        InputError: the database is no workspace of Alcove.
        WorkspaceTooNewError: a newer Alcove wrote it.
    """
    if connection.exec_driver_sql("PRAGMA application_id").scalar() != APPLICATION_ID:
        raise InputError(f"{folder / 'workspace.db'} is not an Alcove workspace database")
    version = int(connection.exec_driver_sql("PRAGMA user_version").scalar() or 0)
    if version > SCHEMA_VERSION:
        raise WorkspaceTooNewError(
            f"{folder} was written by a newer Alcove (schema {version}, this one knows {SCHEMA_VERSION}): "
            "update Alcove to open it"
        )
    return version


def upgrade(connection: Connection) -> None:
    """Run the missing migrations inside the caller's transaction."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    connection.exec_driver_sql(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.exec_driver_sql(f"PRAGMA user_version = {SCHEMA_VERSION}")
