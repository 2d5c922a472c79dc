"""Which workspaces were open lately: a short list in ``recent.json`` of Alcove's own folder."""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from engine.settings import app_home

_KEPT = 12
_FILE = "recent.json"


@dataclass(frozen=True, slots=True)
class RecentWorkspace:
    """A workspace that was open. ``there`` is False when its folder is gone."""

    path: Path
    opened_at: str
    there: bool


def recent_workspaces() -> list[RecentWorkspace]:
    """The workspaces opened last, latest first; a list that cannot be read counts as empty."""
    return [RecentWorkspace(Path(path), at, Path(path).is_dir()) for path, at in _load()]


def remember_workspace(path: Path) -> None:
    """Put a workspace at the head of the list. A list that cannot be written is no reason to stop."""
    known = [(other, at) for other, at in _load() if Path(other) != path.absolute()]
    now = datetime.now(tz=UTC).isoformat(timespec="seconds")
    _save([(str(path.absolute()), now), *known][:_KEPT])


def forget_workspace(path: Path) -> None:
    """Take a workspace off the list; the workspace itself is not touched."""
    _save([(other, at) for other, at in _load() if Path(other) != path.absolute()])


def _load() -> list[tuple[str, str]]:
    try:
        entries = json.loads((app_home() / _FILE).read_text(encoding="utf-8"))
        return [(str(entry["path"]), str(entry["opened_at"])) for entry in entries]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def _save(entries: list[tuple[str, str]]) -> None:
    document = [{"path": path, "opened_at": at} for path, at in entries]
    file = app_home() / _FILE
    fresh = file.with_suffix(".new")
    with contextlib.suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        fresh.write_text(json.dumps(document, indent=1), encoding="utf-8")
        os.replace(fresh, file)
