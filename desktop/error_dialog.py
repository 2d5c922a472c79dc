"""The only place where an error becomes a dialog."""

from __future__ import annotations

import logging
import sys
import traceback
from pathlib import Path
from types import TracebackType

from PySide6.QtCore import QObject, QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QMessageBox, QWidget

from engine.errors import BugError, EngineError, EnvironmentError_, InputError, machine_error

log = logging.getLogger("alcove.desktop")

BUG_WORDS = "Alcove made a mistake. Everything that was shown as saved is safe; the details are in the log."


def words_for(error: BaseException) -> tuple[str, str]:
    """Title and one line of words for an error; never a traceback."""
    match error:
        case InputError():
            return "That did not work", error.message
        case EnvironmentError_():
            return "This computer got in the way", error.message
        case _:
            return "Something went wrong", BUG_WORDS


class ErrorPresenter(QObject):
    """Shows errors over a window, one dialog at a time; the same words are not stacked up.

    Anything that is not the user's or the computer's fault is logged with its traceback.
    """

    def __init__(self, window: QWidget, log_file: Path | None = None) -> None:
        super().__init__(window)
        self._window = window
        self._log_file = log_file
        self._dialog: QMessageBox | None = None
        self._waiting: list[BaseException] = []

    def show(self, error: BaseException) -> None:
        """Log and show ``error``; returns at once."""
        error = machine_error(error) or error
        if not isinstance(error, EngineError) or isinstance(error, BugError):
            log.error("unexpected error", exc_info=error)
        else:
            log.warning("%s: %s", type(error).__name__, error.message)
        if self._dialog is not None:
            shown = [self._dialog.informativeText(), *(words_for(other)[1] for other in self._waiting)]
            if words_for(error)[1] not in shown:
                self._waiting.append(error)
            return
        self._open(error)

    def install_excepthook(self) -> None:
        """Have exceptions that escape a slot shown here instead of on a terminal nobody sees."""

        def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
            if issubclass(kind, KeyboardInterrupt):
                sys.__excepthook__(kind, error, trace)
                return
            traceback.print_exception(kind, error, trace)
            self.show(error)

        sys.excepthook = hook

    @property
    def dialog(self) -> QMessageBox | None:
        """The dialog on screen, if there is one."""
        return self._dialog

    def _open(self, error: BaseException) -> None:
        title, words = words_for(error)
        box = QMessageBox(self._window)
        box.setObjectName("errorDialog")
        box.setWindowTitle("Alcove")
        whose_fault_is_known = isinstance(error, InputError | EnvironmentError_)
        box.setIcon(QMessageBox.Icon.Warning if whose_fault_is_known else QMessageBox.Icon.Critical)
        box.setText(f"{title}")
        box.setInformativeText(words)
        box.setEscapeButton(box.addButton(QMessageBox.StandardButton.Ok))
        if not whose_fault_is_known and self._log_file is not None:
            show_log = box.addButton("Open log", QMessageBox.ButtonRole.HelpRole)
            url = QUrl.fromLocalFile(str(self._log_file))
            show_log.clicked.connect(lambda: QDesktopServices.openUrl(url))
        box.finished.connect(self._closed)
        self._dialog = box
        box.open()

    def _closed(self) -> None:
        dialog, self._dialog = self._dialog, None
        if dialog is not None:
            dialog.deleteLater()
        if self._waiting:
            self._open(self._waiting.pop(0))
