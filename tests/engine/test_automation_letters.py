"""Letter by letter: what spaces, hyphens and the cut of a code do not change."""

from __future__ import annotations

import numpy as np
import pytest

from engine.automation.evidence_columns import EVIDENCE_NAMES, column
from engine.automation.letters import LetterBook
from engine.automation.tokens import parse_tokens


def letters(listing: str, *items: str) -> dict[str, list[float]]:
    """The columns of one listing against every item."""
    book = LetterBook(items, [parse_tokens(text) for text in items])
    out = np.zeros((len(items), len(EVIDENCE_NAMES)), np.float32)
    book.fill(
        out,
        book.side([listing], [parse_tokens(listing)]),
        np.zeros(len(items), np.int64),
        np.arange(len(items)),
    )
    names = ("squeezed", "code_likeness", "item_code_letters", "listing_code_letters")
    return {name: out[:, column(name)].tolist() for name in names}


def test_that_spaces_and_hyphens_change_nothing_in_a_squeezed_text() -> None:
    found = letters("Bosch KGN33NL3AG", "bosch KGN 33-NL 3AG", "Bosch KGN36")
    assert found["squeezed"][0] == pytest.approx(1.0)
    assert found["squeezed"][1] < 0.7


def test_that_a_code_is_found_in_a_text_that_writes_it_in_pieces() -> None:
    found = letters("fridge KGN33NL3AG white", "KGN 33 NL 3AG fridge", "Fridge KGN33NL3AG", "Fridge")
    assert found["listing_code_letters"] == pytest.approx([1.0, 1.0, 0.0])
    assert found["item_code_letters"][1] == pytest.approx(1.0)
    assert found["item_code_letters"][2] == 0.0


def test_that_a_code_with_another_digit_is_likened_less_than_the_same_and_more_than_another() -> None:
    found = letters("Miele WCE330", "Miele WCE330", "Miele WCE320", "Miele KFN37232")["code_likeness"]
    assert found[0] == pytest.approx(1.0)
    assert found[0] > found[1] > found[2]


def test_that_texts_without_letters_share_nothing() -> None:
    found = letters("---", "", "Sony")
    assert all(value == 0.0 for values in found.values() for value in values)


def test_that_a_catalogue_may_be_empty() -> None:
    book = LetterBook([], [])
    out = np.zeros((0, len(EVIDENCE_NAMES)), np.float32)
    book.fill(out, book.side(["Sony"], [parse_tokens("Sony")]), np.zeros(0, np.int64), np.zeros(0, np.int64))


def test_that_the_end_of_a_megabyte_is_not_read() -> None:
    found = letters("Sony TV " + "x" * 1_000_000, "Sony TV " + "x" * 2000)
    assert found["squeezed"][0] > 0.9
