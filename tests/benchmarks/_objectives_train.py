"""Training of ``objectives``: our trainer put together without its job folder, and the peer's.

Needs what a training step needs and no more: neither polars nor a database.
"""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from datasets import Dataset
from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer
from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss
from sentence_transformers.sentence_transformer.training_args import SentenceTransformerTrainingArguments
from torch import nn
from transformers import set_seed
from transformers.trainer_callback import PrinterCallback

from engine.contracts.training import fold_of
from tests.benchmarks._objectives_plan import Line
from tests.benchmarks._objectives_world import Taught, World
from trainer.agreement import TrustedPairs, split_trusted, weigh_by_agreement
from trainer.averaging import average_with_start
from trainer.config import resolve_recipe
from trainer.devices import ComputeDevice
from trainer.embedding import TokenTable, Vectors, encode, load_encoder
from trainer.encoder_trainer import EncoderTrainer, TrainingRows, training_arguments
from trainer.losses import compose
from trainer.pairs import JudgedListing, PairSet
from trainer.run_callback import RunCallback
from trainer.sampling import LookAlikeBatches, inverse_propensity

EPOCHS, LEAST_STEPS, BATCH = 3, 150, 64
#: The peer cuts texts where its model does.
PEER_TOKENS = 256
#: Pairs at the top of the list to check again that are looked at.
RECHECKED = 100
#: Texts of one pass on a GPU that encodes only.
PASS_ROWS = 1024
#: Share of an item's words that its noised text lost, and how far, in words, the others moved.
LOST, MOVED = 0.3, 1.5


@dataclass(frozen=True)
class Trained:
    """An encoder, the heads of its objective, and what is to be said of the run."""

    model: SentenceTransformer
    heads: Mapping[str, nn.Module] = field(default_factory=dict)
    said: dict[str, object] = field(default_factory=dict)


class _NoCheckpoints(EncoderTrainer):
    """Nothing is resumed here."""

    def _save_checkpoint(self, model: object, trial: object) -> None:
        pass


def steps_of(line: Line, pairs: PairSet) -> int:
    """Training steps of a line: the same for every variant that does not ask for others."""
    return line.steps or max(LEAST_STEPS, math.ceil(EPOCHS * pairs.pair_count / BATCH))


def vectors_of(model: SentenceTransformer, tokens: TokenTable, device: ComputeDevice) -> Vectors:
    """Unit vectors of texts."""
    rows = PASS_ROWS if device.kind == "cuda" else device.chunk_rows
    return encode(model, tokens, batch_rows=rows, half=device.half)


def train(world: World, line: Line, base: Path, device: ComputeDevice) -> Trained:
    """The encoder of a line."""
    pairs = world.pairs(
        line.kind, line.pairs, whole=line.whole, more=_more(world, line), weighed=line.weighed
    )
    steps = steps_of(line, pairs)
    began = time.perf_counter()
    trained = _one(world, pairs, line, base, device, steps)
    trained.said.update(steps=steps, pairs=pairs.pair_count, train_s=round(time.perf_counter() - began, 1))
    return trained


def train_folds(world: World, line: Line, base: Path, device: ComputeDevice) -> Iterator[SentenceTransformer]:
    """Encoders that have each seen all listings but those of one fold, as often as that of the line."""
    if not line.folds:
        return
    steps = steps_of(line, world.pairs(line.kind, line.pairs, whole=line.whole))
    for fold in range(line.folds):

        def left_out(row: int, fold: int = fold) -> bool:
            return fold_of(str(row), line.folds) == fold

        more = [one for one in _more(world, line) if not left_out(one.row)]
        pairs = world.pairs(
            line.kind, line.pairs, whole=line.whole, without=left_out, more=more, weighed=line.weighed
        )
        share = 1 - 1 / line.folds
        yield _one(world, pairs, line, base, device, max(1, round(steps * share))).model


def _one(world: World, pairs: PairSet, line: Line, base: Path, device: ComputeDevice, steps: int) -> Trained:
    """An encoder trained on ``pairs``, averaged with its start where the line asks for it."""
    with tempfile.TemporaryDirectory() as folder:
        if line.peer is not None:
            trained = _peer(pairs, line, base, device, steps, Path(folder))
        else:
            trained = _ours(world, pairs, line, base, device, steps, Path(folder))
    if line.average < 1:
        start, _ = load_encoder(base, device.kind, PEER_TOKENS)
        shares, nothing = (line.average,), {"aurc": 0.0}
        average_with_start(trained.model, start.state_dict(), shares, lambda: nothing, trained_too=False)
    return trained


def _more(world: World, line: Line) -> list[Taught]:
    """What a line trains on beside what was judged."""
    guesses = (world.deals[line.kind].guesses or [])[: line.guessed]
    random = np.random.default_rng([line.seed, 2])
    items = random.permutation(len(world.item_texts))[: line.noised].tolist()
    return [*guesses, *(_noised(world, item, random) for item in items)]


def _noised(world: World, item: int, random: np.random.Generator) -> Taught:
    """An item as if somebody else had listed it: some words are lost, others moved."""
    words = world.item_texts[item].split()
    kept = [word for word in words if random.random() >= LOST] or words
    place = np.arange(len(kept)) + random.normal(0, MOVED, len(kept))
    text = " ".join(kept[n] for n in np.argsort(place).tolist())
    # Rows of items begin behind those of listings, and below 0 there are none.
    return Taught(-1 - item, text, [item], [], [], "train")


def _ours(
    world: World, pairs: PairSet, line: Line, base: Path, device: ComputeDevice, steps: int, folder: Path
) -> Trained:
    """Our trainer as ``trainer.recipe`` puts it together, without validation."""
    recipe = resolve_recipe(
        "infonce",
        {
            "min_steps": steps,
            "max_steps": steps,
            "max_epochs": max(3, steps),
            "checkpoint_steps": 10 * steps,
            "log_steps": 10 * steps,
        }
        | line.over,
    )
    set_seed(line.seed)
    device.prepare()
    trusted: Sequence[JudgedListing] = ()
    if recipe.gradient_agreement > 0:
        pairs, trusted = split_trusted(pairs, line.seed)
    model, _ = load_encoder(base, device.kind, recipe.max_tokens)
    tokens = TokenTable(model, [listing.text for listing in pairs.train])
    rows = TrainingRows(pairs, recipe, tokens, TokenTable(model, pairs.item_texts))
    listings = tokens.subset(rows.listings)
    sampler = LookAlikeBatches(
        rows.rows_of,
        batch_size=recipe.batch_size,
        seed=line.seed,
        encode=(lambda: vectors_of(model, listings, device)) if recipe.look_alike else None,
        cluster_size=recipe.cluster_size,
        refresh_epochs=recipe.refresh_epochs,
        growth=recipe.cluster_growth,
        chances=inverse_propensity([item for _, item in rows.rows], recipe.inverse_propensity),
    )
    rows.sampler = sampler
    dimension = model.get_embedding_dimension()
    assert dimension is not None
    objective = compose(recipe, model, dimension, chunk_rows=device.chunk_rows)
    refresh: Callable[[], None] | None = None
    if trusted:
        batch = TrustedPairs(model, pairs, trusted)
        refresh = weigh_by_agreement(
            objective, recipe, dimension, batch, lambda table: vectors_of(model, table, device)
        )
    objective = objective.to(model.device)
    trainer = _NoCheckpoints(
        model=model,
        arguments=training_arguments(
            recipe, folder=folder, epochs=recipe.epochs_for(len(sampler)), seed=line.seed, device=device
        ),
        objective=objective,
        rows=rows,
        sampler=sampler,
        checkpoint_folder=folder,
        fingerprint="",
        head_learning_rate=recipe.head_learning_rate,
        callback=RunCallback(
            recipe,
            emit=lambda event: None,
            cancelled=lambda: False,
            validate=None,
            steps_per_epoch=len(sampler),
            refresh=refresh,
        ),
        emit=lambda event: None,
    )
    trainer.train()
    trained = Trained(model, dict(objective.parts.items()))
    flips = world.deals[line.kind].flips
    if flips:
        trained.said["recheck"] = rechecked(trainer, rows, pairs, set(map(str, flips)))
    return trained


def rechecked(
    trainer: EncoderTrainer, rows: TrainingRows, pairs: PairSet, flips: set[str]
) -> dict[str, float]:
    """How many of the first pairs to check again were flipped, beside how many of all were."""
    state = trainer.dynamics.state()
    total, times = (state[f"margin_{name}"].astype(float).tolist() for name in ("total", "times"))
    noted = [n for n, (_, item) in enumerate(rows.rows) if item is not None and times[n]]
    noted.sort(key=lambda n: total[n] / times[n])
    flipped = np.asarray([pairs.train[rows.rows[n][0]].listing_id in flips for n in noted])
    return {"first": float(flipped[:RECHECKED].mean()), "all": float(flipped.mean())}


def _peer(pairs: PairSet, line: Line, base: Path, device: ComputeDevice, steps: int, folder: Path) -> Trained:
    """sentence-transformers' own trainer with MultipleNegativesRankingLoss at its defaults."""
    assert line.peer is not None
    model, _ = load_encoder(base, device.kind, PEER_TOKENS)
    confirmed = [(one.text, pairs.item_texts[item]) for one in pairs.train for item in one.matches]
    trainer = SentenceTransformerTrainer(
        model=model,
        args=SentenceTransformerTrainingArguments(
            output_dir=str(folder),
            max_steps=steps,
            per_device_train_batch_size=line.peer,
            seed=line.seed,
            use_cpu=device.kind == "cpu",
            save_strategy="no",
            logging_strategy="no",
            report_to=[],
            disable_tqdm=True,
            dataloader_pin_memory=device.kind == "cuda",
        ),
        train_dataset=Dataset.from_dict(
            {"anchor": [text for text, _ in confirmed], "positive": [text for _, text in confirmed]}
        ),
        loss=MultipleNegativesRankingLoss(model),
    )
    trainer.remove_callback(PrinterCallback)
    trainer.train()
    return Trained(model)
