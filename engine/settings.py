"""Settings of a workspace, validated whenever they are loaded, and where Alcove keeps its own files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from platformdirs import user_data_dir
from pydantic import BaseModel, ConfigDict, Field, field_validator

HOME_VARIABLE = "ALCOVE_HOME"

#: Record fields that may be part of the record text (settings lie below the contracts, so by name).
TEXT_FIELDS = ("title", "brand", "model", "category", "gtin", "description")


class WorkspaceSettings(BaseModel):
    """What the owner of a workspace can set. Shares, precisions and tolerances are fractions of 1.

    ``precision`` and ``delta`` are what certificates promise, ``promise`` whether of automatic matches and
    of automatic "not in catalogue" each by itself or of both together; ``random_share`` is the share of the
    queue given to the random stream; ``overlap_share`` is the share of decisions that another reviewer
    is asked about again, blind; ``gold_share`` the share of the queue given to gold decisions while a
    reviewer has not answered them; ``neighbours`` and ``lexical_neighbours`` are how many candidates
    dense and lexical retrieval each bring; ``max_segment_drop``, ``max_automation_drop`` and
    ``max_contradiction_share`` are the gate's tolerances; ``text_fields`` and ``text_max_chars``
    (characters) make the record text.
    ``cost_wrong``, ``cost_review`` and ``cost_missed`` are what one wrong automation, one review and one
    right match that waits for a person cost, in the owner's own unit of money; None is not entered.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    precision: float = Field(default=0.95, gt=0.5, lt=1.0)
    delta: float = Field(default=0.1, gt=0.0, le=0.5)
    promise: Literal["each", "together"] = "each"
    random_share: float = Field(default=0.3, ge=0.0, le=1.0)
    overlap_share: float = Field(default=0.0, ge=0.0, le=1.0)
    gold_share: float = Field(default=0.05, ge=0.0, le=0.5)
    neighbours: int = Field(default=40, ge=1, le=1000)
    lexical_neighbours: int = Field(default=40, ge=1, le=1000)
    shown_candidates: int = Field(default=10, ge=1, le=100)
    aliases_per_item: int = Field(default=8, ge=0, le=1000)
    text_fields: tuple[str, ...] = ("title", "brand", "model")
    text_max_chars: int = Field(default=2000, ge=16, le=100_000)
    seed: int = Field(default=0, ge=0)
    max_segment_drop: float = Field(default=0.1, ge=0.0, le=1.0)
    max_automation_drop: float = Field(default=0.05, ge=0.0, le=1.0)
    max_contradiction_share: float = Field(default=0.02, ge=0.0, le=1.0)
    cost_wrong: float | None = Field(default=None, ge=0.0, le=1e12, allow_inf_nan=False)
    cost_review: float | None = Field(default=None, ge=0.0, le=1e12, allow_inf_nan=False)
    cost_missed: float | None = Field(default=None, ge=0.0, le=1e12, allow_inf_nan=False)

    @field_validator("text_fields")
    @classmethod
    def _known_fields(cls, fields: tuple[str, ...]) -> tuple[str, ...]:
        unknown = [name for name in fields if name not in TEXT_FIELDS]
        if unknown:
            raise ValueError(f"{unknown[0]!r} cannot be in the record text (only {', '.join(TEXT_FIELDS)})")
        if "title" not in fields:
            raise ValueError("the record text must contain the title")
        return fields


def app_home() -> Path:
    """The folder for what belongs to Alcove and to no workspace; ``ALCOVE_HOME`` overrides it."""
    override = os.environ.get(HOME_VARIABLE)
    return Path(override).expanduser() if override else Path(user_data_dir("alcove", appauthor=False))


def base_encoder_cache() -> Path:
    """Where exported base encoders are kept, one folder for each source."""
    return app_home() / "base"
