"""What the window remembers between starts: layout, keys, recent workspaces. Not the user's data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TypeVar

from PySide6.QtCore import QByteArray, QSettings

from engine.settings import app_home

T = TypeVar("T")


class Preferences:
    """Values by name in ``desktop.ini``, as JSON, so that they come back with the type they had.

    A value that cannot be read (edited by hand, from a newer Alcove) counts as not there.
    """

    def __init__(self, file: Path | None = None) -> None:
        self._file = file or app_home() / "desktop.ini"
        self._settings = QSettings(str(self._file), QSettings.Format.IniFormat)

    def get(self, name: str, default: T) -> T:
        """The value kept under ``name`` if it has the default's type, else ``default``."""
        kept = self._settings.value(name)
        if not isinstance(kept, str):
            return default
        try:
            value = json.loads(kept)
        except ValueError:
            return default
        return value if isinstance(value, type(default)) else default

    def set(self, name: str, value: object) -> None:
        """Keep anything JSON can carry under ``name``."""
        self._settings.setValue(name, json.dumps(value))

    def get_bytes(self, name: str) -> QByteArray:
        """A window's geometry or a splitter's state; empty when there is none."""
        return QByteArray.fromBase64(QByteArray(self.get(name, "").encode("ascii", "ignore")))

    def set_bytes(self, name: str, value: QByteArray) -> None:
        """Keep a window's geometry or a splitter's state."""
        self.set(name, bytes(value.toBase64().data()).decode("ascii"))

    def save(self) -> None:
        """Write to the disk now; done by itself from time to time and at the end."""
        self._settings.sync()
