"""``python -m trainer JOB_DIR``: run a training job; events on standard output, chatter on standard error.

Exit codes: 0 finished or cancelled, 1 environment error, 2 wrong input, 3 bug. SIGTERM, SIGINT or a
file ``cancel`` in the folder stop the run after the step under way, with a checkpoint to resume from.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import Literal

from engine.contracts.training import TrainingFailed
from engine.errors import EngineError, EnvironmentError_, InputError, TrainerMissingError
from trainer.config import resolve_recipe
from trainer.data import read_job
from trainer.events import EventWriter, claim_standard_output

#: Set before any library that reads them is imported: nothing here may reach for a network.
OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "TRANSFORMERS_VERBOSITY": "error",
    "TOKENIZERS_PARALLELISM": "false",
}

logger = logging.getLogger("trainer")

Kind = Literal["input", "environment", "bug"]
EXIT_CODES: dict[Kind, int] = {"environment": 1, "input": 2, "bug": 3}


class StopRequest:
    """Whether somebody asked the run to stop: by signal, or by a file ``cancel`` in the job folder."""

    def __init__(self, job_folder: Path) -> None:
        self._file = job_folder / "cancel"
        self._signalled = threading.Event()

    def listen(self) -> None:
        """Take SIGTERM and SIGINT (and Ctrl+Break on Windows) as requests."""
        for name in ("SIGTERM", "SIGINT", "SIGBREAK"):
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), self._take)

    def __call__(self) -> bool:
        """True once the run should stop."""
        return self._signalled.is_set() or self._file.exists()

    def done(self) -> None:
        """The request was honoured: the next start is not to be stopped by it."""
        self._file.unlink(missing_ok=True)

    def _take(self, number: int, frame: FrameType | None) -> None:
        self._signalled.set()


def main(arguments: list[str]) -> int:
    """Run the job and return the exit code."""
    stream = claim_standard_output()
    if len(arguments) != 1:
        print("usage: python -m trainer JOB_DIR", file=sys.stderr)
        return EXIT_CODES["input"]
    job_folder = Path(arguments[0]).resolve()
    if not job_folder.is_dir():
        failure = TrainingFailed(kind="input", message=f"{job_folder} is not a folder.")
        print(failure.model_dump_json(), file=stream, flush=True)
        print(failure.message, file=sys.stderr)
        return EXIT_CODES["input"]
    stop = StopRequest(job_folder)
    stop.listen()
    os.environ.update(OFFLINE)
    logging.basicConfig(
        filename=job_folder / "trainer.log",
        level=logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
    )
    return run(job_folder, EventWriter(job_folder, stream), stop)


def run(job_folder: Path, emit: EventWriter, stop: StopRequest) -> int:
    """Run the job of a folder to its end; every error becomes one event. Returns the exit code."""
    try:
        # A wrong job is refused before torch is loaded, which takes seconds.
        job = read_job(job_folder)
        resolve_recipe(job.recipe, job.overrides)
        try:
            from trainer.recipe import train
        except ImportError as error:
            raise TrainerMissingError(
                f"Training needs torch and sentence-transformers ({error}); install alcove[trainer]."
            ) from error
        train(job_folder, emit=emit, cancelled=stop)
        if stop():
            stop.done()
        return 0
    except Exception as error:
        kind, message = classify(error)
        logger.error("Training failed (%s): %s", kind, message, exc_info=error)
        print(message, file=sys.stderr)
        emit(TrainingFailed(kind=kind, message=message))
        return EXIT_CODES[kind]
    finally:
        emit.close()


def classify(error: Exception) -> tuple[Kind, str]:
    """Whose fault an error is, and the one line to show for it."""
    if isinstance(error, InputError):
        return "input", error.message
    if isinstance(error, EnvironmentError_):
        return "environment", error.message
    text = " ".join(str(error).split())
    lowered = text.lower()
    if isinstance(error, MemoryError) or "out of memory" in lowered or "can't allocate memory" in lowered:
        return "environment", "There is not enough memory for this recipe; lower batch_size or max_tokens."
    if isinstance(error, OSError) or "no space left" in lowered or "os error" in lowered:
        return "environment", f"The run folder cannot be read or written: {text}"
    if isinstance(error, EngineError):
        return "bug", error.message
    return "bug", f"The trainer broke down: {type(error).__name__}: {text}; see trainer.log."


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
