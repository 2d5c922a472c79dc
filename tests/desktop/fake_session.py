"""A session over the workspace in memory, and long work that a test holds up and lets go."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from desktop.changes import ChangeHub
from desktop.preferences import Preferences
from desktop.session import Session
from desktop.tasks import TaskRunner
from engine.contracts import Progress, WorkEvent
from tests.desktop.fake_workspace import FakeWorkspace


class Gate:
    """Long work that takes one step, waits to be let go or closed, and remembers being closed."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.closed = threading.Event()

    def hold(self, events: Iterator[WorkEvent[Any]]) -> Iterator[WorkEvent[Any]]:
        """``events``, after steps that go on until the gate opens."""
        finished = False
        try:
            step = 0
            while not self.go.wait(0.005):
                step += 1
                yield Progress("encoding listings", min(step, 999), 1000, "held up by the test")
            yield from events
            finished = True
        finally:
            if not finished:
                self.closed.set()


@contextmanager
def fake_session(workspace: FakeWorkspace, folder: Path) -> Iterator[Session]:
    """A session whose threads end with the block; an error nobody takes fails the test."""
    tasks = TaskRunner()
    failures: list[Exception] = []
    tasks.failure.connect(failures.append)
    preferences = Preferences(folder / "desktop.ini")
    yield Session(workspace, tasks, ChangeHub(tasks), "Mara", preferences)  # type: ignore[arg-type]
    tasks.close()
    assert not failures, failures
