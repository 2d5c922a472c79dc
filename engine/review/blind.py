"""Blind entries: audits and second opinions, which nobody may be able to tell apart.

Both are made here and only here, so that what one of them tells the other tells too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.contracts import Listing, QueueEntry, RouteReason, Stream

if TYPE_CHECKING:
    from engine.store import QueueRow


def blind_entry(
    listing: Listing | QueueRow, feed: str, *, draw_id: int | None = None, about: int | None = None
) -> QueueEntry:
    """A listing as an entry that looks the same whatever the machine or a colleague thinks of it.

    Args:
        listing: the listing, or its row of the queue.
        feed: the name of its feed.
        draw_id: of the draw that an audit answers.
        about: the decision that a second opinion is compared with.
    """
    return QueueEntry(
        listing_id=listing.id if isinstance(listing, Listing) else listing.listing_id,
        external_id=listing.external_id,
        title=listing.title,
        feed=feed,
        reason=RouteReason.AUDIT,
        confidence=0.0,
        margin=0.0,
        stream=Stream.RANDOM.value,
        draw_id=draw_id,
        blind=True,
        about=about,
    )
