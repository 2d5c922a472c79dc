"""Scores to routes: the placement of every listing, written to the store in short transactions."""

from __future__ import annotations

from collections.abc import Generator, Iterator

import numpy as np
import numpy.typing as npt

from engine.automation.routing import ALONE_AS_ALIAS, ALONE_FROM_MEMORY, Thresholds, place
from engine.contracts import CertificateKind, Placement, Progress, Remembered
from engine.pipeline.score_listings import LoadedRelease, Scores
from engine.review.priorities import gain_priorities
from engine.store import Memory, Store, UnitOfWork

#: Listings per transaction: a reviewer's decision waits at most for one of these.
_BATCH = 2000


def thresholds_of(release: LoadedRelease, suspended: frozenset[CertificateKind] = frozenset()) -> Thresholds:
    """What the release's certificates allow, but for the suspended ones."""
    return Thresholds(
        match=release.certificate.threshold if release.certificate else None,
        none=release.none_certificate.threshold if release.none_certificate else None,
        has_matcher=release.matcher is not None,
        suspended=suspended,
    )


def place_rows(
    uow: UnitOfWork,
    release: LoadedRelease,
    scores: Scores,
    rows: npt.NDArray[np.int64],
    forget: frozenset[int] = frozenset(),
    suspended: frozenset[CertificateKind] = frozenset(),
    rest_on_one: frozenset[int] = frozenset(),
) -> list[Placement]:
    """Placements of some rows of ``scores``; the listings to ``forget`` are not settled from memory.

    ``rest_on_one``: listings of which :func:`resting_on_one` says so.
    """
    ids = scores.listing_ids[rows].tolist()
    keys = uow.listings.text_keys(ids)
    memory = uow.aliases.memory(sorted(set(keys.values())), alone=ALONE_FROM_MEMORY)
    thresholds = thresholds_of(release, suspended)
    return [
        place(
            listing_id,
            scores.candidates(int(row)),
            none_confidence=float(scores.none_confidence[row]),
            thresholds=thresholds,
            remembered=None
            if listing_id in forget
            else _remembered(memory.get(keys.get(listing_id, "")), listing_id),
            rests_on_one=listing_id in rest_on_one,
        )
        for listing_id, row in zip(ids, rows, strict=True)
    ]


def _remembered(memory: Memory | None, listing_id: int) -> Remembered | None:
    if memory is None:
        return None
    return Remembered(memory.item_id, memory.confirmations > 1 or listing_id in memory.first)


def resting_on_one(store: Store, release: LoadedRelease, scores: Scores) -> frozenset[int]:
    """The listings that one alias alone would carry over the threshold, beyond the first few of it."""
    threshold = thresholds_of(release).match
    if threshold is None:
        return frozenset()
    aided, unaided = scores.best_confidence.astype(np.float64), scores.unaided.astype(np.float64)
    carried = (aided >= threshold) & (unaided < threshold) & (scores.leans_on > 0)
    ids, aliases = scores.listing_ids[carried], scores.leans_on[carried]
    with store.reading() as uow:
        waiting = np.isin(ids, list(uow.listings.undecided(ids.tolist())))
    ids, aliases = ids[waiting], aliases[waiting]
    order = np.lexsort((ids, aliases))
    begins = np.searchsorted(aliases[order], aliases[order], "left")
    beyond = np.arange(len(order)) - begins >= ALONE_AS_ALIAS
    return frozenset(ids[order[beyond]].tolist())


def all_placements(
    store: Store, release: LoadedRelease, scores: Scores, *, forget: frozenset[int] = frozenset()
) -> Iterator[list[Placement]]:
    """Placements of every scored listing in batches, without writing them.

    A decided listing would remember itself; ``forget`` names those to judge by the machine alone.
    """
    rest_on_one = resting_on_one(store, release, scores)
    for start in range(0, len(scores.listing_ids), 4096):
        rows = np.arange(start, min(start + 4096, len(scores.listing_ids)))
        with store.reading() as uow:
            yield place_rows(uow, release, scores, rows, forget, rest_on_one=rest_on_one)


def write_placements(
    store: Store, release: LoadedRelease, scores: Scores, *, feed_id: int | None
) -> Generator[Progress, None, int]:
    """Route every scored listing (of one feed, or all); returns how many were placed.

    Closing the iterator keeps the batches that were written.
    """
    priorities = _priorities(release, scores)
    rest_on_one = resting_on_one(store, release, scores)
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
            placements = place_rows(uow, release, scores, batch, suspended=suspended, rest_on_one=rest_on_one)
            uow.listings.save_placements(release.id, placements, priorities[batch].tolist())
        yield Progress("routing", min(start + _BATCH, len(rows)), len(rows))
    return len(rows)


def _priorities(release: LoadedRelease, scores: Scores) -> npt.NDArray[np.float64]:
    if not len(scores.listing_ids):
        return np.zeros(0)
    _, family, sizes = np.unique(scores.best_item, return_inverse=True, return_counts=True)
    threshold = thresholds_of(release).match
    return np.asarray(
        gain_priorities(
            scores.best_confidence,
            scores.none_confidence,
            scores.margin,
            sizes[family],
            threshold,
            scores.best_item,
        )
    )
