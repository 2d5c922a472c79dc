"""What a screen is given: one open workspace and the means to work with it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from desktop.preferences import Preferences

if TYPE_CHECKING:
    from desktop.changes import ChangeHub
    from desktop.tasks import TaskRunner
    from engine.workspace import Workspace


@dataclass(slots=True)
class Session:
    """One open workspace in one window. ``reviewer`` signs the decisions made in it."""

    workspace: Workspace
    tasks: TaskRunner
    hub: ChangeHub
    reviewer: str
    preferences: Preferences = field(default_factory=Preferences)

    @property
    def read_only(self) -> bool:
        """Whether changes are refused; screens disable what would change something."""
        return self.workspace.read_only
