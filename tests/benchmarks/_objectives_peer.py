"""The peer of the ablation: sentence-transformers' trainer as its documentation shows it.

``python -m tests.benchmarks._objectives_peer JOB_DIR BATCH STEPS`` trains on the confirmed pairs of a job
with MultipleNegativesRankingLoss and default arguments, and exports the encoder as our trainer does.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import polars as pl
from datasets import Dataset
from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer
from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss
from sentence_transformers.sentence_transformer.training_args import SentenceTransformerTrainingArguments

from trainer.data import read_job
from trainer.results import write_encoder


def main() -> int:
    """Train and export."""
    folder, batch, steps = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    pairs = pl.read_parquet(folder / "pairs.parquet").filter(
        (pl.col("verdict") == "match") & (pl.col("role") == "train")
    )
    items = pl.read_parquet(folder / "items.parquet")
    rows = pairs.join(items, on="item_id", maintain_order="left")
    model = SentenceTransformer(str(folder / "start"), device="cpu", local_files_only=True)
    with tempfile.TemporaryDirectory() as temporary:
        trainer = SentenceTransformerTrainer(
            model=model,
            args=SentenceTransformerTrainingArguments(
                output_dir=temporary,
                max_steps=steps,
                per_device_train_batch_size=batch,
                seed=read_job(folder).seed,
                use_cpu=True,
                save_strategy="no",
                report_to=[],
                disable_tqdm=True,
            ),
            train_dataset=Dataset.from_dict(
                {"anchor": rows["listing_text"].to_list(), "positive": rows["item_text"].to_list()}
            ),
            loss=MultipleNegativesRankingLoss(model),
        )
        trainer.train()
    write_encoder(model, folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
