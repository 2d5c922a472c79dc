"""Whether a challenger forgets: coverage of the newest feed beside that of the feeds before it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from engine.contracts import FeedCoverage
from engine.learning.promote import Answered, loosest_threshold


def feed_coverages(
    feeds: Sequence[str],
    feed_of: npt.ArrayLike,
    champion: Answered,
    challenger: Answered,
    precision: float,
    inclusion: npt.ArrayLike,
) -> tuple[FeedCoverage, ...]:
    """Both releases on the held-out listings of the newest feed, and on those of all earlier ones.

    Each release has one threshold for all feeds, as in use: the loosest at which its answers to all held-out
    listings have the required precision, each listing weighted by the inverse of its inclusion probability.

    Args:
        feeds: names in the order the feeds were made.
        feed_of: [m] place of each held-out listing's feed in ``feeds``.
        champion: on the held-out listings.
        challenger: on the same, in the same order.
        precision: required, in (0, 1).
        inclusion: [m] probability with which each was drawn, in (0, 1].

    Returns:
        The newest feed that has held-out listings, then the earlier ones together; empty where all
        held-out listings are of one feed.
    """
    place = np.asarray(feed_of, dtype=np.int64)
    weight = 1 / np.asarray(inclusion, dtype=np.float64)
    seen = np.unique(place)
    if len(seen) < 2:
        return ()
    newest = place == seen[-1]
    answered = [
        release.confidence >= loosest_threshold(release, weight, precision)
        for release in (champion, challenger)
    ]
    found = []
    for names, group in (((feeds[seen[-1]],), newest), (tuple(feeds[i] for i in seen[:-1]), ~newest)):
        before, after = (float(np.average(which[group], weights=weight[group])) for which in answered)
        found.append(FeedCoverage(names, int(group.sum()), before, after))
    return tuple(found)
