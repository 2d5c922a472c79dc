"""Guessing which column is what, and overruling the guess."""

from __future__ import annotations

import pytest

from engine.contracts import ColumnMapping
from engine.errors import ColumnMappingError
from engine.intake import guess_mapping
from engine.intake.column_mapping import apply_overrides, require_columns


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (
            ["item_id", "title", "brand", "price", "description"],
            {
                "external_id": "item_id",
                "title": "title",
                "brand": "brand",
                "price": "price",
                "description": "description",
            },
        ),
        (
            ["Artikelnummer", "Bezeichnung", "Hersteller", "Preis (EUR)", "EAN-Code"],
            {
                "external_id": "Artikelnummer",
                "title": "Bezeichnung",
                "brand": "Hersteller",
                "price": "Preis (EUR)",
                "gtin": "EAN-Code",
            },
        ),
        (
            ["Číslo", "Název produktu", "Značka", "Cena"],
            {"external_id": "Číslo", "title": "Název produktu", "brand": "Značka", "price": "Cena"},
        ),
        (
            ["vendorId", "productId", "ProductName", "mpn", "vendor name", "image_url"],
            {"external_id": "productId", "title": "ProductName", "model": "mpn", "image": "image_url"},
        ),
        (["sku", "id", "name"], {"external_id": "id", "title": "name"}),
    ],
)
def test_that_usual_headers_are_recognised(columns: list[str], expected: dict[str, str]) -> None:
    assert dict(guess_mapping(columns, []).columns) == expected


def test_that_an_id_column_that_repeats_gives_way_to_one_that_does_not() -> None:
    sample = [{"product_id": "1", "sku": f"s{n}", "name": "Sony TV"} for n in range(5)]
    assert guess_mapping(["product_id", "sku", "name"], sample).column("external_id") == "sku"


def test_that_values_decide_where_the_header_says_nothing() -> None:
    sample = [
        {"a": f"x{n}", "b": f"Sony Bravia {n} inch TV", "c": "4006381333931", "d": "12.50"} for n in range(5)
    ]
    assert dict(guess_mapping(["a", "b", "c", "d"], sample).columns) == {
        "external_id": "a",
        "title": "b",
        "gtin": "c",
    }


def test_that_a_shop_is_not_taken_for_a_brand() -> None:
    assert guess_mapping(["id", "title", "vendor"], []).column("brand") is None


def test_that_the_users_choice_takes_the_column_from_the_guess() -> None:
    columns = ["id", "title", "long name"]
    guess = guess_mapping(columns, [])
    chosen = apply_overrides(guess, columns, {"title": "Long Name", "description": "title"})
    assert dict(chosen.columns) == {"external_id": "id", "title": "long name", "description": "title"}
    assert apply_overrides(guess, columns, {"title": ""}).column("title") is None


def test_that_unknown_fields_and_columns_are_refused_with_what_there_is() -> None:
    with pytest.raises(ColumnMappingError, match=r"did you mean price\?.*id, price"):
        apply_overrides(ColumnMapping({}), ["id", "price"], {"price": "prise"})
    with pytest.raises(ColumnMappingError, match="no field 'colour'"):
        apply_overrides(ColumnMapping({}), ["id"], {"colour": "id"})


def test_that_missing_required_columns_are_named_with_the_way_out() -> None:
    with pytest.raises(ColumnMappingError) as error:
        require_columns(ColumnMapping({"external_id": "id"}), ["id", "x y"], "feed.csv")
    assert error.value.message.startswith(
        "feed.csv: no column was found for the title; the columns are id, 'x y'"
    )
    assert "title=" in error.value.message
