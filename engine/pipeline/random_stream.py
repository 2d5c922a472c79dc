"""The random stream: listings drawn from the reserve, blind, with a probability that is kept.

The reserve is a share of every feed fixed by lot at import; the learning stream never touches it.
A round draws most listings uniformly from the zone where automation may happen one day and the rest
uniformly from everything: what a later matcher or encoder will trust must have had its chance, and so
must what it will call "not in catalogue". Both add what they did to the inclusion probability of every
reserve listing they could have drawn.
"""

from __future__ import annotations

import numpy as np

from engine.store import UnitOfWork

POLICY = "reserve-zone-2"
#: The same with a zone of sure answers of either kind.
POLICY_OF_ANSWERS = "reserve-zone-answers-1"
#: Share of a round that is drawn from everything, whatever the zone.
EVERYWHERE = 0.3


def draw(
    uow: UnitOfWork,
    count: int,
    *,
    feed_id: int | None,
    zone_floor: float | None,
    release_id: str | None,
    seed: int,
    of_answer: bool = False,
) -> list[int]:
    """Draw up to ``count`` listings; returns the draw numbers.

    Args:
        uow: a writing unit of work.
        count: how many listings to draw.
        feed_id: draw from one feed, or from all.
        zone_floor: least confidence of the zone; None = everything matched.
        release_id: the champion whose confidences define the zone.
        seed: makes a replay repeatable; the round's number is mixed in.
        of_answer: ``zone_floor`` is of the answer's confidence, "not in catalogue" included.
    """
    if zone_floor is None:
        return _draw_from(uow, count, feed_id, None, release_id, seed)
    # Rounded by lot, so that rounds of one listing keep the share too.
    everywhere = int(count * EVERYWHERE + np.random.default_rng([seed, uow.draws.count(), 1]).random())
    drawn = _draw_from(uow, everywhere, feed_id, None, release_id, seed)
    return drawn + _draw_from(uow, count - len(drawn), feed_id, zone_floor, release_id, seed, of_answer)


def _draw_from(
    uow: UnitOfWork,
    count: int,
    feed_id: int | None,
    floor: float | None,
    release_id: str | None,
    seed: int,
    of_answer: bool = False,
) -> list[int]:
    zone = uow.listings.reserve_zone(feed_id=feed_id, min_confidence=floor, of_answer=of_answer)
    if not len(zone.undrawn) or count <= 0:
        return []
    taken = min(count, len(zone.undrawn))
    probability = taken / len(zone.undrawn)
    generator = np.random.default_rng([seed, uow.draws.count()])
    chosen = np.sort(generator.choice(zone.undrawn, size=taken, replace=False))
    uow.listings.raise_inclusion(
        feed_id=feed_id, min_confidence=floor, probability=probability, of_answer=of_answer
    )
    policy = POLICY_OF_ANSWERS if of_answer else POLICY
    return uow.draws.add([int(i) for i in chosen], probability, policy, release_id, floor)


def coins(draw_ids: np.ndarray) -> np.ndarray:
    """A uniform number in [0, 1) for every draw, fixed by its number alone (splitmix64)."""
    z = draw_ids.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z = z ^ (z >> np.uint64(31))
    return np.asarray(z / np.float64(2**64))
