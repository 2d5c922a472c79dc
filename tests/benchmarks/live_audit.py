"""How soon the live audit notices a fall, and how often it cries wolf: simulated audits.

``python -m tests.benchmarks.live_audit [--sequences 2000] [--seed 0]``. Every sequence starts from 300
certification labels that passed (p = .95, delta = .1); then 2,000 audits are read one by one. *Naive*
is the way that suggests itself: the exact binomial test at 5 % against p (Clopper-Pearson's upper
bound), read again after every audit. *p alone* is the e-process against p without the change.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass

import numpy as np
from scipy import stats

from engine.automation.live_audit import ALARM_CHANCE, BELOW_CHANCE, FALLEN_CHANCE, band, judge

PROMISE, DELTA, LABELS, AUDITS, LATEST_CHANGE = 0.95, 0.1, 300, 2000, 500
NEVER = 10**9


@dataclass(frozen=True)
class Scenario:
    """Precision before and after a change (the same: none)."""

    name: str
    before: float
    after: float


SCENARIOS = (
    Scenario("no fall", 0.98, 0.98),
    Scenario("no fall, exactly p", 0.95, 0.95),
    Scenario("fall within the promise", 0.98, 0.96),
    Scenario("fall to exactly p", 0.98, 0.95),
    Scenario("fall", 0.98, 0.93),
    Scenario("deep fall", 0.98, 0.85),
)


def naive_alarms(wrong: np.ndarray) -> int:
    """Audits until the exact test against p rejects at 5 % for the first time."""
    n = np.arange(1, len(wrong) + 1)
    rejects = stats.binom.sf(np.cumsum(wrong) - 1, n, 1 - PROMISE) <= 0.05
    return int(np.argmax(rejects)) + 1 if rejects.any() else NEVER


def simulate(scenario: Scenario, sequences: int, seed: int) -> dict[str, np.ndarray]:
    """First alarm of each way by sequence, the change, and whether the band ever missed the truth."""
    random = np.random.default_rng(seed)
    passing = [e for e in range(LABELS) if stats.binom.cdf(e, LABELS, 1 - PROMISE) <= DELTA]
    out = {name: np.full(sequences, NEVER) for name in ("change", "alarm", "watch", "naive", "alone")}
    out["missed"] = np.zeros(sequences)
    for i in range(sequences):
        errors = LABELS
        while errors not in passing:
            errors = random.binomial(LABELS, 1 - scenario.before)
        changes = scenario.before != scenario.after
        change = int(random.integers(1, LATEST_CHANGE + 1)) if changes else 0
        precision = np.where(np.arange(AUDITS) < change, scenario.before, scenario.after)
        wrong = random.random(AUDITS) >= precision
        judged = judge(wrong, PROMISE, accepted=LABELS, errors=errors)
        alone = judged.below >= -np.log(ALARM_CHANCE)
        out["change"][i] = change
        out["alarm"][i] = judged.alarm_at or NEVER
        out["watch"][i] = judged.watch_at or NEVER
        out["naive"][i] = naive_alarms(wrong)
        out["alone"][i] = int(np.argmax(alone)) + 1 if alone.any() else NEVER
        if i < sequences // 10:
            n = np.r_[1:50, 50 : AUDITS + 1 : 10]
            low, high = band(n - np.cumsum(wrong)[n - 1], n)
            truth = np.cumsum(precision)[n - 1] / n
            out["missed"][i] = ((truth < low) | (truth > high)).any()
    return out


def line(scenario: Scenario, way: str, found: np.ndarray, change: np.ndarray) -> str:
    """One row of the table."""
    raised = found < NEVER
    early = found <= change
    delay = np.where(early, NEVER, found - change)[~early]
    words = [f"{scenario.name} ({scenario.before} to {scenario.after})", way, f"{raised.mean():.1%}"]
    if scenario.before != scenario.after:
        median, most = np.quantile(delay, [0.5, 0.9], method="higher")
        words += [
            f"{early.mean():.1%}",
            *(f"{x:,.0f}" if x < NEVER / 2 else f"over {AUDITS:,}" for x in (median, most)),
        ]
    else:
        words += ["", "", ""]
    return " | ".join(words)


def main() -> int:
    """Print one row per scenario and way."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sequences", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    print(
        f"{arguments.sequences:,} sequences of {AUDITS:,} audits, seed {arguments.seed}, p {PROMISE}, "
        f"certified on {LABELS} labels; alarm at chance {BELOW_CHANCE} + {FALLEN_CHANCE}"
    )
    print("scenario | way | alarms | before the change | median delay | 90 % of delays")
    ways = {"live audit": "alarm", "its watch": "watch", "p alone": "alone", "naive": "naive"}
    missed = []
    for scenario in SCENARIOS:
        found = simulate(scenario, arguments.sequences, arguments.seed)
        for way, name in ways.items():
            print(line(scenario, way, found[name], found["change"]), flush=True)
        missed.append(found["missed"][: arguments.sequences // 10].mean())
    print(f"band of 95 % that ever missed the running precision, at worst: {max(missed):.1%}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
