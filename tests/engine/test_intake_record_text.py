"""Record text and the identity of exact repeats."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.contracts import Item, Listing, Record
from engine.intake import record_text, text_key


def item(title: str, **fields: object) -> Item:
    return Item(id=0, external_id="x", title=title, **fields)  # type: ignore[arg-type]


def test_that_fields_the_title_contains_are_not_repeated() -> None:
    assert record_text(item("Sony Turntable PS-LX350H", brand="SONY", model="PSLX350H")) == (
        "Sony Turntable PS-LX350H"
    )
    assert record_text(item("Turntable", brand="Sony", model="PSLX350H")) == "Turntable Sony PSLX350H"


def test_that_a_short_brand_inside_a_word_is_still_added() -> None:
    assert record_text(item("Belgium TV 42", brand="LG")) == "Belgium TV 42 LG"


def test_that_a_field_an_earlier_field_contains_is_not_repeated() -> None:
    assert record_text(item("TV", brand="Acme Bravo", model="bravo")) == "TV Acme Bravo"


def test_that_chosen_attributes_take_part() -> None:
    record = item("TV", attributes={"colour": "black"})
    assert record_text(record, ("title", "colour", "nothing")) == "TV black"


def test_that_white_space_is_collapsed_and_long_text_cut() -> None:
    assert record_text(item("a  b\n c")) == "a b c"
    assert len(record_text(item("word " * 5000))) <= 2000


def test_that_case_and_punctuation_do_not_make_a_new_listing() -> None:
    same = [item("Sony TV 55-inch"), item("SONY tv, 55 inch!"), item("ｓｏｎｙ TV (55 inch)")]
    assert len({text_key(record) for record in same}) == 1


@pytest.mark.parametrize(
    ("one", "other"), [("Galaxy S20", "Galaxy S20+"), ("TV 55", "TV 5 5"), ("कि", "की"), ("!!!", "???")]
)
def test_that_different_products_have_different_keys(one: str, other: str) -> None:
    assert text_key(item(one)) != text_key(item(other))


def test_that_items_and_listings_with_the_same_words_have_the_same_key() -> None:
    listing = Listing(id=7, external_id="y", title="Sony TV", feed_id=3)
    assert text_key(listing) == text_key(item("sony tv"))
    assert re.fullmatch("[0-9a-f]{16}", text_key(listing))


@given(st.text(min_size=1), st.text(), st.text())
def test_that_any_text_gives_one_line_and_a_key(title: str, brand: str, model: str) -> None:
    record: Record = item(title, brand=brand, model=model)
    text = record_text(record)
    assert text == " ".join(text.split())
    assert len(text) <= 2000
    assert len(text_key(record)) == 16
