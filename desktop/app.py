"""The composition root of the desktop: builds, wires, shuts down."""

from __future__ import annotations

import sys

if sys.platform == "win32":
    # Loaded after Qt, its DLLs do not resolve.
    import onnxruntime  # noqa: F401

import getpass
import logging
import logging.handlers
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication, QMainWindow

from desktop.changes import ChangeHub
from desktop.daily_backup import DailyBackup
from desktop.error_dialog import ErrorPresenter
from desktop.main_window import MainWindow
from desktop.preferences import Preferences
from desktop.recent import remember_workspace
from desktop.screens.workspaces import WorkspacesScreen
from desktop.session import Session
from desktop.tasks import TaskRunner
from desktop.theme import Theme, icon
from engine.errors import EngineError
from engine.settings import app_home

if TYPE_CHECKING:
    from engine.workspace import Workspace

OpenWorkspace = Callable[[Path, bool], "Workspace"]


def open_workspace(path: Path, read_only: bool) -> Workspace:
    """Open a workspace for the desktop."""
    from engine.workspace import Workspace

    return Workspace.open(path, read_only=read_only)


def start_logging() -> Path | None:
    """Log to a file of Alcove's own folder; None where that cannot be written."""
    file = app_home() / "logs" / "desktop.log"
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        handler = logging.handlers.RotatingFileHandler(
            file, maxBytes=1_000_000, backupCount=3, encoding="utf-8", delay=True
        )
    except OSError:
        return None
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.getLogger("alcove").addHandler(handler)
    return file


class Desktop(QObject):
    """One process's windows: the chooser, or one open workspace."""

    def __init__(
        self,
        app: QApplication,
        *,
        preferences: Preferences,
        open_workspace: OpenWorkspace = open_workspace,
        log_file: Path | None = None,
    ) -> None:
        super().__init__(app)
        self._preferences = preferences
        self._open_workspace = open_workspace
        self._log_file = log_file
        self.theme = Theme(app, preferences)
        self.chooser: QMainWindow | None = None
        self.window: MainWindow | None = None
        self._session: Session | None = None

    def start(self, workspace: Path | None) -> None:
        """Open a workspace; without one, or when it cannot be opened, show the chooser."""
        if workspace is None:
            self.show_chooser()
            return
        try:
            self.open(workspace, read_only=False)
        except EngineError as error:
            self.show_chooser(error.message)
        else:
            remember_workspace(workspace)

    def show_chooser(self, problem: str = "") -> None:
        """Show which workspaces there are, and what was in the way of opening one."""
        screen = WorkspacesScreen(lambda path, read_only: self.open(path, read_only=read_only))
        chooser = QMainWindow()
        chooser.setWindowTitle("Alcove")
        chooser.setCentralWidget(screen)
        chooser.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        chooser.resize(900, 680)
        chooser.show()
        if problem:
            screen.banner.say(problem, "bad")
        self.chooser = chooser

    def open(self, path: Path, *, read_only: bool) -> None:
        """Open a workspace in place of what is shown. Errors: :class:`EngineError`, nothing changes."""
        workspace = self._open_workspace(path, read_only)
        tasks = TaskRunner()
        session = Session(
            workspace=workspace,
            tasks=tasks,
            hub=ChangeHub(tasks),
            reviewer=self._preferences.get("reviewer", "") or _user_name(),
            preferences=self._preferences,
        )
        window = MainWindow(session, theme=self.theme)
        presenter = ErrorPresenter(window, self._log_file)
        presenter.install_excepthook()
        tasks.failure.connect(presenter.show)
        window.closed.connect(self.close_workspace)
        window.switch_asked.connect(self.switch)
        self._session, self.window = session, window
        window.show()
        DailyBackup(session, window)
        if self.chooser is not None:
            self.chooser.close()
            self.chooser = None

    def switch(self) -> None:
        """Leave the workspace and show the chooser."""
        window = self.window
        self.show_chooser()
        if window is not None:
            window.close()

    def close_workspace(self) -> None:
        """Finish what is being saved, stop what runs, and close the workspace."""
        session, self._session = self._session, None
        window, self.window = self.window, None
        sys.excepthook = sys.__excepthook__
        if session is not None:
            session.tasks.close()
            session.workspace.close()
            session.tasks.deleteLater()
        if window is not None:
            window.deleteLater()


def _user_name() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return "reviewer"


def run_desktop(workspace: Path | None = None) -> int:
    """Open the desktop and return its exit code when the last window is closed."""
    QGuiApplication.setHighDpiScaleFactorRoundingPolicy(Qt.HighDpiScaleFactorRoundingPolicy.PassThrough)
    app = QApplication(sys.argv[:1])
    app.setApplicationName("alcove")
    app.setApplicationDisplayName("Alcove")
    app.setDesktopFileName("alcove")
    app.setWindowIcon(icon("alcove", size=64))
    desktop = Desktop(app, preferences=Preferences(), log_file=start_logging())
    app.aboutToQuit.connect(desktop.close_workspace)
    desktop.start(workspace)
    return app.exec()
