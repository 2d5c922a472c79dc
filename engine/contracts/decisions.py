"""Decisions: the append-only verdicts of reviewers."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """What a reviewer says about one listing."""

    MATCH = "match"
    VARIANT = "variant"
    NONE = "none"
    NEW_ITEM = "new_item"
    UNSURE = "unsure"
    BAD_LISTING = "bad_listing"


#: Verdicts that name an item.
VERDICTS_WITH_ITEM = frozenset({Verdict.MATCH, Verdict.VARIANT})
#: Verdicts that say "no item of the catalogue is this product".
VERDICTS_WITHOUT_MATCH = frozenset({Verdict.VARIANT, Verdict.NONE, Verdict.NEW_ITEM})
#: Verdicts that answer the question; the others leave it open or void it.
ANSWERING_VERDICTS = frozenset({Verdict.MATCH, Verdict.VARIANT, Verdict.NONE, Verdict.NEW_ITEM})


class Stream(StrEnum):
    """How a listing came to be judged. Only ``random`` certifies; ``learning`` and ``manual`` teach."""

    RANDOM = "random"
    LEARNING = "learning"
    MANUAL = "manual"


class QueueOrder(StrEnum):
    """Orders of the review queue.

    ``recheck`` is of decided listings: those that training found hard to believe.
    """

    GAIN = "gain"
    UNCERTAIN = "uncertain"
    OLDEST = "oldest"
    FAMILY = "family"
    RANDOM = "random"
    RECHECK = "recheck"


#: Orders of what waits for its first answer.
WAITING_ORDERS = tuple(order for order in QueueOrder if order is not QueueOrder.RECHECK)


@dataclass(frozen=True, slots=True)
class Decision:
    """One verdict of one reviewer on one listing. Never changed; ``undone`` is derived.

    ``shown`` are the item numbers that were on screen, best first; ``rejected`` those the reviewer
    turned down one by one. ``also_right`` are the items besides ``item_id`` that they said match as well,
    for ``match`` only; an item that is not named in a match counts as wrong. ``draw_probability`` is set
    for the random stream.
    """

    id: int
    listing_id: int
    verdict: Verdict
    item_id: int | None
    reviewer: str
    decided_at: str
    stream: Stream
    release_id: str | None
    shown: tuple[int, ...] = ()
    rejected: tuple[int, ...] = ()
    draw_id: int | None = None
    draw_probability: float | None = None
    note: str = ""
    undone: bool = False
    also_right: tuple[int, ...] = ()

    @property
    def right_items(self) -> tuple[int, ...]:
        """Every item the decision says is right, the one it confirms first; empty for all but a match."""
        if self.verdict != Verdict.MATCH or self.item_id is None:
            return ()
        return (self.item_id, *self.also_right)

    def confirms(self, item_id: int | None) -> bool:
        """Whether the decision says that an item is right for its listing."""
        return item_id is not None and item_id in self.right_items

    def agrees_with(self, other: Decision) -> bool:
        """Whether two say the same: for matches, that one item at least is right to both."""
        if self.verdict != other.verdict:
            return False
        if self.verdict == Verdict.MATCH:
            return any(other.confirms(item_id) for item_id in self.right_items)
        return self.item_id == other.item_id


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """A decision with the words a person needs to recognise it.

    ``also_right`` are external id and title of the other items it says are right.
    """

    decision: Decision
    listing_external_id: str
    listing_title: str
    item_external_id: str
    item_title: str
    feed: str
    also_right: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class DecisionFileReport:
    """What ``alcove decide --from FILE`` did."""

    rows: int
    decided: int
    unchanged: int
    refused: tuple[tuple[int, str], ...]
    second_opinions: int = 0
