"""What is read out of a record text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.automation.tokens import parse_tokens


@pytest.mark.parametrize("text", ["128 GB", "128gb", "0.128 TB", "128-GB", "128GB SSD"])
def test_that_storage_is_one_measure_however_it_is_written(text: str) -> None:
    assert "storage:128" in parse_tokens(text).measures


@pytest.mark.parametrize(
    ("text", "measure"),
    [
        ("TV 65 inch", "screen:65"),
        ('TV 65"', "screen:65"),
        ("1.5 kW heater", "power:1500"),
        ("3,5 GHz", "frequency:3.5"),
        ("pack of 6", "pack:6"),
        ("6-pack", "pack:6"),
        ("500 ml", "volume:0.5"),
    ],
)
def test_that_units_are_brought_to_one_base(text: str, measure: str) -> None:
    assert measure in parse_tokens(text).measures


def test_that_a_model_code_is_found_through_hyphens_and_slashes() -> None:
    assert {"pslx350h", "mq8n2ba"} <= parse_tokens("Sony PS-LX350H and MQ8N2B/A").codes


def test_that_a_split_model_code_is_joined() -> None:
    assert "siuf32120" in parse_tokens("Hotpoint SIUF 32120 P").joined


def test_that_a_measure_is_not_a_model_code() -> None:
    assert not parse_tokens("128GB 65inch").codes


def test_that_a_comma_groups_thousands_only_before_three_digits() -> None:
    assert parse_tokens("1,299").numbers == {"1299"}
    assert parse_tokens("5,5").numbers == {"5.5"}


@given(st.text(max_size=300))
def test_that_any_text_is_read_without_failing(text: str) -> None:
    tokens = parse_tokens(text)
    assert tokens.first == (tokens.words[0] if tokens.words else "")


def test_that_a_megabyte_of_text_is_cut_not_chewed() -> None:
    assert len(parse_tokens("word " * 200_000).words) == 400


def test_that_a_code_in_three_pieces_is_spelled_as_one() -> None:
    tokens = parse_tokens("Gorenje GI 64424 X Dishwasher")
    assert "gi64424x" in tokens.runs
    assert "gi64424x" in tokens.spelled
    assert not any("dishwasher" in spelled for spelled in tokens.spelled)
