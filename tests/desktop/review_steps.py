"""What tests of the review screen do over and over."""

from __future__ import annotations

from collections.abc import Callable

from pytestqt.qtbot import QtBot

from desktop.screens.review import ReviewScreen

Press = Callable[..., None]


def front(review: ReviewScreen) -> int:
    """The listing in front; 0 for none."""
    return review.desk.front.listing_id if review.desk.front else 0


def wait_for(qtbot: QtBot, review: ReviewScreen, listing_id: int) -> None:
    qtbot.waitUntil(lambda: front(review) == listing_id and not review.desk.saving)
