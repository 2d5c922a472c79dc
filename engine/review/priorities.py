"""What one decision on a listing is expected to bring: the order of the learning stream."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

#: How fast interest falls with the distance from the threshold; at 2 and a threshold of .5 interest
#: is the variance of a coin, 4 c (1 - c).
SHARPNESS = 2.0
#: A listing whose open question is "is it in the catalogue at all?" counts this much of one whose
#: open question is the match itself, which is what certified coverage is made of.
NONE_INTEREST = 0.5
#: Weight of a listing whose two best candidates are equally likely, against one with a clear best.
TIE_WEIGHT = 1.5
_EDGE = 1e-6


def interest(probability: npt.ArrayLike, threshold: float) -> Floats:
    """How undecided a probability is about a threshold: exp(-2 KL(threshold || probability)), in [0, 1].

    1 at the threshold, falling to 0 at probabilities 0 and 1, and more steeply on the nearer side, so
    that with a threshold of .93 a listing at .80 is of more interest than one at .999.

    Args:
        probability: [n] in [0, 1].
        threshold: in (0, 1).
    """
    p = np.clip(np.asarray(probability, dtype=np.float64), _EDGE, 1.0 - _EDGE)
    t = min(max(threshold, _EDGE), 1.0 - _EDGE)
    divergence = t * np.log(t / p) + (1.0 - t) * np.log((1.0 - t) / (1.0 - p))
    return np.asarray(np.exp(-SHARPNESS * divergence), dtype=np.float64)


def gain_priorities(
    confidence: npt.ArrayLike,
    none_confidence: npt.ArrayLike,
    margin: npt.ArrayLike,
    family_sizes: npt.ArrayLike,
    threshold: float | None,
    families: npt.ArrayLike | None = None,
) -> Floats:
    """The learning stream's priority of each listing; higher is asked earlier.

    Interest is highest near the threshold (or at .5 while there is none), for the match and, at half
    the weight, for "not in the catalogue"; a near-tie of the two best candidates raises it. It is
    weighted by 1 + ln(how many pending listings look like it), because all of those move with the
    answer, and divided by the rank within its family, so that a family of a thousand look-alikes is
    asked about a few times and not a thousand times before anything else.

    Args:
        confidence: [n] probability of the best candidate, in [0, 1].
        none_confidence: [n] probability that no item matches, in [0, 1].
        margin: [n] confidence of the best candidate less that of the runner-up, in [0, 1].
        family_sizes: [n] pending listings that look like this one (same best item or same text),
            itself included; at least 1.
        threshold: the running release's threshold, or None while nothing is certified.
        families: [n] integers, equal for listings of one family, to spread over families; without
            them only the weighting by ``family_sizes`` applies.

    Returns:
        [n] float64, finite and not negative.

    Raises:
        ValueError: the shapes differ.
    """
    c = np.asarray(confidence, dtype=np.float64)
    none = np.asarray(none_confidence, dtype=np.float64)
    gap = np.clip(np.nan_to_num(np.asarray(margin, dtype=np.float64), nan=1.0), 0.0, 1.0)
    sizes = np.maximum(np.asarray(family_sizes, dtype=np.float64), 1.0)
    if not c.shape == none.shape == gap.shape == sizes.shape:
        raise ValueError(
            f"shapes differ: confidence {c.shape}, none_confidence {none.shape}, "
            f"margin {gap.shape}, family_sizes {sizes.shape}"
        )
    about_match = interest(np.nan_to_num(c), 0.5 if threshold is None else threshold)
    about_none = NONE_INTEREST * interest(np.nan_to_num(none), 0.5)
    tie = 1.0 + (TIE_WEIGHT - 1.0) * (1.0 - gap)
    gain = np.maximum(about_match, about_none) * tie * (1.0 + np.log(sizes))
    if families is not None:
        gain = gain / _rank_within(np.asarray(families), gain)
    return np.asarray(gain, dtype=np.float64)


def _rank_within(families: npt.NDArray[np.generic], gain: Floats) -> Floats:
    """1 for the best of each family, 2 for the next, and so on; [n]."""
    if families.shape != gain.shape:
        raise ValueError(f"shapes differ: families {families.shape}, listings {gain.shape}")
    _, family = np.unique(families, return_inverse=True)
    order = np.lexsort((-gain, family))
    starts = np.flatnonzero(np.diff(family[order], prepend=-1))
    lengths = np.diff(np.append(starts, family.size))
    rank = np.empty(family.size, dtype=np.float64)
    rank[order] = np.arange(family.size) - np.repeat(starts, lengths) + 1
    return rank
