"""Differences of titles and fields: numbers, units, codes and colours are what conflicts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desktop.item_models.differences import (
    Difference,
    TokenKind,
    compare_fields,
    compare_titles,
    tokens_of,
    words_for,
)
from engine.contracts import Item, Listing


def marked(mine: str, theirs: str) -> dict[str, str]:
    return {one.token.text: one.difference.value for one in compare_titles(mine, theirs)}


def conflicts(mine: str, theirs: str) -> list[tuple[str, str]]:
    return [
        (one.token.text, one.against)
        for one in compare_titles(mine, theirs)
        if one.difference is Difference.CONFLICT
    ]


@pytest.mark.parametrize(
    ("mine", "theirs", "expected"),
    [
        ("Galaxy S23 128GB", "Galaxy S23 256 GB", [("128GB", "256 GB")]),
        ("microSD 2-pack", "microSD 3 pack", [("2-pack", "3 pack")]),
        ("TV UE55CU8000", "TV UE65CU8000", [("UE55CU8000", "UE65CU8000")]),
        ("WH-1000XM4 headphones", "headphones WH-1000XM5", [("WH-1000XM4", "WH-1000XM5")]),
        ("mouse black", "mouse white", [("black", "white")]),
        ("TV 55 inch", 'TV 65"', [("55 inch", '65"')]),
        ("Windows 10", "Windows 11", [("10", "11")]),
    ],
)
def test_that_numbers_units_codes_and_colours_conflict(
    mine: str, theirs: str, expected: list[tuple[str, str]]
) -> None:
    assert conflicts(mine, theirs) == expected


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        ("128GB card", "card 128 GB"),
        ("sony wh1000xm4", "Sony WH-1000XM4"),
        ("MX Master 3 S", "MX Master 3S"),
        ("mx-master 3S", "MX Master 3S"),
        ('TV 55"', "TV 55 inch"),
        ("Maus graphit", "Maus graphite"),
        ("drive 1.0 TB", "drive 1TB"),
    ],
)
def test_that_the_same_said_otherwise_is_equal(mine: str, theirs: str) -> None:
    assert set(marked(mine, theirs).values()) == {"equal"}


def test_that_what_only_the_other_says_is_missing_and_no_conflict() -> None:
    found = marked("SanDisk Ultra 128GB", "SanDisk Ultra 128GB 2-pack black new")
    assert found["2-pack"] == "missing"
    assert found["black"] == "missing"
    assert "new" not in found, "a word more is nothing to miss"
    assert "conflict" not in found.values()


def test_that_a_code_written_shorter_is_neither_a_conflict_nor_missing() -> None:
    assert conflicts("Samsung CU8000 TV", "Samsung UE65CU8000 TV") == []
    assert marked("Samsung CU8000 TV", "Samsung UE65CU8000 TV")["CU8000"] == "similar"


def test_that_differences_are_said_in_words() -> None:
    words = words_for(compare_titles("Galaxy S23 128GB", "Galaxy S23 256GB dual black"))
    assert words == "Conflicts: 128GB instead of 256GB. Does not say: black"
    assert words_for(compare_titles("Galaxy", "Galaxy")) == "No conflicting numbers or codes"


def test_that_what_the_other_says_outside_its_title_is_neither_only_here_nor_missing() -> None:
    mine, theirs = "Tetra wafers 6 oz schwarz", "Tetra wafers 2-pack"
    said = {"my_details": {"2pack"}, "their_details": {"6oz", "black"}}
    found = {one.token.text: one.difference.value for one in compare_titles(mine, theirs, **said)}
    assert found == {"Tetra": "equal", "wafers": "equal", "6 oz": "detailed", "schwarz": "detailed"}
    assert words_for(compare_titles(mine, theirs, **said)) == "Said outside the other title: 6 oz, schwarz"


def test_that_a_conflict_of_titles_is_one_whatever_the_details_say() -> None:
    found = compare_titles("card 64 GB", "card 32 GB", their_details={"64gb"})
    assert [one.against for one in found if one.difference is Difference.CONFLICT] == ["32 GB"]


def test_that_punctuation_is_kept_and_never_compared() -> None:
    tokens = tokens_of("Canon (EOS) R50 + lens")
    assert [one.text for one in tokens] == ["Canon", "(", "EOS", ")", "R50", "+", "lens"]
    assert {one.text for one in tokens if one.kind is TokenKind.MARK} == {"(", ")", "+"}
    assert set(marked("Canon (EOS)", "Canon EOS").values()) == {"equal"}


@given(st.text(max_size=300), st.text(max_size=300))
def test_that_any_two_texts_can_be_compared(mine: str, theirs: str) -> None:
    compare_titles(mine, theirs)
    same = [one.difference for one in compare_titles(mine, mine)]
    assert set(same) <= {Difference.EQUAL}


@given(st.text(alphabet="ab1 -(x", max_size=60))
def test_that_no_character_of_a_title_is_lost(title: str) -> None:
    shown = "".join((" " if one.spaced else "") + one.text for one in tokens_of(title))
    assert "".join(shown.split()) == "".join(title.split())


def test_that_a_very_long_title_is_cut_and_says_so() -> None:
    tokens = tokens_of("word " * 5000)
    assert len(tokens) == 81
    assert tokens[-1].text == "…"


# -- fields --------------------------------------------------------------------------------------


def fields(listing: Listing, item: Item) -> dict[str, str]:
    return {row.name: row.difference.value for row in compare_fields(listing, item)}


def test_that_missing_is_told_apart_from_conflicting() -> None:
    listing = Listing(1, "L1", "TV", brand="LG", model="OLED55C3", price=99.0, attributes={"size": "55 in"})
    item = Item(2, "I1", "TV", brand="Sony", price=101.0, gtin="4006381333931", attributes={"Size": '65"'})
    assert fields(listing, item) == {
        "Brand": "conflict",
        "Model": "only_here",
        "Price": "similar",
        "Barcode": "missing",
        "Size": "conflict",
    }


def test_that_fields_equal_but_for_writing_are_equal() -> None:
    listing = Listing(1, "L1", "TV", brand="SONY", model="wh-1000xm4", attributes={"Colour": "black"})
    item = Item(2, "I1", "TV", brand="Sony", model="WH1000XM4", attributes={"colour": "Black"})
    assert set(fields(listing, item).values()) == {"equal"}


def test_that_shops_name_categories_differently_and_that_is_no_conflict() -> None:
    listing = Listing(1, "L1", "TV", category="Audio")
    item = Item(2, "I1", "TV", category="Headphones")
    assert fields(listing, item) == {"Category": "similar"}


@pytest.mark.parametrize(("price", "expected"), [(100.0, "equal"), (119.0, "similar"), (250.0, "conflict")])
def test_that_prices_far_apart_conflict(price: float, expected: str) -> None:
    listing, item = Listing(1, "L1", "TV", price=price), Item(2, "I1", "TV", price=100.0)
    assert fields(listing, item) == {"Price": expected}


def test_that_a_listing_alone_shows_what_it_says() -> None:
    rows = compare_fields(Listing(1, "L1", "TV", brand="LG", price=1299.0), None)
    assert [(row.name, row.here) for row in rows] == [("Brand", "LG"), ("Price", "1,299.00")]
