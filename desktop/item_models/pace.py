"""How fast a reviewer answers, and how long the rest will take."""

from __future__ import annotations

from collections import deque
from typing import ClassVar

#: A pause longer than this (seconds) is a break and says nothing about the pace.
_BREAK = 120.0
_REMEMBERED = 40
_LEAST = 3


class Pace:
    """Answers of this session. Moments are seconds of a steady clock."""

    #: The counts are read again after so many answers; in between they are counted down.
    READ_EVERY: ClassVar[int] = 25

    def __init__(self) -> None:
        self.answers = 0
        self.since_reading = 0
        self._last: float | None = None
        self._gaps: deque[float] = deque(maxlen=_REMEMBERED)

    def answered(self, at: float, *, settles: bool) -> None:
        """Note an answer; ``settles`` says that one listing less waits than were counted last."""
        if self._last is not None and at - self._last <= _BREAK:
            self._gaps.append(at - self._last)
        self._last = at
        self.answers += 1
        self.since_reading += settles

    @property
    def per_minute(self) -> float | None:
        """Answers in a minute, breaks left out; None before a few were made."""
        spent = sum(self._gaps)
        return None if len(self._gaps) < _LEAST or spent <= 0 else 60.0 * len(self._gaps) / spent

    def seconds_for(self, listings: int) -> float | None:
        """How long so many listings take at this pace."""
        pace = self.per_minute
        return None if pace is None else 60.0 * listings / pace
