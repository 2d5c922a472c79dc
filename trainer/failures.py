"""Whose fault an error is; nothing here loads torch."""

from __future__ import annotations

from typing import Literal

from engine.errors import EngineError, EnvironmentError_, InputError

Kind = Literal["input", "environment", "bug"]

#: What gloo and NCCL say when the process at the other end is gone.
_LOST = ("connection closed by peer", "connection reset by peer", "nccl communicator was aborted")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error means that memory ran out, on the device or beside it."""
    lowered = str(error).lower()
    return isinstance(error, MemoryError) or "out of memory" in lowered or "can't allocate memory" in lowered


def classify(error: Exception) -> tuple[Kind, str]:
    """Whose fault an error is, and the one line to show for it."""
    if isinstance(error, InputError):
        return "input", error.message
    if isinstance(error, EnvironmentError_):
        return "environment", error.message
    text = " ".join(str(error).split())
    lowered = text.lower()
    if is_out_of_memory(error):
        return "environment", "There is not enough memory for this recipe; lower batch_size or max_tokens."
    if any(words in lowered for words in _LOST):
        return "environment", "Another process of this run ended; the run can be resumed."
    if isinstance(error, OSError) or "no space left" in lowered or "os error" in lowered:
        return "environment", f"The run folder cannot be read or written: {text}"
    if isinstance(error, EngineError):
        return "bug", error.message
    return "bug", f"The trainer broke down: {type(error).__name__}: {text}; see trainer.log."
