"""Drives the guide's session in the real window, by keyboard, and takes its pictures.

``python -m tests.guide_session DATASET_DIR OUT``: import a catalogue and a feed, match, review 30 listings
as the gold answers would, undo three, export the matches to XLSX. What was pressed and what came of it is
printed; the guide quotes it.
"""

from __future__ import annotations

import csv
import os
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import polars as pl
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from desktop.app import Desktop
from desktop.main_window import MainWindow
from desktop.preferences import Preferences
from engine.contracts import RecordKind
from engine.workspace import Workspace
from tests.screenshots import SIZE, wait

REVIEWED, UNDONE = 30, 3


def _gold(dataset: Path) -> dict[str, set[str]]:
    answers: dict[str, set[str]] = {}
    with (dataset / "matches.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            answers.setdefault(row["query_id"], set()).add(row["item_id"])
    return answers


class Session:
    """One sitting at the real window."""

    def __init__(self, window: MainWindow, workspace: Workspace, out: Path) -> None:
        self._window, self._workspace, self._out = window, workspace, out
        self.keys: Counter[str] = Counter()

    def picture(self, name: str) -> None:
        wait()
        self._window.grab().save(str(self._out / f"guide-{name}.png"))

    def press(self, key: Qt.Key, modifier: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
        focus = QApplication.focusWidget()
        assert focus is not None, "no widget has the focus"
        self.keys[key.name.removeprefix("Key_")] += 1
        QTest.keyClick(focus, key, modifier)

    def import_file(self, file: Path, kind: RecordKind, picture: str = "") -> None:
        home = self._window.home
        home.open_import(file, kind)
        wait(lambda: home.import_page.preview is not None)
        if picture:
            self.picture(picture)
        home.import_page.import_button.click()
        wait(lambda: not home.importing)

    def match(self) -> None:
        home = self._window.home
        wait(home.match_button.isEnabled)
        home.match_button.click()
        wait(lambda: self._workspace.status().counts.unmatched == 0, seconds=300)
        wait(lambda: not home.job_panel.busy, seconds=60)

    def review(self, gold: dict[str, set[str]]) -> list[float]:
        """Answer 30 listings; seconds from each key to the next card in front."""
        desk = self._window.review.desk
        self._window.show_screen(1)
        wait(lambda: desk.front is not None)
        self.picture("review")
        waited = []
        for _ in range(REVIEWED):
            front = desk.front
            assert front is not None
            right = gold.get(front.card.listing.external_id, set())
            places = [n for n, c in enumerate(front.candidates) if c.item.external_id in right]
            started = time.perf_counter()
            if not places:
                self.press(Qt.Key.Key_N)
            elif places[0] == 0 and not front.blind:
                self.press(Qt.Key.Key_Return)
            else:
                self.press(Qt.Key(Qt.Key.Key_1.value + places[0]))
            # Between two cards there is none where the next ones are still being read.
            wait(lambda front=front: desk.front not in (None, front) and not desk.saving, rest=0)
            waited.append(time.perf_counter() - started)
        return waited

    def undo(self) -> None:
        desk = self._window.review.desk
        for number in range(UNDONE):
            left = REVIEWED - number - 1
            self.press(Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
            wait(lambda left=left: self._workspace.status().counts.decisions == left, rest=0)
            wait(lambda: not desk.saving, rest=0)
        self.picture("undone")


def main(dataset: Path, out: Path) -> int:
    """Run the session once, in light colours."""
    app = QApplication.instance() or QApplication([])
    assert isinstance(app, QApplication)
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="alcove-guide-") as folder:
        home = Path(folder)
        Workspace.create(home / "electronics").close()
        preferences = Preferences(home / "desktop.ini")
        preferences.set("theme", "light")
        preferences.set("reviewer", "Kim")
        desktop = Desktop(app, preferences=preferences)
        desktop.start(home / "electronics")
        window = desktop.window
        assert window is not None
        assert desktop._session is not None
        workspace = desktop._session.workspace
        window.resize(*SIZE)
        window.activateWindow()
        session = Session(window, workspace, out)
        session.import_file(dataset / "catalogue.csv", RecordKind.CATALOGUE, "import")
        session.import_file(dataset / "queries.csv", RecordKind.LISTINGS)
        session.match()
        session.picture("matched")
        waited = sorted(session.review(_gold(dataset)))
        session.undo()
        window.show_screen(4)
        session.picture("history")
        target = home / "matches.xlsx"
        for _ in workspace.export("matches", target):
            pass
        matches = pl.read_excel(target)
        counts = workspace.status().counts
        print(f"keys pressed: {dict(session.keys)}")
        middle, worst = 1000 * waited[len(waited) // 2], 1000 * waited[-1]
        print(f"key to next card: median {middle:.0f} ms, worst {worst:.0f} ms")
        print(f"decisions in force after {UNDONE} undone: {counts.decisions}")
        print(f"matches.xlsx: {matches.height:,} rows, {matches['verdict'].is_in(['match']).sum()} confirmed")
        window.close()
        wait()
    return 0


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python -m tests.guide_session DATASET_DIR OUT")
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
