"""Giving a second opinion, and taking the last thing back, be it a decision or a second opinion.

A second opinion is durable like a decision and acts on nothing: the decision in force, its alias, its
pairs and the certificate stay as they are until somebody adjudicates.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from engine.contracts import Decision, SecondOpinion, Stream, Verdict
from engine.errors import InputError, StaleChangeError
from engine.review import undo as undoing
from engine.review.decisions import RowItems, check_items, check_words, on_screen

if TYPE_CHECKING:
    from engine.review.decision_file import DecisionRow
    from engine.store import UnitOfWork


def give(
    uow: UnitOfWork,
    *,
    listing_id: int,
    about: int,
    verdict: Verdict,
    item_id: int | None,
    reviewer: str,
    rejected: Sequence[int] = (),
    also_right: Sequence[int] = (),
    note: str = "",
    champion: str | None,
    now: str,
) -> SecondOpinion:
    """Add a second opinion on a decided listing.

    Args:
        uow: a writing unit of work.
        listing_id: the listing's number.
        about: the decision it is compared with; it must be in force, and somebody else's.
        verdict: what the reviewer says.
        item_id: the item's number, for ``match`` and ``variant`` only.
        reviewer: who says it; they must not have seen the listing before.
        rejected: items that were turned down one by one.
        also_right: items besides ``item_id`` that match as well, for ``match`` only.
        note: free text.
        champion: the running release, or None.
        now: the moment, ISO 8601 in UTC.

    Raises:
        InputError: verdict, items and rejected items do not go together, or the reviewer is not named.
        NotInWorkspaceError: there is no such listing or item.
        StaleChangeError: the reviewer is not asked about this decision (any more).
    """
    verdict = Verdict(verdict)
    check_words(verdict, item_id, reviewer, rejected, also_right)
    uow.listings.get(listing_id)
    check_items(uow, item_id, (*rejected, *also_right))
    asked = uow.overlaps.asked_on(listing_id, reviewer.strip())
    if asked is None or asked.about != about:
        raise StaleChangeError(
            f"{reviewer.strip()} is not asked for a second opinion on listing {listing_id} any more: "
            "show the queue again"
        )
    placement, shown = uow.listings.placement(listing_id), uow.settings.load().shown_candidates
    candidates = on_screen(placement, (item_id, *also_right), shown)
    return uow.opinions.add(
        SecondOpinion(
            id=0,
            listing_id=listing_id,
            verdict=verdict,
            item_id=item_id,
            reviewer=reviewer.strip(),
            decided_at=now,
            stream=Stream.RANDOM,
            release_id=champion,
            rejected=tuple(dict.fromkeys(rejected)),
            also_right=tuple(dict.fromkeys(also_right)),
            note=note.strip(),
            about=about,
            overlap_id=asked.overlap_id,
        ),
        candidates=candidates,
    )


def give_row(
    uow: UnitOfWork,
    row: DecisionRow,
    *,
    listing_id: int,
    items: RowItems,
    reviewer: str,
    champion: str | None,
    now: str,
) -> bool | None:
    """Take a row of a decision file as a second opinion, where its reviewer is asked for one.

    Returns:
        True: it was added. False: it says what its reviewer's second opinion says already. None: its
        reviewer is not asked, so that it is a decision.

    Raises:
        StaleChangeError: its reviewer has given another second opinion on the listing.
        InputError: verdict and item do not go together.
    """
    given = uow.opinions.given_by(listing_id, reviewer.strip())
    if given is not None and uow.decisions.in_force_for(listing_id) is not None:
        if items.said_by(given, row.verdict):
            return False
        raise StaleChangeError(
            f"{reviewer.strip()} has given another second opinion on this listing; undo it first"
        )
    asked = uow.overlaps.asked_on(listing_id, reviewer.strip())
    if asked is None:
        return None
    give(
        uow,
        listing_id=listing_id,
        about=asked.about,
        verdict=row.verdict,
        item_id=items.item_id,
        also_right=items.also_right or (),
        reviewer=reviewer,
        note=row.note,
        champion=champion,
        now=now,
    )
    return True


def undo_last(uow: UnitOfWork) -> Decision | SecondOpinion:
    """Take back whatever was said last, in any depth and across restarts.

    Raises:
        StaleChangeError: there is nothing to undo.
    """
    decision, given = uow.decisions.last_undoable(), uow.opinions.last("given")
    if given is not None:
        opinion, place, _ = given
        if decision is None or place >= uow.opinions.decision_place(decision.id):
            return uow.opinions.undo(opinion.id)
    return undoing.undo(uow, None)


def redo_last(uow: UnitOfWork) -> Decision | SecondOpinion:
    """Say again what was taken back last, unless something new was said since.

    Raises:
        StaleChangeError: there is nothing to redo.
    """
    decision, undone = uow.decisions.last_redoable(), uow.opinions.last("undone")
    newest_place, newest_event = uow.opinions.last_added()
    if undone is not None:
        opinion, place, event = undone
        current = decision is None or place >= uow.opinions.decision_place(decision.id)
        if current and event > newest_event and not uow.opinions.decision_added_after(place):
            return uow.opinions.redo(opinion.id)
    if decision is not None and newest_place >= uow.opinions.decision_place(decision.id):
        raise StaleChangeError("there is nothing to redo: a second opinion was given since the last undo")
    return undoing.redo(uow)


def mark_gold(uow: UnitOfWork, decision_id: int, *, gold: bool, reviewer: str, now: str) -> None:
    """Mark a decision as certain, so that others are asked about it blind; or not any more.

    Raises:
        NotInWorkspaceError: there is no such decision.
        StaleChangeError: it is not in force.
        InputError: it says ``unsure``, or the mark is there (or not there) already.
    """
    decision = uow.decisions.get(decision_id)
    if gold and decision.undone:
        raise StaleChangeError(f"decision {decision_id} is not in force, so it cannot be gold")
    if gold and decision.verdict == Verdict.UNSURE:
        raise InputError("an unsure decision cannot be gold; decide the listing first")
    if uow.overlaps.is_gold(decision_id) == gold:
        raise InputError(f"decision {decision_id} is {'gold already' if gold else 'not gold'}")
    uow.overlaps.mark_gold(decision_id, gold, reviewer.strip(), now)
