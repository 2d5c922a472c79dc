"""The word lists of the demo data (``resources/demo/*.toml``), typed."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from engine.errors import EnvironmentError_

FacetValue = int | float | str


class _Words(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FacetSpec(_Words):
    """What variants of a family may differ in. ``values`` is empty for colours: the brand has them.

    ``step`` is the price factor from one value to the next, ``most`` the values one family uses.
    """

    kind: str
    values: tuple[FacetValue, ...] = ()
    step: float = 1.0
    most: int


class Category(_Words):
    """One category of the catalogue; ``price`` is that of the least variant of a middling series."""

    group: str
    name: str
    noun: str
    nouns: tuple[str, ...]
    lines: tuple[str, ...]
    code: str
    price: float
    facets: tuple[FacetSpec, ...]


class UnitStyle(_Words):
    """How a value of one facet is written: by the catalogue, by most shops, and in trade jargon."""

    catalogue: str
    common: tuple[str, ...]
    jargon: tuple[str, ...]


class Vendor(_Words):
    """A shop's habits; ``order`` names the parts of its titles, see ``shops.toml``."""

    name: str
    order: str
    weight: float
    jargon: float
    model: float
    brand: float
    case: str
    colour: int


class Fluff(_Words):
    """Words that say nothing about the product, and extras of a bundle."""

    before: tuple[str, ...]
    after: tuple[str, ...]
    bundle: tuple[str, ...]


class SeriesNames(_Words):
    """Names a series may have."""

    names: tuple[str, ...]


class Brands(_Words):
    """``brands.toml``: brands by category group, series names, brand names of colours."""

    groups: Mapping[str, tuple[str, ...]]
    series: SeriesNames
    colours: Mapping[str, tuple[str, ...]]


class Shops(_Words):
    """``shops.toml``."""

    fluff: Fluff
    accessories: Mapping[str, tuple[str, ...]]
    units: Mapping[str, UnitStyle]
    words: Mapping[str, Mapping[str, tuple[str, ...]]]
    vendors: Annotated[tuple[Vendor, ...], Field(min_length=1)]


def resources_folder() -> Path:
    """The folder of the word lists, beside the engine in a checkout and in an installation."""
    return Path(__file__).resolve().parents[2] / "resources" / "demo"


@cache
def categories() -> Mapping[str, Category]:
    """Key -> category, in file order."""
    return {key: Category.model_validate(value) for key, value in _read("categories.toml").items()}


@cache
def brands() -> Brands:
    """Invented brands, series and colour names."""
    return Brands.model_validate(_read("brands.toml"))


@cache
def shops() -> Shops:
    """How shops write."""
    return Shops.model_validate(_read("shops.toml"))


def _read(name: str) -> dict[str, object]:
    path = resources_folder() / name
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise EnvironmentError_(f"the demo's word list {path} is missing; install Alcove again") from error
