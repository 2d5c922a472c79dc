"""Memory: what confirmed listings say of others with the same text, and when it says nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, func, select, true, update

from engine.contracts.decisions import ANSWERING_VERDICTS, Stream, Verdict
from engine.contracts.matching import Route, RouteReason
from engine.store.aliases import ACTIVE
from engine.store.packing import is_in
from engine.store.schema import AliasRow, DecisionRow, DecisionStateRow, ListingRouteRow, ListingRow

_OTHER_ANSWERS = tuple(sorted(verdict.value for verdict in ANSWERING_VERDICTS - {Verdict.MATCH}))


@dataclass(frozen=True, slots=True)
class Remembered:
    """What a text was confirmed as: the item, and on how many listings."""

    item_id: int
    confirmations: int


class Memory:
    """Exact repeats of confirmed listings. It rests on aliases: an undone decision is forgotten."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def recall(self, text_keys: Sequence[str]) -> dict[str, Remembered]:
        """What each text key was confirmed as; those on which decisions disagree are left out.

        A decision that no item matches, or only a variant, disagrees too. Decisions of the random
        stream have no part in it: they certify, and settle nothing but their own listing.
        """
        found: dict[str, Remembered] = {}
        for keys in _chunks(text_keys):
            rows = self._connection.execute(
                select(AliasRow.text_key, func.min(AliasRow.item_id), func.count())
                .join(DecisionStateRow, DecisionStateRow.decision_id == AliasRow.decision_id)
                .where(*ACTIVE, is_in(AliasRow.text_key, keys))
                .group_by(AliasRow.text_key)
                .having(func.min(AliasRow.item_id) == func.max(AliasRow.item_id))
            )
            agreed = {key: Remembered(item_id, count) for key, item_id, count in rows}
            contested = self._connection.execute(
                select(ListingRow.text_key)
                .join(DecisionStateRow, DecisionStateRow.listing_id == ListingRow.id)
                .join(DecisionRow, DecisionRow.id == DecisionStateRow.decision_id)
                .where(
                    is_in(ListingRow.text_key, sorted(agreed)),
                    DecisionStateRow.state == "in_force",
                    DecisionStateRow.stream != Stream.RANDOM.value,
                    DecisionRow.verdict.in_(_OTHER_ANSWERS),
                )
                .distinct()
            )
            for key in contested.scalars():
                del agreed[key]
            found |= agreed
        return found

    def first_repeats(self, text_keys: Sequence[str], most: int) -> set[int]:
        """The first ``most`` undecided listings of each text key, in the order of import."""
        found: set[int] = set()
        for keys in _chunks(text_keys):
            place = func.row_number().over(partition_by=ListingRow.text_key, order_by=ListingRow.id)
            ranked = (
                select(ListingRow.id, place.label("place"))
                .join(ListingRouteRow, ListingRouteRow.listing_id == ListingRow.id)
                .where(is_in(ListingRow.text_key, keys), ListingRouteRow.decided == 0)
                .subquery()
            )
            found.update(
                self._connection.execute(select(ranked.c.id).where(ranked.c.place <= most)).scalars()
            )
        return found

    def forget(self, text_key: str) -> int:
        """Send what memory had settled back to review where it does not remember that item any more.

        Returns:
            How many listings that were.
        """
        kept = self.recall([text_key]).get(text_key)
        same_text = select(ListingRow.id).where(ListingRow.text_key == text_key)
        sent = self._connection.execute(
            update(ListingRouteRow)
            .where(
                ListingRouteRow.listing_id.in_(same_text),
                ListingRouteRow.machine_reason == RouteReason.MEMORY.value,
                ListingRouteRow.item_id != kept.item_id if kept else true(),
            )
            .values(machine_route=Route.REVIEW.value, machine_reason=RouteReason.UNCONFIRMED.value)
        )
        return sent.rowcount


def _chunks(text_keys: Sequence[str]) -> Iterator[list[str]]:
    keys = list(dict.fromkeys(text_keys))
    for start in range(0, len(keys), 2000):
        yield keys[start : start + 2000]
