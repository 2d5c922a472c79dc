"""``python -m trainer JOB_DIR``: run a training job; events on standard output, chatter on standard error.

``torchrun --nproc_per_node N -m trainer JOB_DIR`` runs it on N GPUs of a machine; the first process speaks.

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

from engine.contracts.training import TrainingFailed
from engine.errors import InputError, TrainerMissingError
from trainer.config import resolve_recipe
from trainer.data import read_job
from trainer.events import EventWriter, NoEvents, claim_standard_output
from trainer.failures import Kind, classify
from trainer.launch import ALONE, Place, claim_place

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
    try:
        place = claim_place(os.environ)
    except InputError as error:
        print(error.message, file=sys.stderr)
        return EXIT_CODES["input"]
    stop = StopRequest(job_folder)
    stop.listen()
    os.environ.update(OFFLINE)
    logging.basicConfig(
        filename=job_folder / (f"trainer-{place.rank}.log" if place.rank else "trainer.log"),
        level=logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
    )
    emit = EventWriter(job_folder, stream) if place.rank == 0 else NoEvents()
    return run(job_folder, emit, stop, place)


def run(job_folder: Path, emit: EventWriter | NoEvents, stop: StopRequest, place: Place = ALONE) -> int:
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
        train(job_folder, emit=emit, cancelled=stop, place=place)
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


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
