"""Alcove's entry: the desktop by default, the command line for its verbs.

Owns the order of imports. On Windows onnxruntime must be loaded before PySide6, else its DLLs do not
resolve; and neither the command line nor the desktop ever loads torch, which lives in the trainer's
process alone. The command line does not load PySide6 either.
"""

from __future__ import annotations

import sys
from pathlib import Path


def main() -> int:
    """Run ``alcove`` with the arguments of this process and return the exit code."""
    from engine.cli.app import opens_desktop, run
    from engine.cli.invocation import Invocation

    arguments = sys.argv[1:]
    if opens_desktop(arguments):
        folders = arguments[1:] if arguments[:1] == ["gui"] else arguments
        if len(folders) > 1 or any(folder.startswith("-") for folder in folders):
            sys.stderr.write("alcove: gui takes one WORKSPACE and no options\n")
            return 2
        return open_desktop(Path(folders[0]) if folders else None)
    return run(arguments, call=Invocation(open_desktop=open_desktop))


def open_desktop(workspace: Path | None) -> int:
    """Open the desktop, on a workspace where one is given, and return its exit code."""
    import onnxruntime  # noqa: F401  # before PySide6, see above

    from desktop.app import run_desktop

    return run_desktop(workspace)


if __name__ == "__main__":
    sys.exit(main())
