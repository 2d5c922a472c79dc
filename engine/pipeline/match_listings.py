"""Scores to routes: the placement of every listing, written to the store in short transactions."""

from __future__ import annotations

from collections.abc import Generator, Iterator

import numpy as np
import numpy.typing as npt

from engine.automation.routing import Thresholds, place
from engine.contracts import CertificateKind, Placement, Progress
from engine.contracts.together import answer_confidence
from engine.pipeline.score_listings import LoadedRelease, Scores
from engine.review.priorities import gain_priorities
from engine.store import Store, UnitOfWork

#: Listings per transaction: a reviewer's decision waits at most for one of these.
_BATCH = 2000
#: One confirmation of a text settles so many other listings with it; the rest waits for a second, so that
#: one wrong answer cannot spread over a feed of repeats (docs/adr/0011).
UNCONFIRMED_REPEATS, _CONFIRMATIONS = 3, 2


def thresholds_of(release: LoadedRelease, suspended: frozenset[CertificateKind] = frozenset()) -> Thresholds:
    """What the release's certificates allow, but for the suspended ones."""
    main = release.certificate.threshold if release.certificate else None
    together = release.together
    return Thresholds(
        match=None if together else main,
        none=release.none_certificate.threshold if release.none_certificate else None,
        has_matcher=release.matcher is not None,
        suspended=suspended,
        both=main if together else None,
    )


def place_rows(
    uow: UnitOfWork,
    release: LoadedRelease,
    scores: Scores,
    rows: npt.NDArray[np.int64],
    forget: frozenset[int] = frozenset(),
    suspended: frozenset[CertificateKind] = frozenset(),
) -> list[Placement]:
    """Placements of some rows of ``scores``; the listings to ``forget`` are not settled from memory."""
    ids = scores.listing_ids[rows].tolist()
    keys = uow.listings.text_keys(ids)
    memory = uow.memory.recall(sorted(set(keys.values())))
    once = sorted(key for key, found in memory.items() if found.confirmations < _CONFIRMATIONS)
    first = uow.memory.first_repeats(once, UNCONFIRMED_REPEATS)
    thresholds = thresholds_of(release, suspended)
    placements = []
    for listing_id, row in zip(ids, rows, strict=True):
        found = None if listing_id in forget else memory.get(keys.get(listing_id, ""))
        settles = found is not None and (found.confirmations >= _CONFIRMATIONS or listing_id in first)
        placements.append(
            place(
                listing_id,
                scores.candidates(int(row)),
                none_confidence=float(scores.none_confidence[row]),
                thresholds=thresholds,
                remembered_item=found.item_id if found is not None and settles else None,
                unconfirmed_item=found.item_id if found is not None and not settles else None,
                unaided=float(scores.unaided[row]) if scores.held[row] else None,
            )
        )
    return placements


def all_placements(
    store: Store, release: LoadedRelease, scores: Scores, *, forget: frozenset[int] = frozenset()
) -> Iterator[list[Placement]]:
    """Placements of every scored listing in batches, without writing them.

    A decided listing would remember itself; ``forget`` names those to judge by the machine alone.
    """
    for start in range(0, len(scores.listing_ids), 4096):
        rows = np.arange(start, min(start + 4096, len(scores.listing_ids)))
        with store.reading() as uow:
            yield place_rows(uow, release, scores, rows, forget)


def write_placements(
    store: Store, release: LoadedRelease, scores: Scores, *, feed_id: int | None
) -> Generator[Progress, None, int]:
    """Route every scored listing (of one feed, or all); returns how many were placed.

    Closing the iterator keeps the batches that were written.
    """
    priorities = _priorities(release, scores)
    rows = np.arange(len(scores.listing_ids))
    if feed_id is not None:
        with store.reading() as uow:
            members = uow.listings.feed_listing_ids(feed_id)
        rows = np.flatnonzero(np.isin(scores.listing_ids, members))
    for start in range(0, len(rows), _BATCH):
        batch = rows[start : start + _BATCH]
        with store.writing() as uow:
            # Read in every transaction: an alarm may be raised while this goes on.
            suspended = uow.live_audits.suspended()
            placements = place_rows(uow, release, scores, batch, suspended=suspended)
            uow.listings.save_placements(release.id, placements, priorities[batch].tolist())
        yield Progress("routing", min(start + _BATCH, len(rows)), len(rows))
    return len(rows)


def _priorities(release: LoadedRelease, scores: Scores) -> npt.NDArray[np.float64]:
    if not len(scores.listing_ids):
        return np.zeros(0)
    _, family, sizes = np.unique(scores.best_item, return_inverse=True, return_counts=True)
    threshold = release.certificate.threshold if release.certificate else None
    return np.asarray(
        gain_priorities(
            answer_confidence(scores.best_confidence, scores.none_confidence)
            if release.together
            else scores.best_confidence,
            scores.none_confidence,
            scores.margin,
            sizes[family],
            threshold,
            scores.best_item,
        )
    )
