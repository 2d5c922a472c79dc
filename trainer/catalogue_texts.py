"""Random catalogue texts with the vectors that the start encoder gives them, for distillation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from trainer.embedding import TokenTable, Vectors

#: Texts that a run draws from: their vectors are made before the first step.
POOL = 4096


@dataclass(frozen=True)
class CatalogueTexts:
    """Texts to draw from, and where the start encoder puts them.

    Attributes:
        tokens: of n texts.
        champion: unit vectors of the start encoder [n, d].
        count: texts of a step.
        seed: of the run.
    """

    tokens: TokenTable
    champion: Vectors
    count: int
    seed: int

    def draw(self, epoch: int, rows: Sequence[int]) -> tuple[dict[str, Tensor], Tensor]:
        """The texts of one batch: token matrices of k = min(count, n) texts, and their vectors [k, d].

        The same batch draws the same texts whenever and wherever it is made, so that a resumed run goes
        on as an undisturbed one and ranks agree.

        Args:
            epoch: of the batch.
            rows: its row numbers; a batch occurs once in an epoch.
        """
        random = np.random.default_rng((self.seed, 5, epoch, *rows))
        chosen = random.choice(len(self.tokens), size=min(self.count, len(self.tokens)), replace=False)
        return self.tokens.features(chosen.tolist()), torch.from_numpy(self.champion[chosen])


def text_pool(same_text: Sequence[int], seed: int) -> list[int]:
    """Rows of the items to draw from: each text once, at most :data:`POOL` of them at random."""
    distinct = np.unique(np.asarray(same_text, dtype=np.int64))
    if len(distinct) > POOL:
        chosen = np.random.default_rng((seed, 6)).choice(distinct, size=POOL, replace=False)
        distinct = np.sort(chosen)
    found: list[int] = distinct.tolist()
    return found
