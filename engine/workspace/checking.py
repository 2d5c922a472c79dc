"""``doctor``: what this machine can do, and what to do where it cannot."""

from __future__ import annotations

import importlib.metadata
import platform
import shutil

from engine.backends.base_encoder import describe_devices
from engine.contracts import DoctorLine
from engine.settings import app_home

_LIBRARIES = (
    "hnswlib",
    "sparse_dot_topn",
    "polars",
    "sqlalchemy",
    "scikit-learn",
    "skl2onnx",
    "PySide6",
    "pyqtgraph",
)
_GIB = 1024**3
_LEAST_FREE = 5 * _GIB


def doctor() -> list[DoctorLine]:
    """Runtime, device and why, base model, libraries, disk: one line each."""
    lines = [DoctorLine("python", True, f"{platform.python_version()} on {platform.platform()}")]
    lines.extend(describe_devices())
    for name in _LIBRARIES:
        try:
            lines.append(DoctorLine(name, True, importlib.metadata.version(name)))
        except importlib.metadata.PackageNotFoundError:
            lines.append(DoctorLine(name, False, "not installed", f"pip install {name}"))
    home = app_home()
    nearest = next(p for p in (home, *home.parents) if p.exists())
    free = shutil.disk_usage(nearest).free
    lines.append(
        DoctorLine(
            "disk",
            free >= _LEAST_FREE,
            f"{free / _GIB:.1f} GiB free where Alcove keeps its files ({home})",
            "" if free >= _LEAST_FREE else "a release takes about 0.2 GiB; make room",
        )
    )
    return lines
