"""Reviewing: the queue, decisions, undo, history."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from engine.contracts import (
    CertificateKind,
    ChangeSet,
    Decision,
    DecisionFileReport,
    Finished,
    HistoryEntry,
    Item,
    Listing,
    Notice,
    Progress,
    QueueEntry,
    QueueOrder,
    ReviewCard,
    RouteReason,
    RunState,
    SecondOpinion,
    Stream,
    Verdict,
    WorkEvent,
)
from engine.learning.rechecks import suspicious
from engine.pipeline.live_audit import watch
from engine.pipeline.random_stream import draw
from engine.review import decisions as deciding
from engine.review import overlap, second_opinions
from engine.review import queue as queueing
from engine.review import undo as undoing
from engine.review.decision_file import DecisionRow
from engine.workspace.agreeing import Agreeing
from engine.workspace.base import now


class Reviewing(Agreeing):
    """What reviewers do."""

    def queue(
        self,
        *,
        order: QueueOrder = QueueOrder.GAIN,
        limit: int = 100,
        feed: str | None = None,
        skip: Collection[int] = (),
        reviewer: str = "",
    ) -> list[QueueEntry]:
        """The next listings to decide: the learning stream in ``order``, audits in between.

        With a ``reviewer`` also what they are asked for a second opinion on, as blind as audits.
        """
        if order == QueueOrder.RECHECK:
            return self._rechecks(limit, feed, skip)
        settings = self.settings
        with self._store.reading() as uow:
            feed_id = self._feed_id(uow, feed)
            champion = uow.releases.champion()
            summary = uow.releases.get(champion) if champion else None
            suspended = not uow.live_audits.suspended() <= {CertificateKind.NONE}
        has_matcher = summary is not None and summary.matcher != "none"
        certified = bool(summary and summary.certificate and summary.certificate.threshold is not None)
        # A suspended certificate is won back by random decisions, as the first one was.
        certified = certified and not suspended
        if order == QueueOrder.GAIN and not has_matcher:
            # Nothing is known yet: any order but a random one would teach a bias.
            order = QueueOrder.RANDOM

        def page() -> list[QueueEntry]:
            with self._store.reading() as uow:
                return queueing.queue_page(
                    uow,
                    order=order,
                    limit=limit,
                    feed_id=feed_id,
                    skip=skip,
                    random_share=settings.random_share,
                    has_certificate=certified,
                )

        def served(entries: list[QueueEntry]) -> list[QueueEntry]:
            if not reviewer.strip():
                return entries
            return self._with_second_opinions(
                entries, reviewer=reviewer.strip(), limit=limit, feed_id=feed_id, skip=skip
            )

        if champion is None or self.read_only:
            return served(page())
        share = queueing.share_of_random(
            settings.random_share, has_certificate=certified, has_matcher=has_matcher
        )
        self._top_up_draws(champion, math.ceil(limit * share), feed_id)
        entries = page()
        if len(entries) < limit and self._top_up_draws(champion, limit, feed_id):
            # The learning stream has run dry: what is left of the feed is the reserve.
            entries = page()
        return served(entries)

    def _rechecks(self, limit: int, feed: str | None, skip: Collection[int]) -> list[QueueEntry]:
        """Decided listings whose answers the newest training run found hard to believe."""
        with self._store.reading() as uow:
            feed_id = self._feed_id(uow, feed)
            run = next((one for one in uow.runs.all() if one.state is RunState.FINISHED), None)
            if run is None:
                return []
            doubted = suspicious(uow, Path(run.folder), trained_at=run.created_at)
            members = None if feed_id is None else set(uow.listings.feed_listing_ids(feed_id).tolist())
            wanted = [
                decision.listing_id
                for decision in doubted
                if decision.listing_id not in skip and (members is None or decision.listing_id in members)
            ]
            return [
                replace(queueing.entry_for(uow, listing), reason=RouteReason.RECHECK)
                for listing in wanted[:limit]
            ]

    def _top_up_draws(self, champion: str, wanted: int, feed_id: int | None) -> int:
        """Draw a round of the random stream where fewer than half of ``wanted`` wait; how many were."""
        with self._store.reading() as uow:
            missing = wanted - len(uow.draws.open(feed_id=feed_id, limit=wanted))
        # Rounds are logged and weighed, so they are not made for every single draw.
        if missing < max(1, wanted // 2):
            return 0
        manifest = self._shelf.manifest(champion)
        floor = manifest.zone_floor
        seed = self.settings.seed
        with self._store.writing() as uow:
            drawn = draw(
                uow,
                missing,
                feed_id=feed_id,
                zone_floor=floor,
                release_id=champion,
                seed=seed,
                of_answer=manifest.zone_of == "both",
            )
            if not drawn and floor is not None and wanted > 0:
                # The zone is used up; the rest of the reserve still waits for an answer.
                drawn = draw(uow, missing, feed_id=feed_id, zone_floor=None, release_id=champion, seed=seed)
        return len(drawn)

    def card(self, entry: QueueEntry) -> ReviewCard:
        """Everything to show for a queue entry."""
        with self._store.reading() as uow:
            made = queueing.card(uow, entry, shown=uow.settings.load().shown_candidates)
        return made if entry.about is None else overlap.without_evidence(made)

    def card_for(self, listing_id: int) -> ReviewCard:
        """Everything to show for any listing, decided or not."""
        with self._store.reading() as uow:
            entry = queueing.entry_for(uow, listing_id)
            return queueing.card(uow, entry, shown=uow.settings.load().shown_candidates)

    def search_items(self, text: str, limit: int = 30) -> list[Item]:
        """Items by id, barcode or words."""
        with self._store.reading() as uow:
            return uow.items.search(text, limit)

    def item(self, item_id: int) -> Item:
        """One item by number."""
        with self._store.reading() as uow:
            return uow.items.get(item_id)

    def listing(self, listing_id: int) -> Listing:
        """One listing by number."""
        with self._store.reading() as uow:
            return uow.listings.get(listing_id)

    def decide(
        self,
        *,
        listing_id: int,
        verdict: Verdict,
        reviewer: str,
        item_id: int | None = None,
        draw_id: int | None = None,
        rejected: Sequence[int] = (),
        also_right: Sequence[int] = (),
        note: str = "",
        stream: Stream | None = None,
    ) -> tuple[Decision, ChangeSet]:
        """Record a verdict; durable when this returns.

        A match confirms ``item_id``; ``also_right`` are the other items that match as well.
        """
        with self._store.writing() as uow:
            decision = deciding.decide(
                uow,
                listing_id=listing_id,
                verdict=verdict,
                item_id=item_id,
                reviewer=reviewer,
                draw_id=draw_id,
                rejected=tuple(rejected),
                also_right=tuple(also_right),
                note=note,
                stream=stream,
                champion=uow.releases.champion(),
                now=now(),
            )
            alarm = ChangeSet()
            if decision.draw_id is not None:
                alarm = watch(uow, after_decision=decision.id - 1)
        return decision, _decided(decision.listing_id) | alarm

    def decide_identical(self, *, decision_id: int) -> tuple[list[Decision], ChangeSet]:
        """Give the same verdict to every identical waiting listing."""
        with self._store.writing() as uow:
            made = deciding.decide_identical(uow, decision_id, now())
        return made, _decided(*(d.listing_id for d in made))

    def decide_from_file(self, file: Path, *, reviewer: str) -> Iterator[WorkEvent[DecisionFileReport]]:
        """Decisions from a CSV or JSONL file, in one transaction; bad rows are refused one by one."""
        yield Progress("reading decisions", 0, 0, file.name)
        rows = deciding.read_decision_file(file)
        moment = now()
        with self._store.writing() as uow:
            before = uow.decisions.last_number()
            champion = uow.releases.champion()

            def second_opinion(row: DecisionRow, listing_id: int, items: deciding.RowItems) -> bool | None:
                return second_opinions.give_row(
                    uow,
                    row,
                    listing_id=listing_id,
                    items=items,
                    reviewer=row.reviewer or reviewer,
                    champion=champion,
                    now=row.decided_at or moment,
                )

            report = deciding.decide_rows(
                uow,
                rows,
                reviewer=reviewer,
                champion=champion,
                now=moment,
                second_opinion=second_opinion if any(uow.overlaps.counts()) else None,
            )
            alarm = watch(uow, after_decision=before)
        if alarm.certificates:
            yield Notice("the live audit has suspended a certificate, or given it back: see `alcove audit`")
        changes = ChangeSet(decisions=True, routes=True, opinions=report.second_opinions > 0)
        yield Finished(report, changes | alarm)

    def undo(self, decision_id: int | None = None) -> tuple[Decision, ChangeSet]:
        """Take back a decision, with its alias and its candidate list; without a number, the last answer.

        The last answer may be a :class:`SecondOpinion`.
        """
        with self._store.writing() as uow:
            last = decision_id is None
            undone = second_opinions.undo_last(uow) if last else undoing.undo(uow, decision_id)
            alarm = watch(uow)
        return undone, _said(undone) | alarm

    def redo(self) -> tuple[Decision, ChangeSet]:
        """Bring back the decision or second opinion that was undone last."""
        with self._store.writing() as uow:
            redone = second_opinions.redo_last(uow)
            alarm = watch(uow)
        return redone, _said(redone) | alarm

    def snooze(self, listing_id: int) -> ChangeSet:
        """Put a listing aside until it is recalled."""
        with self._store.writing() as uow:
            uow.listings.snooze([listing_id], until_recalled=True)
        return ChangeSet(routes=True, listing_ids=(listing_id,))

    def recall_snoozed(self) -> tuple[int, ChangeSet]:
        """Bring every snoozed listing back."""
        with self._store.writing() as uow:
            return uow.listings.recall(), ChangeSet(routes=True)

    def snoozed_count(self) -> int:
        """How many listings are snoozed."""
        with self._store.reading() as uow:
            return uow.listings.snoozed_count()

    def history(
        self,
        text: str = "",
        reviewer: str = "",
        verdict: Verdict | None = None,
        before_id: int | None = None,
        limit: int = 100,
    ) -> list[HistoryEntry]:
        """Decisions, newest first."""
        with self._store.reading() as uow:
            return uow.decisions.history(text, reviewer, verdict, before_id, limit)


def _said(decision: Decision) -> ChangeSet:
    if isinstance(decision, SecondOpinion):
        return ChangeSet(opinions=True, listing_ids=(decision.listing_id,))
    return _decided(decision.listing_id)


def _decided(*listing_ids: int) -> ChangeSet:
    return ChangeSet(decisions=True, routes=True, listing_ids=listing_ids)
