"""Where encoding runs: CUDA if onnxruntime really can load it, the CPU otherwise."""

from __future__ import annotations

import base64
import contextlib
import io
import os
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import onnxruntime

CUDA = "CUDAExecutionProvider"
CPU = "CPUExecutionProvider"

#: onnxruntime's log levels: 2 (warnings) is its own default, 4 is "fatal only".
_WARNINGS, _FATAL = 2, 4

#: A one-node model (y = Identity(x), one float): the smallest thing a provider can be tried on.
_PROBE = base64.b64decode(
    "CAgSADo3ChAKAXgSAXkiCElkZW50aXR5EgFnWg8KAXgSCgoICAESBAoCCAFiDwoBeRIKCggIARIECgIIAUIECgAQEQ=="
)


@dataclass(frozen=True, slots=True)
class Device:
    """The chosen device, the onnxruntime providers to ask for in order, and one line that says why."""

    name: Literal["cpu", "cuda"]
    providers: tuple[str, ...]
    why: str


@lru_cache(maxsize=1)
def choose_device() -> Device:
    """The device to encode on; tried once per process.

    A provider that onnxruntime lists is only known to be compiled in. Whether its libraries load and
    a card answers shows when a session is opened on it, so that is what is tried.
    """
    if CUDA not in onnxruntime.get_available_providers():
        return Device("cpu", (CPU,), "this onnxruntime has no CUDA provider")
    if cuda_loads():
        return Device("cuda", (CUDA, CPU), "CUDA answers")
    return Device("cpu", (CPU,), "CUDA is listed but does not load (no card, driver or libraries)")


def cuda_loads() -> bool:
    """Whether a session really opens on CUDA. What onnxruntime prints while it fails is kept quiet."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _FATAL
    onnxruntime.set_default_logger_severity(_FATAL)
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            preload = getattr(onnxruntime, "preload_dlls", None)
            if preload is not None:
                # Finds the CUDA libraries of nvidia's Python packages, which no linker path names.
                preload()
            session = onnxruntime.InferenceSession(_PROBE, options, providers=[CUDA, CPU])
        return CUDA in session.get_providers()
    except Exception:
        # Whatever stops CUDA from loading means the same: encode on the CPU, which always works.
        return False
    finally:
        onnxruntime.set_default_logger_severity(_WARNINGS)


def usable_cores() -> int:
    """CPU cores this process may run on (containers and task sets often allow fewer than there are)."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return max(1, os.cpu_count() or 1)
