"""Takes the pictures of the documentation: every screen, light and dark, on a copy of a workspace.

``python -m tests.screenshots WORKSPACE OUT`` (``make screenshots`` runs it on the demo's workspace).
The real window is driven offscreen; the workspace itself is left as it was.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path

SCREENS = ("home", "review", "automation", "releases", "history")
SCHEMES = ("light", "dark")
SIZE = (1440, 900)
#: Milliseconds for a screen's reads to come back and its pictures to be drawn.
_SETTLE = 1500


def take_pictures(workspace: Path, out: Path) -> list[Path]:
    """Write ``OUT/<screen>-<scheme>.png`` for every screen; returns the paths."""
    from PySide6.QtWidgets import QApplication

    app = QApplication([])
    out.mkdir(parents=True, exist_ok=True)
    made: list[Path] = []
    for scheme in SCHEMES:
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder) / workspace.resolve().name
            shutil.copytree(workspace, copy, ignore=shutil.ignore_patterns("workspace.lock"))
            made += _take(app, copy, out, scheme, Path(folder) / "desktop.ini")
    return made


def _take(app: object, workspace: Path, out: Path, scheme: str, preferences_file: Path) -> list[Path]:
    from PySide6.QtCore import QEventLoop, QTimer

    from desktop.app import Desktop
    from desktop.preferences import Preferences

    preferences = Preferences(preferences_file)
    preferences.set("theme", scheme)
    preferences.set("reviewer", "Kim")
    desktop = Desktop(app, preferences=preferences)  # type: ignore[arg-type]
    desktop.open(workspace, read_only=False)
    window = desktop.window
    assert window is not None
    window.resize(*SIZE)

    def settle() -> None:
        loop = QEventLoop()
        QTimer.singleShot(_SETTLE, loop.quit)
        loop.exec()

    made = []
    for number, screen in enumerate(SCREENS):
        window.show_screen(number)
        settle()
        path = out / f"{screen}-{scheme}.png"
        if not window.grab().save(str(path)):
            raise OSError(f"cannot write {path}")
        made.append(path)
    window.close()
    settle()
    return made


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python -m tests.screenshots WORKSPACE OUT")
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    with tempfile.TemporaryDirectory() as home:
        os.environ["ALCOVE_HOME"] = home
        for picture in take_pictures(Path(sys.argv[1]), Path(sys.argv[2])):
            print(picture)
