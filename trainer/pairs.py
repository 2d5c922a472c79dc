"""What training and validation know about listings and items, without the tables it was read from."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class JudgedListing:
    """A listing and what reviewers said about its candidates; items are rows of :attr:`PairSet.item_texts`.

    Attributes:
        text: its record text.
        matches: confirmed items.
        variants: items that are another version of it.
        rejected: candidates shown and turned down, in the order of the file.
        weight: by match; a listing without a match has one weight under the key None.
        mined: candidates that nobody judged and that are very probably wrong.
        listing_id: as in the file.
    """

    text: str
    matches: tuple[int, ...]
    variants: tuple[int, ...]
    rejected: tuple[int, ...]
    weight: dict[int | None, float]
    mined: tuple[int, ...] = ()
    listing_id: str = ""

    def teaches(self, unmatched: bool) -> bool:
        """Whether it joins batches; with ``unmatched`` also without a match, for its rejected candidates."""
        return bool(self.matches) or (unmatched and bool(self.variants + self.rejected))


@dataclass(frozen=True)
class PairSet:
    """Everything a run learns from.

    Attributes:
        item_texts: record text of every item in ``items.parquet``; an item's number is its row here.
        train: listings of role train.
        validation: listings of role validation.
        same_text: for each item the number of the first item with the same text: to an encoder they
            are one.
        item_ids: of the items, as in the file.
        notices: what was left out or counts little, and why, one line each.
        fingerprint: hash of the two tables.
    """

    item_texts: tuple[str, ...]
    train: tuple[JudgedListing, ...]
    validation: tuple[JudgedListing, ...]
    same_text: tuple[int, ...]
    item_ids: tuple[str, ...] = field(default=())
    notices: tuple[str, ...] = field(default=())
    fingerprint: str = ""

    @property
    def pair_count(self) -> int:
        """Confirmed pairs of role train."""
        return sum(len(listing.matches) for listing in self.train)
