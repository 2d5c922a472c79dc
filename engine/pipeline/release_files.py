"""Releases on disk: written to a temporary folder, synced, renamed; verified before they are read."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import asdict
from pathlib import Path

import numpy as np
import numpy.typing as npt

from engine.automation.learnt_words import LearntWords
from engine.contracts import Certificate, MatcherGraphs, ReleaseManifest
from engine.contracts.training import ENCODER_FILES
from engine.errors import ArtefactDamagedError, DiskFullError

MANIFEST = "manifest.json"
ENCODER_FOLDER = "encoder"
MATCHER = "matcher.onnx"
CONFIDENCE_HEAD = "confidence.onnx"
NONE_HEAD = "none.onnx"
MATCHER_FILES = (MATCHER, CONFIDENCE_HEAD, NONE_HEAD)
CERTIFICATE = "certificate.json"
LEARNT_WORDS = "learnt_words.npz"
ALIASES = "aliases.npz"
TRAINED_ON = "trained_on.npz"
CROSS_FITTED = "cross_fitted.npz"

Ints = npt.NDArray[np.int64]


def sha256_of(path: Path) -> str:
    """Hex sha256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def link_or_copy(source: Path, target: Path) -> None:
    """Share a file's bytes where the file system can, copy them where not."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


class ReleaseDraft:
    """A release being written. Nothing is visible under its name before :meth:`publish`."""

    def __init__(self, releases: Path, release_id: str) -> None:
        self.id = release_id
        self._target = releases / release_id
        self.folder = releases / f".writing-{release_id}"
        releases.mkdir(parents=True, exist_ok=True)
        # What an earlier process was killed over is not worth keeping: a release can be rebuilt.
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir()

    def discard(self) -> None:
        """Drop the draft."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def add_encoder(self, folder: Path) -> None:
        """Take an encoder folder's files."""
        target = self.folder / ENCODER_FOLDER
        target.mkdir()
        for name in ENCODER_FILES:
            link_or_copy(folder / name, target / name)

    def add_files(self, folder: Path, names: list[str]) -> None:
        """Take files of another release as they are."""
        for name in names:
            if (folder / name).exists():
                link_or_copy(folder / name, self.folder / name)

    def add_matcher(self, graphs: MatcherGraphs | None) -> None:
        """Write the matcher's graphs; None writes nothing."""
        if graphs is None:
            return
        parts = (graphs.pair, graphs.confidence, graphs.none)
        for name, graph in zip(MATCHER_FILES, parts, strict=True):
            if graph is not None:
                (self.folder / name).write_bytes(graph)

    def add_words(self, words: LearntWords | None) -> None:
        """Write what decisions have taught of words; None writes nothing."""
        if words is not None:
            np.savez(self.folder / LEARNT_WORDS, words=words.words, weights=words.weights)

    def add_aliases(self, listing_ids: Ints, item_ids: Ints) -> None:
        """Write which confirmed listings stand for which items in this release."""
        np.savez(self.folder / ALIASES, listing_ids=listing_ids, item_ids=item_ids)

    def add_trained_on(self, listing_ids: Ints) -> None:
        """Write which listings the encoder was trained on; none writes nothing."""
        if len(listing_ids):
            np.savez(self.folder / TRAINED_ON, listing_ids=listing_ids)

    def add_cross_fitted(self, listing_ids: Ints) -> None:
        """Write which of them an encoder of the run's folds has not seen; none writes nothing."""
        if len(listing_ids):
            np.savez(self.folder / CROSS_FITTED, listing_ids=listing_ids)

    def add_certificates(self, match: Certificate | None, none: Certificate | None) -> None:
        """Write ``certificate.json``, by kind; ``match`` may be the one for both."""
        document = {"match": None, "none": asdict(none) if none else None}
        if match is not None:
            document[match.kind.value] = asdict(match)
        (self.folder / CERTIFICATE).write_text(json.dumps(document, indent=2))

    def publish(self, manifest: ReleaseManifest, known: dict[str, str]) -> ReleaseManifest:
        """Hash, sync and rename into place.

        Args:
            manifest: everything but ``files``.
            known: sha256 of files that were taken over from another release.
        """
        files = {}
        for path in sorted(self.folder.rglob("*")):
            if path.is_file():
                name = path.relative_to(self.folder).as_posix()
                files[name] = known.get(name) or sha256_of(path)
        complete = manifest.model_copy(update={"files": files})
        try:
            (self.folder / MANIFEST).write_text(complete.model_dump_json(indent=2))
            for path in self.folder.rglob("*"):
                _sync(path)
            _sync(self.folder)
            if self._target.exists():
                # A release of this number that the database never heard of: a killed process's.
                shutil.rmtree(self._target)
            self.folder.rename(self._target)
            _sync(self._target.parent)
        except OSError as error:
            self.discard()
            raise DiskFullError(
                f"release {self.id} could not be written: {error.strerror or error}"
            ) from error
        return complete


def _sync(path: Path) -> None:
    if path.is_dir() and os.name == "nt":
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def read_manifest(folder: Path) -> ReleaseManifest:
    """The manifest of a release folder.

    Raises:
        ArtefactDamagedError: it is missing or not a manifest.
    """
    try:
        return ReleaseManifest.model_validate_json((folder / MANIFEST).read_text())
    except (OSError, ValueError) as error:
        raise ArtefactDamagedError(
            f"release {folder.name} cannot be read ({folder / MANIFEST}); roll back to another release"
        ) from error


def verify_files(folder: Path, manifest: ReleaseManifest, *, encoder_too: bool = False) -> None:
    """Compare every file with the manifest; the encoder's only on demand: its loader verifies them.

    Raises:
        ArtefactDamagedError: a file is missing or differs.
    """
    for name, expected in manifest.files.items():
        if name.startswith(f"{ENCODER_FOLDER}/") and not encoder_too:
            continue
        path = folder / name
        if not path.exists() or sha256_of(path) != expected:
            raise ArtefactDamagedError(
                f"release {folder.name} is damaged: {name} is not the file that was written; "
                "roll back to another release"
            )


def read_certificates(folder: Path) -> tuple[Certificate | None, Certificate | None]:
    """Certificates of a release folder: for matches and for none, or for both and None."""
    path = folder / CERTIFICATE
    if not path.exists():
        return None, None
    document = json.loads(path.read_text())

    main = document["match"] or document.get("both")
    none = document["none"]
    return Certificate.of(main) if main else None, Certificate.of(none) if none else None


def read_matcher(folder: Path) -> MatcherGraphs | None:
    """The matcher's graphs of a release folder; None where it has none."""
    pair, confidence, none = (
        (folder / name).read_bytes() if (folder / name).exists() else None for name in MATCHER_FILES
    )
    return None if pair is None else MatcherGraphs(pair, confidence, none)


def read_words(folder: Path) -> LearntWords | None:
    """What decisions had taught of words when a release was certified; None where nothing had."""
    path = folder / LEARNT_WORDS
    if not path.exists():
        return None
    with np.load(path, allow_pickle=False) as arrays:
        return LearntWords(arrays["words"], arrays["weights"])


def read_aliases(folder: Path) -> tuple[Ints, Ints]:
    """``(listing ids, item ids)`` of the aliases a release was certified with."""
    path = folder / ALIASES
    if not path.exists():
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    with np.load(path, allow_pickle=False) as arrays:
        return arrays["listing_ids"], arrays["item_ids"]


def read_trained_on(folder: Path) -> Ints:
    """The listings whose pairs a release's encoder, or one it was trained from, has seen; ascending."""
    return _read_listing_ids(folder / TRAINED_ON)


def read_cross_fitted(folder: Path) -> Ints:
    """Those of them that the encoder of their fold has never seen; ascending."""
    return _read_listing_ids(folder / CROSS_FITTED)


def _read_listing_ids(path: Path) -> Ints:
    if not path.exists():
        return np.zeros(0, np.int64)
    with np.load(path, allow_pickle=False) as arrays:
        return np.asarray(arrays["listing_ids"], dtype=np.int64)
