"""Agreement between reviewers: second opinions, how far two people agree, and how often one is right."""

from __future__ import annotations

from dataclasses import dataclass

from engine.contracts.decisions import Decision, Verdict

#: Below this many judged listings a share says nothing and is not shown.
FEWEST_JUDGED = 10
TOO_FEW = "too few to say"


@dataclass(frozen=True, slots=True)
class SecondOpinion(Decision):
    """A blind verdict of another reviewer on a decided listing. It is never in force.

    ``id`` counts second opinions, not decisions. ``about`` is the number of the decision it is compared
    with; ``overlap_id`` the draw it answers, None for a gold decision that was slipped in. Training and
    certificates do not know second opinions.
    """

    about: int = 0
    overlap_id: int | None = None


@dataclass(frozen=True, slots=True)
class Accuracy:
    """How often a reviewer is right: ``estimate`` with its 95 % interval, of ``judged`` listings.

    Estimate and interval are None where nothing was judged.
    """

    estimate: float | None
    low: float | None
    high: float | None
    judged: int

    @property
    def words(self) -> str:
        """``0.97 (0.91-0.99), 64 judged``; a share is never shown without its interval and number."""
        if self.judged < FEWEST_JUDGED or self.estimate is None:
            return TOO_FEW
        return f"{self.estimate:.2f} ({self.low:.2f}-{self.high:.2f}), {self.judged:,} judged"


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far two reviewers agree beyond chance on the ``judged`` listings both answered.

    ``raw`` is the share they agree on, ``kappa`` Cohen's kappa with its 95 % interval. ``prevalence`` and
    ``bias`` are the indices of Byrt, Bishop and Carlin and, like ``pabak`` (kappa adjusted for both), tell
    why kappa is low where nearly all agree. None where a figure is not defined: nothing judged, chance
    alone would agree always, or (prevalence, bias) more than two answers are possible.
    """

    judged: int
    agreed: int
    raw: float | None
    kappa: float | None
    kappa_low: float | None
    kappa_high: float | None
    pabak: float | None
    prevalence: float | None = None
    bias: float | None = None

    @property
    def words(self) -> str:
        """``0.81 (0.70-0.92), 120 judged``: kappa with interval and number."""
        if self.judged < FEWEST_JUDGED:
            return TOO_FEW
        if self.kappa is None:
            return f"not defined, {self.judged:,} judged"
        return f"{self.kappa:.2f} ({self.kappa_low:.2f}-{self.kappa_high:.2f}), {self.judged:,} judged"


@dataclass(frozen=True, slots=True)
class PairAgreement:
    """Two reviewers. ``verdicts`` compares the six verdicts, ``by_verdict`` each against the other five.

    ``same_item`` compares what the listing was matched with: the item, or none.
    """

    first: str
    second: str
    verdicts: Agreement
    same_item: Agreement
    by_verdict: dict[Verdict, Agreement]


@dataclass(frozen=True, slots=True)
class ReviewerSummary:
    """One reviewer: what they did, and how often they are right.

    ``answers``: verdict and item, estimated from all second opinions, gold and adjudicated decisions;
    ``verdicts``: the verdict alone (Dawid-Skene); ``gold``: verdict and item on gold decisions, counted.
    """

    reviewer: str
    decisions: int
    second_opinions: int
    answers: Accuracy
    verdicts: Accuracy
    gold: Accuracy


@dataclass(frozen=True, slots=True)
class ReviewersReport:
    """``alcove reviewers``. ``waiting`` overlap draws are unanswered; ``to_adjudicate`` contradict."""

    reviewers: tuple[ReviewerSummary, ...]
    pairs: tuple[PairAgreement, ...]
    overlap_share: float
    waiting: int
    answered: int
    gold: int
    to_adjudicate: int


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A decision in force and a second opinion that differs, with the words a person needs.

    ``decision_also_right`` and ``opinion_also_right`` are external id and title of the other items that
    either says are right.
    """

    decision: Decision
    opinion: SecondOpinion
    listing_external_id: str
    listing_title: str
    feed: str
    decision_item_external_id: str
    decision_item_title: str
    opinion_item_external_id: str
    opinion_item_title: str
    decision_also_right: tuple[tuple[str, str], ...] = ()
    opinion_also_right: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class AdjudicationReport:
    """What ``alcove adjudicate --from FILE`` did."""

    rows: int
    adjudicated: int
    refused: tuple[tuple[int, str], ...]
