"""The workspace: one method per user intent. The desktop and the command line use nothing below it."""

from __future__ import annotations

from engine.workspace.auditing import Auditing
from engine.workspace.checking import doctor
from engine.workspace.configuring import Configuring
from engine.workspace.exporting import Exporting
from engine.workspace.importing import Importing
from engine.workspace.learning import Learning
from engine.workspace.reporting import Reporting
from engine.workspace.reviewing import Reviewing
from engine.workspace.safekeeping import Safekeeping, restore

__all__ = ["Workspace", "doctor", "restore"]


class Workspace(Importing, Reviewing, Auditing, Learning, Reporting, Exporting, Configuring, Safekeeping):
    """One folder: database, releases, training runs, backups, logs.

    Methods that read may be called from any thread. Methods that write run one transaction each;
    the store puts them one after the other. Long work is an iterator of ``WorkEvent``: close it to
    cancel, and call again to go on.
    """
