"""One copy of the database a day while the desktop is open, in the background."""

from __future__ import annotations

import logging

from PySide6.QtCore import QObject, QTimer

from desktop.session import Session

logger = logging.getLogger("alcove.backup")
#: Milliseconds between two looks at whether one is due.
_EVERY = 60 * 60 * 1000


class DailyBackup(QObject):
    """Looks when a workspace is opened and every hour. A copy that fails is logged and tried again."""

    def __init__(self, session: Session, parent: QObject) -> None:
        super().__init__(parent)
        self._session = session
        self.timer = QTimer(self)
        self.timer.setInterval(_EVERY)
        self.timer.timeout.connect(self.look)
        if not session.read_only:
            self.timer.start()
            self.look()

    def look(self) -> None:
        """Have a copy made if one is due."""
        self._session.tasks.read(
            self._session.workspace.backup_if_due,
            lambda made: logger.info("backed up to %s", made) if made else None,
            lambda error: logger.warning("today's backup could not be made: %s", error),
        )
