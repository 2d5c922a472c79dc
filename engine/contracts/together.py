"""One promise for both kinds of answers: what a listing is answered then, and how sure that is.

The answer is "not in catalogue" where that is likelier than the best candidate, else the candidate; a
tie goes to the candidate. Defined once, because the certificate, the routes, the zone of the random
stream, the live audit and the reports must not mean different things by it. Arrays have shape [n].
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]


def says_none(confidence: npt.ArrayLike, none_confidence: npt.ArrayLike) -> Bools:
    """Whether the answer is "not in catalogue": [n]."""
    return np.asarray(np.asarray(none_confidence) > np.asarray(confidence), dtype=np.bool_)


def answer_confidence(confidence: npt.ArrayLike, none_confidence: npt.ArrayLike) -> Floats:
    """The probability of the answer that is given: [n]."""
    return np.asarray(np.maximum(confidence, none_confidence), dtype=np.float64)


def answer_right(
    confidence: npt.ArrayLike,
    none_confidence: npt.ArrayLike,
    match_right: npt.ArrayLike,
    none_right: npt.ArrayLike,
) -> Bools:
    """Whether the answer that is given is right: [n]."""
    chosen = np.where(says_none(confidence, none_confidence), none_right, match_right)
    return np.asarray(chosen, dtype=np.bool_)
