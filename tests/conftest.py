"""Rules every test lives by: no unexpected warning, Qt message, thread or window is left behind.

Warnings are errors by pytest's own filter and Qt messages by pytest-qt's (both in pyproject.toml);
threads and windows are checked here. The program's home is a folder under build/, so that a test
neither reads nor writes the user's own, and so that the base encoder is exported once for all runs.
"""

from __future__ import annotations

import gc
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# Before numpy, onnxruntime or Qt are imported by a test module.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ["ALCOVE_HOME"] = str(ROOT / "build" / "test-home")

#: Threads of libraries that live as long as the process.
_LASTING_THREADS = ("pytest_timeout", "execnet", "asyncio_", "QThread", "Dummy-")
_SECONDS_TO_END = 5.0


@pytest.fixture(scope="session")
def project_root() -> Path:
    """The folder of pyproject.toml."""
    return ROOT


@pytest.fixture(autouse=True)
def _no_thread_outlives_its_test() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    left = [thread for thread in threading.enumerate() if thread not in before and not _lasts(thread)]
    for thread in left:
        thread.join(_SECONDS_TO_END)
    alive = [thread.name for thread in left if thread.is_alive()]
    assert not alive, f"threads outlive the test: {alive}"


def _lasts(thread: threading.Thread) -> bool:
    return thread.daemon or thread.name.startswith(_LASTING_THREADS)


@pytest.fixture(autouse=True)
def _no_window_outlives_its_test(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    # pytest-qt has closed what qtbot was given by now. Tests without Qt never load it here.
    widgets = sys.modules.get("PySide6.QtWidgets")
    if widgets is None or "qtbot" not in request.fixturenames:
        return
    application = widgets.QApplication.instance()
    if application is None:
        return
    gc.collect()
    application.processEvents()
    stray = [type(window).__name__ for window in application.topLevelWidgets() if window.isVisible()]
    assert not stray, f"windows outlive the test: {stray}"
