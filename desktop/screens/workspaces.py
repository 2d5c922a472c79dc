"""The first screen: go on where one was, open another workspace, or make a new one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from desktop.recent import RecentWorkspace, forget_workspace, recent_workspaces, remember_workspace
from desktop.theme import icon
from desktop.widgets.basics import (
    Badge,
    Button,
    Card,
    column,
    muted,
    primary_button,
    quiet_button,
    row,
    scrolling,
    secondary_button,
    words,
)
from desktop.widgets.pieces import (
    Banner,
    FileChooser,
    SaveChooser,
    choose_folder,
    choose_new_folder,
    clear,
)
from desktop.widgets.wording import when
from engine.errors import EngineError

_WIDTH = 720


def create_workspace(folder: Path) -> None:
    """Make a new, empty workspace."""
    from engine.workspace import Workspace

    Workspace.create(folder).close()


class RecentRow(Button):
    """A workspace of the list as one large button: name, folder, when it was last open."""

    def __init__(self, recent: RecentWorkspace, on_open: Callable[[], None]) -> None:
        super().__init__("", on_open, kind="verdict")
        name = words(recent.path.name, "strong")
        place = words(str(recent.path.parent), "caption")
        at = words(when(recent.opened_at), "caption")
        line = QHBoxLayout(self)
        line.setContentsMargins(14, 10, 14, 10)
        line.addLayout(column(name, place, spacing=2), 1)
        line.addWidget(at if recent.there else Badge("Not found", "warn"))
        for part in self.findChildren(QLabel):
            part.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setMinimumHeight(line.sizeHint().height())
        self.setEnabled(recent.there)
        state = f"opened {when(recent.opened_at)}" if recent.there else "its folder is not there"
        self.setAccessibleName(f"{recent.path.name}, {recent.path.parent}, {state}")

    def sizeHint(self) -> QSize:
        """As large as what it holds, not as its (empty) text."""
        layout = self.layout()
        return layout.sizeHint() if layout is not None else super().sizeHint()


class WorkspacesScreen(QWidget):
    """Recent workspaces, new, open, open read-only.

    ``on_open`` gets the folder and whether to open it read-only; the :class:`EngineError` it raises
    is shown here.
    """

    def __init__(self, on_open: Callable[[Path, bool], None], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._on_open = on_open
        self.choose_folder: FileChooser = choose_folder
        self.choose_new: SaveChooser = choose_new_folder
        self.create_workspace: Callable[[Path], None] = create_workspace
        self.setAcceptDrops(True)
        self._build()
        self.activate()

    def activate(self) -> None:
        """Read the list again; called whenever the screen is shown."""
        clear(self._recent)
        self.rows: list[RecentRow] = []
        entries = recent_workspaces()
        for entry in entries:
            self._recent.addLayout(self._line(entry))
        self._recent_card.setVisible(bool(entries))

    def _build(self) -> None:
        mark = QLabel()
        mark.setPixmap(icon("alcove", size=56).pixmap(QSize(56, 56)))
        self.banner = Banner()
        self.new_button = primary_button("New workspace", self._new, icon_name="plus")
        self.open_button = secondary_button("Open", self._open, icon_name="folder")
        self.read_only_button = secondary_button("Open read-only", self._open_read_only, icon_name="lock")
        self._recent_card = Card("Recent workspaces")
        self._recent = QVBoxLayout()
        self._recent.setSpacing(6)
        self._recent_card.add(self._recent)
        middle = QWidget()
        middle.setMaximumWidth(_WIDTH)
        inner = column(
            row(
                mark,
                column(
                    words("Alcove", "title"),
                    muted("Match incoming listings to your catalogue, and sign for the result.", wrap=False),
                    spacing=2,
                ),
                None,
                spacing=18,
            ),
            row(self.new_button, self.open_button, self.read_only_button, None),
            self.banner,
            self._recent_card,
            muted(
                "A workspace is one folder with everything in it: listings, decisions, releases. "
                "It never leaves this computer."
            ),
            spacing=22,
        )
        middle.setLayout(inner)
        content = QWidget()
        sides = QHBoxLayout()
        sides.addStretch(1)
        sides.addWidget(middle, 8)
        sides.addStretch(1)
        layout = QVBoxLayout(content)
        layout.setContentsMargins(28, 28, 28, 28)
        layout.addStretch(2)
        layout.addLayout(sides)
        layout.addStretch(3)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(scrolling(content))

    def _line(self, entry: RecentWorkspace) -> QHBoxLayout:
        opener = RecentRow(entry, lambda: self.open(entry.path, read_only=False))
        self.rows.append(opener)
        forget = quiet_button("", lambda: self._forget(entry.path), icon_name="close")
        forget.setAccessibleName(f"Take {entry.path.name} off the list")
        forget.setFixedWidth(36)
        forget.setToolTip("Take off the list; the workspace stays where it is")
        line = row(opener, forget, spacing=4)
        line.setStretch(0, 1)
        return line

    # -- intents -------------------------------------------------------------------------------

    def open(self, folder: Path, *, read_only: bool) -> None:
        """Open a workspace; what is in the way is said in one line."""
        self.banner.say("")
        try:
            self._on_open(folder, read_only)
        except EngineError as error:
            self.banner.say(error.message, "bad")
        else:
            remember_workspace(folder)
        self.activate()

    def _new(self) -> None:
        folder = self.choose_new(self, "New workspace: name and place", "My workspace", "")
        if folder is None:
            return
        try:
            self.create_workspace(folder)
        except EngineError as error:
            self.banner.say(error.message, "bad")
            return
        self.open(folder, read_only=False)

    def _open(self) -> None:
        folder = self.choose_folder(self, "Open a workspace", "")
        if folder is not None:
            self.open(folder, read_only=False)

    def _open_read_only(self) -> None:
        folder = self.choose_folder(self, "Open a workspace read-only", "")
        if folder is not None:
            self.open(folder, read_only=True)

    def _forget(self, folder: Path) -> None:
        forget_workspace(folder)
        self.activate()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Take a drag of one folder."""
        if _dropped_folder(event) is not None:
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        """Open the folder."""
        folder = _dropped_folder(event)
        if folder is not None:
            event.acceptProposedAction()
            self.open(folder, read_only=False)


def _dropped_folder(event: QDropEvent) -> Path | None:
    folders = [Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()]
    return folders[0] if len(folders) == 1 and folders[0].is_dir() else None
