"""Descriptions in review: what of them is shown, and what answers for a word of the other title."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from desktop.item_models.details import Stretch, details_said, stretches
from desktop.item_models.presentation import sketch
from desktop.widgets.listing_card import ListingCard
from engine.contracts import (
    Candidate,
    CandidateView,
    Item,
    Listing,
    QueueEntry,
    ReviewCard,
    RouteReason,
)
from engine.contracts.details import attribute_names


def told(pieces: tuple[Stretch, ...]) -> list[str]:
    return [piece.text for piece in pieces if piece.told]


def text(pieces: tuple[Stretch, ...]) -> str:
    return "".join(piece.text for piece in pieces)


def test_that_words_are_marked_however_they_are_written() -> None:
    found = stretches("A bag of 6 oz, for wh 1000xm4 (black).", {"6oz", "wh1000xm4", "black"})
    assert told(found) == ["6 oz", "wh 1000xm4", "black"]
    assert text(found) == "A bag of 6 oz, for wh 1000xm4 (black)."


def test_that_markup_is_taken_off_and_not_shown() -> None:
    assert text(stretches("&lt;p&gt;six &amp;amp; <b>more</b>&lt;/p&gt;", ())) == "six & more"


def test_that_a_long_description_is_cut_around_what_was_found() -> None:
    found = stretches("filler " * 300 + "weighs 6 oz net " + "filler " * 200, {"6oz"})
    assert told(found) == ["6 oz"]
    assert len(text(found)) <= 720
    assert text(found).startswith("filler ")
    assert text(found).endswith(" …")


def test_that_nothing_is_shown_of_no_description() -> None:
    assert stretches("  ", {"a"}) == stretches("<br/>", ()) == ()


@given(st.text(alphabet="ab <\n", max_size=2000), st.sets(st.sampled_from(["a", "b", "ab", "aa"])))
def test_that_what_is_shown_is_of_the_text_and_in_order(description: str, wanted: set[str]) -> None:
    pieces = stretches(description, wanted)
    assert len(text(pieces)) <= 720
    at, whole = 0, " ".join(description.split())
    for piece in pieces:
        if "…" not in piece.text:
            at = whole.index(piece.text, at) + len(piece.text)


def test_that_only_the_attributes_that_count_are_read() -> None:
    listing = Listing(1, "l", "t", brand="LG", attributes={"Vendor": "shop 7", "colour": "Blau"})
    item = Item(2, "i", "t", attributes={"Colour": "blue", "Vendor": ""})
    assert {"lg", "blue", "shop"} <= details_said(listing, attribute_names(item, listing))
    assert "shop" not in details_said(listing, {"colour"})


def card(description: str, *items: Item) -> ReviewCard:
    listing = Listing(1, "L1", "Tetra wafers", description=description)
    views = tuple(CandidateView(Candidate(item.id, 0.5, 0.5, 0.5), item) for item in items)
    entry = QueueEntry(
        1, "L1", listing.title, "feed", RouteReason.TIE, 0.5, 0.0, "learning", None, blind=False
    )
    return ReviewCard(entry, listing, views, {}, 0, None)


def test_that_both_descriptions_show_and_their_answers_are_underlined(qtbot: QtBot) -> None:
    shown = sketch(
        card(
            "<b>6 oz</b> <script>alert(1)</script> & more",
            Item(2, "i2", "Tetra wafers 6 oz", description="For fish. Wafers by Tetra."),
            Item(3, "i3", "Tetra wafers 3 lb"),
        )
    )
    widget = ListingCard()
    qtbot.addWidget(widget)
    widget.show()
    widget.show_listing(shown)

    def visible() -> list[str]:
        labels = widget.findChildren(QLabel)
        return [label.text() for label in labels if label.isVisibleTo(widget) and label.text()]

    widget.compare_with(shown, shown.candidates[0])
    assert "Description of this listing" in visible()
    assert "Description of candidate 1" in visible()
    assert "For fish. Wafers by Tetra." in visible()
    assert "<b><u>6 oz</u></b> alert(1) &amp; more" in visible()
    widget.compare_with(shown, shown.candidates[1])
    assert "Description" in visible()
    assert "6 oz alert(1) &amp; more" in visible(), "this candidate does not ask for it"
    widget.compare_with(shown, None)
    assert "6 oz alert(1) &amp; more" in visible()
