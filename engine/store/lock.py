"""The lock that lets one program write to a workspace.

An advisory lock of the operating system on ``workspace.lock``: it goes with the process, so a killed
one leaves none behind. The file's text only helps to say who has it.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
from pathlib import Path
from typing import BinaryIO

from engine.errors import WorkspaceLockedError

LOCK_FILE = "workspace.lock"


class WorkspaceLock:
    """The writing lock of one workspace; held from construction to :meth:`release`.

    Raises:
        WorkspaceLockedError: another program, or another store in this one, holds it.
        OSError: the lock file cannot be opened for writing.
    """

    def __init__(self, folder: Path) -> None:
        path = folder / LOCK_FILE
        # Append mode makes the file where it is missing and keeps the holder's text where it is not.
        self._file: BinaryIO | None = path.open("a+b")
        try:
            _lock(self._file)
        except OSError as error:
            self._file.seek(0)
            holder = self._file.read(200).decode("utf-8", "replace").strip()
            self._file.close()
            raise WorkspaceLockedError(
                f"{folder} is open for writing in another program{f' ({holder})' if holder else ''}: "
                "close it there, or open the workspace read-only"
            ) from error
        # The lock holds without the text, and a full disk must not keep anybody from opening.
        with contextlib.suppress(OSError):
            self._file.truncate(0)
            self._file.write(f"process {os.getpid()} on {socket.gethostname()}".encode())
            self._file.flush()

    def release(self) -> None:
        """Give the lock back; a second call does nothing."""
        if self._file is None:
            return
        with contextlib.suppress(OSError):
            self._file.truncate(0)
        # Closing gives the lock back on every system.
        with contextlib.suppress(OSError):
            self._file.close()
        self._file = None


if sys.platform == "win32":
    import msvcrt

    #: Windows locks bytes and keeps others from reading them: lock one far behind the text.
    _LOCKED_BYTE = 1 << 30

    def _lock(file: BinaryIO) -> None:
        file.seek(_LOCKED_BYTE)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        file.seek(0)

else:
    import fcntl

    def _lock(file: BinaryIO) -> None:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
