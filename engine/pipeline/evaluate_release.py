"""Challenger against champion, through the production path on the shipped artefacts."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from engine.contracts import Comparison, Decision, FeedCoverage, Progress, Promise, Route
from engine.contracts.together import answer_confidence, answer_right
from engine.learning.evaluate import (
    NOT_AUTOMATED,
    EvaluationLabels,
    MeasuredRelease,
    answer_of,
    compare,
    confirmed,
    held_out,
)
from engine.learning.feed_coverage import feed_coverages
from engine.learning.promote import Answered
from engine.pipeline.match_listings import all_placements
from engine.pipeline.release_shelf import ReleaseShelf
from engine.pipeline.score_listings import LoadedRelease, Scores, score_listings
from engine.settings import WorkspaceSettings
from engine.store import Store


def measure(
    store: Store, shelf: ReleaseShelf, release: LoadedRelease, settings: WorkspaceSettings
) -> Generator[Progress, None, MeasuredRelease]:
    """What a release would do with every listing, and how it does on held-out decisions."""
    scores = yield from score_listings(release, shelf.blocks(release.search), shown=settings.shown_candidates)
    with store.reading() as uow:
        decided = frozenset(decision.listing_id for decision in uow.decisions.in_force())
    answers: list[int] = []
    settled = 0
    for placements in all_placements(store, release, scores, forget=decided):
        answers.extend(answer_of(placement) for placement in placements)
        settled += sum(p.route != Route.REVIEW and p.listing_id not in decided for p in placements)
        yield Progress("comparing", len(answers), len(scores.listing_ids))
    total = max(1, len(scores.listing_ids))
    certificate = release.certificate
    promise = Promise(settings.promise)
    return MeasuredRelease(
        release_id=release.id,
        labels=labels_of(store, scores),
        threshold=certificate.threshold if certificate else None,
        certified_coverage=certified_coverage(release, promise),
        automation_rate=settled / total,
        answers=np.asarray(answers, dtype=np.int64) if answers else np.full(0, NOT_AUTOMATED, np.int64),
        answered=answered(store, scores, promise),
    )


def certified_coverage(release: LoadedRelease, promise: Promise) -> float:
    """The share of listings that a release's certificates automate of what the promise is about."""
    main, none = release.certificate, release.none_certificate
    if main is None:
        return 0.0
    if promise is Promise.TOGETHER:
        return main.expected_coverage + (none.expected_coverage if none else 0.0)
    return main.expected_coverage * (main.match_part.share if main.match_part else 1.0)


def answered(store: Store, scores: Scores, promise: Promise) -> Answered:
    """A release's answers to the held-out listings: matches, or under one promise for both either kind."""
    decisions, rows = _held_out_rows(store, scores)
    of_match, of_none = scores.best_confidence[rows], scores.none_confidence[rows]
    match_right = confirmed(decisions, scores.best_item[rows])
    if promise is Promise.TOGETHER:
        none_right = np.asarray([not decision.right_items for decision in decisions], dtype=bool)
        return Answered(
            answer_confidence(of_match, of_none), answer_right(of_match, of_none, match_right, none_right)
        )
    return Answered(of_match.astype(np.float64), match_right)


def _held_out_rows(store: Store, scores: Scores) -> tuple[list[Decision], npt.NDArray[np.int64]]:
    """The held-out decisions on scored listings, and the listings' rows."""
    with store.reading() as uow:
        decisions = held_out(uow.decisions.in_force())
    rows = scores.rows_of(np.asarray([d.listing_id for d in decisions], dtype=np.int64))
    return [d for d, row in zip(decisions, rows, strict=True) if row >= 0], rows[rows >= 0]


def labels_of(store: Store, scores: Scores) -> EvaluationLabels:
    """The held-out decisions of the workspace as one release sees them."""
    decisions, rows = _held_out_rows(store, scores)
    with store.reading() as uow:
        reserve = dict(zip(*(part.tolist() for part in uow.listings.reserve()), strict=True))
    return EvaluationLabels(
        listing_ids=scores.listing_ids[rows],
        confidence=scores.best_confidence[rows].astype(np.float64),
        best_right=confirmed(decisions, scores.best_item[rows]),
        similarity=scores.top_similarity[rows].astype(np.float64),
        similarity_right=confirmed(decisions, scores.top_similarity_item[rows]),
        # A listing taken out of the reserve since (inclusion 0) counts like those certain to be drawn.
        inclusion=np.asarray([reserve.get(d.listing_id) or 1.0 for d in decisions], dtype=np.float64),
    )


def compare_releases(
    store: Store, shelf: ReleaseShelf, settings: WorkspaceSettings, *, champion: str, challenger: str
) -> Generator[Progress, None, Comparison]:
    """Measure both and let the gate judge."""
    release = yield from shelf.open(champion, settings)
    measured = [(yield from measure(store, shelf, release, settings))]
    release = yield from shelf.open(challenger, settings)
    measured.append((yield from measure(store, shelf, release, settings)))
    listing_ids = shelf.blocks(release.search).listing_ids()
    segments = _segments(store, listing_ids)
    feeds = _feed_coverages(store, measured[0], measured[1], settings.precision)
    with store.reading() as uow:
        comparison = compare(
            uow,
            champion=measured[0],
            challenger=measured[1],
            listing_ids=listing_ids,
            segments=segments,
            precision=settings.precision,
            max_segment_drop=settings.max_segment_drop,
            max_automation_drop=settings.max_automation_drop,
            max_contradiction_share=settings.max_contradiction_share,
            together=Promise(settings.promise) is Promise.TOGETHER,
        )
    return replace(comparison, feeds=feeds)


def _feed_coverages(
    store: Store, champion: MeasuredRelease, challenger: MeasuredRelease, precision: float
) -> tuple[FeedCoverage, ...]:
    """Both releases on the held-out listings of the newest feed, and of the earlier ones."""
    ids = champion.labels.listing_ids.tolist()
    with store.reading() as uow:
        names = uow.feeds.names()
        feed_of: dict[int, int] = {}
        for start in range(0, len(ids), 500):
            found = uow.listings.get_many(ids[start : start + 500])
            feed_of |= {number: listing.feed_id for number, listing in found.items()}
    order = {feed: place for place, feed in enumerate(sorted(names))}
    return feed_coverages(
        [names[feed] for feed in sorted(names)],
        [order[feed_of[i]] for i in ids],
        champion.answered,
        challenger.answered,
        precision,
        champion.labels.inclusion,
    )


def _segments(store: Store, listing_ids: np.ndarray) -> list[str]:
    """The segment of every listing: its category, else its feed."""
    names: list[str] = []
    with store.reading() as uow:
        feeds = {feed.id: feed.name for feed in uow.feeds.all()}
        for start in range(0, len(listing_ids), 500):
            ids = [int(i) for i in listing_ids[start : start + 500]]
            found = uow.listings.get_many(ids)
            names.extend(found[i].category or feeds.get(found[i].feed_id, "") for i in ids)
    return names
