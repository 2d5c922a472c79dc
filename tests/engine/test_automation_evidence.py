"""Evidence of pairs, against what a person would compute by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.automation.evidence import EvidenceBuilder, Pairs
from engine.automation.evidence_columns import EVIDENCE_COLUMNS, EVIDENCE_NAMES, column
from engine.automation.ranking import MOST_PLAIN, margin_to_best_other, plain_score
from engine.contracts import Item, Listing


def _evidence(listing: Listing, *items: Item) -> np.ndarray:
    builder = EvidenceBuilder(items, [item.title for item in items])
    count = len(items)
    nothing = np.zeros(count, np.float32)
    rows = np.arange(count)
    pairs = Pairs(np.zeros(count, np.int64), rows, nothing, nothing, nothing, nothing)
    return builder.evidence([listing], [listing.title], pairs)


def _item(title: str, **fields: object) -> Item:
    return Item(0, title, title, **fields)  # type: ignore[arg-type]


def _listing(title: str, **fields: object) -> Listing:
    return Listing(0, "l", title, **fields)  # type: ignore[arg-type]


def test_that_every_column_says_what_it_measures() -> None:
    assert all(EVIDENCE_COLUMNS[name] for name in EVIDENCE_NAMES)
    assert len(set(EVIDENCE_NAMES)) == len(EVIDENCE_NAMES)


def test_that_the_right_capacity_agrees_and_the_wrong_one_conflicts() -> None:
    evidence = _evidence(_listing("phone 64gb"), _item("Phone 64 GB"), _item("Phone 128 GB"))
    assert evidence[:, column("measures_agree")].tolist() == [1, 0]
    assert evidence[:, column("measures_conflict")].tolist() == [0, 1]


def test_that_model_codes_agree_whatever_their_punctuation() -> None:
    evidence = _evidence(
        _listing("sony turntable pslx350h"),
        _item("Sony PS-LX350H Turntable"),
        _item("Sony PS-LX300 Turntable"),
    )
    assert evidence[0, column("codes_agree")] == 1 or evidence[0, column("codes_agree")] == 0.5
    assert evidence[0, column("codes_agree_margin")] > 0
    assert evidence[:, column("codes_conflict")].tolist() == [0, 1]


def test_that_a_code_with_another_ending_shares_its_stem() -> None:
    evidence = _evidence(
        _listing("panasonic nnsd667ss"), _item("Panasonic NNSD667S"), _item("Panasonic NNH965")
    )
    assert evidence[0, column("code_stems_agree")] > evidence[1, column("code_stems_agree")] == 0


def test_that_a_code_that_differs_by_a_letter_is_alike_and_yet_lost() -> None:
    evidence = _evidence(
        _listing("gorenje gi64424x dishwasher"),
        _item("Gorenje GI 64424 X Dishwasher"),
        _item("Gorenje GV64424X Dishwasher"),
        _item("Gorenje Dishwasher"),
    )
    likeness = evidence[:, column("code_likeness")]
    assert likeness[0] > likeness[1] > likeness[2] == 0
    assert evidence[1, column("listing_codes_lost")] == 1
    assert evidence[2, column("listing_codes_lost")] == 1
    assert evidence[1, column("listing_codes_found")] == 0


def test_that_the_codes_of_a_listing_are_found_however_the_item_writes_them() -> None:
    evidence = _evidence(_listing("sony turntable ps-lx350h"), _item("Sony PS LX350H"), _item("Sony PSLX350"))
    found = evidence[:, column("listing_codes_found")]
    assert found[0] > found[1]
    assert (
        evidence[0, column("listing_codes_found_margin")]
        > 0
        > evidence[1, column("listing_codes_found_margin")]
    )


def test_that_attributes_count_only_where_both_state_them() -> None:
    evidence = _evidence(
        _listing("tv", brand="Sony", price=100.0),
        _item("tv a", brand="SONY", price=100.0),
        _item("tv b", brand="LG", price=200.0),
        _item("tv c"),
    )
    assert evidence[:, column("brand_equal")].tolist() == [1, 0, 0]
    assert evidence[:, column("brand_conflict")].tolist() == [0, 1, 0]
    assert evidence[:, column("price_known")].tolist() == [1, 1, 0]
    assert evidence[:, column("price_gap")] == pytest.approx([0, np.log(2), 0])


def test_that_a_listing_of_unknown_words_still_has_finite_evidence() -> None:
    evidence = _evidence(_listing("холодильник"), _item("Fridge"))
    assert np.isfinite(evidence).all()


@given(st.lists(st.tuples(st.integers(0, 4), st.sampled_from([0.0, 0.25, 0.5, 1.0])), max_size=40))
def test_that_margins_equal_the_plain_definition(pairs: list[tuple[int, float]]) -> None:
    pairs = sorted(pairs, key=lambda pair: pair[0])
    group = np.asarray([g for g, _ in pairs])
    values = np.asarray([v for _, v in pairs], dtype=np.float32)
    expected = []
    for i, value in enumerate(values):
        others = [values[j] for j in range(len(values)) if j != i and group[j] == group[i]]
        expected.append(value - (max(others) if others else 0.0))
    assert margin_to_best_other(values, group) == pytest.approx(expected)


def test_that_named_values_agree_across_languages_and_conflict() -> None:
    evidence = _evidence(
        _listing("fridge schwarz mk ii"),
        _item("Fridge Mark II Black"),
        _item("Fridge Mk III white"),
        _item("Fridge"),
    )
    assert evidence[:, column("colour_agree")].tolist() == [1, 0, 0]
    assert evidence[:, column("colour_conflict")].tolist() == [0, 1, 0]
    assert evidence[:, column("version_agree")].tolist() == [1, 0, 0]
    assert evidence[:, column("version_conflict")].tolist() == [0, 1, 0]


def test_that_a_variant_word_counts_on_the_side_that_lacks_it() -> None:
    evidence = _evidence(_listing("iphone 8"), _item("iPhone 8"), _item("iPhone 8 Plus"))
    assert evidence[:, column("variants_missing_in_listing")].tolist() == [0, 1]
    evidence = _evidence(_listing("iphone 8 plus"), _item("iPhone 8"), _item("iPhone 8 Plus"))
    assert evidence[:, column("variants_missing_in_item")].tolist() == [1, 0]


def test_that_a_brand_is_found_by_its_alias_anywhere_in_the_listing() -> None:
    hp = [_item(f"HP printer {i}", brand="Hewlett-Packard") for i in range(3)]
    evidence = _evidence(_listing("printer for office, hp 1"), *hp, _item("Epson printer 1", brand="Epson"))
    assert evidence[:, column("brand_named")].tolist() == [1, 1, 1, 0]
    assert evidence[:, column("other_brand_named")].tolist() == [0, 0, 0, 1]
    evidence = _evidence(_listing("printer 1", brand="HP"), *hp, _item("Epson printer 1", brand="Epson"))
    assert evidence[:, column("brand_equal")].tolist() == [1, 1, 1, 0]
    assert evidence[:, column("brand_conflict")].tolist() == [0, 0, 0, 1]


def test_that_a_brand_the_catalogue_does_not_know_conflicts() -> None:
    evidence = _evidence(_listing("tv", brand="Loewe"), _item("tv", brand="Sony"), _item("tv"))
    assert evidence[:, column("brand_conflict")].tolist() == [1, 0]


def test_that_no_pair_is_plainer_than_two_records_that_say_the_same() -> None:
    title, rest = "Bosch KGN33NL3AG 2 l", {"price": 9.0, "description": "KGN33NL3AG by Bosch"}
    builder = EvidenceBuilder([_item(title, **rest)], [title])
    one, row = np.ones(1, np.float32), np.zeros(1, np.int64)
    for listing in (_listing(title, **rest), _listing("KGN33NL3AG", **rest), _listing(title, price=1.0)):
        evidence = builder.evidence([listing], [listing.title], Pairs(row, row, one, one, one, one))
        assert plain_score(evidence)[0] <= MOST_PLAIN + 1e-5
    same = builder.evidence([_listing(title, **rest)], [title], Pairs(row, row, one, one, one, one))
    assert plain_score(same)[0] == pytest.approx(MOST_PLAIN, abs=1e-5)
