"""A training run carried to another machine and back: packed, checked, taken over whole or not at all."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Protocol

from pydantic import ValidationError

from engine.contracts.training import (
    AVERAGED,
    DYNAMICS,
    ENCODER_FILES,
    FOLD_STARTS,
    FOLDS,
    INPUT_FILES,
    RESULT_FOLDERS,
    TrainingJob,
    TrainingResult,
)
from engine.errors import DiskFullError, EnvironmentError_, InputError

JOB, RESULT, EVENTS = "job.json", "result.json", "events.jsonl"
#: What the machine decides and not the job; a run may be told otherwise where it is carried to.
_OF_THE_MACHINE = {"device", "precision", "threads"}
#: No encoder that can be trained here comes near this, an archive that swells when unpacked does.
MAX_BYTES = 32 * 1024**3
_MAX_TEXT_BYTES = 64 * 1024**2
_BLOCK = 1024 * 1024


def pack_run(run_folder: Path, target: Path) -> None:
    """Write all that a run needs to be trained, or to go on, into a new folder or ZIP file.

    Args:
        run_folder: of the run.
        target: a ZIP file where its name ends in ``.zip``, else a folder; must not exist.

    Raises:
        InputError: the target exists, or its folder does not.
        DiskFullError: the disk is full.
        EnvironmentError_: the target cannot be written.
    """
    check_target(target)
    aside = target.with_name(f".{target.name}.writing")
    files = {name: path for name, path in _files(run_folder).items() if _is_input(name)}
    with _writing(target):
        try:
            if target.suffix.lower() == ".zip":
                with zipfile.ZipFile(aside, "w") as archive:
                    for name, path in files.items():
                        archive.write(path, f"{run_folder.name}/{name}")
            else:
                for name, path in files.items():
                    (aside / name).parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(path, aside / name)
            aside.rename(target)
        finally:
            _remove(aside)


def check_target(target: Path) -> None:
    """Refuse a place where no run can be written to.

    Raises:
        InputError: it exists, or its folder does not.
    """
    if target.exists():
        raise InputError(f"{target} exists already; name a new folder or ZIP file")
    if not target.absolute().parent.is_dir():
        raise InputError(f"there is no folder {target.absolute().parent}")


def _is_input(name: str) -> bool:
    parts = PurePosixPath(name).parts
    if parts[0] == "checkpoints":  # those that are complete
        return parts[1].startswith("checkpoint-")
    if parts[0] == FOLDS:  # those that are trained, and the checkpoints of the others
        return not any(part.startswith("writing-") for part in parts)
    return parts[0] in ("start", FOLD_STARTS) or name in {JOB, EVENTS, *INPUT_FILES}


@contextmanager
def carried_result(source: Path) -> Iterator[CarriedResult]:
    """The result of a run in a folder or ZIP file, open for as long as the block lasts.

    Raises:
        InputError: there is no finished run in it.
    """
    if not source.exists():
        raise InputError(f"there is no folder or ZIP file {source}")
    try:
        with _opened(source) as files:
            yield _read_result(source, files)
    except (zipfile.BadZipFile, zlib.error) as error:
        raise InputError(f"{source} is a damaged ZIP file ({error}); copy it again") from error


@dataclass(frozen=True)
class CarriedResult:
    """A finished run as it came back.

    Attributes:
        source: the folder or ZIP file.
        files: of the run.
        job: that was trained.
        result: what came of it.
        text: ``result.json`` as it stands.
    """

    source: Path
    files: _Files
    job: TrainingJob
    result: TrainingResult
    text: bytes

    def take_over(self, run_folder: Path) -> None:
        """Put encoder, artefact and result into the run's own folder; all of them or nothing.

        Args:
            run_folder: of the run that was carried away.

        Raises:
            InputError: it is another run, was trained on other pairs, or is not whole.
            DiskFullError: the disk is full.
            EnvironmentError_: the run folder cannot be written.
        """
        self._refuse_another_run(run_folder)
        self._refuse_missing_files()
        aside = run_folder / "writing-import"
        _remove(aside)
        try:
            for name, sha256 in self.result.files.items():
                with _writing(run_folder):
                    found = self._copy(name, aside / name)
                if found != sha256:
                    raise InputError(f"{name} in {self.source} is not as the trainer wrote it; copy it again")
            with _writing(run_folder):
                for name in (EVENTS, DYNAMICS):
                    if name in self.files.sizes:
                        self._copy(name, aside / name)
                (aside / RESULT).write_bytes(self.text)
                _sync_all(aside)
                _remove(run_folder / RESULT)
                for name in RESULT_FOLDERS:
                    _remove(run_folder / name)
                    if (aside / name).exists():
                        (aside / name).rename(run_folder / name)
                for name in (
                    EVENTS,
                    DYNAMICS,
                    RESULT,
                ):  # with the result the run is finished, so it comes last
                    if (aside / name).exists():
                        (aside / name).replace(run_folder / name)
                _sync(run_folder)
                _remove(run_folder / "checkpoints")
        finally:
            _remove(aside)

    def _refuse_another_run(self, run_folder: Path) -> None:
        """Compare job, pairs, items and start with those that were carried away."""
        trained = self.result.job
        if trained is None or not self.result.files:
            raise InputError(
                f"the run in {self.source} was trained by a version of Alcove that noted no hashes; train "
                "it again with this one"
            )
        own = _parse_job((run_folder / JOB).read_bytes(), run_folder)
        if self._decided(trained) != self._decided(own):
            raise InputError(
                f"{self.source} holds another run than {own.run_id} of this workspace: its job differs in "
                + ", ".join(
                    name
                    for name, value in self._decided(own).items()
                    if value != self._decided(trained)[name]
                )
            )
        hashes = self.result.inputs
        for name in [*INPUT_FILES, *(name for name in hashes if name not in INPUT_FILES)]:
            path = run_folder / _safe(name, self.source)
            if not path.is_file() or hashes.get(name) != _sha256(path):
                raise InputError(
                    f"{self.source} was trained on something else than run {own.run_id} of this workspace: "
                    f"{name} differs"
                )

    @staticmethod
    def _decided(job: TrainingJob) -> Mapping[str, object]:
        return job.model_dump(exclude=_OF_THE_MACHINE)

    def _refuse_missing_files(self) -> None:
        named = {_safe(name, self.source) for name in self.result.files}
        of_each = {*(f"artefact/{name}" for name in ENCODER_FILES), "encoder/modules.json"}
        beside = [AVERAGED] if self.result.averaged is not None else []
        beside += [f"{FOLDS}/{number}" for number in range(self.result.folds)]
        wanted = of_each | {f"{folder}/{name}" for folder in beside for name in of_each}
        missing = sorted((wanted - named) | (named - self.files.sizes.keys()))
        if missing:
            raise InputError(f"the run in {self.source} is not whole: {missing[0]} is missing")
        strange = sorted(name for name in named if name.partition("/")[0] not in RESULT_FOLDERS)
        if strange:
            raise InputError(f"result.json in {self.source} names {strange[0]}, which is no result of a run")
        if sum(self.files.sizes[name] for name in named) > MAX_BYTES:
            raise InputError(f"the run in {self.source} is larger than {MAX_BYTES // 1024**3} GiB")

    def _copy(self, name: str, target: Path) -> str:
        """Copy a file and return its sha256."""
        target.parent.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256()
        with self.files.open(name) as stream, target.open("wb") as file:
            while block := stream.read(_BLOCK):
                digest.update(block)
                file.write(block)
        return digest.hexdigest()


class _Files(Protocol):
    """The files of a run, wherever they lie; ``sizes`` in bytes by their path in the run folder."""

    @property
    def sizes(self) -> Mapping[str, int]: ...

    def open(self, name: str) -> IO[bytes]: ...


@dataclass(frozen=True)
class _FolderFiles:
    paths: Mapping[str, Path]

    @property
    def sizes(self) -> Mapping[str, int]:
        return {name: path.stat().st_size for name, path in self.paths.items()}

    def open(self, name: str) -> IO[bytes]:
        return self.paths[name].open("rb")


@dataclass(frozen=True)
class _ZipFiles:
    archive: zipfile.ZipFile
    members: Mapping[str, zipfile.ZipInfo]

    @property
    def sizes(self) -> Mapping[str, int]:
        return {name: info.file_size for name, info in self.members.items()}

    def open(self, name: str) -> IO[bytes]:
        # Reads no more than the size that the archive's table of contents gives.
        try:
            return self.archive.open(self.members[name])
        except (RuntimeError, NotImplementedError) as error:  # a password, a compression of its own
            raise InputError(f"{name} in {self.archive.filename} cannot be unpacked: {error}") from error


@contextmanager
def _opened(source: Path) -> Iterator[_Files]:
    """The files of the run in a folder or ZIP file; it may lie in a folder of its own inside."""
    if source.is_dir():
        # Only a folder with a job is looked through: a wrong one may hold the whole disk.
        inside = sorted(path for path in source.iterdir() if path.is_dir())
        root = next((folder for folder in (source, *inside) if (folder / JOB).is_file()), None)
        if root is None:
            raise InputError(f"{source} holds no training run: there is no {JOB} in it")
        yield _FolderFiles(_files(root))
        return
    if not zipfile.is_zipfile(source):
        raise InputError(f"{source} is neither a run folder nor a ZIP file of one")
    with zipfile.ZipFile(source) as archive:
        members = {info.filename: info for info in archive.infolist() if not info.is_dir()}
        jobs = [name for name in members if name.count("/") <= 1 and name.rpartition("/")[2] == JOB]
        if not jobs:
            raise InputError(f"{source} holds no training run: there is no {JOB} in it")
        root_name = min(jobs, key=len).removesuffix(JOB)
        yield _ZipFiles(archive, {name.removeprefix(root_name): info for name, info in members.items()})


def _read_result(source: Path, files: _Files) -> CarriedResult:
    job = _parse_job(_read_text(source, files, JOB), source)
    if RESULT not in files.sizes:
        raise InputError(
            f"training run {job.run_id} in {source} has not finished: there is no {RESULT}; "
            "start the trainer again and it goes on"
        )
    text = _read_text(source, files, RESULT)
    try:
        result = TrainingResult.model_validate_json(text)
    except ValidationError as error:
        raise InputError(f"{RESULT} in {source} cannot be read: {error.errors()[0]['msg']}") from error
    return CarriedResult(source, files, job, result, text)


def _read_text(source: Path, files: _Files, name: str) -> bytes:
    if files.sizes[name] > _MAX_TEXT_BYTES:
        raise InputError(f"{name} in {source} is too large to be one")
    with files.open(name) as stream:
        return stream.read()


def _parse_job(text: bytes, source: Path) -> TrainingJob:
    try:
        return TrainingJob.model_validate_json(text)
    except ValidationError as error:
        raise InputError(f"{JOB} in {source} is not a training job: {error.errors()[0]['msg']}") from error


def _safe(name: str, source: Path) -> str:
    """A path that stays inside the run folder; result.json is somebody else's word."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or ":" in name or not path.parts:
        raise InputError(f"result.json in {source} names a file outside of the run: {name}")
    return path.as_posix()


def _files(folder: Path) -> dict[str, Path]:
    """Every file under a folder by its path in it; links to folders are followed."""
    found = {}
    for parent, _, names in os.walk(folder, followlinks=True):
        for name in sorted(names):
            path = Path(parent) / name
            found[path.relative_to(folder).as_posix()] = path
    return found


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@contextmanager
def _writing(target: Path) -> Iterator[None]:
    """What the system says while ``target`` is written, as one line."""
    try:
        yield
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise DiskFullError(f"the disk is full; {target} was not written") from error
        raise EnvironmentError_(f"cannot write {target}: {error.strerror or error}") from error


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _sync_all(folder: Path) -> None:
    for path in (*folder.rglob("*"), folder):
        _sync(path)


def _sync(path: Path) -> None:
    """Force a file or folder to disk; folders cannot be synced on Windows."""
    if path.is_dir() and os.name == "nt":
        return
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
