"""What an owner can set by hand, in words: the same for the command line and the desktop."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class TakesEffect(StrEnum):
    """When a changed setting begins to count."""

    NOW = "at once"
    MATCH = "with the next match"
    REFIT = "with the next certify or training"
    PROMOTION = "with the next promotion"


class SettingKind(StrEnum):
    """What a setting's value is: a fraction of 1, a whole number, an amount of money, fields of a record."""

    SHARE = "share"
    COUNT = "count"
    AMOUNT = "amount"
    FIELDS = "fields"


@dataclass(frozen=True, slots=True)
class SettingRow:
    """One setting: its name, what it means, what it is and was at first.

    ``least`` and ``most`` bound a share or a count, both inclusive; ``choices`` are the fields to choose
    from, the first of which is always chosen. ``value`` and ``default`` have the kind's type: float, int,
    float or None where nothing was entered, tuple of names.
    """

    name: str
    group: str
    title: str
    meaning: str
    kind: SettingKind
    takes_effect: TakesEffect
    value: float | int | tuple[str, ...] | None
    default: float | int | tuple[str, ...] | None
    least: float = 0.0
    most: float = 1.0
    choices: tuple[str, ...] = ()

    @property
    def changed(self) -> bool:
        """Whether it is not what it was at first."""
        return self.value != self.default

    def words(self, value: float | int | tuple[str, ...] | None) -> str:
        """A value as it is typed: ``0.3``, ``40``, ``title,brand``; empty for an amount not entered."""
        if value is None:
            return ""
        return ",".join(value) if isinstance(value, tuple) else f"{value:g}"
