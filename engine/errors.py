"""The three kinds of error Alcove tells apart, by whose fault it is.

* :class:`InputError` - the user's file or command. Say which file, row and column, and what to do.
* :class:`EnvironmentError_` - disk, locks, devices, missing libraries. Say it once, plainly.
* :class:`BugError` - everything else: logged with a traceback, the data kept safe.

Every message is one line, because it is shown as one line.
"""

from __future__ import annotations

import errno
from typing import ClassVar


class EngineError(Exception):
    """Base of all errors that Alcove raises on purpose; ``exit_code`` is what the CLI returns."""

    exit_code: ClassVar[int] = 3

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))

    @property
    def message(self) -> str:
        """The one line to show."""
        return str(self.args[0])


class InputError(EngineError):
    """The user's file or command is wrong; the message says where and what to do."""

    exit_code = 2


class EnvironmentError_(EngineError):
    """The machine cannot do it: disk, lock, device, missing library, newer workspace."""

    exit_code = 1


class BugError(EngineError):
    """Something Alcove promised itself does not hold."""

    exit_code = 3


class UnreadableTableError(InputError):
    """A file that is not the table its name says, or holds nothing to read."""


class ColumnMappingError(InputError):
    """A required column is missing or a mapping names a column that is not in the file."""


class NotInWorkspaceError(InputError):
    """An id that the workspace does not hold."""


class StaleChangeError(InputError):
    """The thing to undo, redo or promote is no longer in the state the command assumes."""


class WorkspaceLockedError(EnvironmentError_):
    """Another program writes to this workspace; open it read-only."""


class WorkspaceTooNewError(EnvironmentError_):
    """The workspace was written by a newer Alcove."""


class ReadOnlyError(EnvironmentError_):
    """A change was asked for in a workspace that is open read-only."""


class DiskFullError(EnvironmentError_):
    """The disk is full; nothing of the operation was kept."""


class TrainerMissingError(EnvironmentError_):
    """torch or sentence-transformers is not installed; the engine works without, training does not."""


class ArtefactDamagedError(EnvironmentError_):
    """A release, encoder or base model does not match its recorded sha256."""


class TrainingFailedError(EnvironmentError_):
    """A training run ended without an encoder; the message carries the trainer's own line."""


_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_DENIED = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})
_FAULTS = frozenset({errno.EIO, errno.EMFILE, errno.ENFILE})


def machine_error(error: BaseException) -> EnvironmentError_ | None:
    """A fault of the machine that reached us as a plain error of Python's, in Alcove's words.

    Returns:
        None where it is something else: a file the user named, or a bug.
    """
    if isinstance(error, MemoryError):
        return EnvironmentError_(
            "the machine has not enough memory for this; close other programs and try again"
        )
    if not isinstance(error, OSError):
        return None
    # Of a copy that failed, the second name is the one that was written.
    named = getattr(error, "filename2", None) or error.filename
    # NumPy says that the disk is full in words only.
    if error.errno in _FULL or (error.errno is None and "free space" in str(error)):
        where = f"the disk of {named}" if named else "the disk"
        return DiskFullError(
            f"{where} is full: free some space and do it again; what was saved before is safe"
        )
    what = (error.strerror or str(error)).lower()
    if error.errno in _DENIED:
        return EnvironmentError_(f"{named}: {what}; check its permissions" if named else what)
    if error.errno in _FAULTS:
        return EnvironmentError_(f"{named}: {what}" if named else what)
    return None
