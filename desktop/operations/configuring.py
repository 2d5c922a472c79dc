"""What can be done about settings: look at them, change them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from desktop.operations import run_change
from desktop.session import Session
from engine.contracts import ChangeSet, SettingRow

Failed = Callable[[Exception], None] | None
Rows = tuple[SettingRow, ...]


def load_settings(session: Session, *, done: Callable[[Rows], None], failed: Failed = None) -> None:
    """Read what can be set by hand."""
    session.tasks.read(session.workspace.setting_rows, done, failed)


def change_settings(
    session: Session,
    *,
    changes: Mapping[str, object],
    initiator: object,
    done: Callable[[Rows], None],
    failed: Failed = None,
) -> None:
    """Change settings, all of them or none; ``done`` gets them as they are then."""
    workspace = session.workspace

    def change() -> tuple[Rows, ChangeSet]:
        changed = workspace.change_settings(changes)
        return workspace.setting_rows(), changed

    run_change(session, change=change, initiator=initiator, done=done, failed=failed)
