"""From an exception to one line on standard error and an exit code.

0 done, 1 the machine (environment), 2 the user's file or command (input), 3 a bug; 130 interrupted.
"""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from engine.errors import BugError, EngineError, machine_error

OK, ENVIRONMENT, INPUT, BUG, INTERRUPTED = 0, 1, 2, 3, 130

LOG_NAME = "errors.log"


def explain(error: Exception, *, arguments: Sequence[str], workspace: Path | None) -> tuple[int, str]:
    """The exit code and the one line for an error; a bug's traceback goes to the log first."""
    if isinstance(error, EngineError) and not isinstance(error, BugError):
        return error.exit_code, error.message
    wrong_name = FileNotFoundError | IsADirectoryError | NotADirectoryError | FileExistsError
    if isinstance(error, wrong_name) and error.filename is not None and str(error.filename) in arguments:
        return INPUT, f"{error.filename}: {(error.strerror or str(error)).lower()}"
    fault = machine_error(error)
    if fault is not None:
        return fault.exit_code, fault.message
    return BUG, _bug(error, arguments, workspace)


def _bug(error: Exception, arguments: Sequence[str], workspace: Path | None) -> str:
    kind = type(error).__name__
    said = " ".join(str(error).split())[:300]
    log = _write_log(error, arguments, workspace)
    place = f"the details are in {log}" if log else "the details could not be written to a log"
    return f"a bug in Alcove ({kind}: {said}); what was saved is safe; {place}"


def _write_log(error: Exception, arguments: Sequence[str], workspace: Path | None) -> Path | None:
    """Append the traceback to the workspace's logs, or to the program's own where that fails."""
    from engine.settings import app_home

    entry = "\n".join(
        (
            f"--- {datetime.now(UTC).isoformat(timespec='seconds')} alcove {' '.join(arguments)}",
            "".join(traceback.format_exception(error)),
        )
    )
    folders = [app_home() / "logs"]
    if workspace is not None and (workspace / "workspace.db").is_file():
        folders.insert(0, workspace / "logs")
    for folder in folders:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            path = folder / LOG_NAME
            with path.open("a", encoding="utf-8") as log:
                log.write(entry)
        except OSError:
            continue
        return path
    return None
