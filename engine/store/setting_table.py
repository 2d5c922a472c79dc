"""Named values: the workspace's settings and the catalogue's revision."""

from __future__ import annotations

import json

from pydantic import ValidationError
from sqlalchemy import Connection, select
from sqlalchemy.dialects.sqlite import insert

from engine.errors import InputError
from engine.settings import WorkspaceSettings
from engine.store.schema import SettingRow

_SETTINGS = "workspace"
_REVISION = "catalogue_revision"


class Settings:
    """The workspace's settings."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def load(self) -> WorkspaceSettings:
        """The settings as saved; the defaults before anything was saved.

        Raises:
            InputError: what is saved is not valid any more.
        """
        saved = _get(self._connection, _SETTINGS)
        if saved is None:
            return WorkspaceSettings()
        try:
            return WorkspaceSettings.model_validate_json(saved)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise InputError(
                f"the workspace's setting {where or '?'} is not valid: {first['msg']}"
            ) from error

    def save(self, settings: WorkspaceSettings) -> None:
        """Replace the settings."""
        _set(self._connection, _SETTINGS, settings.model_dump_json())


def catalogue_revision(connection: Connection) -> int:
    """How often the catalogue has changed."""
    saved = _get(connection, _REVISION)
    return int(json.loads(saved)) if saved is not None else 0


def bump_revision(connection: Connection) -> None:
    """Note that the catalogue has changed."""
    _set(connection, _REVISION, json.dumps(catalogue_revision(connection) + 1))


def _get(connection: Connection, name: str) -> str | None:
    return connection.execute(select(SettingRow.value).where(SettingRow.name == name)).scalar()


def _set(connection: Connection, name: str, value: str) -> None:
    statement = insert(SettingRow).values(name=name, value=value)
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=[SettingRow.name], set_={"value": statement.excluded.value}
        )
    )
