"""Settings by hand: what there is to set, what it means, and changing it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from engine.contracts import ChangeSet, SettingKind, SettingRow, TakesEffect
from engine.errors import InputError
from engine.settings import TEXT_FIELDS, WorkspaceSettings
from engine.workspace.base import WorkspaceBase

_REVIEW, _SEARCH, _GATE, _COSTS = "Review", "Search and texts", "Gate of promotion", "Costs"


class _Words(NamedTuple):
    group: str
    title: str
    meaning: str
    kind: SettingKind
    takes_effect: TakesEffect


_SETTINGS: dict[str, _Words] = {
    "random_share": _Words(
        _REVIEW,
        "Random stream",
        "Share of the queue that is drawn at random; certificates and live audits are made of it.",
        SettingKind.SHARE,
        TakesEffect.NOW,
    ),
    "overlap_share": _Words(
        _REVIEW,
        "Second opinions",
        "Share of the decisions that another reviewer is asked about again, blind.",
        SettingKind.SHARE,
        TakesEffect.NOW,
    ),
    "gold_share": _Words(
        _REVIEW,
        "Gold decisions",
        "Share of the queue that asks about gold decisions, until a reviewer has answered them.",
        SettingKind.SHARE,
        TakesEffect.NOW,
    ),
    "shown_candidates": _Words(
        _REVIEW,
        "Candidates on a card",
        "How many candidates a card of the queue has at most.",
        SettingKind.COUNT,
        TakesEffect.MATCH,
    ),
    "text_fields": _Words(
        _SEARCH,
        "Record text",
        "Fields that make the text the encoder reads, of items and listings alike.",
        SettingKind.FIELDS,
        TakesEffect.REFIT,
    ),
    "text_max_chars": _Words(
        _SEARCH,
        "Longest record text",
        "Characters after which a record text is cut.",
        SettingKind.COUNT,
        TakesEffect.REFIT,
    ),
    "neighbours": _Words(
        _SEARCH,
        "Candidates by meaning",
        "How many candidates the search by meaning brings for a listing.",
        SettingKind.COUNT,
        TakesEffect.REFIT,
    ),
    "lexical_neighbours": _Words(
        _SEARCH,
        "Candidates by characters",
        "How many candidates the search by characters brings for a listing.",
        SettingKind.COUNT,
        TakesEffect.REFIT,
    ),
    "aliases_per_item": _Words(
        _SEARCH,
        "Remembered listings",
        "How many confirmed listings an item is remembered by.",
        SettingKind.COUNT,
        TakesEffect.REFIT,
    ),
    "max_segment_drop": _Words(
        _GATE,
        "Loss in a segment",
        "A challenger may lose this share of a segment's listings and still pass.",
        SettingKind.SHARE,
        TakesEffect.PROMOTION,
    ),
    "max_automation_drop": _Words(
        _GATE,
        "Loss of automation",
        "A challenger may lose this share of all listings, matches and “not in catalogue” together.",
        SettingKind.SHARE,
        TakesEffect.PROMOTION,
    ),
    "max_contradiction_share": _Words(
        _GATE,
        "More contradictions",
        "Share of held-out decisions that a challenger may contradict beyond the champion, luck aside.",
        SettingKind.SHARE,
        TakesEffect.PROMOTION,
    ),
    "cost_wrong": _Words(
        _COSTS,
        "A wrong automation",
        "What a listing sent out with the wrong item costs.",
        SettingKind.AMOUNT,
        TakesEffect.NOW,
    ),
    "cost_review": _Words(
        _COSTS,
        "A review",
        "What a person's time for one listing costs.",
        SettingKind.AMOUNT,
        TakesEffect.NOW,
    ),
    "cost_missed": _Words(
        _COSTS,
        "A missed match",
        "What a right match that waits for a person costs.",
        SettingKind.AMOUNT,
        TakesEffect.NOW,
    ),
}

#: Settings that are not changed by hand, and why.
_ELSEWHERE = {
    "precision": "is what a certificate promises: `alcove certify --precision` sets it",
    "delta": "is what a certificate promises: `alcove certify --confidence` sets it (1 - delta)",
    "promise": "is what a certificate promises: `alcove certify --promise` sets it",
    "seed": "decides which listings are held out for certificates, and stays as it is",
}


class Configuring(WorkspaceBase):
    """What owners set."""

    def setting_rows(self) -> tuple[SettingRow, ...]:
        """Every setting that is changed by hand, in groups."""
        present, first = self.settings, WorkspaceSettings()
        rows = []
        for name, known in _SETTINGS.items():
            least, most = _bounds(WorkspaceSettings.model_fields[name].metadata)
            rows.append(
                SettingRow(
                    name=name,
                    value=getattr(present, name),
                    default=getattr(first, name),
                    least=least,
                    most=most,
                    choices=TEXT_FIELDS if known.kind is SettingKind.FIELDS else (),
                    **known._asdict(),
                )
            )
        return tuple(rows)

    def change_settings(self, changes: Mapping[str, object]) -> ChangeSet:
        """Change settings by name, all of them or none.

        Values are of the setting's type or as typed; an empty text is the value it was at first.

        Raises:
            InputError: an unknown name, one that is set elsewhere, or a value out of range.
        """
        wanted: dict[str, object] = {}
        for name, value in changes.items():
            if name in _ELSEWHERE:
                raise InputError(f"setting {name} {_ELSEWHERE[name]}")
            if name not in _SETTINGS:
                raise InputError(f"there is no setting {name!r}; settings: {', '.join(_SETTINGS)}")
            wanted[name] = _typed(name, value)
        return self.update_settings(**wanted)


def _typed(name: str, value: object) -> object:
    """A typed text as what the setting is; other values as they are."""
    if not isinstance(value, str):
        return value
    if not value.strip():
        return getattr(WorkspaceSettings(), name)
    if _SETTINGS[name].kind is not SettingKind.FIELDS:
        return value.strip()
    chosen = [part.strip() for part in value.split(",") if part.strip()]
    unknown = [part for part in chosen if part not in TEXT_FIELDS]
    if unknown:
        raise InputError(f"setting {name}: {unknown[0]!r} is no field (only {', '.join(TEXT_FIELDS)})")
    return tuple(field for field in TEXT_FIELDS if field in chosen)


def _bounds(metadata: Iterable[Any]) -> tuple[float, float]:
    """Least and most of a setting, from its validation."""
    least = [one.ge for one in metadata if hasattr(one, "ge")]
    most = [one.le for one in metadata if hasattr(one, "le")]
    return (least or [0.0])[0], (most or [1.0])[0]
