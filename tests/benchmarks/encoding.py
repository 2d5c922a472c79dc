"""How fast Alcove encodes product titles, against sentence-transformers in float32 on the same device.

    python -m tests.benchmarks.encoding --texts 2000
    python -m tests.benchmarks.encoding --device cuda --json

Each library runs in a process of its own, with the same threads and the same texts; the two take turns,
and each figure is a median over the turns. Cosines are between the two libraries' vectors of a text.
"""

from __future__ import annotations

import argparse
import csv
import importlib.util
import json
import os
import platform
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any, Literal

import numpy as np

DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "pricerunner" / "queries.csv"
ALCOVE, PEER = "alcove", "sentence-transformers"
Encode = Callable[[Sequence[str]], np.ndarray]


def main() -> int:
    """Run as a command; with ``--worker`` as one of the two processes."""
    options = _options()
    if options.worker:
        _work(options)
        return 0
    if importlib.util.find_spec("sentence_transformers") is None:
        print("sentence-transformers is not installed: Alcove's own figures only", file=sys.stderr)
        names = [ALCOVE]
    else:
        names = [ALCOVE, PEER]
    result = _measure(options, names)
    print(json.dumps(result, indent=2) if options.json else _as_text(result))
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.encoding", description=__doc__)
    parser.add_argument("--texts", type=int, default=2000, help="how many titles (default 2000)")
    parser.add_argument("--data", type=Path, default=DATA, help="CSV with a title column")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each library (default 5)")
    parser.add_argument("--threads", type=int, default=_cores(), help="CPU threads of each library")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--variant", choices=("fp32", "int8", "fp16"), help="default: the device's own")
    parser.add_argument("--model", type=Path, help="sentence-transformers folder (default: the base model)")
    parser.add_argument("--encoder", type=Path, help="its encoder folder (default: exported from --model)")
    parser.add_argument("--peer-batch", type=int, default=32, help="sentence-transformers' batch size")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--worker", choices=(ALCOVE, PEER), help=argparse.SUPPRESS)
    return parser.parse_args()


def _measure(options: argparse.Namespace, names: list[str]) -> dict[str, Any]:
    texts = _texts(options.data, options.texts)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "texts.json").write_text(json.dumps(texts), encoding="utf-8")
        workers = {name: _Worker(name, folder) for name in names}
        seconds: dict[str, list[float]] = {name: [] for name in names}
        try:
            for worker in workers.values():
                worker.ready()
            for _ in range(options.rounds):
                for name, worker in workers.items():
                    seconds[name].append(worker.turn())
        finally:
            for worker in workers.values():
                worker.close()
        vectors = {name: np.load(folder / f"{name}.npy") for name in names}
    rates = {name: [len(texts) / s for s in spent] for name, spent in seconds.items()}
    result: dict[str, Any] = {
        "texts": len(texts),
        "characters": round(sum(map(len, texts)) / len(texts), 1),
        "threads": options.threads,
        "device": options.device,
        "rounds": options.rounds,
        "machine": f"{platform.machine()}, {_cores()} cores, Python {platform.python_version()}",
        "alcove": {**workers[ALCOVE].about, "texts_per_second": _rounded(rates[ALCOVE])},
        "peer": None,
        "ratio": None,
        "ratio_by_round": None,
        "mean_cosine": None,
        "least_cosine": None,
    }
    if PEER in names:
        cosines = np.sum(vectors[ALCOVE] * vectors[PEER], axis=1)
        by_round = [ours / theirs for ours, theirs in zip(rates[ALCOVE], rates[PEER], strict=True)]
        result |= {
            "peer": {**workers[PEER].about, "texts_per_second": _rounded(rates[PEER])},
            "ratio": round(median(rates[ALCOVE]) / median(rates[PEER]), 2),
            "ratio_by_round": [round(ratio, 2) for ratio in by_round],
            "mean_cosine": round(float(cosines.mean()), 5),
            "least_cosine": round(float(cosines.min()), 5),
        }
    return result


def _rounded(rates: list[float]) -> dict[str, float]:
    return {
        "median": round(median(rates), 1),
        "least": round(min(rates), 1),
        "most": round(max(rates), 1),
    }


def _as_text(result: dict[str, Any]) -> str:
    lines = [
        f"{result['texts']} titles of {result['characters']} characters on average, "
        f"{result['threads']} threads, {result['device']}, medians of {result['rounds']}",
    ]
    for name in ("alcove", "peer"):
        if result[name]:
            rate = result[name]["texts_per_second"]
            lines.append(
                f"{name:8} {rate['median']:>9.1f} texts/s ({rate['least']:.1f} to {rate['most']:.1f})  "
                f"{result[name]['what']}"
            )
    if result["ratio"]:
        lines.append(f"ratio    {result['ratio']:>9.2f}")
        lines.append(f"cosine   {result['mean_cosine']:>9.5f} mean, {result['least_cosine']:.5f} least")
    return "\n".join(lines)


def _texts(path: Path, count: int) -> list[str]:
    """The same different titles every time; invented ones where the data is not at hand."""
    draw = random.Random(0)
    if path.is_file():
        with path.open(newline="", encoding="utf-8") as stream:
            titles = sorted({row["title"] for row in csv.DictReader(stream)})
        draw.shuffle(titles)
        if len(titles) < count:
            raise SystemExit(f"{path} holds {len(titles)} different titles; ask for that many with --texts")
        return titles[:count]
    brands = ("Samsung", "Bosch", "Sony", "Logitech", "Canon", "Makita", "Philips", "Dell", "Siemens", "HP")
    kinds = ("washing machine", "wireless headphones", "laptop", "cordless drill", "ink cartridge", "monitor")
    extras = (
        "black",
        "white",
        "stainless steel",
        "refurbished",
        "2-pack",
        "with case",
        "4K Ultra HD",
        "1400rpm",
    )
    return [
        f"{draw.choice(brands)} {draw.choice('ABCDEFG')}{draw.randrange(10_000)} {draw.choice(kinds)} "
        f"{draw.randrange(1, 999)} {draw.choice(('GB', 'cm', 'W', 'l'))} {' '.join(draw.sample(extras, 2))}"
        for _ in range(count)
    ]


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class _Worker:
    """One library in a process of its own, which encodes all texts whenever it is given a line."""

    def __init__(self, name: str, folder: Path) -> None:
        self.about: dict[str, Any] = {}
        options = _options()
        threads = str(options.threads)
        variables = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS")
        quiet = {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "true", "TQDM_DISABLE": "1"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.benchmarks.encoding", *sys.argv[1:], "--worker", name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
            cwd=Path(__file__).resolve().parents[2],
            env=os.environ | quiet | dict.fromkeys(variables, threads) | {"ALCOVE_BENCH_FOLDER": str(folder)},
        )

    def ready(self) -> None:
        self.about = self._read()

    def turn(self) -> float:
        """Seconds for all texts."""
        assert self._process.stdin is not None
        self._process.stdin.write("encode\n")
        self._process.stdin.flush()
        return float(self._read()["seconds"])

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith("{"):
                return json.loads(line)
        raise SystemExit("one of the two processes ended early; what it said is above")


def _work(options: argparse.Namespace) -> None:
    folder = Path(os.environ["ALCOVE_BENCH_FOLDER"])
    texts = json.loads((folder / "texts.json").read_text(encoding="utf-8"))
    encode, what = _alcove(options) if options.worker == ALCOVE else _peer(options)
    encode(texts[:64])  # the first call allocates
    print(json.dumps({"what": what}), flush=True)
    vectors = np.zeros((0, 0), np.float32)
    for _ in sys.stdin:
        start = time.perf_counter()
        vectors = encode(texts)
        print(json.dumps({"seconds": time.perf_counter() - start}), flush=True)
    np.save(folder / f"{options.worker}.npy", vectors)


def _alcove(options: argparse.Namespace) -> tuple[Encode, str]:
    import onnxruntime

    from engine.backends.onnx_encoder import OnnxEncoder
    from engine.contracts import Finished

    folder = options.encoder
    if folder is None:
        from engine.backends.base_encoder import ensure_base_encoder

        folder = next(e.result for e in ensure_base_encoder(options.model) if isinstance(e, Finished))
    # With --device cuda Alcove does what it does for its users: take the card if onnxruntime loads on it.
    device: Literal["cpu"] | None = "cpu" if options.device == "cpu" else None
    encoder = OnnxEncoder.load(folder, variant=options.variant, threads=options.threads, device=device)
    return encoder.encode, f"onnxruntime {onnxruntime.__version__}, {encoder.why}"


def _peer(options: argparse.Namespace) -> tuple[Encode, str]:
    import sentence_transformers
    import torch
    from sentence_transformers import SentenceTransformer

    from engine.backends.base_encoder import base_model_folder

    if options.device == "cuda" and not torch.cuda.is_available():
        raise SystemExit("torch finds no CUDA card here; run with --device cpu")
    torch.set_num_threads(options.threads)
    model = SentenceTransformer(str(base_model_folder(options.model)), device=options.device)

    def encode(texts: Sequence[str]) -> np.ndarray:
        return model.encode(
            list(texts), batch_size=options.peer_batch, normalize_embeddings=True, show_progress_bar=False
        )

    versions = f"sentence-transformers {sentence_transformers.__version__}, torch {torch.__version__}"
    return encode, f"{versions}, fp32 on {options.device}, batches of {options.peer_batch}"


if __name__ == "__main__":
    sys.exit(main())
