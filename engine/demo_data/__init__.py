"""Synthetic demo data: an invented consumer-electronics catalogue and messy listings of it.

**Everything here is synthetic.** Brands, series, model codes, shops, prices and GTINs are invented (the
GTINs lie in GS1's range for in-house use); the data shows and tests the loop and measures nothing. It
is made to be hard where real feeds are hard: siblings that differ in one facet, listings of siblings the
catalogue does not hold, and trade jargon (supplier numbers for brands, nicknames for series, plain
colours for a brand's colour names, grades for capacities) that no character of the catalogue shows but
that is the same everywhere, so that an encoder can learn it from confirmed pairs.

The same seed and sizes give the same data on every machine.
"""

from __future__ import annotations

import csv
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.demo_data.catalogue import Variant, build_catalogue, catalogue_words
from engine.demo_data.listings import Draft, draw_listings
from engine.errors import InputError

__all__ = ["CATALOGUE_COLUMNS", "LISTING_COLUMNS", "DemoData", "generate_demo", "write_demo"]

CATALOGUE_COLUMNS = (
    "item_id", "title", "brand", "model", "category", "price", "gtin", "description", "year", "colour",
)  # fmt: skip
LISTING_COLUMNS = (
    "listing_id", "title", "brand", "category", "price", "gtin", "description", "vendor", "sku",
)  # fmt: skip
ANSWER_COLUMNS = ("listing_id", "item_id")


@dataclass(frozen=True, slots=True)
class DemoData:
    """Rows as column -> text. ``answers`` has every listing; None means "not in the catalogue"."""

    items: tuple[Mapping[str, str], ...]
    listings: tuple[Mapping[str, str], ...]
    answers: Mapping[str, str | None]


def generate_demo(seed: int = 0, items: int = 3000, listings: int = 6000) -> DemoData:
    """Invent a catalogue and listings of it.

    Args:
        seed: Decides everything.
        items: Size of the catalogue, at least 1.
        listings: Number of listings.

    Raises:
        InputError: A size that makes no sense.
    """
    if items < 1 or listings < 0:
        raise InputError(
            f"a demo needs at least one item and no negative listings, not {items} and {listings}"
        )
    rng = random.Random(seed)
    catalogue, held_out = build_catalogue(rng, items)
    drafts = draw_listings(rng, catalogue, held_out, listings)
    # The catalogue's order must not give away which items are siblings by their numbers alone.
    order = rng.sample(range(items), items)
    ids = {catalogue[place].number: f"A{100_001 + rank}" for rank, place in enumerate(order)}
    answers: dict[str, str | None] = {}
    rows = []
    for number, draft in enumerate(drafts, 1):
        listing_id = f"L{number:06d}"
        answers[listing_id] = ids[draft.variant.number] if draft.is_item else None
        rows.append(_listing_row(rng, listing_id, draft))
    item_rows = tuple(_item_row(ids[catalogue[place].number], catalogue[place]) for place in order)
    return DemoData(item_rows, tuple(rows), answers)


def write_demo(
    folder: Path, seed: int = 0, items: int = 3000, listings: int = 6000
) -> tuple[Path, Path, Path]:
    """Write ``catalogue.csv``, ``listings.csv`` and ``answers.csv`` (empty item_id: not in the catalogue).

    Returns:
        The three paths, in that order. The folder is made if it is not there.
    """
    data = generate_demo(seed, items, listings)
    folder.mkdir(parents=True, exist_ok=True)
    answers = ({"listing_id": key, "item_id": item or ""} for key, item in data.answers.items())
    return (
        _write(folder / "catalogue.csv", CATALOGUE_COLUMNS, data.items),
        _write(folder / "listings.csv", LISTING_COLUMNS, data.listings),
        _write(folder / "answers.csv", ANSWER_COLUMNS, answers),
    )


def _write(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, str]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, columns)
        writer.writeheader()
        writer.writerows(rows)
    return path


def _item_row(item_id: str, variant: Variant) -> Mapping[str, str]:
    series = variant.series
    says = ", ".join(filter(None, (catalogue_words(facet) for facet in variant.facets)))
    colour = next((facet.name for facet in variant.facets if facet.kind == "colour"), "")
    return {
        "item_id": item_id,
        "title": variant.title,
        "brand": series.brand,
        "model": variant.model,
        "category": series.category.name,
        "price": f"{variant.price:.2f}",
        "gtin": demo_gtin(variant.number),
        "description": f"{series.brand} {variant.series_name}: {series.line} {series.category.noun}. {says}.",
        "year": str(variant.year),
        "colour": colour,
    }


def _listing_row(rng: random.Random, listing_id: str, draft: Draft) -> Mapping[str, str]:
    variant, category = draft.variant, draft.variant.series.category
    is_product = draft.is_item or not draft.accessory
    price = variant.price * (rng.uniform(0.86, 1.15) if is_product else rng.uniform(0.04, 0.15))
    words = f"{price:,.2f} EUR" if rng.random() < 0.1 else f"{price:.2f}"
    return {
        "listing_id": listing_id,
        "title": draft.title,
        "brand": draft.brand,
        "category": rng.choice(category.nouns) if rng.random() < 0.6 else "",
        "price": words if rng.random() < 0.9 else "",
        "gtin": demo_gtin(variant.number) if is_product and rng.random() < 0.03 else "",
        "description": f"{rng.choice(category.nouns)}, {category.name.lower()}" if rng.random() < 0.3 else "",
        "vendor": draft.vendor.name,
        "sku": f"{draft.vendor.name[-1]}{rng.randrange(10**6):06d}",
    }


def demo_gtin(number: int) -> str:
    """A GTIN-13 with a right check digit, in the range (prefix 29) that GS1 keeps for in-house use."""
    digits = f"29{number * 7919 % 10**10:010d}"
    weighted = sum(int(digit) * (1, 3)[place % 2] for place, digit in enumerate(digits))
    return f"{digits}{-weighted % 10}"
