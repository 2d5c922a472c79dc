"""Brands learnt from the catalogue: names, legal forms, initials, first words."""

from __future__ import annotations

import pytest

from engine.automation.brands import BrandBook, brand_key
from engine.automation.tokens import parse_tokens
from engine.contracts import Item, Listing


def _book(*titles_and_brands: tuple[str, str]) -> BrandBook:
    items = [Item(0, str(i), title, brand=brand) for i, (title, brand) in enumerate(titles_and_brands)]
    return BrandBook(items, [parse_tokens(item.title) for item in items])


def _named(book: BrandBook, title: str, brand: str = "") -> frozenset[int]:
    return book.named(Listing(0, "l", title, brand=brand), parse_tokens(title))


@pytest.mark.parametrize(
    ("name", "key"),
    [("Black & Decker", "blackdecker"), ("Bosch GmbH", "bosch"), ("THE Co.", "theco"), ("!", ""), ("", "")],
)
def test_that_a_brand_is_known_without_case_punctuation_and_legal_form(name: str, key: str) -> None:
    assert brand_key(name) == key


def test_that_the_word_a_brands_titles_begin_with_means_the_brand() -> None:
    book = _book(*[(f"HP printer {i}00x", "Hewlett Packard") for i in range(3)], ("Epson x1", "Epson"))
    assert _named(book, "printer 100x by hp") == _named(book, "hewlett packard printer")
    assert _named(book, "hp 100x").isdisjoint(_named(book, "epson 100x"))


def test_that_a_word_many_brands_begin_with_means_none() -> None:
    book = _book(*[(f"Wireless mouse {i}", f"Maker{i}") for i in range(5)])
    assert _named(book, "wireless mouse") == frozenset()


def test_that_initials_count_only_where_titles_begin_with_them() -> None:
    book = _book(("GE fridge", "General Electric"), ("fan", "Tall Vents"))
    assert _named(book, "ge fridge") == _named(book, "x", brand="General Electric")
    assert _named(book, "tv stand") == frozenset()


def test_that_a_catalogue_without_brands_has_those_its_titles_begin_with() -> None:
    book = _book(*[(f"Sony camera {i}", "") for i in range(6)], ("Leica camera", ""))
    assert _named(book, "camera by sony")
    assert _named(book, "camera by leica") == frozenset()


def test_that_a_brand_no_item_has_is_another_brand() -> None:
    book = _book(("Sony tv", "Sony"))
    assert book.number("Sony Corp.") > 0
    assert book.number("Loewe") == -1
    assert book.number("  ") == 0
