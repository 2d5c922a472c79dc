"""Every loss in sentence-transformers' own trainer, with its default collator."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from datasets import Dataset
from sentence_transformers import (
    SentenceTransformer,
    SentenceTransformerTrainer,
    SentenceTransformerTrainingArguments,
)
from torch import Tensor, nn

from engine.errors import InputError
from tests.trainer.loss_batches import every_loss
from trainer.losses import (
    InfoNCE,
    QueryLabel,
    SoftTargets,
    StandaloneLoss,
    ThresholdConsistentMargin,
    TrainingObjective,
    make_batch,
)

WIDTH = 32
COLUMNS: dict[str, list[str]] = {
    "anchor": ["acme phone", "a drill with a far longer name than the others", "kettle", "bolt x1"] * 2,
    "positive": ["acme phone 64gb", "drill", "kettle 2 l", "bolt"] * 2,
    "negative": ["acme phone 128gb", "drill 18v", "kettle 1 l", "delta"] * 2,
    "negative_2": ["corvo phone 64gb", "drill 12v", "phone", "bolt 128gb"] * 2,
}


@pytest.fixture
def model(tiny_encoder: Path) -> SentenceTransformer:
    return SentenceTransformer(str(tiny_encoder), device="cpu", local_files_only=True).eval()


def _train(
    model: SentenceTransformer,
    loss: nn.Module,
    data: dict[str, list[str]] | dict[str, list[float]],
    folder: Path,
) -> SentenceTransformerTrainer:
    arguments = SentenceTransformerTrainingArguments(
        output_dir=str(folder),
        max_steps=2,
        per_device_train_batch_size=4,
        learning_rate=1e-3,
        logging_steps=1,
        save_strategy="no",
        report_to=[],
        use_cpu=True,
        disable_tqdm=True,
        dataloader_pin_memory=False,
    )
    trainer = SentenceTransformerTrainer(
        model=model, args=arguments, train_dataset=Dataset.from_dict(data), loss=loss
    )
    trainer.train()
    return trainer


def _changed(module: nn.Module, run: Callable[[], object]) -> dict[str, bool]:
    before = {name: parameter.detach().clone() for name, parameter in module.named_parameters()}
    run()
    return {name: not torch.equal(parameter, before[name]) for name, parameter in module.named_parameters()}


def _taken(*names: str) -> dict[str, list[str]]:
    return {name: COLUMNS[name] for name in names}


@pytest.mark.parametrize("name", list(every_loss()))
def test_that_a_loss_trains_the_encoder_and_its_heads_on_triplets(
    model: SentenceTransformer, tmp_path: Path, name: str
) -> None:
    loss = StandaloneLoss(model, every_loss(WIDTH)[name])
    trained: list[SentenceTransformerTrainer] = []
    data = _taken("anchor", "positive", "negative")
    changed = _changed(loss, lambda: trained.append(_train(model, loss, data, tmp_path)))
    history = [entry["loss"] for entry in trained[0].state.log_history if "loss" in entry]
    assert len(history) == 2
    assert all(value == value and abs(value) != float("inf") for value in history)
    assert any(moved for parameter, moved in changed.items() if parameter.startswith("model."))
    heads = [moved for parameter, moved in changed.items() if parameter.startswith("loss.")]
    assert not heads or sum(heads) > len(heads) / 2


@pytest.mark.parametrize(
    "names", [("anchor", "positive"), ("anchor", "positive", "negative", "negative_2")], ids=str
)
def test_that_a_data_set_has_any_number_of_negatives(
    model: SentenceTransformer, tmp_path: Path, names: tuple[str, ...]
) -> None:
    loss = StandaloneLoss(model, InfoNCE())
    changed = _changed(model, lambda: _train(model, loss, _taken(*names), tmp_path))
    assert any(changed.values())


def test_that_a_training_objective_takes_triplets_too(model: SentenceTransformer, tmp_path: Path) -> None:
    parts = {"infonce": InfoNCE(), "query_label": QueryLabel(WIDTH), "tcm": ThresholdConsistentMargin()}
    objective = TrainingObjective(model, parts, dict.fromkeys(parts, 1.0), chunk_rows=5)
    data = _taken("anchor", "positive", "negative")
    changed = _changed(objective, lambda: _train(model, objective, data, tmp_path))
    assert changed["parts.query_label.head.weight"]
    assert any(moved for parameter, moved in changed.items() if parameter.startswith("model."))


def _features(model: SentenceTransformer, *columns: list[str]) -> list[dict[str, Tensor]]:
    return [model.preprocess(texts) for texts in columns]


def _unit(model: SentenceTransformer, texts: list[str]) -> Tensor:
    return torch.from_numpy(model.encode(texts, normalize_embeddings=True))


def test_that_positive_i_is_the_target_of_anchor_i_and_all_other_items_are_negatives(
    model: SentenceTransformer,
) -> None:
    anchors, positives, negatives = (COLUMNS[name][:4] for name in ("anchor", "positive", "negative"))
    value = StandaloneLoss(model, InfoNCE())(_features(model, anchors, positives, negatives))
    expected = InfoNCE()(make_batch(_unit(model, anchors), _unit(model, positives + negatives)))
    assert value.item() == pytest.approx(expected.item(), rel=1e-4)


def test_that_a_text_that_occurs_twice_is_no_negative_of_itself(model: SentenceTransformer) -> None:
    anchors = ["acme phone", "phone by acme", "drill 12v", "drill 12v"]
    positives = ["acme phone 64gb", "acme phone 64gb", "drill", "drill 18v"]
    negatives = ["kettle", "drill", "acme phone 64gb", "drill"]
    cells = torch.tensor(
        [
            [1, 2, 0, 0, 0, 0, 2, 0],
            [2, 1, 0, 0, 0, 0, 2, 0],
            [0, 0, 1, 2, 0, 2, 0, 2],
            [0, 0, 2, 1, 0, 2, 0, 2],
        ]
    )
    value = StandaloneLoss(model, InfoNCE())(_features(model, anchors, positives, negatives))
    expected = InfoNCE()(make_batch(_unit(model, anchors), _unit(model, positives + negatives), cells))
    assert value.item() == pytest.approx(expected.item(), rel=1e-4)


def test_that_a_label_column_is_how_far_reviewers_agree(model: SentenceTransformer, tmp_path: Path) -> None:
    anchors, positives = COLUMNS["anchor"][:4], COLUMNS["positive"][:4]
    agreement = torch.tensor([1.0, 0.6, 0.8, 1.0])
    value = StandaloneLoss(model, SoftTargets())(_features(model, anchors, positives), agreement)
    batch = make_batch(_unit(model, anchors), _unit(model, positives), agreement=agreement)
    assert value.item() == pytest.approx(SoftTargets()(batch).item(), rel=1e-4)
    data = {**_taken("anchor", "positive"), "label": [1.0, 0.6] * 4}
    loss = StandaloneLoss(model, SoftTargets())
    assert any(_changed(model, lambda: _train(model, loss, data, tmp_path)).values())


@pytest.mark.parametrize("labels", [[1, 0, 1, 1], [1.0, 2.0, 1.0, 1.0], [[1.0, 0.0]] * 4])
def test_that_labels_that_are_no_agreement_are_refused(
    model: SentenceTransformer, labels: list[float] | list[list[float]]
) -> None:
    features = _features(model, COLUMNS["anchor"][:4], COLUMNS["positive"][:4])
    with pytest.raises(InputError, match="A label is how far reviewers agree"):
        StandaloneLoss(model, InfoNCE())(features, torch.tensor(labels))


def test_that_a_data_set_without_positives_is_refused(model: SentenceTransformer) -> None:
    with pytest.raises(InputError, match="InfoNCE needs the columns anchor and positive"):
        StandaloneLoss(model, InfoNCE())(_features(model, COLUMNS["anchor"][:4]))


def test_that_the_loss_stays_in_full_precision_under_mixed_precision(model: SentenceTransformer) -> None:
    loss = StandaloneLoss(model, QueryLabel(WIDTH))
    with torch.autocast("cpu", torch.bfloat16):
        value = loss(_features(model, COLUMNS["anchor"][:4], COLUMNS["positive"][:4]))
    assert value.dtype == torch.float32


def test_that_the_model_card_gets_the_numbers_of_the_loss(model: SentenceTransformer) -> None:
    card = StandaloneLoss(model, InfoNCE(0.07, symmetric=False)).get_config_dict()
    assert card == {"loss": "InfoNCE", "temperature": 0.07, "symmetric": False}
