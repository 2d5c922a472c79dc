"""The reviewing half of the Workspace in memory: queue, cards, decisions, undo, history."""

from __future__ import annotations

import math
import re
import threading
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from pathlib import Path

from engine.contracts import (
    ANSWERING_VERDICTS,
    VERDICTS_WITH_ITEM,
    Candidate,
    CandidateView,
    ChangeSet,
    Counts,
    Decision,
    DecisionFileReport,
    Finished,
    HistoryEntry,
    Item,
    Listing,
    PastMatch,
    QueueEntry,
    QueueOrder,
    ReviewCard,
    RouteReason,
    Stream,
    Verdict,
    WorkEvent,
)
from engine.errors import InputError, NotInWorkspaceError, ReadOnlyError, StaleChangeError
from engine.settings import WorkspaceSettings
from tests.desktop.fake_agreement import FakeAgreement
from tests.desktop.fake_catalogue import made_items, made_listings
from tests.desktop.fake_numbers import (
    made_releases,
    made_runs,
)

_AUDITED = frozenset({2, 7, 16, 27, 36})
_AUTOMATED = frozenset({5, 17, 24, 33})


def _tokens(text: str) -> set[str]:
    return set(re.findall(r"[^\W_]+", re.sub(r"(\d)\s+(gb|in)\b", r"\1\2", text.casefold())))


class FakeReview(FakeAgreement):
    """See :mod:`tests.desktop.fake_workspace`. ``calls`` lists what was asked that changes something."""

    def __init__(self, path: Path = Path("/workspaces/demo"), *, read_only: bool = False) -> None:
        super().__init__()
        self.path = path
        self.read_only = read_only
        self.settings = WorkspaceSettings()
        self.calls: list[str] = []
        self.closed = False
        self.items_by_id = made_items()
        self.listings_by_id, self.feed_names = made_listings()
        self.decisions: list[Decision] = []
        self._events: list[tuple[str, int]] = []
        self._redo: list[int] = []
        self._snoozed: list[int] = []
        self._releases = made_releases()
        self._runs = made_runs(path)
        self._lock = threading.RLock()
        #: Called before every change on the writer thread; raise to fail it, wait to hold it up.
        self.before_write: Callable[[], None] = lambda: None

    # -- review --------------------------------------------------------------------------------

    def queue(
        self,
        *,
        order: QueueOrder = QueueOrder.GAIN,
        limit: int = 100,
        feed: str | None = None,
        skip: Collection[int] = (),
        reviewer: str = "",
    ) -> list[QueueEntry]:
        with self._lock:
            waiting = [
                self._entry(number)
                for number, listing in self.listings_by_id.items()
                if self._waits(number)
                and number not in skip
                and feed in {None, self.feed_names[listing.feed_id]}
            ]
        if order is QueueOrder.UNCERTAIN:
            waiting.sort(key=lambda entry: abs(entry.confidence - 0.5))
        elif order is QueueOrder.FAMILY:
            waiting.sort(key=lambda entry: entry.title.casefold())
        elif order is QueueOrder.RANDOM:
            waiting.sort(key=lambda entry: (entry.listing_id * 7919) % 101)
        return [*self.opinion_entries(reviewer, skip), *waiting][:limit]

    def card(self, entry: QueueEntry) -> ReviewCard:
        listing = self.listing(entry.listing_id)
        candidates = self._candidates(listing)
        same = [
            other
            for other in self.listings_by_id.values()
            if other.id != listing.id
            and other.title.casefold() == listing.title.casefold()
            and self._waits(other.id)
        ]
        past = PastMatch("Sony WH1000XM4 headphones (black)", "Mara", "2026-11-02T10:12:00+00:00")
        return ReviewCard(
            entry=entry,
            listing=listing,
            candidates=candidates,
            past_matches={1: (past,)},
            identical_pending=len(same),
            release_id=self._champion(),
        )

    def card_for(self, listing_id: int) -> ReviewCard:
        return self.card(self._entry(listing_id))

    def search_items(self, text: str, limit: int = 30) -> list[Item]:
        wanted = _tokens(text)
        exact = [item for item in self.items_by_id.values() if text.strip() in {item.external_id, item.gtin}]
        return (
            exact
            or [
                item
                for item in self.items_by_id.values()
                if wanted and all(any(has.startswith(word) for has in _tokens(item.title)) for word in wanted)
            ]
        )[:limit]

    def item(self, item_id: int) -> Item:
        if item_id not in self.items_by_id:
            raise NotInWorkspaceError(f"there is no item {item_id} in this workspace")
        return self.items_by_id[item_id]

    def listing(self, listing_id: int) -> Listing:
        if listing_id not in self.listings_by_id:
            raise NotInWorkspaceError(f"there is no listing {listing_id} in this workspace")
        return self.listings_by_id[listing_id]

    def decide(
        self,
        *,
        listing_id: int,
        verdict: Verdict,
        item_id: int | None = None,
        reviewer: str,
        draw_id: int | None = None,
        rejected: Collection[int] = (),
        also_right: Collection[int] = (),
        note: str = "",
        stream: Stream | None = None,
    ) -> tuple[Decision, ChangeSet]:
        self._write(f"decide {listing_id} {verdict.value}")
        if (verdict in VERDICTS_WITH_ITEM) != (item_id is not None):
            raise InputError(f"{verdict.value} needs an item, the other verdicts must not name one")
        with self._lock:
            before = self._in_force(listing_id)
            if before is not None:
                self._mark(before.id, undone=True)
            shown = tuple(view.item.id for view in self._candidates(self.listing(listing_id)))
            decision = Decision(
                id=len(self.decisions) + 1,
                listing_id=listing_id,
                verdict=verdict,
                item_id=item_id,
                reviewer=reviewer,
                decided_at=f"2026-11-22T09:{len(self.decisions) % 60:02d}:00+00:00",
                stream=stream or (Stream.RANDOM if draw_id else Stream.LEARNING),
                release_id=self._champion(),
                shown=shown,
                rejected=tuple(rejected),
                draw_id=draw_id,
                draw_probability=0.2 if draw_id else None,
                note=note,
                also_right=tuple(also_right),
            )
            self.decisions.append(decision)
            self._redo.clear()
        return decision, ChangeSet(decisions=True, routes=True, listing_ids=(listing_id,))

    def decide_identical(self, *, decision_id: int) -> tuple[list[Decision], ChangeSet]:
        first = self._decision(decision_id)
        title = self.listing(first.listing_id).title.casefold()
        same = [
            one.id
            for one in self.listings_by_id.values()
            if one.title.casefold() == title and one.id != first.listing_id and self._waits(one.id)
        ]
        made = [
            self.decide(
                listing_id=one,
                verdict=first.verdict,
                item_id=first.item_id,
                also_right=first.also_right,
                reviewer=first.reviewer,
            )[0]
            for one in same
        ]
        return made, ChangeSet(decisions=True, routes=True, listing_ids=tuple(same))

    def decide_from_file(self, file: Path, *, reviewer: str) -> Iterator[WorkEvent[DecisionFileReport]]:
        self._write("decide_from_file")
        yield Finished(DecisionFileReport(0, 0, 0, ()), ChangeSet())

    def undo(self, decision_id: int | None = None) -> tuple[Decision, ChangeSet]:
        self._write("undo")
        if self.opinions and decision_id is None:
            opinion = self.take_back_opinion()
            return opinion, ChangeSet(opinions=True, listing_ids=(opinion.listing_id,))
        with self._lock:
            known = [one for one in self.decisions if not one.undone and decision_id in {None, one.id}]
            if not known:
                raise StaleChangeError("there is no decision to undo")
            undone = self._mark(known[-1].id, undone=True)
            self._redo.append(undone.id)
        return undone, ChangeSet(decisions=True, routes=True, listing_ids=(undone.listing_id,))

    def redo(self) -> tuple[Decision, ChangeSet]:
        self._write("redo")
        with self._lock:
            if not self._redo:
                raise StaleChangeError("there is no decision to redo")
            redone = self._mark(self._redo.pop(), undone=False)
        return redone, ChangeSet(decisions=True, routes=True, listing_ids=(redone.listing_id,))

    def snooze(self, listing_id: int) -> ChangeSet:
        self._write(f"snooze {listing_id}")
        self._snoozed.append(listing_id)
        return ChangeSet(routes=True, listing_ids=(listing_id,))

    def recall_snoozed(self) -> tuple[int, ChangeSet]:
        self._write("recall_snoozed")
        recalled, self._snoozed = self._snoozed, []
        return len(recalled), ChangeSet(routes=True, listing_ids=tuple(recalled))

    def snoozed_count(self) -> int:
        return len(self._snoozed)

    def history(
        self,
        text: str = "",
        reviewer: str = "",
        verdict: Verdict | None = None,
        before_id: int | None = None,
        limit: int = 100,
    ) -> list[HistoryEntry]:
        found = []
        for decision in sorted(self.decisions, key=lambda one: -one.id):
            listing = self.listing(decision.listing_id)
            item = self.items_by_id.get(decision.item_id or 0)
            entry = HistoryEntry(
                decision=decision,
                listing_external_id=listing.external_id,
                listing_title=listing.title,
                item_external_id=item.external_id if item else "",
                item_title=item.title if item else "",
                feed=self.feed_names[listing.feed_id],
                also_right=tuple(
                    (self.items_by_id[one].external_id, self.items_by_id[one].title)
                    for one in decision.also_right
                ),
            )
            words = f"{entry.listing_title} {entry.item_title} {entry.listing_external_id} {decision.note}"
            if (
                text.casefold() in words.casefold()
                and reviewer.casefold() in decision.reviewer.casefold()
                and verdict in {None, decision.verdict}
                and (before_id is None or decision.id < before_id)
            ):
                found.append(entry)
        return found[:limit]

    # -- inside --------------------------------------------------------------------------------

    def _champion(self) -> str | None:
        return next((one.id for one in self._releases if one.is_champion), None)

    def _decision(self, decision_id: int) -> Decision:
        return next(one for one in self.decisions if one.id == decision_id)

    def _mark(self, decision_id: int, *, undone: bool) -> Decision:
        changed = replace(self._decision(decision_id), undone=undone)
        self.decisions = [changed if one.id == decision_id else one for one in self.decisions]
        return changed

    def _in_force(self, listing_id: int) -> Decision | None:
        return next(
            (
                one
                for one in reversed(self.decisions)
                if one.listing_id == listing_id
                and not one.undone
                and (one.verdict in ANSWERING_VERDICTS or one.verdict is Verdict.BAD_LISTING)
            ),
            None,
        )

    def _waits(self, listing_id: int) -> bool:
        return (
            listing_id not in self._snoozed
            and listing_id not in _AUTOMATED
            and self._in_force(listing_id) is None
        )

    def _candidates(self, listing: Listing) -> tuple[CandidateView, ...]:
        mine = _tokens(listing.title)
        views = []
        for item in self.items_by_id.values():
            has = _tokens(item.title) | _tokens(item.model)
            overlap = len(mine & has) / max(1.0, math.sqrt(len(mine) * len(has)))
            if overlap > 0:
                similarity = round(min(1.0, 0.3 + 0.8 * overlap), 3)
                views.append(
                    CandidateView(
                        Candidate(
                            item.id, round(similarity**2, 3), similarity, round(overlap, 3), item.id == 1
                        ),
                        item,
                    )
                )
        views.sort(key=lambda view: -view.candidate.confidence)
        return tuple(views[:9])

    def _entry(self, listing_id: int) -> QueueEntry:
        listing = self.listing(listing_id)
        candidates = self._candidates(listing)
        best = candidates[0].candidate.confidence if candidates else 0.0
        second = candidates[1].candidate.confidence if len(candidates) > 1 else 0.0
        blind = listing_id in _AUDITED
        reason = RouteReason.TIE if best - second < 0.03 else RouteReason.BELOW_THRESHOLD
        return QueueEntry(
            listing_id=listing_id,
            external_id=listing.external_id,
            title=listing.title,
            feed=self.feed_names[listing.feed_id],
            reason=RouteReason.AUDIT if blind else reason if candidates else RouteReason.NO_CANDIDATES,
            confidence=best,
            margin=best - second,
            stream="random" if blind else "learning",
            draw_id=listing_id if blind else None,
            blind=blind,
        )

    def _counts(self) -> Counts:
        in_force = [one for one in self.decisions if not one.undone]
        decided = sum(self._in_force(one) is not None for one in self.listings_by_id)
        random = sum(one.stream is Stream.RANDOM for one in in_force)
        return Counts(
            listings=len(self.listings_by_id),
            items=len(self.items_by_id),
            unmatched=0,
            automated=len(_AUTOMATED),
            review=sum(self._waits(one) for one in self.listings_by_id),
            settled=decided,
            settled_by_memory=0,
            automated_matches=len(_AUTOMATED) - 1,
            automated_none=1,
            decisions=len(in_force),
            random_decisions=random,
            learning_decisions=len(in_force) - random,
        )

    def _write(self, what: str) -> None:
        if self.read_only:
            raise ReadOnlyError("this workspace is open read-only; open it again to change it")
        self.before_write()
        self.calls.append(what)
