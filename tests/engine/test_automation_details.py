"""Details: what descriptions and attributes add to the words of a title."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.automation.details import DetailBook
from engine.automation.evidence import EvidenceBuilder, Pairs
from engine.automation.evidence_columns import EVIDENCE_GROUPS, EVIDENCE_NAMES, column
from engine.automation.ranking import margin_to_best_other
from engine.automation.tokens import parse_tokens
from engine.contracts import Item, Listing
from engine.contracts.details import MOST_CHARACTERS, details_of

NAMES = tuple(EVIDENCE_GROUPS["details"])


def _item(title: str, description: str = "", **attributes: str) -> Item:
    return Item(0, title, title, description=description, attributes=attributes)


def _listing(title: str, description: str = "", **attributes: str) -> Listing:
    return Listing(0, "l", title, description=description, attributes=attributes)


def _parsed(records: Sequence[Item | Listing]) -> list:
    return [parse_tokens(record.title) for record in records]


def details(listing: Listing, *items: Item) -> dict[str, list[float]]:
    """The columns of one listing against every item."""
    book = DetailBook(items, _parsed(items))
    out = np.zeros((len(items), len(EVIDENCE_NAMES)), np.float32)
    side = book.side([listing], _parsed([listing]))
    book.fill(out, side, np.zeros(len(items), np.int64), np.arange(len(items)))
    return {name: out[:, column(name)].tolist() for name in NAMES}


def test_that_what_only_the_listing_s_description_says_speaks_for_the_item_that_says_it_too() -> None:
    found = details(
        _listing("Tetra Algae Wafers", "Balanced food. 6 ounce bag."),
        _item("Tetra Algae Wafers 6 Ounce"),
        _item("Tetra Algae Wafers 3 Pound"),
    )
    assert found["item_detailed"][0] > 0 == found["item_detailed"][1]
    assert found["item_detailed_margin"][0] > 0 > found["item_detailed_margin"][1]
    assert found["item_missing_detailed"][0] > 0 == found["item_missing_detailed"][1]
    assert found["listing_detailed"] == [0, 0]


def test_that_a_column_of_the_catalogue_answers_for_a_word_of_the_listing_s_title() -> None:
    found = details(
        _listing("Lumeza Beacon dusk"),
        _item("Lumeza Beacon", colour="Dusk"),
        _item("Lumeza Beacon", colour="Noon"),
    )
    assert found["listing_detailed"][0] > 0 == found["listing_detailed"][1]
    assert found["listing_missing_detailed"][0] > 0 == found["listing_missing_detailed"][1]
    assert found["item_detailed"] == [0, 0]


def test_that_a_listing_s_attributes_count_where_the_catalogue_keeps_them_too() -> None:
    items = (_item("Lumeza Beacon dusk 1", colour="dusk"), _item("Lumeza Beacon noon", colour="noon"))
    found = details(_listing("Lumeza Beacon", Colour="dusk"), *items)
    assert found["item_detailed"][0] > 0 == found["item_detailed"][1]
    found = details(_listing("Lumeza Beacon", vendor="shop 1", stock="dusk"), *items)
    assert found["item_detailed"] == [0, 0], "whoever sells it, and what else a feed may say"


def test_that_words_of_the_other_title_are_no_gain() -> None:
    found = details(_listing("Sony TV 55", "Sony TV 55 by Sony"), _item("Sony TV 55", "A Sony TV: 55"))
    assert all(value == 0 for values in found.values() for value in values)


def test_that_a_word_of_one_title_may_be_two_in_the_other_record_s_details() -> None:
    found = details(_listing("phone", "with 64 gb"), _item("Phone 64gb"), _item("Phone 32gb"))
    assert found["item_detailed"][0] > 0 == found["item_detailed"][1]


def test_that_without_details_nothing_is_said() -> None:
    found = details(_listing("Sony TV 55"), _item("Sony TV 65"), _item("Philips"))
    assert all(value == 0 for values in found.values() for value in values)


def test_that_what_no_item_says_stays_the_rarest_thing_missing() -> None:
    found = details(_listing("beacon dusk unheardof"), _item("Beacon", colour="Dusk"), _item("Noon"))
    assert found["listing_detailed"][0] > 0
    assert found["listing_missing_detailed"] == [0, 0]


@pytest.mark.parametrize(
    "markup",
    [
        "<p>six <b>ounce</b></p>",
        "&lt;p&gt;six &lt;b&gt;ounce&lt;/b&gt;&lt;/p&gt;",
        "&amp;lt;p&amp;gt;six ounce",
        "six ounce https://shop.example/pound?a=b www.shop.example/pound",
    ],
)
def test_that_markup_and_links_are_no_words(markup: str) -> None:
    assert details_of(_listing("l", markup), ()).split() == ["six", "ounce"]


def test_that_a_smaller_than_sign_is_no_markup() -> None:
    assert details_of(_listing("l", "weight < 5 kg, length > 2 m"), ()) == "weight < 5 kg, length > 2 m"


def test_that_the_end_of_a_megabyte_is_not_read_and_attributes_come_first() -> None:
    listing = _listing("l", "long " * 200_000, colour="dusk")
    assert details_of(listing, {"colour"}).split()[0] == "dusk"
    assert len(details_of(_listing("l", "long " * 200_000), ())) == MOST_CHARACTERS


def test_that_a_catalogue_may_be_empty() -> None:
    book = DetailBook([], [])
    nothing = np.zeros(0, np.int64)
    listing = _listing("Sony", "TV")
    book.fill(
        np.zeros((0, len(EVIDENCE_NAMES)), np.float32),
        book.side([listing], _parsed([listing])),
        nothing,
        nothing,
    )


def test_that_evidence_has_the_columns_and_the_others_are_as_without_details() -> None:
    items = [_item("Tetra Wafers 6 Ounce"), _item("Tetra Wafers 3 Pound", "For 6 fishes")]
    bare = [_item(item.title) for item in items]
    evidence = {}
    for name, listing, catalogue in (
        ("bare", _listing("Tetra Wafers 6"), bare),
        ("with", _listing("Tetra Wafers 6", "six ounce"), items),
    ):
        nothing = np.zeros(2, np.float32)
        pairs = Pairs(np.zeros(2, np.int64), np.arange(2), nothing, nothing, nothing, nothing)
        builder = EvidenceBuilder(catalogue, [item.title for item in catalogue])
        evidence[name] = builder.evidence([listing], [listing.title], pairs)
    mine = [column(name) for name in NAMES]
    assert not evidence["bare"][:, mine].any()
    assert evidence["with"][:, mine].any(axis=0).all()
    others = np.setdiff1d(np.arange(len(EVIDENCE_NAMES)), mine)
    assert np.array_equal(evidence["with"][:, others], evidence["bare"][:, others])


_WORDS = st.lists(st.sampled_from(["ant", "bee", "cat", "dog", "elk", "fox"]), max_size=5).map(" ".join)


@given(st.lists(st.tuples(_WORDS, _WORDS), min_size=1, max_size=4), _WORDS, _WORDS)
def test_that_the_columns_are_those_of_plain_loops(
    catalogue: list[tuple[str, str]], title: str, description: str
) -> None:
    items = [_item(*texts) for texts in catalogue]
    found = details(_listing(title, description), *items)

    count = {}
    for one, more in catalogue:
        for word in {*one.split(), *more.split()}:
            count[word] = count.get(word, 0) + 1
    idf = {word: np.log((1 + len(items)) / (1 + n)) + 1 for word, n in count.items()}
    unseen = np.log(1 + len(items)) + 1

    def compare(one: str, other: str, more: str) -> tuple[float, float, float]:
        words, told, also = set(one.split()), set(other.split()), set(more.split())
        weight = {word: idf.get(word, unseen) for word in words}
        total = max(sum(weight.values()), 1e-6)
        lacked = {w: weight[w] for w in words - told}
        left = {w: weight[w] for w in words - told - also}
        lowered = max(lacked.values(), default=0) - max(left.values(), default=0)
        known = {word for word in words if word in idf}
        return (
            sum(weight[w] for w in known & told) / total,
            sum(weight[w] for w in (known & also) - told) / total,
            lowered if known == words else 0.0,
        )

    sides = {
        "item": [compare(one, title, description) for one, _ in catalogue],
        "listing": [compare(title, one, more) for one, more in catalogue],
    }
    rows = np.zeros(len(items), np.int64)
    for name, said in sides.items():
        told, more, lowered = (np.asarray(column_, np.float32) for column_ in zip(*said, strict=True))
        assert found[f"{name}_detailed"] == pytest.approx(more.tolist(), abs=1e-5)
        assert found[f"{name}_missing_detailed"] == pytest.approx(lowered.tolist(), abs=1e-5)
        expected = margin_to_best_other(told + more, rows) - margin_to_best_other(told, rows)
        assert found[f"{name}_detailed_margin"] == pytest.approx(expected.tolist(), abs=1e-5)
