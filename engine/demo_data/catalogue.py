"""The synthetic catalogue: brands make series, series have generations, generations have variants."""

from __future__ import annotations

import itertools
import random
import string
from collections.abc import Iterator
from dataclasses import dataclass

from engine.demo_data.words import Category, FacetValue, UnitStyle, brands, categories, shops

#: Share of a family's variants that the catalogue does not hold, though shops list them.
HELD_OUT_VARIANTS = 0.14
#: Share of generations that the catalogue does not hold at all.
HELD_OUT_FAMILIES = 0.04
_FIRST_YEAR = 2020
_ROMAN = ("", "", "II", "III", "IV", "V")
_GIB_PER_TB = 1024
_CONSONANTS = "BCDFGHJKLMNPQRSTVWXZ"


@dataclass(frozen=True, slots=True)
class Series:
    """A brand's line of products in one category. ``nickname`` and ``brand_short`` are what shops say."""

    brand: str
    brand_short: str
    brand_prefix: str
    category: Category
    name: str
    nickname: str
    line: str
    serial: int
    price: float


@dataclass(frozen=True, slots=True)
class Facet:
    """One property of a variant. ``place`` is the value's rank, ``name`` a brand's name of a colour."""

    kind: str
    value: FacetValue
    place: int
    name: str = ""


@dataclass(frozen=True, slots=True)
class Variant:
    """One product: a series, its generation (1 to 4), and one value for every facet."""

    series: Series
    generation: int
    facets: tuple[Facet, ...]
    model: str
    price: float
    number: int

    @property
    def year(self) -> int:
        """The year the generation came out."""
        return _FIRST_YEAR + self.generation

    @property
    def series_name(self) -> str:
        """``Aurora``, ``Aurora II``, ``Aurora III``."""
        return f"{self.series.name} {_ROMAN[self.generation]}".strip()

    @property
    def title(self) -> str:
        """The title in the catalogue's own orderly style."""
        series = self.series
        facets = [catalogue_words(facet) for facet in self.facets]
        words = [series.brand, self.series_name, series.line, series.category.noun, *facets]
        return " ".join(word for word in words if word)


def catalogue_words(facet: Facet) -> str:
    """A facet as the catalogue writes it; single packs and the standard edition go without saying."""
    if facet.kind == "colour":
        return facet.name
    if facet.value in {1, "Standard"} and facet.kind in {"pack", "edition"}:
        return ""
    return write_value(shops().units[facet.kind], shops().units[facet.kind].catalogue, facet.value)


def write_value(style: UnitStyle, pattern: str, value: FacetValue) -> str:
    """``value`` in one of the patterns of its unit; every pattern keeps what tells values apart."""
    if isinstance(value, str):
        return pattern.format(n=value, total=_speakers(value))
    gigabytes = f"{value} GB" if value < _GIB_PER_TB else f"{int(value) // _GIB_PER_TB} TB"
    return pattern.format(
        n=value,
        cm=round(value * 2.54),
        gb=gigabytes,
        gb_tight=gigabytes.replace(" ", ""),
        gb_lower=gigabytes.lower().replace(" ", ""),
        log2=max(0, int(value).bit_length() - 1),
        period=round(1000 / value, 1),
        wh=round(value * 0.0037, 1),
        cuft=round(value * 0.0353, 1),
        hundred=round(value / 100),
        multiple={1: "Single", 2: "Duo", 3: "Trio"}.get(int(value), f"{value}-fach"),
    )


def _speakers(value: str) -> int:
    return sum(int(part) for part in value.split(".") if part.isdigit())


def build_catalogue(rng: random.Random, items: int) -> tuple[list[Variant], list[Variant]]:
    """Invent products until the catalogue is full.

    Args:
        rng: The only source of chance.
        items: Size of the catalogue.

    Returns:
        The catalogue's variants, and the held-out siblings that are not in it.
    """
    kept: list[Variant] = []
    held_out: list[Variant] = []
    numbers = itertools.count(1)
    for series in _all_series(rng):
        first = rng.choice((1, 1, 2))
        for generation in range(first, first + rng.choice((2, 3, 3))):
            whole = rng.random() < HELD_OUT_FAMILIES
            for variant in _variants(rng, series, generation, numbers):
                away = whole or rng.random() < HELD_OUT_VARIANTS
                (held_out if away else kept).append(variant)
            if len(kept) >= items:
                return kept[:items], held_out
    raise AssertionError("series never end")


def _all_series(rng: random.Random) -> Iterator[Series]:
    """Series without end, one category after the other; a name is used once a category."""
    palette = _BrandBook(rng)
    names = list(brands().series.names)
    rng.shuffle(names)
    nicknames: set[str] = set()
    for turn in itertools.count():
        for place, category in enumerate(categories().values()):
            number = turn * len(categories()) + place
            # The name moves on by one each round, so that no category meets a name twice.
            name = names[(number + number // len(names)) % len(names)]
            edition = turn // len(names)
            brand = rng.choice(brands().groups[category.group])
            yield Series(
                brand=brand,
                brand_short=palette.short(brand),
                brand_prefix=palette.prefix(brand),
                category=category,
                name=f"{name} {string.ascii_uppercase[edition % 26]}" if edition else name,
                nickname=_nickname(rng, name + brand, nicknames),
                line=rng.choice(category.lines),
                serial=rng.randrange(100, 1000),
                price=category.price * rng.uniform(0.75, 1.6),
            )


def _nickname(rng: random.Random, named: str, taken: set[str]) -> str:
    """Two or three consonants that the series' and the brand's names do not have."""
    letters = [letter for letter in _CONSONANTS if letter not in named.upper()]
    for attempt in itertools.count():
        nickname = "".join(rng.choices(letters, k=2 + (attempt > 50)))
        if nickname not in taken:
            taken.add(nickname)
            return nickname
    raise AssertionError("three letters suffice for thousands of series")


class _BrandBook:
    """What belongs to a brand, drawn once: supplier number, prefix of model codes, names of colours."""

    def __init__(self, rng: random.Random) -> None:
        names = sorted({name for group in brands().groups.values() for name in group})
        numbers = rng.sample(range(11, 99), len(names))
        self._short = {
            name: f"{rng.choice([c for c in _CONSONANTS if c not in name.upper()])}{number}"
            for name, number in zip(names, numbers, strict=True)
        }
        self._prefix = {name: "".join(rng.sample(_CONSONANTS, 2)) for name in names}

    def short(self, brand: str) -> str:
        return self._short[brand]

    def prefix(self, brand: str) -> str:
        return self._prefix[brand]


def brand_colour(brand: str, colour: str, shift: int = 0) -> str:
    """A brand's name for a plain colour; fixed by the names alone, so that it is one everywhere."""
    names = brands().colours[colour]
    return names[(sum(map(ord, brand)) + len(colour) + shift) % len(names)]


def _variants(
    rng: random.Random, series: Series, generation: int, numbers: Iterator[int]
) -> Iterator[Variant]:
    axes = [list(_axis(rng, series, spec.kind, spec.values, spec.most)) for spec in series.category.facets]
    steps = [spec.step for spec in series.category.facets]
    age = 0.92 ** (4 - generation)
    for facets in itertools.product(*axes):
        factor = age
        for facet, step in zip(facets, steps, strict=True):
            factor *= step**facet.place
        price = max(4.99, round(series.price * factor) - 0.01)
        yield Variant(
            series, generation, facets, _model_code(series, generation, facets), price, next(numbers)
        )


def _axis(
    rng: random.Random, series: Series, kind: str, values: tuple[FacetValue, ...], most: int
) -> Iterator[Facet]:
    if kind == "colour":
        for place, colour in enumerate(rng.sample(sorted(brands().colours), most)):
            yield Facet(kind, colour, place, brand_colour(series.brand, colour))
        return
    if values[0] == 1 and kind == "pack":  # the single pack is always there
        chosen = [values[0], *rng.sample(values[1:], most - 1)]
    else:
        chosen = rng.sample(values, min(most, len(values)))
    for place, value in enumerate(values):
        if value in chosen:
            yield Facet(kind, value, place)


def _model_code(series: Series, generation: int, facets: tuple[Facet, ...]) -> str:
    """``VT-55K314BA``: siblings differ in one place, as real codes do."""
    first, *rest = facets
    size = str(first.value).replace(".", "").upper()[:4] if first.kind != "colour" else "00"
    tail = "".join(
        f"{facet.value}"[0].upper() + f"{facet.value}"[-1].upper()
        if facet.kind == "colour"
        else string.ascii_uppercase[facet.place]
        for facet in rest
    )
    letter = "JKPT"[generation - 1] if generation <= 4 else "Z"
    return f"{series.brand_prefix}{series.category.code}-{size}{letter}{series.serial}{tail}"
