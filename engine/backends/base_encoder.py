"""The encoder that every workspace starts from: found, verified, and exported once per machine."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib import metadata, resources
from pathlib import Path
from typing import IO

import onnxruntime
import tokenizers

from engine.backends.devices import choose_device, usable_cores
from engine.backends.onnx_encoder import file_sha256
from engine.contracts import ChangeSet, DoctorLine, Finished, Progress, WorkEvent
from engine.contracts.training import ENCODER_FILES
from engine.errors import (
    ArtefactDamagedError,
    BugError,
    EngineError,
    EnvironmentError_,
    InputError,
    TrainerMissingError,
)
from engine.settings import base_encoder_cache

#: Raised when ``trainer.export`` writes something else than before: what is cached is then made anew.
EXPORT_FORMAT = 2
#: The files of a sentence-transformers folder that decide what its encoder computes.
_DECISIVE = (
    "model.safetensors",
    "config.json",
    "modules.json",
    "tokenizer.json",
    "sentence_bert_config.json",
)
#: Whose fault it is when the export ends with that exit code.
_ERROR_KINDS: dict[int, type[EngineError]] = {InputError.exit_code: InputError, BugError.exit_code: BugError}
_STAGE = "preparing the base encoder"


@dataclass(frozen=True, slots=True)
class BaseModelManifest:
    """``resources/base_model/manifest.toml``: what the base model is and where its weights come from."""

    name: str
    licence: str
    origin: str
    distribution: str
    module: str
    folder: str
    sha256: dict[str, str]


def base_model_manifest() -> BaseModelManifest:
    """The manifest that is shipped with Alcove."""
    text = resources.files("resources.base_model").joinpath("manifest.toml").read_text(encoding="utf-8")
    values = tomllib.loads(text)
    return BaseModelManifest(
        name=values["name"],
        licence=values["licence"],
        origin=values["origin"],
        distribution=values["package"]["distribution"],
        module=values["package"]["module"],
        folder=values["package"]["folder"],
        sha256=values["sha256"],
    )


def base_model_folder(source: Path | None = None) -> Path:
    """The sentence-transformers folder to start from: the packaged one, or any local one.

    The packaged weights must hash to what the manifest says. A folder that the user names is the
    user's choice and is only looked at for being such a folder.

    Raises:
        InputError: ``source`` is not a sentence-transformers folder.
        TrainerMissingError: the package with the base model is not installed.
        ArtefactDamagedError: the packaged weights are not the ones in the manifest.
    """
    if source is not None:
        missing = [name for name in ("modules.json", "model.safetensors") if not (source / name).is_file()]
        if missing:
            raise InputError(
                f"{source} is not a sentence-transformers folder: {missing[0]} is missing; name the "
                "folder that holds it"
            )
        return source
    manifest = base_model_manifest()
    # Finding the package does not run it: importing it would load torch.
    found = importlib.util.find_spec(manifest.module)
    if found is None or not found.submodule_search_locations:
        raise TrainerMissingError(
            "the base model is not installed; run: pip install 'alcove[trainer]' (or "
            f"{manifest.distribution} alone)"
        )
    folder = Path(found.submodule_search_locations[0]) / manifest.folder
    for name, expected in manifest.sha256.items():
        if not (folder / name).is_file() or _sha256(folder / name) != expected:
            raise ArtefactDamagedError(
                f"{folder / name} is not the {manifest.name} that Alcove was made for (sha256 "
                f"differs); reinstall {manifest.distribution}"
            )
    return folder


def ensure_base_encoder(source: Path | None = None) -> Iterator[WorkEvent[Path]]:
    """The exported base encoder's folder, exported on the first call and found on every later one.

    The export needs torch and therefore runs in a process of its own. Closing the iterator ends that
    process and leaves nothing behind. Two processes that export at once write the same files; the
    second to finish finds the first one's and drops its own.

    Raises:
        InputError, ArtefactDamagedError: see ``base_model_folder``.
        TrainerMissingError: torch or sentence-transformers is not installed.
        EnvironmentError_, BugError: the export failed.
    """
    yield Progress(_STAGE, 0, 0, "checking the model")
    folder = base_model_folder(source)
    target = base_encoder_cache() / _identity(folder)
    if not _is_complete(target):
        yield from _export(folder, target)
    yield Finished(target, ChangeSet())


def export_command(folder: Path, out: Path) -> list[str]:
    """The command line that exports a sentence-transformers folder."""
    return [sys.executable, "-m", "trainer.export", str(folder), str(out)]


def describe_devices() -> list[DoctorLine]:
    """What ``alcove doctor`` says about encoding: library, device, and whether training is possible."""
    device = choose_device()
    versions = f"onnxruntime {onnxruntime.__version__}, tokenizers {tokenizers.__version__}"
    lines = [
        DoctorLine("encoding library", True, versions),
        DoctorLine("encoding device", True, f"{device.name}: {device.why}; {usable_cores()} CPU cores"),
    ]
    missing = _missing_for_export()
    if missing:
        advice = "encoding and matching work without it; for training run: pip install 'alcove[trainer]'"
        lines.append(DoctorLine("trainer", False, f"{missing} is not installed", advice))
    else:
        lines.append(DoctorLine("trainer", True, f"torch {metadata.version('torch')}"))
    try:
        lines.append(DoctorLine("base model", True, f"{base_model_manifest().name} in {base_model_folder()}"))
    except EngineError as error:
        lines.append(DoctorLine("base model", False, "not usable", error.message))
    return lines


def _identity(folder: Path) -> str:
    """16 hexadecimal digits that change with anything that changes the exported encoder."""
    digest = hashlib.sha256(f"export format {EXPORT_FORMAT}\n".encode())
    settings = sorted(path.relative_to(folder).as_posix() for path in folder.glob("*_*/config.json"))
    for name in (*_DECISIVE, *settings):
        if (folder / name).is_file():
            digest.update(f"{name} {_sha256(folder / name)}\n".encode())
    return digest.hexdigest()[:16]


def _sha256(path: Path) -> str:
    """The hash of a file that is only read again when it was changed (the weights take a while)."""
    status = path.stat()
    return _sha256_of_version(path, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=64)
def _sha256_of_version(path: Path, size: int, modified: int) -> str:
    return file_sha256(path)


def _is_complete(folder: Path) -> bool:
    return all((folder / name).is_file() for name in ENCODER_FILES)


def _missing_for_export() -> str | None:
    return next((m for m in ("torch", "sentence_transformers") if importlib.util.find_spec(m) is None), None)


def _export(folder: Path, target: Path) -> Iterator[WorkEvent[Path]]:
    missing = _missing_for_export()
    if missing:
        raise TrainerMissingError(
            f"the base encoder has to be exported once and {missing} is not installed; run: pip install "
            "'alcove[trainer]'"
        )
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    except OSError as error:
        raise EnvironmentError_(f"{target.parent} cannot be written: {error.strerror or error}") from error
    try:
        yield from _run_export(folder, work / "encoder")
        _publish(work / "encoder", target)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _run_export(folder: Path, out: Path) -> Iterator[Progress]:
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as log:
        process = subprocess.Popen(
            export_command(folder, out),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            encoding="utf-8",
            errors="replace",
            env=_environment(),
        )
        try:
            yield from _steps(process)
            if process.wait() != 0:
                kind = _ERROR_KINDS.get(process.returncode, EnvironmentError_)
                raise kind(f"exporting the base encoder from {folder} failed: {_last_line(log)}")
        finally:
            if process.poll() is None:
                process.kill()
            process.communicate()


def _environment() -> dict[str, str]:
    """The child finds the trainer where this process found the engine, whatever its working folder."""
    root = str(Path(__file__).resolve().parents[2])
    paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
    offline = {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false", "PYTHONIOENCODING": "utf-8"}
    return os.environ | {"PYTHONPATH": os.pathsep.join(paths)} | offline


def _steps(process: subprocess.Popen[str]) -> Iterator[Progress]:
    assert process.stdout is not None
    for line in process.stdout:
        if not line.startswith("{"):
            continue  # a library's chatter
        message = json.loads(line)
        if "step" in message:
            yield Progress(_STAGE, message["done"], message["total"], message["step"])


def _last_line(log: IO[str]) -> str:
    log.seek(0)
    lines = [line.strip() for line in log if line.strip()]
    return lines[-1] if lines else "it ended without a word"


def _publish(made: Path, target: Path) -> None:
    """Put the finished folder in its place, which another process may just have done."""
    for path in made.iterdir():
        with path.open("r+b") as stream:  # Windows only syncs what is open for writing
            os.fsync(stream.fileno())
    if target.exists() and not _is_complete(target):
        shutil.rmtree(target)
    try:
        made.rename(target)
    except OSError as error:
        if not _is_complete(target):
            raise EnvironmentError_(f"{target} cannot be written: {error.strerror or error}") from error
