"""Adjudicating: where a second opinion contradicts the decision in force, somebody has the last word.

The adjudicated verdict is an ordinary decision: it supersedes the one in force, keeps its draw (an audit
stays an audit, and certifies with the adjudicated answer), and can be undone, which brings the
disagreement back.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from engine.contracts import AdjudicationReport, Decision, Stream, Verdict
from engine.errors import InputError, StaleChangeError
from engine.review.decisions import Resolver, decide

if TYPE_CHECKING:
    from engine.review.decision_file import DecisionFile
    from engine.store import UnitOfWork


def adjudicate(
    uow: UnitOfWork,
    *,
    listing_id: int,
    verdict: Verdict,
    item_id: int | None,
    also_right: Sequence[int] = (),
    reviewer: str,
    note: str = "",
    champion: str | None,
    now: str,
) -> Decision:
    """Settle the disagreement on a listing; also to confirm the decision in force.

    Args:
        uow: a writing unit of work.
        listing_id: the listing's number.
        verdict: the last word.
        item_id: the item's number, for ``match`` and ``variant`` only.
        also_right: items besides ``item_id`` that match as well, for ``match`` only.
        reviewer: who adjudicates.
        note: free text.
        champion: the running release, or None.
        now: the moment, ISO 8601 in UTC.

    Raises:
        StaleChangeError: no disagreement waits on the listing.
        InputError: verdict and items do not go together, it leaves the question open, or the reviewer is
            not named.
    """
    waiting = uow.opinions.disagreement_on(listing_id)
    if waiting is None:
        raise StaleChangeError(f"no disagreement on listing {listing_id} waits for adjudication")
    if verdict == Verdict.UNSURE:
        raise InputError("unsure does not settle a disagreement; leave it in the list instead")
    first = waiting.decision
    made = decide(
        uow,
        listing_id=listing_id,
        verdict=verdict,
        item_id=item_id,
        also_right=also_right,
        reviewer=reviewer,
        note=note,
        stream=None if first.stream == Stream.RANDOM else first.stream,
        champion=champion,
        now=now,
    )
    uow.opinions.adjudicated(made.id, waiting.opinion.id)
    return made


def adjudicate_rows(
    uow: UnitOfWork, file: DecisionFile, *, reviewer: str, champion: str | None, now: str
) -> AdjudicationReport:
    """Adjudicate the rows of a decision file; wrong rows are refused one by one.

    Args:
        uow: a writing unit of work; the caller's transaction keeps all rows or none.
        file: from :func:`read_decision_file`.
        reviewer: who adjudicated the rows that do not name a reviewer.
        champion: the running release, or None.
        now: the moment for rows without ``decided_at``.
    """
    resolve = Resolver(uow, file.rows)
    refused = dict(file.refused)
    adjudicated = 0
    for row in file.rows:
        try:
            items = resolve.items(row)
            adjudicate(
                uow,
                listing_id=resolve.listing(row),
                verdict=row.verdict,
                item_id=items.item_id,
                also_right=items.also_right or (),
                reviewer=row.reviewer or reviewer,
                note=row.note,
                champion=champion,
                now=row.decided_at or now,
            )
            adjudicated += 1
        except InputError as error:
            refused[row.row] = error.message
    return AdjudicationReport(file.total, adjudicated, tuple(sorted(refused.items())))
