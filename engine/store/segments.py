"""Counts of listings by segment, and the answered draws that say how right they are.

One grouped statement for each grouping, over ``listing_route`` and ``listing_trait`` side by side in the
order of listings: no title, no description and no candidate list is read, except the candidate lists of
the audits themselves.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, select

from engine.contracts.decisions import ANSWERING_VERDICTS, Verdict
from engine.store.packing import is_in, unpack_candidates
from engine.store.schema import ListingRow

#: What listings can be grouped by, each in a statement of its own; ``popularity`` gives one group for
#: each number of listings that share an item, ``form`` one for each feed, pack or not, model code or not.
SegmentKey = Literal["brand", "category", "popularity", "form"]

_KEYS: dict[SegmentKey, str] = {
    "brand": "t.brand",
    "category": "t.category",
    "popularity": "r.item_id",
    "form": "r.feed_id * 4 + t.pack * 2 + t.model_code",
}
#: Listings by item; a listing without one (no candidate, or "not in catalogue") shares nothing.
_SHARED = (
    "WITH s AS MATERIALIZED (SELECT item_id, count(*) AS shared FROM listing_route"
    " WHERE item_id IS NOT NULL GROUP BY item_id) "
)
#: The reserve's matched listings are what draws are made from; decided ones stay part of it.
_RESERVE = "r.reserve = 1 AND r.machine_route IS NOT NULL"
#: What a listing counts for, as bits: SQLite sorts rows by group, and narrow rows sort quicker.
_BITS = f"""(r.route IS 'automated' OR (r.route IS 'settled' AND r.reason IS 'memory'))
    + 2 * (r.route IS 'automated' AND r.reason IS NOT 'not_in_catalogue')
    + 4 * (r.machine_route IS NOT NULL AND r.decided = 0)
    + 8 * ({_RESERVE})
    + 16 * ({_RESERVE} AND max(coalesce(r.confidence, 0), ?5 * coalesce(r.none_confidence, 0)) >= ?1)"""
_COUNTED = """
    count(*) AS listings, sum(bits & 1) AS alone, sum(bits >> 1 & 1) AS matches, sum(bits >> 2 & 1) AS open,
    sum(bits >> 3 & 1) AS reserve, sum(bits & 8 AND inclusion >= ?3) AS reached,
    min(CASE WHEN bits & 8 AND inclusion >= ?3 THEN inclusion END) AS least,
    sum(bits >> 4 & 1) AS accepted, sum(bits & 16 AND inclusion >= ?4) AS accepted_reached,
    min(CASE WHEN bits & 16 AND inclusion >= ?4 THEN inclusion END) AS accepted_least,
    min(listing_id) AS first_listing"""
_SUMMED = """
    sum(listings), sum(alone), sum(matches), sum(open), sum(reserve), sum(reached), min(least),
    sum(accepted), sum(accepted_reached), min(accepted_least), min(first_listing)"""
#: A threshold that no confidence reaches.
_NOTHING = 2.0
#: The least inclusion probability that is one.
_HARDLY = 1e-12


@dataclass(frozen=True, slots=True)
class ReserveCounts:
    """A part of the reserve: its listings, those that audits reach, and the rarest chance among these.

    ``reached`` have at least the asked-for inclusion probability, ``least_inclusion`` is the smallest
    of theirs; None where there are none.
    """

    listings: int
    reached: int
    least_inclusion: float | None

    def __add__(self, other: ReserveCounts) -> ReserveCounts:
        both = [part.least_inclusion for part in (self, other) if part.least_inclusion is not None]
        return ReserveCounts(
            self.listings + other.listings, self.reached + other.reached, min(both, default=None)
        )


@dataclass(frozen=True, slots=True)
class SegmentCounts:
    """One group. ``alone`` are settled without a person, ``open`` placed by the machine and undecided.

    ``accepted`` is the part of the reserve at or above the threshold. ``first_listing`` is a listing of
    the group, to show how it spells what it is grouped by.
    """

    key: str | int
    listings: int
    alone: int
    automated_matches: int
    open: int
    reserve: ReserveCounts
    accepted: ReserveCounts
    first_listing: int

    def __add__(self, other: SegmentCounts) -> SegmentCounts:
        """Two groups as one, under the key of the first."""
        return SegmentCounts(
            key=self.key,
            listings=self.listings + other.listings,
            alone=self.alone + other.alone,
            automated_matches=self.automated_matches + other.automated_matches,
            open=self.open + other.open,
            reserve=self.reserve + other.reserve,
            accepted=self.accepted + other.accepted,
            first_listing=min(self.first_listing, other.first_listing),
        )


def form_of(key: int) -> tuple[int, int, int]:
    """The feed, whether a pack, and whether with a model code, of a group of ``form``."""
    return key // 4, key // 2 % 2, key % 2


@dataclass(frozen=True, slots=True)
class AuditRow:
    """An answered draw of the random stream, in force, on a listing that could have been drawn.

    ``best_item`` is the machine's best candidate, 0 for none; ``right_items`` those that the reviewer's
    match names, none where the verdict is another. ``shared`` counts the listings with the same item.
    """

    listing_id: int
    feed: int
    brand: str
    category: str
    pack: int
    model_code: int
    shared: int
    confidence: float
    similarity: float
    inclusion: float
    verdict: str
    best_item: int
    nearest_item: int
    right_items: frozenset[int]
    none_confidence: float

    @property
    def right(self) -> bool:
        """Whether the reviewer's match names the machine's best candidate."""
        return self.best_item in self.right_items

    @property
    def nearest_right(self) -> bool:
        """Whether the reviewer's match names the candidate of highest similarity."""
        return self.nearest_item in self.right_items

    @property
    def says_none(self) -> bool:
        """Whether the likelier answer is "not in catalogue"."""
        return self.none_confidence > self.confidence

    def of_answer(self) -> tuple[float, bool]:
        """Confidence of the answer under one promise for both kinds, and whether it is right."""
        if self.says_none:
            said_none = self.verdict in ANSWERING_VERDICTS and self.verdict != Verdict.MATCH
            return self.none_confidence, said_none
        return self.confidence, self.right

    def judged(self, *, together: bool) -> tuple[float, bool]:
        """Confidence and rightness of what the promise is about: the best candidate, or the answer."""
        return self.of_answer() if together else (self.confidence, self.right)


class Segments:
    """Listings and audits by segment."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def counts(
        self,
        key: SegmentKey,
        threshold: float | None,
        most: int | None = None,
        *,
        reach: float = 0.0,
        accepted_reach: float = 0.0,
        together: bool = False,
    ) -> list[SegmentCounts]:
        """Groups by number of listings, largest first; at most ``most`` of them.

        Args:
            key: what to group by.
            threshold: of the certificate, None where nothing is certified.
            most: the most groups to return; None for all.
            reach: reserve listings count as reached from this inclusion probability on (0: above 0).
            accepted_reach: the same among those at or above the threshold.
            together: the threshold is on the answer's confidence, "not in catalogue" included.
        """
        join = "" if key == "popularity" else " JOIN listing_trait t ON t.listing_id = r.listing_id"
        # The inner limit keeps SQLite from merging the two queries and sorting the wide rows after all.
        grouped = (
            f"SELECT key, {_COUNTED} FROM (SELECT {_KEYS[key]} AS key, {_BITS} AS bits, r.inclusion,"
            f" r.listing_id FROM listing_route r{join} LIMIT -1) GROUP BY key"
        )
        if key == "popularity":
            of_item = "CASE WHEN key IS NULL THEN 0 ELSE listings END"
            grouped = f"SELECT {of_item} AS key, {_SUMMED} FROM ({grouped}) GROUP BY 1"
        rows = self._connection.exec_driver_sql(
            f"{grouped} ORDER BY 2 DESC, 1 LIMIT ?2",
            (
                _NOTHING if threshold is None else threshold,
                -1 if most is None else most,
                max(reach, _HARDLY),
                max(accepted_reach, _HARDLY),
                int(together),
            ),
        )
        return [_counts_of(row) for row in rows]

    def distinct(self, key: SegmentKey) -> int:
        """How many different brands or categories there are."""
        if key not in ("brand", "category"):
            raise ValueError(f"only brands and categories are counted, not {key}")
        return int(
            self._connection.exec_driver_sql(f"SELECT count(DISTINCT {key}) FROM listing_trait").scalar_one()
        )

    def spellings(self, key: SegmentKey, listing_ids: list[int]) -> dict[int, str]:
        """Brand or category of some listings as their feeds spell it."""
        column = ListingRow.brand if key == "brand" else ListingRow.category
        rows = self._connection.execute(
            select(ListingRow.id, column).where(is_in(ListingRow.id, listing_ids))
        )
        return {id_: " ".join(text.split()) for id_, text in rows}

    def audits(self) -> list[AuditRow]:
        """The answered draws, by listing. Their own candidate lists are read: a few thousand at most."""
        rows = self._connection.exec_driver_sql(
            f"""{_SHARED}
            SELECT r.listing_id, r.feed_id, t.brand, t.category, t.pack, t.model_code, coalesce(s.shared, 0),
                r.confidence, r.inclusion, d.verdict, d.item_id, d.also_right, c.candidates, r.none_confidence
            FROM decision_state ds
            JOIN decision d ON d.id = ds.decision_id
            JOIN listing_route r ON r.listing_id = ds.listing_id
            JOIN listing_trait t ON t.listing_id = ds.listing_id
            LEFT JOIN candidate_list c ON c.listing_id = ds.listing_id
            LEFT JOIN s ON s.item_id = r.item_id
            WHERE ds.state = 'in_force' AND ds.stream = 'random' AND d.draw_id IS NOT NULL
                AND {_RESERVE} AND r.inclusion > 0
            ORDER BY r.listing_id"""
        )
        return [_audit_of(tuple(row)) for row in rows]

    def reserve(self, *, together: bool = False) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Confidence and inclusion probability of the matched reserve of every feed drawn from.

        ``together``: the confidence of the answer, "not in catalogue" included.
        """
        confidence = "max(r.confidence, r.none_confidence)" if together else "r.confidence"
        rows = self._connection.exec_driver_sql(
            f"""SELECT {confidence}, r.inclusion FROM listing_route r WHERE {_RESERVE} AND r.feed_id IN
                (SELECT DISTINCT feed_id FROM listing_route WHERE reserve = 1 AND inclusion > 0)"""
        ).all()
        values = np.array([tuple(row) for row in rows], dtype=np.float64).reshape(-1, 2)
        return values[:, 0], values[:, 1]

    def of_reserve(self) -> dict[int, str]:
        """The segment of every listing of the matched reserve: its category, or its feed without one.

        Categories are named as their first listing spells them.
        """
        rows = self._connection.exec_driver_sql(
            f"""SELECT r.listing_id, t.category, f.name FROM listing_route r
                JOIN listing_trait t ON t.listing_id = r.listing_id JOIN feed f ON f.id = r.feed_id
                WHERE {_RESERVE} ORDER BY r.listing_id"""
        ).all()
        first: dict[str, int] = {}
        for id_, category, _ in rows:
            first.setdefault(category, id_)
        spelled = self.spellings("category", [id_ for category, id_ in first.items() if category])
        return {id_: spelled[first[category]] if category else feed for id_, category, feed in rows}


def _counts_of(row: Any) -> SegmentCounts:  # noqa: ANN401
    key, listings, alone, matches, open_, *reserve = row
    total, reached, least, accepted, accepted_reached, accepted_least, first = reserve
    return SegmentCounts(
        key=key,
        listings=listings,
        alone=alone or 0,
        automated_matches=matches or 0,
        open=open_ or 0,
        reserve=ReserveCounts(total or 0, reached or 0, least),
        accepted=ReserveCounts(accepted or 0, accepted_reached or 0, accepted_least),
        first_listing=first,
    )


def _audit_of(row: tuple[Any, ...]) -> AuditRow:
    id_, feed, brand, category, pack, model_code, shared, confidence, *rest = row
    inclusion, verdict, item, also_right, packed, none_confidence = rest
    candidates = unpack_candidates(packed or b"")
    nearest = max(candidates, key=lambda candidate: candidate.similarity, default=None)
    return AuditRow(
        listing_id=id_,
        feed=feed,
        brand=brand,
        category=category,
        pack=pack,
        model_code=model_code,
        shared=shared,
        confidence=confidence if confidence is not None else 0.0,
        similarity=nearest.similarity if nearest else 0.0,
        inclusion=inclusion,
        verdict=verdict,
        best_item=candidates[0].item_id if candidates else 0,
        nearest_item=nearest.item_id if nearest else 0,
        right_items=frozenset((item, *json.loads(also_right)) if verdict == "match" and item else ()),
        none_confidence=none_confidence if none_confidence is not None else 0.0,
    )
