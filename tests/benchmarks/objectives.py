"""What each training objective adds: to similarity alone, and behind the matcher.

1. ``python -m tests.benchmarks.objectives pack DATASET_DIR --out FOLDER --seeds 3`` imports a data set, reads
   its evidence through the product and deals it by seed (``_objectives_pack.py`` says how).
2. ``python -m tests.benchmarks.objectives run FOLDER --plan ablation --out results.jsonl --workers 8`` trains
   and measures every line of a plan for all worlds of the folder, several at a time. It runs on any machine
   with torch, sentence-transformers, transformers, datasets, pydantic, numpy, scipy, scikit-learn, onnx,
   onnxruntime and skl2onnx: copy the project, the folder and, where the base model is not installed, its
   sentence-transformers folder (``--encoder``). Lines that results.jsonl holds are not run again.
3. ``python -m tests.benchmarks.objectives table results.jsonl`` prints the tables of docs/ablation.md.

Plans (``_objectives_plan.py``): ``ablation``, every base loss with every auxiliary objective, and
sentence-transformers' own trainer; ``live``, what 4,000 decisions can be made of; ``flipped``, one in ten
confirmations wrong; ``pairs``, fewer and more pairs; or a file with one line of JSON per encoder.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from engine.errors import EngineError


def main(words: list[str] | None = None) -> int:
    """Do one of the three steps."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    steps = parser.add_subparsers(dest="step")
    packing = steps.add_parser("pack")
    packing.add_argument("dataset", type=Path)
    packing.add_argument("--out", type=Path, required=True)
    packing.add_argument("--seeds", type=int, default=3)
    running = steps.add_parser("run")
    running.add_argument("folder", type=Path)
    running.add_argument("--plan", default="ablation", help="a plan by name, or a file of lines")
    running.add_argument("--out", type=Path, required=True)
    running.add_argument("--workers", type=int, default=1)
    running.add_argument("--device", choices=("auto", "cuda", "cpu"), default="auto")
    running.add_argument("--encoder", type=Path, help="sentence-transformers folder to start from")
    running.add_argument("--minutes", type=float, default=600.0, help="begin no line later than that")
    printing = steps.add_parser("table")
    printing.add_argument("results", type=Path)
    printing.add_argument("--against", help="compare all variants with this one")
    arguments = parser.parse_args(words)
    if arguments.step is None:
        print("this takes a GPU, or hours; see the steps in python -m tests.benchmarks.objectives --help")
        return 0
    try:
        return {"pack": _pack, "run": _run, "table": _table}[arguments.step](arguments)
    except EngineError as error:
        print(error.message, file=sys.stderr)
        return error.exit_code


def _pack(arguments: argparse.Namespace) -> int:
    from tests.benchmarks._objectives_pack import pack

    pack(arguments.dataset, arguments.out, arguments.seeds)
    return 0


def _run(arguments: argparse.Namespace) -> int:
    # Before torch is loaded, and inherited by the workers: several trainings share the machine, and none
    # looks for anything on the network.
    for name, value in {
        "OMP_NUM_THREADS": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
        "TRANSFORMERS_VERBOSITY": "error",
    }.items():
        os.environ.setdefault(name, value)
    from tests.benchmarks._objectives_plan import lines_of
    from tests.benchmarks._objectives_run import run
    from tests.benchmarks._objectives_world import worlds_in

    lines = lines_of(arguments.plan, worlds_in(arguments.folder))
    if not lines:
        print(f"{arguments.folder} holds no world of this plan; pack one first", file=sys.stderr)
        return 2
    failed = 0
    for line, result in run(
        arguments.folder,
        lines,
        arguments.out,
        base=_base(arguments.encoder),
        device=arguments.device,
        workers=arguments.workers,
        minutes=arguments.minutes,
    ):
        failed += "error" in result
        said = result.get("error") or result["matcher"]
        print(f"{line.data} seed {line.seed} {line.kind} {line.variant}: {said}", file=sys.stderr, flush=True)
    return 1 if failed else 0


def _base(folder: Path | None) -> Path:
    if folder is not None:
        return folder
    # Only here: it needs what a machine that only trains may lack.
    from engine.backends.base_encoder import base_model_folder

    return base_model_folder(None)


def _table(arguments: argparse.Namespace) -> int:
    from tests.benchmarks._objectives_table import tables
    from tests.benchmarks._objectives_world import read_results

    for line in tables(read_results(arguments.results), arguments.against):
        print(line)
    return 0


if __name__ == "__main__":
    sys.exit(main())
