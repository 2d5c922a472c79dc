"""Deciding: one verdict on one listing, the same on its identical ones, and whole files of them.

What a decision does beyond being kept depends on how the listing came to be judged:

* ``random``: it was drawn by lot and judged blind. It settles its listing and it certifies. It never
  teaches: no alias, no pair, and it is not applied to identical listings - a label that had any part
  in what is certified could not certify it.
* ``learning`` (from the queue) and ``manual`` (looked up, or the machine had settled it): it settles
  its listing and teaches; a match makes the listing an alias of its item.

A listing with an open draw is judged as that draw whichever way the reviewer came to it. Were it left
out instead, the sample would lose the listings that people look up, and would not be random any more.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, NamedTuple

from engine.contracts import (
    ANSWERING_VERDICTS,
    VERDICTS_WITH_ITEM,
    Candidate,
    Decision,
    DecisionFileReport,
    Route,
    Stream,
    Verdict,
)
from engine.errors import InputError, NotInWorkspaceError, StaleChangeError
from engine.review.decision_file import DecisionFile, DecisionRow, read_decision_file

if TYPE_CHECKING:
    from engine.store import StoredPlacement, UnitOfWork

__all__ = ["decide", "decide_identical", "decide_rows", "read_decision_file"]

_PROGRESS_EVERY = 100


def decide(
    uow: UnitOfWork,
    *,
    listing_id: int,
    verdict: Verdict,
    item_id: int | None,
    reviewer: str,
    draw_id: int | None = None,
    rejected: Sequence[int] = (),
    also_right: Sequence[int] = (),
    note: str = "",
    stream: Stream | None = None,
    copied: bool = False,
    champion: str | None,
    now: str,
) -> Decision:
    """Add one decision and all that follows from it.

    Deciding again supersedes: the earlier decision loses its force (and its alias), and has it again
    when this one is undone. The candidates that were on screen are kept with the decision.

    Args:
        uow: a writing unit of work.
        listing_id: the listing's number.
        verdict: what the reviewer says.
        item_id: the item's number, for ``match`` and ``variant`` only.
        reviewer: who says it.
        draw_id: the draw that is answered; found by itself where the listing has an open one.
        rejected: items that were turned down one by one.
        also_right: items besides ``item_id`` that match as well, for ``match`` only.
        note: free text.
        stream: ``learning`` or ``manual`` to override what the listing's route says; a listing with a
            draw is ``random`` in any case.
        copied: it repeats the answer to an identical listing. Then it settles its listing and teaches,
            but confirms nothing anew: it makes no alias.
        champion: the running release, or None.
        now: the moment of the decision, ISO 8601 in UTC.

    Returns:
        The decision as stored.

    Raises:
        InputError: verdict, items and rejected items do not go together, or the reviewer is not named.
        NotInWorkspaceError: there is no such listing or item.
        StaleChangeError: the draw is of another listing, or does not wait for an answer.
    """
    verdict = Verdict(verdict)
    check_words(verdict, item_id, reviewer, rejected, also_right)
    uow.listings.get(listing_id)
    check_items(uow, item_id, (*rejected, *also_right))
    earlier = uow.decisions.in_force_for(listing_id)
    draw_id = _draw_to_answer(uow, listing_id, draw_id, earlier)
    placement = uow.listings.placement(listing_id)
    if draw_id is not None:
        stream = Stream.RANDOM
    elif stream == Stream.RANDOM:
        raise InputError(
            f"listing {listing_id} was not drawn, so no decision on it belongs to the random stream"
        )
    elif stream is None:
        waits = placement is not None and placement.machine_route == Route.REVIEW
        stream = Stream.LEARNING if waits else Stream.MANUAL
    candidates = on_screen(placement, (item_id, *also_right), uow.settings.load().shown_candidates)
    made = uow.decisions.add(
        Decision(
            id=0,
            listing_id=listing_id,
            verdict=verdict,
            item_id=item_id,
            reviewer=reviewer.strip(),
            decided_at=now,
            stream=stream,
            release_id=champion,
            shown=tuple(candidate.item_id for candidate in candidates),
            rejected=tuple(dict.fromkeys(rejected)),
            also_right=tuple(dict.fromkeys(also_right)),
            draw_id=draw_id,
            note=note.strip(),
        ),
        candidates=candidates,
    )
    if verdict == Verdict.MATCH and item_id is not None and stream != Stream.RANDOM and not copied:
        uow.aliases.add(item_id, listing_id, made.id, uow.listings.text_key(listing_id))
    if stream != Stream.RANDOM:
        # Where it contradicts what a text was confirmed as, memory takes back what it had settled.
        uow.memory.forget(uow.listings.text_key(listing_id))
    return made


def decide_identical(uow: UnitOfWork, decision_id: int, now: str) -> list[Decision]:
    """Give a decision's answer to all waiting listings with the same text; each can be undone by itself.

    Listings that wait as draws are left out: they are judged one by one, blind.

    Args:
        uow: a writing unit of work.
        decision_id: a decision in force that answers.
        now: the moment, ISO 8601 in UTC.

    Returns:
        The decisions made, by listing; empty when none is identical.

    Raises:
        NotInWorkspaceError: there is no such decision.
        StaleChangeError: it is not in force any more.
        InputError: it is of the random stream, or not an answer.
    """
    source = uow.decisions.get(decision_id)
    if source.undone:
        raise StaleChangeError(
            f"decision {decision_id} is not in force, so it cannot be applied to other listings"
        )
    if source.stream == Stream.RANDOM:
        raise InputError(
            "a blind audit answers for its own listing only; decide the identical listings in the queue"
        )
    if source.verdict not in ANSWERING_VERDICTS and source.verdict != Verdict.BAD_LISTING:
        raise InputError(
            f"the verdict {source.verdict.value} is not an answer that other listings could take"
        )
    listing = uow.listings.get(source.listing_id)
    same = uow.listings.identical_waiting(uow.listings.text_key(source.listing_id))
    return [
        decide(
            uow,
            listing_id=other,
            verdict=source.verdict,
            item_id=source.item_id,
            reviewer=source.reviewer,
            rejected=source.rejected,
            also_right=source.also_right,
            note=f"same text as listing {listing.external_id}",
            copied=True,
            champion=source.release_id,
            now=now,
        )
        for other in same
        if other != source.listing_id and not _judged_blind(uow, other)
    ]


def decide_rows(
    uow: UnitOfWork,
    file: DecisionFile,
    *,
    reviewer: str,
    champion: str | None,
    now: str,
    on_progress: Callable[[int, int], None] | None = None,
    second_opinion: Callable[[DecisionRow, int, RowItems], bool | None] | None = None,
) -> DecisionFileReport:
    """Decide the rows of a file; wrong rows are refused one by one and the others are decided.

    A row that says what is in force already changes nothing, so a file can be given again. Of rows
    that contradict each other on a listing the first counts.

    Args:
        uow: a writing unit of work; the caller's transaction keeps all rows or none.
        file: from :func:`read_decision_file`.
        reviewer: who decided the rows that do not name a reviewer.
        champion: the running release, or None.
        now: the moment for rows without ``decided_at``.
        on_progress: called with rows done and rows in all.
        second_opinion: asked first, with the row, its listing and its items: True where it took the row
            as a second opinion, False where that says nothing new, None where the row is a decision.
    """
    resolve = Resolver(uow, file.rows)
    refused = dict(file.refused)
    first: dict[int, tuple[DecisionRow, RowItems]] = {}
    decided = unchanged = opinions = 0
    for done, row in enumerate(file.rows):
        if on_progress is not None and done % _PROGRESS_EVERY == 0:
            on_progress(done, len(file.rows))
        try:
            listing_id, items = resolve.listing(row), resolve.items(row)
            taken = None if second_opinion is None else second_opinion(row, listing_id, items)
            if taken is not None:
                opinions, unchanged = opinions + taken, unchanged + (not taken)
                continue
            before, before_items = first.setdefault(listing_id, (row, items))
            if before is not row and (before.verdict, before_items) != (row.verdict, items):
                raise InputError(
                    f"row {before.row} says something else about the same listing; keep one of the two"
                )
            current = uow.decisions.in_force_for(listing_id)
            if current is not None and items.said_by(current, row.verdict):
                unchanged += 1
                continue
            decide(
                uow,
                listing_id=listing_id,
                verdict=row.verdict,
                item_id=items.item_id,
                also_right=items.also_right or (),
                reviewer=row.reviewer or reviewer,
                note=row.note,
                champion=champion,
                now=row.decided_at or now,
            )
            decided += 1
        except InputError as error:
            refused[row.row] = error.message
    if on_progress is not None:
        on_progress(len(file.rows), len(file.rows))
    return DecisionFileReport(
        rows=file.total,
        decided=decided,
        unchanged=unchanged,
        refused=tuple(sorted(refused.items())),
        second_opinions=opinions,
    )


class RowItems(NamedTuple):
    """The items a row names, by number; ``also_right`` is None where its file has no such column."""

    item_id: int | None
    also_right: tuple[int, ...] | None

    def said_by(self, decision: Decision, verdict: Verdict) -> bool:
        """Whether a decision (or second opinion) says just what the row says."""
        also = decision.also_right if self.also_right is None else self.also_right
        same_items = decision.item_id == self.item_id and set(decision.also_right) == set(also)
        return decision.verdict == verdict and same_items


class Resolver:
    """The workspace's numbers for the user's ids, looked up for the whole file at once."""

    def __init__(self, uow: UnitOfWork, rows: Sequence[DecisionRow]) -> None:
        self._feeds = {row.feed: uow.feeds.by_name(row.feed) for row in rows if row.feed}
        by_feed: dict[str, list[str]] = {}
        for row in rows:
            by_feed.setdefault(row.feed, []).append(row.listing_id)
        self._listings = {
            feed: uow.listings.ids_by_external(ids, self._feeds.get(feed))
            for feed, ids in by_feed.items()
            if not feed or self._feeds[feed] is not None
        }
        named = {name for row in rows for name in (row.item_id, *(row.also_item_ids or ())) if name}
        self._items = uow.items.ids_by_external(sorted(named))

    def listing(self, row: DecisionRow) -> int:
        """The listing's number.

        Raises:
            NotInWorkspaceError: there is no such feed, or no such listing in it.
            InputError: several feeds have a listing with this id.
        """
        if row.feed and self._feeds[row.feed] is None:
            raise NotInWorkspaceError(f"there is no feed {row.feed!r}")
        found = self._listings[row.feed].get(row.listing_id, [])
        if not found:
            where = f" in the feed {row.feed!r}" if row.feed else ""
            raise NotInWorkspaceError(f"there is no listing {row.listing_id!r}{where}")
        if len(found) > 1:
            raise InputError(
                f"listing {row.listing_id!r} is in {len(found)} feeds; say which in a column feed"
            )
        return found[0]

    def items(self, row: DecisionRow) -> RowItems:
        """The numbers of the items a row names.

        Raises:
            NotInWorkspaceError: there is no such item.
        """
        for column, names in (("item_id", (row.item_id,)), ("also_item_ids", row.also_item_ids or ())):
            for name in names:
                if name and name not in self._items:
                    raise NotInWorkspaceError(f"{column}: there is no item {name!r} in the catalogue")
        also = row.also_item_ids
        return RowItems(
            self._items[row.item_id] if row.item_id else None,
            None if also is None else tuple(self._items[name] for name in also),
        )


def check_words(
    verdict: Verdict,
    item_id: int | None,
    reviewer: str,
    rejected: Sequence[int],
    also_right: Sequence[int] = (),
) -> None:
    """Refuse an answer whose parts do not go together.

    Raises:
        InputError: verdict, items and rejected items do not fit, or the reviewer is not named.
    """
    if not reviewer.strip():
        raise InputError("a decision needs the name of its reviewer")
    if verdict in VERDICTS_WITH_ITEM and item_id is None:
        raise InputError(
            f"the verdict {verdict.value} needs an item: choose a candidate or search the catalogue"
        )
    if verdict not in VERDICTS_WITH_ITEM and item_id is not None:
        raise InputError(f"the verdict {verdict.value} takes no item")
    if item_id is not None and item_id in rejected:
        raise InputError("the chosen item is among the rejected ones")
    if also_right and verdict != Verdict.MATCH:
        raise InputError(f"the verdict {verdict.value} has no items that are also right; only match has")
    if item_id is not None and item_id in also_right:
        raise InputError("the chosen item is among those also right; name it once")
    if not set(rejected).isdisjoint(also_right):
        raise InputError("an item that is also right is among the rejected ones")


def check_items(uow: UnitOfWork, item_id: int | None, others: Sequence[int]) -> None:
    """Refuse items that are not in the catalogue.

    Raises:
        NotInWorkspaceError: there is no such item.
    """
    named = {*others, *(() if item_id is None else (item_id,))}
    unknown = named - uow.items.get_many(sorted(named)).keys() if named else set()
    if unknown:
        raise NotInWorkspaceError(f"there is no item with number {min(unknown)} in this workspace")


def _draw_to_answer(
    uow: UnitOfWork, listing_id: int, draw_id: int | None, earlier: Decision | None
) -> int | None:
    """The draw this decision answers: the earlier decision's when deciding again, else the open one."""
    if earlier is not None and earlier.draw_id is not None:
        mine: int | None = earlier.draw_id
    else:
        open_draw = uow.draws.open_for(listing_id)
        mine = open_draw.id if open_draw is not None else None
    if draw_id is not None and draw_id != mine:
        asked = uow.draws.get(draw_id)
        whose = "" if asked.listing_id == listing_id else f" on listing {listing_id}"
        raise StaleChangeError(f"draw {draw_id} does not wait for an answer{whose}: show the queue again")
    return mine


def _judged_blind(uow: UnitOfWork, listing_id: int) -> bool:
    """Whether a waiting listing belongs to the random stream: a draw is open, or was left unsure."""
    if uow.draws.open_for(listing_id) is not None:
        return True
    current = uow.decisions.in_force_for(listing_id)
    return current is not None and current.draw_id is not None


def on_screen(
    placement: StoredPlacement | None, named: Collection[int | None], shown: int
) -> tuple[Candidate, ...]:
    """The candidates on screen, best first: the usual number, and on to the last named if it is further."""
    if placement is None:
        return ()
    places = [at for at, c in enumerate(placement.candidates, start=1) if c.item_id in named]
    return placement.candidates[: max(shown, *places, 0)]
