"""The forecast of the next certificate against the certificate that came.

``python -m tests.benchmarks.forecast DATASET_DIR... [--draws 200]`` draws a random stream of 100 or 300
listings on real scores, forecasts what further ones will certify, draws those and certifies.
``forecast`` and ``came`` are means of certified coverage (0 without a certificate); ``within``: how
often what came lay in the 80 % range; ``chance`` and ``certified``: forecast and real share of draws with a
certificate.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from engine.automation.forecast import STEPS
from tests.benchmarks.certificates import ROOT, SETTINGS, Drawing, kept_scores

_BEFORE = (100, 300)


def main() -> int:
    """Print one row per data set, precision, and number of random decisions before and after."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("datasets", nargs="*", type=Path)
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--scores", type=Path, help="folder to keep the scores in, for further runs")
    arguments = parser.parse_args()
    folders = arguments.datasets or [ROOT.parent / "shared" / "data" / name for name in SETTINGS]
    print("data set | p | labels | more | forecast | came | within 80 % range | chance | certified")
    for folder in (folder for folder in folders if (folder / "matches.csv").exists()):
        for precision, learning, _ in SETTINGS.get(folder.name, ((0.95, 300, 200),)):
            scores = kept_scores(folder, learning, arguments.seed, arguments.scores)
            for before in _BEFORE:
                for row in compare(scores, precision, learning, before, arguments.draws, arguments.seed):
                    print(f"{folder.name} | {precision} | {before} | {row}", flush=True)
    return 0


def compare(
    scores: dict[str, np.ndarray], precision: float, learning: int, before: int, draws: int, seed: int
) -> list[str]:
    """Rows of the table, one per number of further decisions that the reserve has room for."""
    random = np.random.default_rng(seed)
    steps = [more for more in STEPS if before + more <= 0.9 * len(scores["reserve_right"])]
    if not steps:
        return []
    told: dict[int, list[tuple[float, ...]]] = {more: [] for more in steps}
    for _ in range(draws):
        more = int(random.choice(steps))
        drawing = Drawing(scores, precision, learning, random)
        drawing.draw(before)
        expected = next(one for one in drawing.forecasts(precision) if one.more == more)
        drawing.draw(more)
        came = drawing.certificate(precision).expected_coverage
        within = expected.low - 1e-9 <= came <= expected.high + 1e-9
        told[more].append((expected.coverage, came, within, expected.chance, came > 0))
    means = {more: np.mean(found, axis=0) for more, found in told.items() if found}
    return [f"{more} | " + " | ".join(f"{value:.3f}" for value in mean) for more, mean in means.items()]


if __name__ == "__main__":
    sys.exit(main())
