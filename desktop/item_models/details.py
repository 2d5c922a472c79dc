"""What records say outside their titles, and where it answers for a word of the other title.

Evidence looks for the words that one title lacks in the description and the attributes of its record
(``engine/automation/details.py``); here reviewers see the same.
"""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable
from dataclasses import dataclass
from functools import lru_cache

from desktop.item_models.differences import Difference, MarkedToken, normals_at
from engine.contracts import Record
from engine.contracts.details import MOST_CHARACTERS, details_of, plain_text

#: Characters of a description that are shown.
_SHOWN = 700
#: What is shown of a longer one from its beginning, and around what was found further down.
_HEAD, _AROUND = 350, 70


@dataclass(frozen=True, slots=True)
class Stretch:
    """A piece of a description; ``told`` says that it answers for a word of the other title."""

    text: str
    told: bool = False


def details_said(record: Record, attributes: Container[str]) -> frozenset[str]:
    """Normal forms of what a record says in its brand, model, description and some attributes.

    ``attributes``: names of those that count, in lower case.
    """
    return _normals("\n".join((record.brand, record.model, details_of(record, attributes))))


@lru_cache(maxsize=512)
def _normals(text: str) -> frozenset[str]:
    # The listing's are asked for once for each of its candidates, an item's for every listing like it.
    return frozenset(normal for _, _, normal in normals_at(text) if normal)


def told_words(marked: Iterable[MarkedToken]) -> frozenset[str]:
    """Normal forms of a title's words that only the other record's details have."""
    return frozenset(one.token.normal for one in marked if one.difference is Difference.DETAILED)


def stretches(description: str, told: Collection[str]) -> tuple[Stretch, ...]:
    """What is shown of a description, cut around what answers for ``told`` where it is long."""
    text = " ".join(plain_text(description)[:MOST_CHARACTERS].split())
    spots = _spots(text, told)
    pieces: list[Stretch] = []
    for begin, end in _windows(len(text), spots):
        if begin:
            pieces.append(Stretch(" … "))
        at = begin
        for start, stop in spots:
            if begin <= start and stop <= end:
                pieces += [Stretch(text[at:start]), Stretch(text[start:stop], told=True)]
                at = stop
        pieces.append(Stretch(text[at:end]))
        if end < len(text):
            pieces.append(Stretch(" …"))
    return tuple(piece for piece in pieces if piece.text)


def _spots(text: str, told: Collection[str]) -> list[tuple[int, int]]:
    """Where the words stand, in order and apart from each other."""
    spots: list[tuple[int, int]] = []
    found = [(start, stop) for start, stop, normal in normals_at(text) if normal in told] if told else []
    for start, stop in sorted(found):
        if not spots or start >= spots[-1][1]:
            spots.append((start, stop))
    return spots


def _windows(length: int, spots: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Which parts of a text are shown."""
    if length <= _SHOWN or all(stop <= _SHOWN for _, stop in spots):
        return [(0, min(length, _SHOWN))] if length else []
    windows, left = [(0, _HEAD)], _SHOWN - _HEAD
    for start, stop in spots:
        begin, end = max(start - _AROUND, windows[-1][1]), min(stop + _AROUND, length)
        if stop <= windows[-1][1] or end - begin > left:
            continue
        left -= end - begin
        if begin == windows[-1][1]:
            windows[-1] = (windows[-1][0], end)
        else:
            windows.append((begin, end))
    return windows
