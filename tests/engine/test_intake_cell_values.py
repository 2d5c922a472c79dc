"""Cells: prices, GTINs, clean text, the formula guard."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.intake.cell_values import (
    as_text,
    clean_text,
    escape_formula,
    gtin_check_digit,
    guess_decimal,
    is_empty_word,
    parse_gtin,
    parse_price,
    unescape_formula,
)


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("69", 69.0),
        ("69.9", 69.9),
        ("$1,299.00", 1299.0),
        ("1.299,00 €", 1299.0),
        ("EUR 1.299", 1299.0),
        ("1,299", 1299.0),
        ("1.234.567,89", 1234567.89),
        ("1 299,50 Kč", 1299.5),
        ("1\u00a0299,50", 1299.5),
        ("1\u202f299", 1299.0),
        ("CHF 1'299.-", 1299.0),
        ("12,-", 12.0),
        ("£ .99", 0.99),
        ("Rs.500", 500.0),
        ("0.125", 0.125),
        ("１２．５", 12.5),
    ],
)
def test_that_prices_of_many_countries_are_understood(text: str, amount: float) -> None:
    assert parse_price(text) == pytest.approx(amount)


@pytest.mark.parametrize(
    "text",
    ["", "free", "on request", "12-15", "-5", "$ -5", "12 99", "50 %", "0", "0.00", "1e99", "1,2,3", "."],
)
def test_that_what_is_not_one_positive_amount_is_no_price(text: str) -> None:
    assert parse_price(text) is None


def test_that_a_column_of_decimals_settles_what_three_digits_mean() -> None:
    assert guess_decimal(["1.299", "12.50"]) == "."
    assert guess_decimal(["1.299", "12,50 €"]) == ","
    assert guess_decimal(["1.299", "899"]) == ""
    assert parse_price("1.299", ".") == pytest.approx(1.299)
    assert parse_price("1.299", ",") == parse_price("1.299", "") == 1299.0


@given(st.floats(min_value=0.01, max_value=1e9))
def test_that_a_price_written_with_a_point_reads_back(amount: float) -> None:
    text = f"{amount:.2f}"
    assert parse_price(text) == pytest.approx(float(text))
    assert parse_price(f"{amount:,.2f}") == pytest.approx(float(text))


@given(st.text(max_size=40))
def test_that_no_text_breaks_price_and_gtin(text: str) -> None:
    amount = parse_price(text)
    assert amount is None or (math.isfinite(amount) and amount > 0)
    assert parse_gtin(text) == "" or parse_gtin(text).isdigit()


@pytest.mark.parametrize(
    ("text", "gtin"),
    [
        ("4006381333931", "4006381333931"),
        ("4006381 333931", "4006381333931"),
        ("4006381333931.0", "4006381333931"),
        ("036000291452", "0036000291452"),
        ("36000291452", "0036000291452"),
        ("00036000291452", "0036000291452"),
        ("96385074", "96385074"),
        ("4006381333932", ""),
        ("4.00638E+12", ""),
        ("00000000", ""),
        ("12345", ""),
        ("٤٠٠٦٣٨١٣٣٣٩٣١", ""),
    ],
)
def test_that_gtins_are_normalised_and_checked(text: str, gtin: str) -> None:
    assert parse_gtin(text) == gtin


@given(st.text("0123456789", min_size=12, max_size=12).filter(lambda digits: digits.strip("0")))
def test_that_one_wrong_digit_is_always_found(digits: str) -> None:
    whole = f"{digits}{gtin_check_digit(digits)}"
    assert parse_gtin(whole) == whole
    wrong = f"{(int(whole[0]) + 1) % 10}{whole[1:]}"
    assert parse_gtin(wrong) == ""


def test_that_text_is_put_on_one_line_without_control_characters() -> None:
    assert clean_text(' Sony\t55"\r\n TV\x00\u200b \ufeff') == 'Sony 55" TV'
    assert clean_text("क्\u200dष") == "क्\u200dष"
    assert clean_text("a\ud800b") == "a b"


def test_that_words_for_nothing_are_empty() -> None:
    assert all(map(is_empty_word, ["", "NULL", "nan", "N/A", "None"]))
    assert not any(map(is_empty_word, ["NA", "Nano", "0"]))


def test_that_typed_cells_read_as_a_person_would_write_them() -> None:
    assert as_text(4006381333931.0) == "4006381333931"
    assert as_text(12.5) == "12.5"
    assert as_text(float("nan")) == as_text(None) == as_text(b"\x00") == ""
    assert as_text(["a", None, 2]) == "a, 2"
    assert as_text({"a": 1}) == '{"a": 1}'


@pytest.mark.parametrize("text", ["=1+1", "+49 30", "-5 °C", "@home", "\t=1", "'=1", "''@x", "＝1"])
def test_that_cells_a_spreadsheet_would_run_are_escaped(text: str) -> None:
    assert escape_formula(text) == f"'{text}"
    assert unescape_formula(escape_formula(text)) == text


@given(st.text(alphabet=st.one_of(st.sampled_from("'=+-@\t\r a"), st.characters())))
def test_that_escaping_is_undone_exactly(text: str) -> None:
    escaped = escape_formula(text)
    assert not escaped.startswith(("=", "+", "-", "@", "\t"))
    assert unescape_formula(escaped) == text
