"""Takes the pictures of the documentation: every screen, light and dark, on a copy of a workspace.

``python -m tests.screenshots WORKSPACE OUT`` (``make screenshots`` runs it on the demo's workspace).
The real window is driven offscreen; the workspace itself is left as it was.
"""

from __future__ import annotations

import csv
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtCore import QEventLoop, QTimer
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget

from desktop.app import Desktop
from desktop.main_window import MainWindow
from desktop.preferences import Preferences
from engine.contracts import QueueOrder, RecordKind
from engine.workspace import Workspace

SCHEMES = ("light", "dark")
SIZE = (1440, 900)
#: Milliseconds between two looks at a condition, and for delayed layouts and curves to come to rest.
_STEP = 20
_REST = 400
#: How many listings to skip at most in search of a blind audit.
_LOOKED_THROUGH = 60


class Photographer:
    """Takes the pictures of one colour scheme."""

    def __init__(self, workspace: Workspace, out: Path, scheme: str) -> None:
        self._workspace = workspace
        self._out = out
        self._scheme = scheme
        self.made: list[Path] = []

    def take(self, widget: QWidget, name: str) -> None:
        """Write ``NAME-SCHEME.png``."""
        path = self._out / f"{name}-{self._scheme}.png"
        if not widget.grab().save(str(path)):
            raise OSError(f"cannot write {path}")
        self.made.append(path)

    def all_screens(self, window: MainWindow, feed: Path) -> None:
        """Every screen of the window, one after another."""
        self._home(window, feed)
        self._review(window)
        window.show_screen(2)
        wait(lambda: window.automation.rate_tile.figure != "–")
        self.take(window, "automation")
        segments = window.automation.segments_page
        window.automation.pages.setCurrentWidget(segments)
        wait(lambda: segments.segments.shown() != [])
        self.take(window, "segments")
        window.automation.pages.setCurrentIndex(0)
        self._releases(window)
        window.show_screen(4)
        wait()
        self.take(window, "history")
        window.show_screen(5)
        wait(lambda: window.reviewers.report is not None)
        self.take(window, "reviewers")
        window.show_screen(6)
        wait(lambda: window.settings.rows != {})
        self.take(window, "settings")

    def _home(self, window: MainWindow, feed: Path) -> None:
        window.show_screen(0)
        wait(lambda: window.home.rate_tile.figure != "–")
        self.take(window, "home")
        window.home.open_import(feed, RecordKind.LISTINGS)
        wait(lambda: window.home.import_page.preview is not None)
        self.take(window, "import-preview")
        window.home.import_page.back_button.click()

    def _review(self, window: MainWindow) -> None:
        window.show_screen(1)
        desk = window.review.desk
        if not wait(lambda: desk.front is not None, seconds=15):
            self.take(window, "review")
            return
        self._skip_until(window, blind=False)
        self.take(window, "review")
        if desk.front is not None and desk.front.candidates:
            search = window.review.search
            search.begin()
            QTest.keyClicks(search.field, " ".join(desk.front.candidates[0].item.title.split()[:2]))
            wait(lambda: search.results.count() > 0, seconds=5)
            self.take(window, "search")
            search.end()
            window.review.candidates.show()
        if self._skip_until(window, blind=True):
            self.take(window, "review-blind-audit")

    def _skip_until(self, window: MainWindow, *, blind: bool) -> bool:
        desk = window.review.desk
        for _ in range(_LOOKED_THROUGH):
            front = desk.front
            if front is None:
                return False
            if front.blind is blind:
                window.review.verdicts.message.clear()
                return wait()
            desk.skip()
            wait(lambda front=front: desk.front is not front, seconds=5, rest=0)
        return False

    def _releases(self, window: MainWindow) -> None:
        screen = window.releases
        window.show_screen(3)
        wait(lambda: screen.release_page.name != "", seconds=10)
        # Preferably a release that was trained: against it the comparison tells most.
        others = [one for one in self._workspace.releases() if not one.is_champion]
        others.sort(key=lambda one: one.run_id is None)
        if others:
            screen.release_page.select(others[0].id)
            screen.release_page.compare()
            wait(lambda: not screen.release_page.job_panel.busy, seconds=300)
        self.take(window, "releases")
        screen.pages.setCurrentWidget(screen.training_page)
        wait()
        self.take(window, "training")
        screen.pages.setCurrentWidget(screen.release_page)


def wait(until: Callable[[], bool] = lambda: True, *, seconds: float = 60.0, rest: int = _REST) -> bool:
    """Let Qt work until a condition holds, and then until everything is drawn. False: it never held."""
    left = int(seconds * 1000 / _STEP)
    while not until() and left > 0:
        _let_qt_work(_STEP)
        left -= 1
    held = until()
    if rest:
        _let_qt_work(rest)
    return held


def _let_qt_work(milliseconds: int) -> None:
    loop = QEventLoop()
    QTimer.singleShot(milliseconds, loop.quit)
    loop.exec()


def next_feed(workspace: Workspace, folder: Path) -> Path:
    """A feed as a shop might send it next: known listings under new ids, two rows with a fault."""
    file = folder / "next week.csv"
    entries = workspace.queue(order=QueueOrder.OLDEST, limit=40)
    with file.open("w", encoding="utf-8", newline="") as target:
        writer = csv.writer(target, delimiter=";")
        writer.writerow(["id", "product name", "manufacturer", "price", "ean"])
        for entry in entries:
            listing = workspace.listing(entry.listing_id)
            price = "" if listing.price is None else f"{listing.price:.2f}"
            writer.writerow([f"N-{listing.external_id}", listing.title, listing.brand, price, listing.gtin])
        writer.writerow(["N-blank", "", "", "", ""])
        if entries:
            writer.writerow([f"N-{entries[0].external_id}", "the same number again", "", "", ""])
    return file


def take_pictures(workspace: Path, out: Path) -> list[Path]:
    """Write ``OUT/<screen>-<scheme>.png`` for every screen; returns the paths."""
    app = QApplication.instance() or QApplication([])
    assert isinstance(app, QApplication)
    out.mkdir(parents=True, exist_ok=True)
    made: list[Path] = []
    for scheme in SCHEMES:
        with tempfile.TemporaryDirectory(prefix="alcove-") as folder:
            os.environ["ALCOVE_HOME"] = str(Path(folder) / "home")
            copy = Path(folder) / workspace.resolve().name
            shutil.copytree(workspace, copy, ignore=shutil.ignore_patterns("workspace.lock"))
            made += _take(app, copy, out, scheme)
    return made


def _take(app: QApplication, copy: Path, out: Path, scheme: str) -> list[Path]:
    preferences = Preferences(copy.parent / "desktop.ini")
    preferences.set("theme", scheme)
    preferences.set("reviewer", "Kim")
    opened: list[Workspace] = []

    def open_copy(path: Path, read_only: bool) -> Workspace:
        opened.append(Workspace.open(path, read_only=read_only))
        return opened[0]

    desktop = Desktop(app, preferences=preferences, open_workspace=open_copy)
    desktop.start(copy)
    window = desktop.window
    assert window is not None
    window.resize(*SIZE)
    photographer = Photographer(opened[0], out, scheme)
    photographer.all_screens(window, next_feed(opened[0], copy.parent))
    desktop.switch()
    chooser = desktop.chooser
    assert chooser is not None
    wait()
    photographer.take(chooser, "workspaces")
    chooser.close()
    wait()
    return photographer.made


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python -m tests.screenshots WORKSPACE OUT")
    for picture in take_pictures(Path(sys.argv[1]), Path(sys.argv[2])):
        print(picture)
