"""How many pairs a second training takes, against sentence-transformers' own trainer.

    python -m tests.benchmarks.training_speed
    python -m tests.benchmarks.training_speed --device cuda --batches 1024,8192 --peak-tflops 989

Same encoder, texts, batch, length, precision and optimizer; each row is a process of its own and they take
turns; figures are medians over the turns. *infonce* and *objectives* encode a listing and an item per pair,
as the peer does with MultipleNegativesRankingLoss; *objectives* adds both ALC objectives and TCM; *default*
is the default recipe, with a rejected candidate (the item next to its own in the alphabet) beside every
listing and batches of look-alikes. Batches of more than ``--cache-above`` pairs cache their gradients (the
peer's: CachedMultipleNegativesRankingLoss), ``--cache-rows`` texts at a time. Encoding the listings for the
clusters of look-alikes, once an epoch, is not in the rates and is told apart.

Share of peak is what the weights outside of the embeddings and the attention do with the tokens that are
run, padding included, over ``--peak-tflops``. On a machine that others use as well, CPU time per pair says
more than pairs per second.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
DATASET = ROOT.parent / "shared" / "data" / "pricerunner"
PEER = "peer"
#: Two texts per pair, as the peer has them.
_PLAIN = {"hard_negatives": 0, "unmatched_listings": False, "look_alike": False}
#: Recipe and overrides of each row; None is sentence-transformers.
ROWS: dict[str, tuple[str | None, dict[str, Any]]] = {
    "infonce": ("infonce", _PLAIN),
    "objectives": ("default", _PLAIN),
    "default": ("default", {}),
    PEER: (None, {}),
}
Report = dict[str, float]


@dataclass(frozen=True)
class Setup:
    """What a process trains and how.

    Attributes:
        recipe: of our trainer; None is sentence-transformers' trainer.
        overrides: of the recipe.
        encoder: sentence-transformers folder.
        pairs: texts of a listing, its item and a rejected candidate; a whole number of batches.
        batch: pairs of a step.
        steps: of a turn.
        warm_up: steps before the first turn.
        turns: how many there will be.
        device: cpu or cuda.
        max_tokens: longer texts are cut.
        cache_rows: texts whose activations are kept; None keeps those of all.
        chunk_rows: texts that our trainer runs in one pass; 0 leaves it to the device.
        threads: of the CPU.
    """

    recipe: str | None
    overrides: dict[str, Any]
    encoder: str
    pairs: list[tuple[str, str, str]]
    batch: int
    steps: int
    warm_up: int
    turns: int
    device: str
    max_tokens: int
    cache_rows: int | None
    chunk_rows: int
    threads: int

    @property
    def last_step(self) -> int:
        """One more than will be taken, so that nothing is done that belongs to the end of a run."""
        return self.warm_up + self.turns * self.steps + 1


def main() -> int:
    """Measure every batch size and print a table and a line of JSON."""
    options = _options()
    pairs, source = _pairs(options)
    encoder = options.encoder or _packaged_encoder()
    measured = [row for batch in options.batches for row in _measure(options, pairs, encoder, batch)]
    about = {
        "texts": source,
        "device": _device_name(options.device),
        "machine": f"{platform.machine()}, {_cores()} cores, Python {platform.python_version()}",
        "versions": {
            name: metadata.version(name) for name in ("torch", "transformers", "sentence-transformers")
        },
        "threads": options.threads,
        "rounds": options.rounds,
        "steps_per_round": options.steps,
        "max_tokens": options.max_tokens,
        "cache_rows": options.cache_rows,
        "chunk_rows": options.chunk_rows or "of the device",
        "peak_tflops": options.peak_tflops,
    }
    for line in _table(measured):
        print(line)
    print(json.dumps(about | {"rows": measured}))
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.training_speed",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--dataset", type=Path, default=DATASET, help="folder with listings, items, matches")
    parser.add_argument("--texts", type=Path, help="instead: a file of lines 'listing TAB item'")
    parser.add_argument(
        "--encoder", type=Path, help="sentence-transformers folder (default: the packaged one)"
    )
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--batches", type=_numbers, default=[64], help="pairs per step, comma-separated")
    parser.add_argument("--cache-above", type=int, default=1024, help="larger batches cache gradients")
    parser.add_argument("--cache-rows", type=int, default=1024, help="texts at a time where they do")
    parser.add_argument("--chunk-rows", type=int, default=0, help="texts of one pass of ours (0: by device)")
    parser.add_argument("--max-tokens", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=1, help="per turn")
    parser.add_argument("--warm-up", type=int, default=1, help="steps before the first turn")
    parser.add_argument("--threads", type=int, default=_cores())
    parser.add_argument("--peak-tflops", type=float, help="of the card in bf16, for the share of it")
    parser.add_argument("--rows", type=lambda text: text.split(","), default=list(ROWS))
    options = parser.parse_args()
    unknown = [name for name in options.rows if name not in ROWS]
    if unknown:
        parser.error(f"there is no row {unknown[0]}; there are {', '.join(ROWS)}")
    return options


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


def _pairs(options: argparse.Namespace) -> tuple[list[tuple[str, str]], str]:
    """Texts of listings and their items, and where they are from."""
    if options.texts is not None:
        lines = options.texts.read_text(encoding="utf-8").splitlines()
        pairs = [(line.partition("\t")[0], line.partition("\t")[2]) for line in lines if line.strip()]
        wrong = next((n for n, pair in enumerate(pairs, 1) if not all(pair)), None)
        if wrong is not None:
            raise SystemExit(f"{options.texts} line {wrong} is not 'listing TAB item'; give it both texts")
        return pairs, options.texts.name
    if (options.dataset / "matches.csv").is_file():
        items = _titles(options.dataset / "catalogue.csv", "item_id")
        listings = _titles(options.dataset / "queries.csv", "query_id")
        with (options.dataset / "matches.csv").open(newline="", encoding="utf-8") as stream:
            # Several items may be right answers; one each is enough here.
            one = {row["query_id"]: row["item_id"] for row in csv.DictReader(stream)}
        return [(listings[q], items[i]) for q, i in one.items()], f"titles of {options.dataset.name}"
    from engine.demo_data import generate_demo

    demo = generate_demo()
    titles = {row["item_id"]: row["title"] for row in demo.items}
    found = [(row["title"], demo.answers[row["listing_id"]]) for row in demo.listings]
    return [(title, titles[item]) for title, item in found if item is not None], "titles of the demo"


def _titles(path: Path, key: str) -> dict[str, str]:
    with path.open(newline="", encoding="utf-8") as stream:
        return {row[key]: row["title"] for row in csv.DictReader(stream)}


def _packaged_encoder() -> Path:
    from engine.backends.base_encoder import base_model_folder

    return base_model_folder()


def _measure(
    options: argparse.Namespace, pairs: list[tuple[str, str]], encoder: Path, batch: int
) -> list[dict[str, Any]]:
    """The rows of one batch size."""
    steps = options.warm_up + options.rounds * options.steps + 1
    count = min(len(pairs) // batch, steps) * batch
    if count == 0:
        raise SystemExit(f"there are {len(pairs):,} pairs, and a batch of {batch:,} needs as many; give more")
    items = sorted({item for _, item in pairs})
    neighbour = dict(zip(items, items[1:] + items[:1], strict=True))
    # Spread over the source, which may be sorted by shop or kind.
    spread = [pairs[n * len(pairs) // count] for n in range(count)]
    chosen = [(listing, item, neighbour[item]) for listing, item in spread]
    with tempfile.TemporaryDirectory() as folder:
        workers = {}
        for name in options.rows:
            recipe, overrides = ROWS[name]
            setup = Setup(
                recipe=recipe,
                overrides=overrides,
                encoder=str(encoder),
                pairs=chosen,
                batch=batch,
                steps=options.steps,
                warm_up=options.warm_up,
                turns=options.rounds,
                device=options.device,
                max_tokens=options.max_tokens,
                cache_rows=options.cache_rows if batch > options.cache_above else None,
                chunk_rows=options.chunk_rows,
                threads=options.threads,
            )
            workers[name] = _Worker(setup, Path(folder) / f"{name}.json", options.threads)
        turns: dict[str, list[Report]] = {name: [] for name in workers}
        try:
            ready = {name: worker.read() for name, worker in workers.items()}
            for number in range(options.rounds):
                # Whoever goes first meets the machine as the round before left it.
                names = list(workers)[number % len(workers) :] + list(workers)[: number % len(workers)]
                for name in names:
                    turns[name].append(workers[name].turn())
        finally:
            for worker in workers.values():
                worker.close()
    return [_row(options, batch, name, turns, ready[name]) for name in workers]


def _row(
    options: argparse.Namespace, batch: int, name: str, turns: dict[str, list[Report]], ready: Report
) -> dict[str, Any]:
    rates = [turn["pairs"] / turn["seconds"] for turn in turns[name]]
    mine = turns[name]
    pairs = sum(turn["pairs"] for turn in mine)
    tokens = sum(turn["tokens"] for turn in mine)
    cpu = sum(turn["cpu_seconds"] for turn in mine) / pairs
    row: dict[str, Any] = {
        "batch": batch,
        "row": name,
        "pairs_per_second": round(median(rates), 1),
        "least": round(min(rates), 1),
        "most": round(max(rates), 1),
        "cpu_ms_per_pair": round(1000 * cpu, 1),
        "ratio": None,
        "cpu_ratio": None,
        "ratio_by_round": None,
        "tokens_per_pair": round(tokens / pairs, 1),
        "padding": round(sum(turn["padding"] * turn["tokens"] for turn in mine) / tokens, 3),
        "peak_gib": round(max(turn["peak_bytes"] for turn in mine) / 1024**3, 2),
        "tflops": round(median([turn["operations"] / turn["seconds"] for turn in mine]) / 1e12, 2),
        "share_of_peak": None,
        "listings_clustered": int(ready["listings"]) if ready["cluster_seconds"] else 0,
        "cluster_seconds": round(ready["cluster_seconds"], 1),
    }
    if PEER in turns:
        theirs = [turn["pairs"] / turn["seconds"] for turn in turns[PEER]]
        row["ratio"] = round(median(rates) / median(theirs), 2)
        row["cpu_ratio"] = round(
            sum(turn["cpu_seconds"] for turn in turns[PEER])
            / sum(turn["pairs"] for turn in turns[PEER])
            / cpu,
            2,
        )
        row["ratio_by_round"] = [round(a / b, 2) for a, b in zip(rates, theirs, strict=True)]
    if options.peak_tflops:
        row["share_of_peak"] = round(row["tflops"] / options.peak_tflops, 3)
    return row


def _table(rows: list[dict[str, Any]]) -> list[str]:
    """The rows as Markdown."""
    lines = [
        "| batch | row | pairs/s (least to most) | to the peer | by round | CPU ms per pair | to the peer "
        "| tokens run per pair | padding | peak memory, GiB | TFLOP/s | share of peak |",
        "|" + " --- |" * 12,
    ]
    for row in rows:
        by_round = row["ratio_by_round"]
        share = row["share_of_peak"]
        cells = [
            f"{row['batch']:,}",
            row["row"],
            f"{row['pairs_per_second']:,} ({row['least']:,} to {row['most']:,})",
            "-" if row["ratio"] is None else f"{row['ratio']:.2f}",
            "-" if by_round is None else f"{min(by_round):.2f} to {max(by_round):.2f}",
            f"{row['cpu_ms_per_pair']:.1f}",
            "-" if row["cpu_ratio"] is None else f"{row['cpu_ratio']:.2f}",
            f"{row['tokens_per_pair']:,}",
            f"{row['padding']:.0%}",
            f"{row['peak_gib']:.2f}" if row["peak_gib"] else "-",
            f"{row['tflops']:.2f}",
            "-" if share is None else f"{share:.1%}",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    for row in rows:
        if row["listings_clustered"]:
            lines.append(
                f"\n{row['batch']:,} {row['row']}: encoding {row['listings_clustered']:,} listings for the "
                f"clusters of an epoch took {row['cluster_seconds']} s beside that."
            )
    return lines


def _device_name(device: str) -> str:
    if device == "cpu":
        return "cpu"
    import torch

    return torch.cuda.get_device_name()


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class _Worker:
    """A process that trains a few steps whenever it is given a line."""

    def __init__(self, setup: Setup, path: Path, threads: int) -> None:
        path.write_text(json.dumps(asdict(setup)), encoding="utf-8")
        quiet = {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "true", "TQDM_DISABLE": "1"}
        counts = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS"), str(threads))
        paths = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.benchmarks._training_worker", str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
            cwd=ROOT,
            env=os.environ | quiet | counts | {"PYTHONPATH": paths},
        )

    def turn(self) -> Report:
        """Let it train, and what it reports."""
        assert self._process.stdin is not None
        self._process.stdin.write("go\n")
        self._process.stdin.flush()
        return self.read()

    def read(self) -> Report:
        """The next line it says."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith('{"'):
                report: Report = json.loads(line)
                return report
        raise SystemExit("one of the processes ended early; what it said is above")

    def close(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        if self._process.wait() != 0:
            print("one of the processes ended badly; what it said is above", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
