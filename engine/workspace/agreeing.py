"""Agreeing: second opinions, gold decisions, adjudication, and how far reviewers agree."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from engine.contracts import (
    AdjudicationReport,
    ChangeSet,
    Decision,
    Disagreement,
    Finished,
    Progress,
    QueueEntry,
    ReviewCard,
    ReviewersReport,
    SecondOpinion,
    Verdict,
    WorkEvent,
)
from engine.errors import InputError, NotInWorkspaceError
from engine.pipeline.live_audit import watch
from engine.review import adjudication, overlap, second_opinions
from engine.review import queue as queueing
from engine.review.decisions import read_decision_file
from engine.review.reviewers import reviewers_report
from engine.workspace.base import WorkspaceBase, now


class Agreeing(WorkspaceBase):
    """What makes reviewers comparable."""

    def give_second_opinion(
        self,
        *,
        listing_id: int,
        about: int,
        verdict: Verdict,
        reviewer: str,
        item_id: int | None = None,
        rejected: Sequence[int] = (),
        also_right: Sequence[int] = (),
        note: str = "",
    ) -> tuple[SecondOpinion, ChangeSet]:
        """Record a blind verdict on a decided listing; the decision in force stays as it is."""
        with self._store.writing() as uow:
            opinion = second_opinions.give(
                uow,
                listing_id=listing_id,
                about=about,
                verdict=verdict,
                item_id=item_id,
                reviewer=reviewer,
                rejected=tuple(rejected),
                also_right=tuple(also_right),
                note=note,
                champion=uow.releases.champion(),
                now=now(),
            )
        return opinion, ChangeSet(opinions=True, listing_ids=(listing_id,))

    def undo_second_opinion(self, opinion_id: int) -> tuple[SecondOpinion, ChangeSet]:
        """Take back any second opinion; its listing is asked again."""
        with self._store.writing() as uow:
            opinion = uow.opinions.undo(opinion_id)
        return opinion, ChangeSet(opinions=True, listing_ids=(opinion.listing_id,))

    def mark_gold(self, decision_id: int, *, gold: bool = True, reviewer: str = "") -> ChangeSet:
        """Mark a decision as certain, so that others are asked about it blind; or not any more."""
        with self._store.writing() as uow:
            second_opinions.mark_gold(uow, decision_id, gold=gold, reviewer=reviewer, now=now())
        return ChangeSet(opinions=True)

    def decision_on(self, listing_id: str, *, feed: str | None = None) -> Decision:
        """The decision in force on a listing, by the listing's own id.

        Raises:
            NotInWorkspaceError: there is no such listing or feed, or no decision on it is in force.
            InputError: several feeds have a listing with this id.
        """
        with self._store.reading() as uow:
            feed_id = self._feed_id(uow, feed)
            found = uow.listings.ids_by_external([listing_id], feed_id).get(listing_id, [])
            if len(found) > 1:
                raise InputError(f"listing {listing_id!r} is in {len(found)} feeds; say in which feed")
            decision = uow.decisions.in_force_for(found[0]) if found else None
        if decision is None:
            raise NotInWorkspaceError(
                f"listing {listing_id!r} has no decision" if found else f"there is no listing {listing_id!r}"
            )
        return decision

    def is_gold(self, decision_id: int) -> bool:
        """Whether a decision is marked as certain."""
        with self._store.reading() as uow:
            return uow.overlaps.is_gold(decision_id)

    def reviewers(self) -> ReviewersReport:
        """What reviewers did, how often each is right, and how far each two agree."""
        with self._store.reading() as uow:
            return reviewers_report(uow)

    def disagreements(self, limit: int = 1000) -> list[Disagreement]:
        """Second opinions that contradict the decision in force, oldest first."""
        with self._store.reading() as uow:
            return uow.opinions.disagreements(limit)

    def adjudicate(
        self,
        *,
        listing_id: int,
        verdict: Verdict,
        reviewer: str,
        item_id: int | None = None,
        also_right: Sequence[int] = (),
        note: str = "",
    ) -> tuple[Decision, ChangeSet]:
        """Settle the disagreement on a listing with a decision that takes force."""
        with self._store.writing() as uow:
            before = uow.decisions.last_number()
            decision = adjudication.adjudicate(
                uow,
                listing_id=listing_id,
                verdict=verdict,
                item_id=item_id,
                also_right=tuple(also_right),
                reviewer=reviewer,
                note=note,
                champion=uow.releases.champion(),
                now=now(),
            )
            alarm = watch(uow, after_decision=before)
        settled = ChangeSet(decisions=True, routes=True, opinions=True, listing_ids=(listing_id,))
        return decision, settled | alarm

    def adjudicate_from_file(self, file: Path, *, reviewer: str) -> Iterator[WorkEvent[AdjudicationReport]]:
        """Adjudications from a CSV or JSONL file, in one transaction; bad rows are refused one by one."""
        yield Progress("reading adjudications", 0, 0, file.name)
        rows = read_decision_file(file)
        with self._store.writing() as uow:
            before = uow.decisions.last_number()
            report = adjudication.adjudicate_rows(
                uow, rows, reviewer=reviewer, champion=uow.releases.champion(), now=now()
            )
            alarm = watch(uow, after_decision=before)
        yield Finished(report, ChangeSet(decisions=True, routes=True, opinions=True) | alarm)

    def card_again(self, said: Decision) -> ReviewCard:
        """The card of what was just taken back or said again: blind where it is a second opinion."""
        with self._store.reading() as uow:
            shown = uow.settings.load().shown_candidates
            if not isinstance(said, SecondOpinion):
                return queueing.card(uow, queueing.entry_for(uow, said.listing_id), shown=shown)
            entry = overlap.entry_about(uow, said.listing_id, said.about)
            return overlap.without_evidence(queueing.card(uow, entry, shown=shown))

    def _with_second_opinions(
        self,
        entries: list[QueueEntry],
        *,
        reviewer: str,
        limit: int,
        feed_id: int | None,
        skip: Collection[int],
    ) -> list[QueueEntry]:
        """A page of the queue with what the reviewer is asked for a second time between its entries."""
        settings = self.settings
        if not self.read_only and settings.overlap_share > 0.0:
            with self._store.reading() as uow:
                due = overlap.due_draws(uow, settings.overlap_share, settings.seed)
            if due:
                with self._store.writing() as uow:
                    # Between reading and writing another thread may have drawn the same.
                    due = overlap.due_draws(uow, settings.overlap_share, settings.seed)
                    uow.overlaps.add(due, settings.overlap_share, overlap.POLICY)
        with self._store.reading() as uow:
            return overlap.mix(
                uow,
                entries,
                reviewer=reviewer,
                limit=limit,
                feed_id=feed_id,
                skip=skip,
                overlap_share=settings.overlap_share,
                gold_share=settings.gold_share,
            )
