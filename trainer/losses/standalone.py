"""One loss without the rest of Alcove: in sentence-transformers' own trainer, on its own data sets."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from engine.errors import InputError
from trainer.losses.batch import Cell, make_batch


class StandaloneLoss(nn.Module):
    """A loss over a :class:`~trainer.losses.batch.PairBatch` as a plain sentence-transformers loss.

    ``SentenceTransformerTrainer(model=model, train_dataset=data, loss=StandaloneLoss(model, InfoNCE()))``
    with columns (anchor, positive[, negative, ...]) in that order, as for
    ``MultipleNegativesRankingLoss``: the anchors are the listings, all other columns are items, positive i
    is the target of anchor i, and every other item of the batch is its negative. Texts that occur twice
    are one item (or one anchor), so a duplicate in the batch is masked and not pushed away; no special
    batch sampler is needed for that. For several losses at once see
    :class:`~trainer.losses.objective.TrainingObjective`.

    A ``label`` or ``score`` column, where the data set has one, holds how far reviewers agree on each
    pair (above 0, up to 1), which :class:`~trainer.losses.soft_targets.SoftTargets` reads.

    Args:
        model: the SentenceTransformer.
        loss: the loss; heads it has are trained along.
    """

    def __init__(self, model: nn.Module, loss: nn.Module) -> None:
        super().__init__()
        self.model = model
        self.loss = loss

    def forward(self, sentence_features: Iterable[dict[str, Tensor]], labels: Tensor | None = None) -> Tensor:
        """The scalar loss.

        Args:
            sentence_features: what the model takes, per column; B rows each.
            labels: float [B] of agreement, or None.

        Raises:
            InputError: there is no column of positives, or the labels are no agreement.
        """
        columns = list(sentence_features)
        if len(columns) < 2:
            raise InputError(
                f"{type(self.loss).__name__} needs the columns anchor and positive, and may have columns of "
                f"negatives; the data set has {len(columns)} column of texts."
            )
        cells = _cells(columns)
        embeddings = [self.model(column)["sentence_embedding"] for column in columns]
        listings, items = embeddings[0], torch.cat(embeddings[1:])
        if labels is not None and not (labels.ndim == 1 and bool(((labels > 0) & (labels <= 1)).all())):
            raise InputError(
                "A label is how far reviewers agree on its pair, one number above 0 and up to 1; "
                "leave the column out, and pairs that are no match too."
            )
        # Cosines, softmax and heads stay in full precision under mixed precision.
        with torch.autocast(device_type=listings.device.type, enabled=False):
            value: Tensor = self.loss(make_batch(listings, items, cells, agreement=labels))
        return value

    def get_config_dict(self) -> dict[str, Any]:
        """Name and numbers of the loss, for the model card."""
        numbers = {
            name: value
            for name, value in vars(self.loss).items()
            if name != "training" and isinstance(value, (bool, int, float, str))
        }
        return {"loss": type(self.loss).__name__, **numbers}


def _cells(columns: list[dict[str, Tensor]]) -> Tensor | None:
    """What equal texts say about each :class:`~trainer.losses.batch.Cell`, [B, C]; None without tokens."""
    if not all("input_ids" in column and "attention_mask" in column for column in columns):
        return None
    device = columns[0]["input_ids"].device
    numbers: dict[tuple[int, ...], int] = {}
    texts = [
        torch.tensor([numbers.setdefault(text, len(numbers)) for text in _texts(column)], device=device)
        for column in columns
    ]
    anchors, positives, items = texts[0], texts[1], torch.cat(texts[1:])
    same_anchor = (anchors[:, None] == anchors).float()
    same_item = (positives[:, None] == items).float()
    cells = torch.where(same_anchor @ same_item > 0, int(Cell.KNOWN), int(Cell.NEGATIVE)).to(torch.int8)
    return cells.fill_diagonal_(int(Cell.TARGET))


def _texts(column: dict[str, Tensor]) -> list[tuple[int, ...]]:
    """The tokens of each row without its padding, on whichever side that is."""
    rows = zip(column["input_ids"].tolist(), column["attention_mask"].tolist(), strict=True)
    return [tuple(token for token, kept in zip(*row, strict=True) if kept) for row in rows]
