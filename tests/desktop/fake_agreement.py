"""The agreeing half of the Workspace in memory: second opinions, gold decisions, adjudication."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from engine.contracts import (
    Accuracy,
    Agreement,
    ChangeSet,
    Decision,
    Disagreement,
    PairAgreement,
    QueueEntry,
    ReviewCard,
    ReviewersReport,
    ReviewerSummary,
    RouteReason,
    SecondOpinion,
    Stream,
    Verdict,
)

_AGREEMENT = Agreement(120, 108, 0.9, 0.81, 0.70, 0.92, 0.88)
_ONE = Agreement(120, 112, 0.93, 0.84, 0.74, 0.95, 0.87, 0.21, -0.03)
_PAIR = PairAgreement(
    "Ida", "Mara", _AGREEMENT, _AGREEMENT, {Verdict.MATCH: _ONE, Verdict.VARIANT: _ONE, Verdict.NONE: _ONE}
)
_FEW = Agreement(7, 7, 1.0, 1.0, 0.4, 1.0, 1.0)
_FEW_PAIR = PairAgreement("Ida", "Tom", _FEW, _FEW, {Verdict.MATCH: _FEW})
_RIGHT = Accuracy(0.97, 0.91, 0.99, 64)
_NOTHING = Accuracy(None, None, None, 0)


class FakeAgreement:
    """``asked`` are the listings of which a second opinion is wanted, by reviewer; ``gold`` decisions."""

    if TYPE_CHECKING:
        decisions: list[Decision]
        _entry: Any
        _write: Any
        card: Any
        card_for: Any
        decide: Any
        listing: Any
        settings: Any

    def __init__(self) -> None:
        self.asked: dict[str, list[int]] = {}
        self.opinions: list[SecondOpinion] = []
        self.gold: set[int] = set()
        self.waiting: list[Disagreement] = []

    def opinion_entries(self, reviewer: str, skip: Collection[int]) -> list[QueueEntry]:
        made = []
        for number in self.asked.get(reviewer, ()):
            if number not in skip:
                listing = self.listing(number)
                made.append(
                    QueueEntry(
                        number,
                        listing.external_id,
                        listing.title,
                        "shop",
                        RouteReason.AUDIT,
                        0.0,
                        0.0,
                        "random",
                        None,
                        True,
                        about=77,
                    )
                )
        return made

    def give_second_opinion(
        self,
        *,
        listing_id: int,
        about: int,
        verdict: Verdict,
        reviewer: str,
        item_id: int | None = None,
        rejected: Collection[int] = (),
        also_right: Collection[int] = (),
        note: str = "",
    ) -> tuple[SecondOpinion, ChangeSet]:
        self._write(f"second opinion {listing_id} {verdict.value}")
        opinion = SecondOpinion(
            len(self.opinions) + 1,
            listing_id,
            verdict,
            item_id,
            reviewer,
            "2026-11-22T09:00:00+00:00",
            Stream.RANDOM,
            None,
            also_right=tuple(also_right),
            about=about,
        )
        self.opinions.append(opinion)
        self.asked[reviewer].remove(listing_id)
        return opinion, ChangeSet(opinions=True, listing_ids=(listing_id,))

    def card_again(self, said: Decision) -> ReviewCard:
        if isinstance(said, SecondOpinion):
            [entry] = [
                one for one in self.opinion_entries(said.reviewer, ()) if one.listing_id == said.listing_id
            ]
            return self.card(entry)
        return self.card_for(said.listing_id)

    def take_back_opinion(self) -> SecondOpinion:
        opinion = self.opinions.pop()
        self.asked[opinion.reviewer].insert(0, opinion.listing_id)
        return opinion

    def mark_gold(self, decision_id: int, *, gold: bool = True, reviewer: str = "") -> ChangeSet:
        self._write(f"mark_gold {decision_id} {gold}")
        (self.gold.add if gold else self.gold.discard)(decision_id)
        return ChangeSet(opinions=True)

    def is_gold(self, decision_id: int) -> bool:
        return decision_id in self.gold

    def reviewers(self) -> ReviewersReport:
        people = (
            ReviewerSummary("Mara", 310, 60, _RIGHT, _RIGHT, _RIGHT),
            ReviewerSummary("Ida", 120, 64, _RIGHT, _RIGHT, _NOTHING),
        )
        return ReviewersReport(
            people, (_PAIR, _FEW_PAIR), self.settings.overlap_share, 3, 124, len(self.gold), len(self.waiting)
        )

    def disagreements(self, limit: int = 1000) -> list[Disagreement]:
        return self.waiting[:limit]

    def adjudicate(
        self,
        *,
        listing_id: int,
        verdict: Verdict,
        reviewer: str,
        item_id: int | None = None,
        also_right: Collection[int] = (),
        note: str = "",
    ) -> tuple[Decision, ChangeSet]:
        made, changes = self.decide(
            listing_id=listing_id,
            verdict=verdict,
            item_id=item_id,
            also_right=also_right,
            reviewer=reviewer,
            note=note,
        )
        self.waiting = [one for one in self.waiting if one.decision.listing_id != listing_id]
        return made, changes | ChangeSet(opinions=True)

    def disagree(self, *listing_ids: int) -> None:
        """Have Ida contradict Mara on listings."""
        for number in listing_ids:
            listing = self.listing(number)
            self.decide(listing_id=number, verdict=Verdict.MATCH, item_id=1, reviewer="Mara", note="the box")
            opinion = SecondOpinion(
                number, number, Verdict.NONE, None, "Ida", "2026-11-22T09:00:00+00:00", Stream.RANDOM, None
            )
            self.waiting.append(
                Disagreement(
                    self.decisions[-1],
                    opinion,
                    listing.external_id,
                    listing.title,
                    "shop",
                    "I1",
                    "Sony WH-1000XM4 Wireless Headphones",
                    "",
                    "",
                )
            )
