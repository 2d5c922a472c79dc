"""Encoding texts once: a memory-mapped, content-addressed cache of unit vectors per encoder.

The cache is two append-only files, ``keys.bin`` (uint64 text hashes) and ``vectors.f16`` (rows). A
process killed between the two leaves at most a few surplus rows, which opening cuts off; nothing
that was written is encoded again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from engine.contracts import Progress

_BLOCK = 2048


class Encoder(Protocol):
    """What retrieval needs of an encoder."""

    dimension: int
    sha256: str
    variant: str

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Unit vectors [n, dimension]."""


def text_hash(text: str) -> int:
    """64-bit content hash of a record text."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


class VectorCache:
    """Vectors by record text for one encoder.

    Args:
        folder: where the two files live; made if missing.
        dimension: width of the vectors.
    """

    def __init__(self, folder: Path, dimension: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._keys_path = folder / "keys.bin"
        self._vectors_path = folder / "vectors.f16"
        self._dimension = dimension
        self._cut_surplus()
        self._read_keys()

    def _cut_surplus(self) -> None:
        self._keys_path.touch()
        self._vectors_path.touch()
        row = 2 * self._dimension
        rows = min(self._keys_path.stat().st_size // 8, self._vectors_path.stat().st_size // row)
        for path, size in ((self._keys_path, 8 * rows), (self._vectors_path, row * rows)):
            if path.stat().st_size != size:
                with path.open("r+b") as file:
                    file.truncate(size)

    def _read_keys(self) -> None:
        keys = np.fromfile(self._keys_path, dtype=np.uint64)
        self._order = np.argsort(keys, kind="stable")
        self._sorted = keys[self._order]

    def __len__(self) -> int:
        return len(self._sorted)

    def _rows(self, hashes: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
        """Row of every hash, -1 where it is not cached."""
        if not len(self._sorted):
            return np.full(len(hashes), -1, dtype=np.int64)
        at = np.minimum(np.searchsorted(self._sorted, hashes), len(self._sorted) - 1)
        return np.where(self._sorted[at] == hashes, self._order[at], -1)

    def encode_missing(self, texts: Sequence[str], encoder: Encoder, *, stage: str) -> Iterator[Progress]:
        """Encode what is not cached, block by block; closing the iterator keeps the finished blocks."""
        hashes = np.fromiter((text_hash(t) for t in texts), dtype=np.uint64, count=len(texts))
        unique, first = np.unique(hashes, return_index=True)
        missing = first[self._rows(unique) < 0]
        # Neighbours in length share a batch, so blocks are cut from the length order.
        missing = missing[np.argsort([len(texts[i]) for i in missing], kind="stable")]
        for start in range(0, len(missing), _BLOCK):
            block = missing[start : start + _BLOCK]
            vectors = encoder.encode([texts[i] for i in block])
            with self._vectors_path.open("ab") as file:
                file.write(np.ascontiguousarray(vectors, dtype=np.float16).tobytes())
            with self._keys_path.open("ab") as file:
                file.write(hashes[block].tobytes())
            self._read_keys()
            yield Progress(stage, min(start + _BLOCK, len(missing)), len(missing))

    def vectors(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Vectors of ``texts`` [n, d] in order.

        Raises:
            KeyError: a text was not encoded before.
        """
        hashes = np.fromiter((text_hash(t) for t in texts), dtype=np.uint64, count=len(texts))
        rows = self._rows(hashes)
        if len(rows) and rows.min() < 0:
            raise KeyError(texts[int(np.argmin(rows))])
        if not len(rows):
            return np.zeros((0, self._dimension), dtype=np.float32)
        table = np.memmap(self._vectors_path, dtype=np.float16, mode="r").reshape(-1, self._dimension)
        return np.asarray(table[rows], dtype=np.float32)
