"""Families of items, and the role each family plays in training.

Look-alikes must not sit on both sides of a measurement: a listing of an item that was trained on
says little about items that were not. So roles go by family, and a family is the item itself
(method.md section 7); the functions take any family numbers, so that learned families can follow.
"""

from __future__ import annotations

from hashlib import blake2b

import numpy as np
import numpy.typing as npt

TRAIN = "train"
VALIDATION = "validation"
#: Share of families whose pairs validate instead of train. They also fit the matcher, which must not learn
#: from listings that its encoder has seen; with fewer of them it learns too little (docs/adr/0014).
VALIDATION_SHARE = 0.3


def family_of(item_ids: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """The family number of each item: the item itself.

    Args:
        item_ids: [n] item numbers of the workspace.

    Returns:
        [n] int64.
    """
    return np.asarray(item_ids, dtype=np.int64)


def role_of(family: int, seed: int, validation_share: float = VALIDATION_SHARE) -> str:
    """``train`` or ``validation``, the same for a family whatever else is decided later.

    A hash and not a draw from a generator: a family keeps its role from one training run to the next
    with the same seed, so a challenger is never validated on what its champion was trained on.

    Args:
        family: as :func:`family_of` gives it.
        seed: of the workspace.
        validation_share: in [0, 1].
    """
    digest = blake2b(f"{seed}:{family}".encode(), digest_size=8).digest()
    drawn = int.from_bytes(digest, "big") / 2.0**64
    return VALIDATION if drawn < validation_share else TRAIN
