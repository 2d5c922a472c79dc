"""The typed events of a training run, a JSON line each, on standard output and in ``events.jsonl``."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from typing import TextIO

from engine.contracts.training import TrainingEvent

logger = logging.getLogger(__name__)


def claim_standard_output() -> TextIO:
    """A stream to the real standard output; from now on everything else that prints goes to standard error.

    Done on the file descriptors, so that C libraries and child processes are redirected too: a host
    may read standard output line by line and find events only.
    """
    sys.stdout.flush()
    stream = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return stream


class EventWriter:
    """Writes each event to ``events.jsonl`` of the job folder and to a stream.

    A host that went away (closed pipe) does not end the run: the file goes on.
    """

    def __init__(self, job_folder: Path, stream: TextIO | None) -> None:
        path = job_folder / "events.jsonl"
        cut_short = path.exists() and path.stat().st_size > 0 and not path.read_bytes().endswith(b"\n")
        self._file = path.open("a", encoding="utf-8")
        if cut_short:  # the last run was killed while it wrote a line
            self._file.write("\n")
        self._stream = stream

    def __call__(self, event: TrainingEvent) -> None:
        """Write one event, flushed."""
        line = event.model_dump_json() + "\n"
        self._file.write(line)
        self._file.flush()
        if self._stream is None:
            return
        try:
            self._stream.write(line)
            self._stream.flush()
        except (BrokenPipeError, ValueError):
            logger.warning("Nobody reads the events any more; they go to events.jsonl only.")
            self._stream = None

    def close(self) -> None:
        """Close the file; the stream belongs to the caller."""
        self._file.close()


class NoEvents:
    """What the further processes of a run say: the first one speaks for all."""

    def __call__(self, event: TrainingEvent) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing to close."""
