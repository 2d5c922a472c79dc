"""What a reviewer can do: look at the queue, decide, take back, put off, search, look back."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from desktop.item_models.presentation import Sketch, sketch
from desktop.operations import run_change
from desktop.session import Session
from engine.contracts import (
    ChangeSet,
    Decision,
    FeedSummary,
    HistoryEntry,
    Item,
    QueueEntry,
    QueueOrder,
    ReviewCard,
    Status,
    Verdict,
)

Failed = Callable[[Exception], None] | None


@dataclass(frozen=True, slots=True)
class QueuePage:
    """The next entries of the queue, with the card of the first so that it can be shown at once."""

    entries: tuple[QueueEntry, ...]
    first: Sketch | None


@dataclass(frozen=True, slots=True)
class Standing:
    """What the review screen says around the queue."""

    status: Status
    feeds: tuple[FeedSummary, ...]
    snoozed: int


@dataclass(frozen=True, slots=True)
class Turned:
    """A decision that was taken back or made again, and its listing as it now stands."""

    decision: Decision
    card: Sketch
    listing_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Applied:
    """The same answer, given to identical listings."""

    decisions: tuple[Decision, ...]


def load_queue(
    session: Session,
    *,
    order: QueueOrder,
    feed: str | None,
    limit: int,
    skip: Collection[int],
    done: Callable[[QueuePage], None],
    failed: Failed = None,
) -> None:
    """Read the next entries of the queue and the first one's card."""
    workspace = session.workspace

    def asked() -> list[QueueEntry]:
        return workspace.queue(order=order, limit=limit, feed=feed, skip=skip, reviewer=session.reviewer)

    def read() -> QueuePage:
        entries = tuple(asked())
        return QueuePage(entries, sketch(workspace.card(entries[0])) if entries else None)

    session.tasks.read(read, done, failed)


def load_card(
    session: Session, *, entry: QueueEntry, done: Callable[[Sketch], None], failed: Failed = None
) -> None:
    """Read the card of an entry before its turn comes."""
    session.tasks.read(lambda: sketch(session.workspace.card(entry)), done, failed)


def reopen(
    session: Session, *, listing_id: int, done: Callable[[Sketch], None], failed: Failed = None
) -> None:
    """Read the card of any listing, decided or not."""
    session.tasks.read(lambda: sketch(session.workspace.card_for(listing_id)), done, failed)


def load_standing(session: Session, *, done: Callable[[Standing], None], failed: Failed = None) -> None:
    """Read how much waits, by feed, and what is put off."""
    workspace = session.workspace
    session.tasks.read(
        lambda: Standing(workspace.status(), tuple(workspace.feeds()), workspace.snoozed_count()),
        done,
        failed,
    )


def decide(
    session: Session,
    *,
    card: ReviewCard,
    verdict: Verdict,
    item_id: int | None,
    rejected: Sequence[int],
    also_right: Sequence[int],
    note: str,
    initiator: object,
    done: Callable[[Decision], None],
    failed: Failed = None,
) -> None:
    """Keep a verdict on the listing of ``card``; ``done`` means it is on the disk.

    Where the card asks for a second opinion, it is kept as one.
    """
    workspace = session.workspace
    entry = card.entry

    def change() -> tuple[Decision, ChangeSet]:
        if entry.about is not None:
            return workspace.give_second_opinion(
                listing_id=entry.listing_id,
                about=entry.about,
                verdict=verdict,
                item_id=item_id,
                reviewer=session.reviewer,
                rejected=tuple(rejected),
                also_right=tuple(also_right),
                note=note,
            )
        return workspace.decide(
            listing_id=entry.listing_id,
            verdict=verdict,
            item_id=item_id,
            reviewer=session.reviewer,
            draw_id=entry.draw_id,
            rejected=tuple(rejected),
            also_right=tuple(also_right),
            note=note,
        )

    run_change(session, change=change, initiator=initiator, done=done, failed=failed)


def apply_to_identical(
    session: Session,
    *,
    decision: Decision,
    initiator: object,
    done: Callable[[Applied], None],
    failed: Failed = None,
) -> None:
    """Give the answer of ``decision`` to every waiting listing with the same text."""

    def change() -> tuple[Applied, ChangeSet]:
        decisions, changes = session.workspace.decide_identical(decision_id=decision.id)
        return Applied(tuple(decisions)), changes

    run_change(session, change=change, initiator=initiator, done=done, failed=failed)


def undo(
    session: Session,
    *,
    decision_id: int | None = None,
    initiator: object,
    done: Callable[[Turned], None],
    failed: Failed = None,
) -> None:
    """Take back a decision (the last one, unless told) and read its listing again."""

    def change() -> tuple[Turned, ChangeSet]:
        decision, changes = session.workspace.undo(decision_id)
        card = sketch(session.workspace.card_again(decision))
        return Turned(decision, card, changes.listing_ids), changes

    run_change(session, change=change, initiator=initiator, done=done, failed=failed)


def redo(
    session: Session, *, initiator: object, done: Callable[[Turned], None], failed: Failed = None
) -> None:
    """Make the decision again that was taken back last."""

    def change() -> tuple[Turned, ChangeSet]:
        decision, changes = session.workspace.redo()
        card = sketch(session.workspace.card_again(decision))
        return Turned(decision, card, changes.listing_ids), changes

    run_change(session, change=change, initiator=initiator, done=done, failed=failed)


def snooze(
    session: Session,
    *,
    listing_id: int,
    initiator: object,
    done: Callable[[int], None],
    failed: Failed = None,
) -> None:
    """Put a listing off until it is recalled; ``done`` gets its number."""
    run_change(
        session,
        change=lambda: (listing_id, session.workspace.snooze(listing_id)),
        initiator=initiator,
        done=done,
        failed=failed,
    )


def recall_snoozed(
    session: Session, *, initiator: object, done: Callable[[int], None], failed: Failed = None
) -> None:
    """Bring back everything that was put off; ``done`` gets how many."""
    run_change(
        session, change=session.workspace.recall_snoozed, initiator=initiator, done=done, failed=failed
    )


def search_items(
    session: Session, *, text: str, done: Callable[[list[Item]], None], failed: Failed = None
) -> None:
    """Find items by words, id or barcode."""
    session.tasks.read(lambda: session.workspace.search_items(text), done, failed)


def load_history(
    session: Session,
    *,
    text: str,
    reviewer: str,
    verdict: Verdict | None,
    before_id: int | None,
    limit: int,
    done: Callable[[list[HistoryEntry]], None],
    failed: Failed = None,
) -> None:
    """Read a page of decisions, newest first, that come before ``before_id``."""
    session.tasks.read(
        lambda: session.workspace.history(
            text=text, reviewer=reviewer, verdict=verdict, before_id=before_id, limit=limit
        ),
        done,
        failed,
    )


def load_past_card(
    session: Session,
    *,
    entry: HistoryEntry,
    done: Callable[[tuple[Item, ...]], None],
    failed: Failed = None,
) -> None:
    """Read the items that were on screen when a decision was made, in the order they were shown."""
    workspace = session.workspace
    session.tasks.read(
        lambda: tuple(workspace.item(item_id) for item_id in entry.decision.shown), done, failed
    )
