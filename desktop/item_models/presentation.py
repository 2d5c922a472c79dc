"""A review card made ready to be drawn: order, differences, ties. Computed off the window's thread."""

from __future__ import annotations

from dataclasses import dataclass, replace

from desktop.item_models.details import Stretch, details_said, stretches, told_words
from desktop.item_models.differences import (
    FieldRow,
    MarkedToken,
    TokenKind,
    compare_fields,
    compare_titles,
    words_for,
)
from desktop.widgets.wording import percent
from engine.contracts import Candidate, CandidateView, Item, PastMatch, ReviewCard, RouteReason
from engine.contracts.details import attribute_names

#: Candidates whose confidence is this close to the best one's cannot be told apart by it.
NEAR_TIE = 0.05
_SHOWN_GAP = 0.001

_REASONS = {
    RouteReason.BELOW_THRESHOLD: "Below the threshold",
    RouteReason.NO_CERTIFICATE: "Nothing is certified yet",
    RouteReason.NO_MATCHER: "No matcher yet",
    RouteReason.TIE: "Candidates tie",
    RouteReason.NO_CANDIDATES: "No candidates found",
    RouteReason.CHANGED: "Changed since it was answered",
    RouteReason.AUDIT: "Audit",
    RouteReason.SNOOZED: "Snoozed before",
    RouteReason.ABOVE_THRESHOLD: "Automated match",
    RouteReason.NOT_IN_CATALOGUE: "Automated as not in the catalogue",
    RouteReason.MEMORY: "Settled from memory",
    RouteReason.DECIDED: "Answered before",
    RouteReason.SUSPENDED: "Its certificate is suspended",
    RouteReason.UNCONFIRMED: "Needs a second confirmation",
    RouteReason.RECHECK: "Please check again",
}
_EXPLANATIONS = {
    RouteReason.BELOW_THRESHOLD: "The best candidate is not certain enough to be automated.",
    RouteReason.NO_CERTIFICATE: "No threshold is certified yet, so every listing is reviewed.",
    RouteReason.NO_MATCHER: "Until enough decisions are made the figures only order the candidates.",
    RouteReason.TIE: "The best candidates are too close to one another to be told apart.",
    RouteReason.NO_CANDIDATES: "No item of the catalogue resembles this listing.",
    RouteReason.CHANGED: "The listing or its item changed after the answer, so it is asked again.",
    RouteReason.AUDIT: "Drawn to measure precision or agreement. Confidence and order are hidden on purpose.",
    RouteReason.SNOOZED: "You had put this listing off.",
    RouteReason.ABOVE_THRESHOLD: "It was automated; a new answer replaces that.",
    RouteReason.NOT_IN_CATALOGUE: "It was automated; a new answer replaces that.",
    RouteReason.MEMORY: "An identical listing was confirmed before; a new answer replaces that.",
    RouteReason.SUSPENDED: "It was automated until audits found too many automated answers wrong.",
    RouteReason.UNCONFIRMED: (
        "One confirmation alone speaks for it, or answers to its text differ. One more answer settles it."
    ),
    RouteReason.RECHECK: "Training found this answer hard to believe. Confirm it, or give another one.",
    RouteReason.DECIDED: "This listing has an answer. A new answer replaces it.",
}


@dataclass(frozen=True, slots=True)
class CandidateSketch:
    """One candidate as it is drawn. ``number`` is the key that chooses it, 0 beyond the ninth.

    ``listing_details`` and ``item_details`` are the two descriptions, with what answers for a word of the
    other title marked.
    """

    number: int
    view: CandidateView
    marked: tuple[MarkedToken, ...]
    listing_marked: tuple[MarkedToken, ...]
    fields: tuple[FieldRow, ...]
    near_tie: str
    variant_of: int
    past: tuple[PastMatch, ...]
    listing_details: tuple[Stretch, ...]
    item_details: tuple[Stretch, ...]
    found: bool = False

    @property
    def item(self) -> Item:
        """The item it proposes."""
        return self.view.item

    @property
    def differences(self) -> str:
        """The differences of the titles in words."""
        return words_for(self.marked)


@dataclass(frozen=True, slots=True)
class Sketch:
    """A whole card as it is drawn."""

    card: ReviewCard
    candidates: tuple[CandidateSketch, ...]
    fields: tuple[FieldRow, ...]
    reason: str
    explanation: str

    @property
    def blind(self) -> bool:
        """Whether confidence and order must not show."""
        return self.card.entry.blind

    @property
    def listing_id(self) -> int:
        """The listing's number in the workspace."""
        return self.card.listing.id


def sketch(card: ReviewCard) -> Sketch:
    """Make a card ready to be drawn; a blind one is ordered by title, so that the order tells nothing."""
    views = list(card.candidates)
    if card.entry.blind:
        views.sort(key=lambda view: (view.item.title.casefold(), view.item.id))
    candidates: list[CandidateSketch] = []
    for at, view in enumerate(views):
        made = _candidate(card, view, at + 1 if at < 9 else 0)
        tie = "" if card.entry.blind else _tie(views, at)
        candidates.append(replace(made, near_tie=tie, variant_of=_leader(candidates, view.item)))
    reason = card.entry.reason
    return Sketch(
        card=card,
        candidates=tuple(candidates),
        fields=compare_fields(card.listing, None),
        reason=_REASONS.get(reason, reason.value),
        explanation=_EXPLANATIONS.get(reason, ""),
    )


def with_found(shown: Sketch, item: Item) -> tuple[Sketch, int]:
    """The card with a searched item among its candidates, and the place where it stands.

    It goes behind the others so that no key changes its meaning; an item that is there already stays.
    """
    for at, candidate in enumerate(shown.candidates):
        if candidate.item.id == item.id:
            return shown, at
    count = len(shown.candidates)
    view = CandidateView(Candidate(item.id, 0.0, 0.0, 0.0), item)
    made = replace(_candidate(shown.card, view, count + 1 if count < 9 else 0), found=True)
    return replace(shown, candidates=(*shown.candidates, made)), count


def _candidate(card: ReviewCard, view: CandidateView, number: int) -> CandidateSketch:
    listing, item = card.listing, view.item
    # As evidence reads them: what a feed says of a listing besides is about the shop.
    named = attribute_names(item)
    listing_says, item_says = details_said(listing, named), details_said(item, named)
    marked = compare_titles(item.title, listing.title, my_details=item_says, their_details=listing_says)
    listing_marked = compare_titles(
        listing.title, item.title, my_details=listing_says, their_details=item_says
    )
    return CandidateSketch(
        number=number,
        view=view,
        marked=marked,
        listing_marked=listing_marked,
        fields=compare_fields(listing, item),
        near_tie="",
        variant_of=0,
        past=card.past_matches.get(item.id, ()),
        listing_details=stretches(listing.description, told_words(marked)),
        item_details=stretches(item.description, told_words(listing_marked)),
    )


def _tie(views: list[CandidateView], at: int) -> str:
    if len(views) < 2:
        return ""
    best = views[0].candidate.confidence
    apart = best - views[max(at, 1)].candidate.confidence
    if apart > NEAR_TIE:
        return ""
    return f"Near tie, {percent(apart, 1)} apart" if at and apart >= _SHOWN_GAP else "Near tie"


def _leader(before: list[CandidateSketch], item: Item) -> int:
    """The number of an earlier candidate of which ``item`` is a size, colour or pack; 0 for none."""
    for other in before:
        if other.variant_of or not other.number or other.item.brand.casefold() != item.brand.casefold():
            continue
        marked = compare_titles(item.title, other.item.title)
        differing = [one for one in marked if one.difference not in {"equal", "similar"}]
        kinds = {one.token.kind for one in differing}
        if differing and kinds <= {TokenKind.MEASURE, TokenKind.COLOUR, TokenKind.NUMBER}:
            return other.number
    return 0
