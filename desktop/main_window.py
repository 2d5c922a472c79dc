"""The window of an open workspace: navigation, the status line, nothing else."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from PySide6.QtCore import QSize, Qt, QTimer, Signal
from PySide6.QtGui import QCloseEvent, QKeySequence, QMoveEvent, QResizeEvent, QShortcut, QShowEvent
from PySide6.QtWidgets import (
    QButtonGroup,
    QFrame,
    QInputDialog,
    QLabel,
    QMainWindow,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from desktop.screens.automation import AutomationScreen
from desktop.screens.history import HistoryScreen
from desktop.screens.home import HomeScreen
from desktop.screens.releases import ReleasesScreen
from desktop.screens.review import ReviewScreen
from desktop.screens.reviewers import ReviewersScreen
from desktop.screens.settings import SettingsScreen
from desktop.session import Session
from desktop.theme import Theme, icon
from desktop.widgets.basics import Button, column, row, words
from desktop.widgets.job_bar import JobBar

_GEOMETRY = "window/geometry"
_SCREEN = "window/screen"
#: The layout is kept this long (milliseconds) after the last change, so that a crash loses little.
_SETTLED = 1500
_NAMES = ("Home", "Review", "Automation", "Releases", "History", "Reviewers", "Settings")


def _appearance(choice: str) -> str:
    return {"light": "Light", "dark": "Dark"}.get(choice, "As the system")


class MainWindow(QMainWindow):
    """Shows one screen at a time. ``closed`` comes when the window was closed by its user."""

    closed = Signal()
    switch_asked = Signal()

    def __init__(
        self,
        session: Session,
        *,
        theme: Theme | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._session, self._theme = session, theme
        self.home = HomeScreen(session)
        self.review = ReviewScreen(session)
        self.automation = AutomationScreen(session)
        self.releases = ReleasesScreen(session)
        self.history = HistoryScreen(session)
        self.reviewers = ReviewersScreen(session)
        self.settings = SettingsScreen(session)
        self._screens: tuple[QWidget, ...] = (
            self.home,
            self.review,
            self.automation,
            self.releases,
            self.history,
            self.reviewers,
            self.settings,
        )
        self.stack = QStackedWidget()
        for screen in self._screens:
            self.stack.addWidget(screen)
        self.jobs = JobBar(session.tasks)
        self.jobs.watch_training(self.releases.training_page.process)
        self._buttons: list[Button] = []
        body = row(self._build_sidebar(), self.stack, spacing=0)
        body.setStretch(1, 1)
        central = QWidget()
        layout = column(body, self.jobs, spacing=0)
        layout.setStretch(0, 1)
        central.setLayout(layout)
        self.setCentralWidget(central)
        self.setMinimumSize(960, 620)
        name = session.workspace.path.name
        self.setWindowTitle(f"{name} – Alcove" + (" (read-only)" if session.read_only else ""))
        self.history.reopen_asked.connect(self.reopen)
        self.reviewers.reopen_asked.connect(self.reopen)
        self._add_shortcuts()
        self._layout_timer = QTimer(self)
        self._layout_timer.setSingleShot(True)
        self._layout_timer.setInterval(_SETTLED)
        self._layout_timer.timeout.connect(self._keep_layout)
        self.resize(1440, 900)
        kept = session.preferences.get_bytes(_GEOMETRY)
        if not kept.isEmpty():
            self.restoreGeometry(kept)
        self.show_screen(min(max(0, session.preferences.get(_SCREEN, 0)), len(_NAMES) - 1))

    def show_screen(self, number: int) -> None:
        """Show Home (0), Review, Automation, Releases, History (4), Reviewers or Settings (6)."""
        self._buttons[number].setChecked(True)
        self._session.preferences.set(_SCREEN, number)
        screen = self._screens[number]
        self.stack.setCurrentWidget(screen)
        screen.setFocus()
        screen.activate()  # type: ignore[attr-defined]

    def reopen(self, listing_id: int) -> None:
        """Answer a listing of the history again."""
        self.show_screen(1)
        self.review.reopen(listing_id)

    # -- building ------------------------------------------------------------------------------

    def _build_sidebar(self) -> QWidget:
        sidebar = QFrame()
        sidebar.setObjectName("sidebar")
        sidebar.setFixedWidth(196)
        layout = QVBoxLayout(sidebar)
        layout.setContentsMargins(12, 18, 12, 12)
        layout.setSpacing(3)
        mark = QLabel()
        mark.setPixmap(icon("alcove", size=28).pixmap(QSize(28, 28)))
        name = words(self._session.workspace.path.name, "strong")
        name.setToolTip(str(self._session.workspace.path))
        head = row(mark, column(words("Alcove", "caption"), name, spacing=0), None, spacing=10)
        head.setContentsMargins(6, 0, 0, 14)
        layout.addLayout(head)
        group = QButtonGroup(self)
        for number, text in enumerate(_NAMES):
            button = Button(
                text, partial(self.show_screen, number), kind="quiet", icon_name=text.lower(), icon_size=20
            )
            button.setCheckable(True)
            button.setToolTip(f"{text} (Ctrl+{number + 1})")
            group.addButton(button)
            self._buttons.append(button)
            layout.addWidget(button)
        layout.addStretch(1)
        self._reviewer = Button(
            self._session.reviewer,
            self._rename,
            kind="quiet",
            icon_name="note",
            tip="The name your decisions are signed with; click to change it",
        )
        switch = Button("Other workspace", self.switch_asked.emit, kind="quiet", icon_name="folder")
        layout.addWidget(self._reviewer)
        if self._theme is not None:
            self._appearance = Button(
                _appearance(self._theme.choice),
                self._next_appearance,
                kind="quiet",
                icon_name="contrast",
                tip="Light, dark, or as the system has it; Ctrl with + and - makes text larger and smaller",
            )
            layout.addWidget(self._appearance)
        layout.addWidget(switch)
        return sidebar

    def _add_shortcuts(self) -> None:
        for number in range(len(_NAMES)):
            self._shortcut(f"Ctrl+{number + 1}", partial(self.show_screen, number))
        if self._theme is not None:
            for keys, steps in (("Ctrl++", 1), ("Ctrl+=", 1), ("Ctrl+-", -1), ("Ctrl+0", 0)):
                self._shortcut(keys, partial(self._theme.step_scale, steps))

    def _shortcut(self, keys: str, intent: Callable[[], None]) -> None:
        QShortcut(QKeySequence(keys), self).activated.connect(intent)

    def _next_appearance(self) -> None:
        if self._theme is not None:
            text = _appearance(self._theme.next_choice())
            self._appearance.setText(text)
            self._appearance.setAccessibleName(text)

    # -- the reviewer's name ---------------------------------------------------------------------

    def _rename(self) -> None:
        dialog = QInputDialog(self)
        dialog.setWindowTitle("Reviewer")
        dialog.setLabelText("The name your decisions are signed with:")
        dialog.setTextValue(self._session.reviewer)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.textValueSelected.connect(self._on_renamed)
        dialog.open()

    def _on_renamed(self, name: str) -> None:
        if name.strip():
            self._session.reviewer = name.strip()
            self._session.preferences.set("reviewer", name.strip())
            self._reviewer.setText(name.strip())
            self.review.desk.change_reviewer()

    # -- Qt's hooks ------------------------------------------------------------------------------

    def showEvent(self, event: QShowEvent) -> None:
        """Qt's hook: keys go to the screen from the start."""
        super().showEvent(event)
        shown = self.stack.currentWidget()
        if shown is not None:
            shown.setFocus()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Qt's hook."""
        super().resizeEvent(event)
        self._layout_timer.start()

    def moveEvent(self, event: QMoveEvent) -> None:
        """Qt's hook."""
        super().moveEvent(event)
        self._layout_timer.start()

    def closeEvent(self, event: QCloseEvent) -> None:
        """Qt's hook: the layout is kept; screens end what they run outside the task runner."""
        self._layout_timer.stop()
        self._keep_layout()
        self.releases.close_down()
        event.accept()
        self.closed.emit()

    def _keep_layout(self) -> None:
        self._session.preferences.set_bytes(_GEOMETRY, self.saveGeometry())
        self._session.preferences.save()
