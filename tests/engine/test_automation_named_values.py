"""Colours, sizes, versions, years and variant words, as people write them."""

from __future__ import annotations

import pytest

from engine.automation.tokens import parse_tokens


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Kühlschrank schwarz", "colour:black"),
        ("iPhone 8 64 GB Spacegrau", "colour:grey"),
        ("Fridge, stainless steel", "colour:steel"),
        ("bed sheet KING", "size:king"),
        ("shirt size M", "size:medium"),
        ("Photoshop v7.0", "version:7"),
        ("Sony RX100 Mark IV", "version:4"),
        ("Canon 5D Mk II", "version:2"),
        ("Echo Dot 3rd Gen", "version:3"),
        ("Apple Watch Series 4", "version:4"),
        ("QuickBooks 2007", "year:2007"),
    ],
)
def test_that_a_value_is_read_from_words(text: str, value: str) -> None:
    assert parse_tokens(text).named == {value}


@pytest.mark.parametrize("text", ["2000 W heater", "2000mAh battery", "model AB-2005", "a 1 tv", "1920x1080"])
def test_that_other_numbers_are_no_years_or_versions(text: str) -> None:
    assert parse_tokens(text).named == frozenset()


def test_that_variant_words_are_kept_apart_from_the_rest() -> None:
    assert parse_tokens("Apple iPhone 8 Plus 64GB").variants == {"plus"}
    assert parse_tokens("Apple iPhone 8 64GB").variants == frozenset()
