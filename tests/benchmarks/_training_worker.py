"""One of the processes of ``training_speed``: trains a few steps whenever it is given a line.

``python -m tests.benchmarks._training_worker SETUP.json`` answers each line of standard input with one of
JSON. It needs what a training step needs and no more: neither polars nor a database.
"""

from __future__ import annotations

import contextlib
import json
import sys
import tempfile
import time
from pathlib import Path

import torch
from datasets import Dataset
from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer
from sentence_transformers.sentence_transformer.losses import (
    CachedMultipleNegativesRankingLoss,
    MultipleNegativesRankingLoss,
)
from sentence_transformers.sentence_transformer.training_args import SentenceTransformerTrainingArguments
from torch import nn
from transformers import TrainerCallback, set_seed
from transformers.trainer_callback import PrinterCallback, TrainerControl, TrainerState

from engine.contracts.training import TrainingJob
from tests.benchmarks.training_speed import Setup
from trainer.config import resolve_recipe
from trainer.devices import ComputeDevice, choose_device
from trainer.embedding import TokenTable, Vectors, encode, load_encoder
from trainer.encoder_trainer import EncoderTrainer, TrainingRows, training_arguments
from trainer.losses import compose
from trainer.pairs import JudgedListing, PairSet
from trainer.run_callback import RunCallback
from trainer.sampling import LookAlikeBatches

#: What a machine that only trains need not have.
NOT_NEEDED = ("polars", "sqlalchemy", "PySide6", "hnswlib", "engine.store", "engine.workspace")


class Work:
    """Counts what the encoder computes: tokens, those among them that pad, and floating point operations.

    A pass multiplies every token with every weight outside of the embeddings, 2 operations each, and in
    every layer every token with every other of its text, 4 for each number of its state; a pass that will be
    gone back through costs three times that (so 6 per weight and token, 8 where gradients are cached).
    Source: Kaplan et al., 2001.08361, section 2.1.
    """

    def __init__(self, model: SentenceTransformer) -> None:
        encoder = model[0].auto_model
        self._weights = sum(
            parameter.numel()
            for name, parameter in encoder.named_parameters()
            if not name.startswith(("embeddings.", "pooler."))
        )
        self._width = int(encoder.config.hidden_size)
        self._layers = int(encoder.config.num_hidden_layers)
        self._real = torch.zeros((), dtype=torch.int64, device=model.device)
        model.register_forward_pre_hook(self._note)
        self.clear()

    def clear(self) -> None:
        """Start counting anew."""
        self._real.zero_()
        self._computed = self._texts = self._operations = 0

    def _note(self, module: nn.Module, inputs: tuple[dict[str, torch.Tensor], ...]) -> None:
        mask = inputs[0]["attention_mask"]
        texts, width = mask.shape
        passes = 3 if torch.is_grad_enabled() else 1
        self._computed += texts * width
        self._texts += texts
        self._operations += passes * texts * width * 2 * self._weights
        self._operations += passes * texts * width * 4 * width * self._width * self._layers
        self._real += mask.sum()  # stays on the device: reading it would wait for the device

    def counted(self) -> dict[str, float]:
        """Since :meth:`clear`; a text that is run twice counts twice."""
        return {
            "texts": self._texts,
            "tokens": self._computed,
            "padding": 1 - self._real.item() / max(1, self._computed),
            "operations": self._operations,
        }


class Done(Exception):
    """No more turns."""


class Turns(TrainerCallback):
    """Holds the loop before each turn until a line comes in, and reports the turn after it."""

    def __init__(self, setup: Setup, work: Work, ready: dict[str, float]) -> None:
        self._setup, self._work, self._ready = setup, work, ready
        self._began = self._cpu_began = 0.0

    def on_step_end(
        self, args: object, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        """Report and wait at the end of a turn."""
        setup = self._setup
        after = state.global_step - setup.warm_up
        if after < 0 or after % setup.steps:
            return
        cuda = setup.device == "cuda"
        if cuda:
            torch.cuda.synchronize()
        seconds = time.perf_counter() - self._began
        cpu_seconds = time.process_time() - self._cpu_began
        if after == 0:
            print(json.dumps(self._ready), flush=True)
        else:
            peak = torch.cuda.max_memory_allocated() if cuda else 0
            report = {"seconds": seconds, "cpu_seconds": cpu_seconds, "peak_bytes": peak}
            report |= {"pairs": setup.steps * setup.batch} | self._work.counted()
            print(json.dumps(report), flush=True)
        if not sys.stdin.readline():
            raise Done
        self._work.clear()
        if cuda:
            torch.cuda.synchronize()
        self._began, self._cpu_began = time.perf_counter(), time.process_time()


def judged(pairs: list[tuple[str, str, str]]) -> PairSet:
    """The pairs as training sees them."""
    items = sorted({item for _, *both in pairs for item in both})
    number = {text: row for row, text in enumerate(items)}
    listings = tuple(
        JudgedListing(
            text=text,
            matches=(number[item],),
            variants=(),
            rejected=(number[rejected],) if rejected != item else (),
            weight={number[item]: 1.0},
            listing_id=str(row),
        )
        for row, (text, item, rejected) in enumerate(pairs)
    )
    return PairSet(tuple(items), listings, (), tuple(range(len(items))), tuple(map(str, range(len(items)))))


def ours(setup: Setup, device: ComputeDevice, folder: Path) -> None:
    """Our trainer, put together as ``trainer.recipe`` does it."""
    assert setup.recipe is not None
    recipe = resolve_recipe(
        setup.recipe,
        setup.overrides
        | {
            "batch_size": setup.batch,
            "max_tokens": setup.max_tokens,
            "max_steps": setup.last_step,
            "cache_rows": setup.cache_rows,
            "checkpoint_steps": 10 * setup.last_step,
            "refresh_epochs": 10 * setup.last_step,
        },
    )
    model, _ = load_encoder(Path(setup.encoder), device.kind, recipe.max_tokens)
    pairs = judged(setup.pairs)
    listings = TokenTable(model, [listing.text for listing in pairs.train])
    rows = TrainingRows(pairs, recipe, listings, TokenTable(model, pairs.item_texts))
    ready = {"listings": len(rows.listings), "cluster_seconds": 0.0}

    def encode_listings() -> Vectors:
        began = time.perf_counter()
        vectors = encode(model, listings.subset(rows.listings), half=device.half)
        ready["cluster_seconds"] += time.perf_counter() - began
        return vectors

    sampler = LookAlikeBatches(
        rows.rows_of,
        batch_size=recipe.batch_size,
        seed=0,
        encode=encode_listings if recipe.look_alike else None,
        cluster_size=recipe.cluster_size,
        refresh_epochs=recipe.refresh_epochs,
    )
    rows.sampler = sampler
    dimension = model.get_embedding_dimension()
    assert dimension is not None
    objective = compose(recipe, model, dimension, chunk_rows=setup.chunk_rows or device.chunk_rows)
    objective.cache_rows = recipe.cache_rows
    callback = RunCallback(
        recipe,
        emit=lambda event: None,
        cancelled=lambda: False,
        validate=None,
        steps_per_epoch=len(sampler),
    )
    trainer = EncoderTrainer(
        model=model,
        arguments=training_arguments(recipe, folder=folder, epochs=1, seed=0, device=device),
        objective=objective,
        rows=rows,
        sampler=sampler,
        checkpoint_folder=folder,
        fingerprint="",
        head_learning_rate=recipe.head_learning_rate,
        callback=callback,
        emit=lambda event: None,
    )
    trainer.add_callback(Turns(setup, Work(model), ready))
    trainer.train()


def peer(setup: Setup, device: ComputeDevice, folder: Path) -> None:
    """sentence-transformers' trainer as its documentation shows it, in the same precision."""
    model, _ = load_encoder(Path(setup.encoder), device.kind, setup.max_tokens)
    loss: nn.Module = MultipleNegativesRankingLoss(model)
    if setup.cache_rows is not None:
        loss = CachedMultipleNegativesRankingLoss(model, mini_batch_size=setup.cache_rows)
    trainer = SentenceTransformerTrainer(
        model=model,
        args=SentenceTransformerTrainingArguments(
            output_dir=str(folder),
            max_steps=setup.last_step,
            per_device_train_batch_size=setup.batch,
            use_cpu=device.kind == "cpu",
            bf16=device.precision == "bf16",
            fp16=device.precision == "fp16",
            save_strategy="no",
            report_to=[],
            disable_tqdm=True,
        ),
        train_dataset=Dataset.from_dict(
            {"anchor": [pair[0] for pair in setup.pairs], "positive": [pair[1] for pair in setup.pairs]}
        ),
        loss=loss,
    )
    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(Turns(setup, Work(model), {"listings": len(setup.pairs), "cluster_seconds": 0.0}))
    trainer.train()


def main() -> int:
    """Train until standard input ends."""
    setup = Setup(**json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
    torch.set_num_threads(setup.threads)
    device = choose_device(TrainingJob(run_id="speed", device=setup.device))  # type: ignore[arg-type]
    device.prepare()
    set_seed(0)
    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(Done):
        (peer if setup.recipe is None else ours)(setup, device, Path(folder))
    loaded = [name for name in NOT_NEEDED if name in sys.modules]
    if loaded:
        print(f"a training step loads {', '.join(loaded)}, which it should not need", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
