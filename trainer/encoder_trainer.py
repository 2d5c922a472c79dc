"""sentence-transformers' trainer, fed with judged listings, with checkpoints that resume exactly."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, ClassVar, cast

import torch
from datasets import Dataset
from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer
from sentence_transformers.base.sampler import DefaultBatchSampler
from sentence_transformers.sentence_transformer.training_args import SentenceTransformerTrainingArguments
from transformers.trainer import TRAINER_STATE_NAME
from transformers.trainer_callback import PrinterCallback

from engine.contracts.training import TrainingNotice
from engine.errors import EnvironmentError_
from trainer import checkpoints
from trainer.catalogue_texts import CatalogueTexts
from trainer.config import Recipe
from trainer.devices import ComputeDevice
from trainer.dynamics import PairDynamics
from trainer.embedding import TokenTable
from trainer.failures import is_out_of_memory
from trainer.losses import TrainingObjective
from trainer.mining import HardNegatives, KnownPairs
from trainer.pairs import PairSet
from trainer.run_callback import Emit, RunCallback
from trainer.sampling import LookAlikeBatches


class TrainingRows:
    """The rows of an epoch and how a batch of them becomes tensors (the data collator).

    A row is a (listing, confirmed item) pair, or a listing without a match that joins for its rejected
    candidates' sake. ``catalogue``, where it is set, adds texts to distil. ``valid_label_columns`` is part of
    sentence-transformers' collator protocol.
    """

    valid_label_columns: ClassVar[list[str]] = []

    def __init__(self, pairs: PairSet, recipe: Recipe, listings: TokenTable, items: TokenTable) -> None:
        self._pairs = pairs
        self._listing_tokens = listings
        self._item_tokens = items
        self._known = KnownPairs(pairs)
        self._hard = HardNegatives(pairs.train, recipe.hard_negatives, mined=recipe.mined_negatives)
        self.rows: list[tuple[int, int | None]] = []
        self.rows_of: list[list[int]] = []
        self.listings: list[int] = []
        self.sampler: LookAlikeBatches | None = None
        self.catalogue: CatalogueTexts | None = None
        for number, listing in enumerate(pairs.train):
            if not listing.teaches(recipe.unmatched_listings):
                continue
            choices: tuple[int | None, ...] = listing.matches or (None,)
            self.listings.append(number)
            self.rows_of.append(list(range(len(self.rows), len(self.rows) + len(choices))))
            self.rows.extend((number, item) for item in choices)

    def longest_text(self) -> int:
        """Tokens of the longest listing or item."""
        return int(max(self._listing_tokens.lengths().max(), self._item_tokens.lengths().max()))

    def dataset(self) -> Dataset:
        """Row numbers as a dataset; everything else is looked up when a batch is made."""
        return Dataset.from_dict({"row": list(range(len(self.rows)))})

    def __call__(self, features: list[dict[str, int]]) -> dict[str, Any]:
        """Token matrices of the listings and items of a batch, and what is known about each cell."""
        epoch = self.sampler.epoch if self.sampler is not None else 0
        rows = [self.rows[feature["row"]] for feature in features]
        listings = [listing for listing, _ in rows]
        items = [item for _, item in rows if item is not None]
        column = iter(range(len(items)))
        targets = [None if item is None else next(column) for _, item in rows]
        seen = set(items)
        for listing in listings:
            # Two listings may have turned down the same item: one column of it is enough.
            fresh = [item for item in self._hard.choose(listing, epoch) if item not in seen]
            seen.update(fresh)
            items.extend(fresh)
        weights = [self._pairs.train[listing].weight[item] for listing, item in rows]
        columns = {
            "listing": self._listing_tokens.features(listings),
            "item": self._item_tokens.features(items),
        }
        label = {
            "entries": torch.from_numpy(self._known.entries(listings, items, targets)),
            "weight": torch.tensor(weights, dtype=torch.float32),
            "row": torch.tensor([feature["row"] for feature in features]),
        }
        if self.catalogue is not None:
            columns["catalogue"], label["champion"] = self.catalogue.draw(epoch, label["row"].tolist())
        named = {f"{name}_{key}": v for name, column in columns.items() for key, v in column.items()}
        return {**named, "label": label}


class EncoderTrainer(SentenceTransformerTrainer):
    """The loop, optimizer and mixed precision of sentence-transformers; batches and checkpoints of our own.

    Upstream checkpoints hold the encoder but not the heads of the loss nor the sampler, are written in
    place, and pickle their arguments; a killed run could neither trust nor continue them.

    Of the processes of a run upstream knows nothing: each makes the same batches, the objective takes
    its share of every batch, and gradients are joined after each step (:mod:`trainer.ranks`).
    """

    def __init__(
        self,
        *,
        model: SentenceTransformer,
        arguments: SentenceTransformerTrainingArguments,
        objective: TrainingObjective,
        rows: TrainingRows,
        sampler: LookAlikeBatches,
        checkpoint_folder: Path,
        fingerprint: str,
        head_learning_rate: float,
        callback: RunCallback,
        emit: Emit,
    ) -> None:
        self._sampler = sampler
        self._emit = emit
        self._ranks = objective.ranks
        self._checkpoint_folder = checkpoint_folder
        self._fingerprint = fingerprint
        self._head_learning_rate = head_learning_rate
        self.dynamics = PairDynamics(len(rows.rows))
        objective.watch = self.dynamics.note
        self._resuming: dict[str, Any] = {}
        self.optimizer: Any
        super().__init__(
            model=model,
            args=arguments,
            train_dataset=rows.dataset(),
            loss=objective,
            data_collator=rows,
            callbacks=[callback],
        )
        self.remove_callback(PrinterCallback)
        callback.trainer = self

    @property
    def part_names(self) -> frozenset[str]:
        """Names of the parts of the loss."""
        return frozenset(self.loss.weights)

    def add_model_card_callback(self, default_args_dict: dict[str, Any]) -> None:
        """No model card: it would look for data sets and models by name."""

    def get_batch_sampler(self, *args: Any, **kwargs: Any) -> DefaultBatchSampler:  # noqa: ANN401
        """The look-alike sampler, whatever the arguments say."""
        return self._sampler

    def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:  # noqa: ANN401
        """AdamW; heads start from nothing and learn faster than the encoder; no decay on biases and norms."""
        if self.optimizer is None:
            groups: dict[tuple[bool, bool], list[torch.nn.Parameter]] = {}
            for name, parameter in self.loss.named_parameters():
                if parameter.requires_grad:
                    key = (name.startswith("parts."), parameter.ndim > 1)
                    groups.setdefault(key, []).append(parameter)
            self.optimizer = torch.optim.AdamW(
                [
                    {
                        "params": parameters,
                        "lr": self._head_learning_rate if is_head else self.args.learning_rate,
                        "weight_decay": self.args.weight_decay if decays else 0.0,
                    }
                    for (is_head, decays), parameters in groups.items()
                ],
                fused=True,
            )
        return cast(torch.optim.Optimizer, self.optimizer)

    def training_step(
        self,
        model: Any,  # noqa: ANN401
        inputs: dict[str, Any],
        num_items_in_batch: Any = None,  # noqa: ANN401
    ) -> torch.Tensor:
        """Forward and backward of one batch; where memory runs out, again with fewer texts at a time.

        Raises:
            EnvironmentError_: one text at a time is too much as well.
        """
        rows = sum(len(values) for name, values in inputs.items() if name.endswith("_input_ids"))
        while True:
            random_tensors, _ = checkpoints.random_state()
            reported = {name: value.clone() for name, value in self.accum_loss_components["train"].items()}
            short, loss = False, torch.zeros(())
            try:
                loss = super().training_step(model, dict(inputs), num_items_in_batch)
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
                short = True
            if not self._ranks.any(short):
                self._ranks.join_gradients(self.model.parameters(), self.loss.parts.parameters())
                return loss
            # Outside the handler, whose traceback holds on to the activations.
            self.loss.zero_grad()
            self.accum_loss_components["train"] = reported
            checkpoints.restore_generators(random_tensors)
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
            self._lower_cache_rows(rows)

    def _lower_cache_rows(self, rows: int) -> None:
        """Halve what is run at once for the rest of the run."""
        before = self.loss.rows_at_once(rows)
        if before <= 1:
            raise EnvironmentError_(
                "There is not enough memory for this recipe, one text at a time either; "
                "lower batch_size or max_tokens."
            )
        self.loss.cache_rows = before // 2
        self._emit(
            TrainingNotice(
                message=f"Memory ran out at step {self.state.global_step + 1}, which is taken again "
                f"with {before // 2} instead of {before} texts at a time (cache_rows)."
            )
        )

    def _save_checkpoint(self, model: Any, trial: Any) -> None:  # noqa: ANN401
        random_tensors, python_random = checkpoints.random_state()
        random_tensors = {
            checkpoints.generator_name(name, rank): state
            for name, own in random_tensors.items()
            for rank, state in enumerate(self._ranks.gather_states(own))
        }
        if not self._ranks.is_first:
            return
        optimizer, optimizer_values = checkpoints.split_optimizer_state(self.optimizer.state_dict())
        scaler = self.accelerator.scaler
        running = {name: value.item() for name, value in self.accum_loss_components["train"].items()}
        checkpoints.write_checkpoint(
            self._checkpoint_folder,
            self.state.global_step,
            fingerprint=self._fingerprint,
            tensors={"weights": self.loss.state_dict(), "optimizer": optimizer, "random": random_tensors},
            arrays=self._sampler.state() | self.dynamics.state(),
            documents={
                "run": {
                    "optimizer": optimizer_values,
                    "schedule": self.lr_scheduler.state_dict(),
                    "random": python_random,
                    "cache_rows": self.loss.cache_rows,
                    "scaler": None if scaler is None else scaler.state_dict(),
                    "running_loss": self._tr_loss.item(),
                    "running_parts": running,
                    "last_logged": self._globalstep_last_logged,
                },
                # Upstream reads the step to go on from out of this file.
                Path(TRAINER_STATE_NAME).stem: dataclasses.asdict(self.state),
            },
        )

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:  # noqa: ANN401
        checkpoint = Path(resume_from_checkpoint)
        self.loss.load_state_dict(checkpoints.read_tensors(checkpoint, "weights"))
        arrays = checkpoints.read_arrays(checkpoint)
        self._sampler.restore(arrays)
        self.dynamics.restore(arrays)
        self._resuming = checkpoints.read_document(checkpoint, "run")
        # Texts that are run together share their dropout, so that other chunks would be another run.
        if "cache_rows" in self._resuming:
            self.loss.cache_rows = self._resuming["cache_rows"]

    def load_end(self, checkpoint: Path, step: int) -> None:
        """Take over a checkpoint after which no step is left; upstream would take one more."""
        self._load_from_checkpoint(str(checkpoint))
        self.state.global_step = step

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        if checkpoint is None:
            return
        tensors = checkpoints.read_tensors(Path(checkpoint), "optimizer")
        values = self._resuming["optimizer"]
        self.optimizer.load_state_dict(checkpoints.join_optimizer_state(tensors, values))
        self.lr_scheduler.load_state_dict(self._resuming["schedule"])

    def _load_scaler(self, checkpoint: str | None) -> None:
        state = self._resuming.get("scaler")
        if state and self.accelerator.scaler is not None:
            self.accelerator.scaler.load_state_dict(state)

    def _load_rng_state(self, checkpoint: str | None) -> None:
        if checkpoint is not None:
            tensors = checkpoints.read_tensors(Path(checkpoint), "random")
            checkpoints.restore_random_state(tensors, self._resuming["random"], self._ranks.rank)

    def restore_running_loss(self) -> None:
        """Go on with the mean loss since the last report, so that a resumed run reports the same numbers."""
        if not self._resuming:
            return
        device = self.args.device
        self._tr_loss = torch.tensor(self._resuming["running_loss"], device=device)
        self._globalstep_last_logged = self._resuming["last_logged"]
        self.accum_loss_components["train"] = {
            name: torch.tensor(value, device=device)
            for name, value in self._resuming["running_parts"].items()
        }


def training_arguments(
    recipe: Recipe, *, folder: Path, epochs: int, seed: int, device: ComputeDevice
) -> SentenceTransformerTrainingArguments:
    """The recipe in upstream's words; saving, logging and validation stay with the callback."""
    return SentenceTransformerTrainingArguments(
        output_dir=str(folder),
        num_train_epochs=epochs,
        max_steps=-1 if recipe.max_steps is None else recipe.max_steps,
        per_device_train_batch_size=recipe.batch_size,
        learning_rate=recipe.learning_rate,
        warmup_steps=recipe.warmup_share,
        lr_scheduler_type="linear",
        weight_decay=recipe.weight_decay,
        max_grad_norm=recipe.max_grad_norm,
        seed=seed,
        data_seed=seed,
        use_cpu=device.kind == "cpu",
        bf16=device.precision == "bf16",
        fp16=device.precision == "fp16",
        save_strategy="no",
        eval_strategy="no",
        logging_strategy="no",
        logging_nan_inf_filter=False,
        report_to=[],
        disable_tqdm=True,
        remove_unused_columns=False,
        dataloader_pin_memory=device.kind == "cuda",
        accelerator_config={"non_blocking": device.kind == "cuda"},
    )
