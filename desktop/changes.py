"""Who changed what: operations publish, screens refresh and ignore their own echo."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal

from engine.contracts import ChangeSet


class ChangeHub(QObject):
    """Carries every :class:`ChangeSet` to the screens, with the object that caused it."""

    changed = Signal(object, object)

    def publish(self, changes: ChangeSet, initiator: object = None) -> None:
        """Tell every screen; an empty change is not told."""
        if changes:
            self.changed.emit(changes, initiator)
