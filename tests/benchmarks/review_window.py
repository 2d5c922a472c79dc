"""From key to next listing on screen, in the real window, and how much of that is the window's own work.

    python -m tests.benchmarks.review_window
    python -m tests.benchmarks.review_window --workspace FOLDER --decisions 200

Without a workspace the answers go to one in memory, so that the disk is left out; with one, a copy of it
is decided on. A key counts from its press to the paint of the next listing.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtCore import QEvent, QEventLoop, QObject, Qt, QTimer
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from desktop.app import Desktop, open_workspace
from desktop.main_window import MainWindow
from desktop.preferences import Preferences
from tests.desktop.fake_workspace import FakeWorkspace

_PAUSE = 120
_PATIENCE = 20_000


class _Watch(QObject):
    """Ends a loop when the window was painted with another listing in front."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._desk = window.review.desk
        self._before: object = None
        self._loop: QEventLoop | None = None
        window.installEventFilter(self)

    def wait(self, act: Callable[[], None]) -> None:
        """Do something and wait for the next listing."""
        self._before, self._loop = self._desk.front, QEventLoop()
        QTimer.singleShot(_PATIENCE, self._loop.quit)
        loop = self._loop
        act()
        loop.exec()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Qt's hook. The paint is done by the time the loop comes back to the posted quit."""
        another = self._desk.front is not None and self._desk.front is not self._before
        if event.type() == QEvent.Type.UpdateRequest and another and self._loop is not None:
            loop, self._loop = self._loop, None
            QTimer.singleShot(0, loop.quit)
        return False


def main() -> int:
    """Run as a command."""
    options = _options()
    app = QApplication(sys.argv[:1])
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        desktop = Desktop(
            app, preferences=Preferences(place / "desktop.ini"), open_workspace=_opener(options)
        )
        if options.workspace:
            shutil.copytree(options.workspace, place / "workspace")
        desktop.open(place / "workspace", read_only=False)
        assert desktop.window is not None
        figures = _measure(desktop.window, options.decisions)
        desktop.window.close()
    if options.json:
        print(json.dumps(figures))
    else:
        for name, value in figures.items():
            print(f"{name:>28}  {value}")
    return 0


def _opener(options: argparse.Namespace) -> Any:
    if options.workspace:
        return open_workspace
    return lambda path, read_only: FakeWorkspace(path, read_only=read_only)


def _measure(window: MainWindow, decisions: int) -> dict[str, float | int]:
    window.resize(1440, 900)
    window.show_screen(1)
    _pause(2000)
    watch = _Watch(window)
    wall: list[float] = []
    own: list[float] = []
    for _ in range(decisions):
        if window.review.desk.front is None:
            break
        began, busy = time.perf_counter(), time.thread_time()
        watch.wait(lambda: QTest.keyClick(QApplication.focusWidget() or window, Qt.Key.Key_N))
        wall.append(1000 * (time.perf_counter() - began))
        own.append(1000 * (time.thread_time() - busy))
        _pause(_PAUSE)
    return {
        "decisions": len(wall),
        "key to paint, p50 ms": _quantile(wall, 0.5),
        "key to paint, p99 ms": _quantile(wall, 0.99),
        "window's own work, p50 ms": _quantile(own, 0.5),
        "window's own work, p99 ms": _quantile(own, 0.99),
    }


def _pause(milliseconds: int) -> None:
    loop = QEventLoop()
    QTimer.singleShot(milliseconds, loop.quit)
    loop.exec()


def _quantile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 1) if ordered else 0.0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workspace", type=Path, help="a workspace to copy and decide on")
    parser.add_argument("--decisions", type=int, default=34)
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
