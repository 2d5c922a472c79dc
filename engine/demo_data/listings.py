"""Messy listings of the synthetic catalogue, as differently careless shops would write them."""

from __future__ import annotations

import random
import string
from collections.abc import Sequence
from dataclasses import dataclass

from engine.demo_data.catalogue import Facet, Variant, write_value
from engine.demo_data.words import Vendor, shops

#: Share of listings whose product is not in the catalogue.
NOT_IN_CATALOGUE = 0.2
#: Of those: things that belong to a product but are not it.
ACCESSORIES = 0.08
#: Exact repeats of an earlier listing by the same or another shop.
REPEATS = 0.04
#: Listings that do not say one of the facets; nobody can tell which variant is meant.
UNDERSPECIFIED = 0.02
_TYPO = 0.12
_FLUFF = 0.4
_BUNDLE = 0.05
_SHORTEST_TYPO = 5


@dataclass(frozen=True, slots=True)
class Draft:
    """A listing before it gets its number. An accessory only belongs to ``variant``."""

    title: str
    vendor: Vendor
    variant: Variant
    is_item: bool
    brand: str
    accessory: bool = False


def draw_listing(rng: random.Random, variant: Variant, vendor: Vendor, *, is_item: bool) -> Draft:
    """One shop's listing of a variant.

    Args:
        rng: The only source of chance.
        variant: The product that is listed.
        vendor: Whose habits are followed.
        is_item: Whether the catalogue holds the variant (kept for the answers).
    """
    jargon = rng.random() < vendor.jargon
    with_model = rng.random() < vendor.model
    with_brand = rng.random() < vendor.brand
    facets = _spoken_facets(rng, variant, with_model=with_model)
    parts = {
        "b": _brand(variant, jargon=jargon) if with_brand else "",
        "s": _series(rng, variant, jargon=jargon),
        "n": rng.choice(variant.series.category.nouns) if _says_noun(rng, jargon, with_brand) else "",
        "l": variant.series.line if not jargon and rng.random() < 0.6 else "",
        "f": " ".join(_facet(rng, facet, jargon=jargon) for facet in facets if facet.kind != "colour"),
        "c": " ".join(_colour(rng, facet, vendor, jargon) for facet in facets if facet.kind == "colour"),
        "m": _model(rng, variant.model) if with_model else "",
    }
    order = vendor.order if not with_model or "m" in vendor.order else f"{vendor.order}m"
    if rng.random() < 0.15:  # even careful shops have new staff
        order = "".join(rng.sample(order, len(order)))
    title = " ".join(parts[part] for part in order if parts[part])
    return Draft(_finish(rng, title, vendor), vendor, variant, is_item, _brand_cell(rng, variant, jargon))


def draw_accessory(rng: random.Random, variant: Variant, vendor: Vendor) -> Draft:
    """A listing of something that only belongs to a product, never in the catalogue."""
    pattern = rng.choice(shops().accessories[variant.series.category.group])
    name = f"{variant.series.brand} {variant.series_name}"
    return Draft(_finish(rng, pattern.format(name=name), vendor), vendor, variant, False, "", True)


def _says_noun(rng: random.Random, jargon: bool, with_brand: bool) -> bool:
    return rng.random() < (0.35 if jargon else 0.75 if with_brand else 0.95)


def _brand(variant: Variant, *, jargon: bool) -> str:
    return variant.series.brand_short if jargon else variant.series.brand


def _brand_cell(rng: random.Random, variant: Variant, jargon: bool) -> str:
    return variant.series.brand if not jargon and rng.random() < 0.4 else ""


def _series(rng: random.Random, variant: Variant, *, jargon: bool) -> str:
    generation = variant.generation
    if jargon:
        return f"{variant.series.nickname}{generation}"
    name = variant.series.name
    if generation == 1:
        return rng.choice((name, name, f"{name} {variant.year}"))
    written = (
        variant.series_name,
        f"{name} {generation}",
        f"{name} Gen {generation}",
        f"{name} {variant.year}",
    )
    return rng.choice((*written, f"{name}{generation}", f"{name} MK{generation}"))


def _spoken_facets(rng: random.Random, variant: Variant, *, with_model: bool) -> list[Facet]:
    """All facets where nothing else tells the variants apart; the model code may stand for some."""
    facets = list(variant.facets)
    if with_model:
        return [facet for facet in facets if rng.random() < 0.75]
    if rng.random() < UNDERSPECIFIED:
        facets.remove(rng.choice(facets))
    return facets


def _facet(rng: random.Random, facet: Facet, *, jargon: bool) -> str:
    if facet.value == 1 and facet.kind == "pack":
        return ""
    words = shops().words.get(facet.kind, {}).get(str(facet.value))
    if words is not None:
        return rng.choice(words)
    style = shops().units[facet.kind]
    patterns = style.jargon if jargon and rng.random() < 0.7 else style.common
    return write_value(style, rng.choice(patterns), facet.value)


def _colour(rng: random.Random, facet: Facet, vendor: Vendor, jargon: bool) -> str:
    if not jargon and rng.random() < 0.5:
        return facet.name
    return shops().words["colour"][str(facet.value)][vendor.colour]


def _model(rng: random.Random, model: str) -> str:
    plain = model.replace("-", "")
    return rng.choice(
        (model, model, plain, model.lower(), f"{model}/EU", f"{plain}.AEU", model.replace("-", " "))
    )


def _finish(rng: random.Random, title: str, vendor: Vendor) -> str:
    words = title.split()
    if rng.random() < _TYPO:
        long = [place for place, word in enumerate(words) if word.isalpha() and len(word) >= _SHORTEST_TYPO]
        if long:
            place = rng.choice(long)
            words[place] = _misspell(rng, words[place])
    text = " ".join(words)
    fluff = shops().fluff
    if rng.random() < _BUNDLE:
        text = f"{text} {rng.choice(fluff.bundle)}"
    if rng.random() < _FLUFF:
        before = rng.random() < 0.3
        text = f"{rng.choice(fluff.before)} {text}" if before else f"{text} {rng.choice(fluff.after)}"
    return {"lower": text.lower(), "upper": text.upper()}.get(vendor.case, text)


def _misspell(rng: random.Random, word: str) -> str:
    place = rng.randrange(1, len(word) - 1)
    kind = rng.randrange(4)
    if kind == 0:
        return word[:place] + word[place + 1 :]
    if kind == 1:
        return word[:place] + word[place] + word[place:]
    if kind == 2:
        return word[: place - 1] + word[place] + word[place - 1] + word[place + 1 :]
    return word[:place] + rng.choice(string.ascii_lowercase) + word[place + 1 :]


def draw_listings(
    rng: random.Random, catalogue: Sequence[Variant], held_out: Sequence[Variant], count: int
) -> list[Draft]:
    """``count`` listings: popular items several times, some exact repeats, a fifth without a match.

    No two listings read the same and mean different products.
    """
    vendors, weights = shops().vendors, [vendor.weight for vendor in shops().vendors]
    popularity = _popularity(rng, len(catalogue))
    drafts: list[Draft] = []
    meant: dict[str, int] = {}
    while len(drafts) < count:
        vendor = rng.choices(vendors, weights)[0]
        if drafts and rng.random() < REPEATS:
            drafts.append(rng.choice(drafts))
            continue
        variant = rng.choices(catalogue, cum_weights=popularity)[0]
        if rng.random() >= NOT_IN_CATALOGUE:
            draft = draw_listing(rng, variant, vendor, is_item=True)
        elif held_out and rng.random() >= ACCESSORIES:
            draft = draw_listing(rng, rng.choice(held_out), vendor, is_item=False)
        else:
            draft = draw_accessory(rng, variant, vendor)
        means = draft.variant.number if draft.is_item else 0
        if meant.setdefault(" ".join(draft.title.casefold().split()), means) == means:
            drafts.append(draft)
    return drafts


def _popularity(rng: random.Random, items: int) -> list[float]:
    """Cumulative weights: a few best sellers, a long tail."""
    total, cumulative = 0.0, []
    for _ in range(items):
        total += min(12.0, rng.paretovariate(1.2))
        cumulative.append(total)
    return cumulative
