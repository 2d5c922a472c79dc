"""The tables of ``objectives table``: means over seeds, their spread, and paired differences."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from tests.benchmarks._objectives_plan import PLANS, UNTRAINED

METRICS = ("C@90", "C@95", "C@98", "AURC", "P@1")
TITLES = {"similarity": "similarity alone", "matcher": "behind the matcher"}
#: What the last column shows seed by seed: three seeds are too few for a mean to speak for itself.
BY_SEED = "C@95"

Seeds = dict[int, dict[str, Any]]
Variants = dict[str, Seeds]


def tables(rows: list[dict[str, Any]], against: str | None = None) -> Iterator[str]:
    """Markdown, line by line.

    Args:
        rows: what ``objectives run`` wrote; of a line that was run twice the later result.
        against: the variant that all others are compared with; None: see :func:`reference`.
    """
    worlds: dict[tuple[str, str], Variants] = {}
    for row in rows:
        variants = worlds.setdefault((row["data"], row["kind"]), {})
        variants.setdefault(row["variant"], {})[row["seed"]] = row["result"]
    order = {row["variant"]: place for plan in PLANS.values() for place, row in enumerate(plan())}
    for (data, kind), found in worlds.items():
        variants = dict(sorted(found.items(), key=lambda one: order.get(one[0], len(order))))
        for way, title in TITLES.items():
            yield from _table(f"{data}, kind {kind}, {title}", variants, way, against)
        yield from _cross(f"{data}, kind {kind}", variants)
        yield from _recheck(f"{data}, kind {kind}", variants)


def reference(variant: str, there: Variants) -> str | None:
    """What a variant is compared with: its base alone, else plain InfoNCE, else the untrained encoder."""
    if variant == UNTRAINED:
        return None
    alone = f"{variant.rpartition(' ')[0]} none"
    return next(
        (name for name in (alone, "infonce none", UNTRAINED) if name in there and name != variant), None
    )


def _table(title: str, variants: Variants, way: str, against: str | None) -> Iterator[str]:
    metrics = METRICS
    found = {
        name: {seed: result[way] for seed, result in seeds.items() if way in result}
        for name, seeds in variants.items()
    }
    found = {name: seeds for name, seeds in found.items() if seeds}
    if not found:
        return
    yield f"### {title}"
    yield ""
    yield f"| variant | {' | '.join(metrics)} | seeds | compared with | {BY_SEED} by seed |"
    yield "|" + " --- |" * (len(metrics) + 4)
    for name, seeds in found.items():
        other = against if against in found and against != name else None
        other = reference(name, found) if against is None else other
        yield _row(name, seeds, found[other] if other else {}, metrics, other or "")
    yield ""


def _row(name: str, seeds: Seeds, others: Seeds, metrics: tuple[str, ...], other: str) -> str:
    both = sorted(seeds.keys() & others.keys())
    cells = []
    for metric in metrics:
        values = np.asarray([result[metric] for result in seeds.values()])
        cell = _number(values.mean())
        if len(values) > 1:
            cell += f" ± {_number(values.std(ddof=1))}"
        if both:
            cell += f" ({_signed(np.mean([seeds[s][metric] - others[s][metric] for s in both]))})"
        cells.append(cell)
    by_seed = " ".join(_signed(seeds[seed][BY_SEED] - others[seed][BY_SEED]) for seed in both)
    return f"| {name} | {' | '.join(cells)} | {len(seeds)} | {other if both else ''} | {by_seed} |"


def _number(value: float) -> str:
    return f"{value:.3f}".removeprefix("0")


def _signed(value: float) -> str:
    said = f"{value:+.3f}".replace("0.", ".", 1)
    return ".000" if said in ("-.000", "+.000") else said


def _cross(title: str, variants: Variants) -> Iterator[str]:
    """A cross-encoder as evidence, then as an order of the candidates shown in the review band."""
    tried = {
        name: seeds for name, seeds in variants.items() if all("matcher_ce" in r for r in seeds.values())
    }
    if not tried:
        return
    yield f"### {title}, with the cross-encoder as evidence"
    yield ""
    yield f"| variant | {' | '.join(METRICS)} | seeds | compared with | {BY_SEED} by seed |"
    yield "|" + " --- |" * (len(METRICS) + 4)
    for name, seeds in tried.items():
        mine = {seed: result["matcher_ce"] for seed, result in seeds.items()}
        yield _row(name, mine, {s: r["matcher"] for s, r in seeds.items()}, METRICS, "the same without it")
    yield ""
    yield f"### {title}, right among the first 1, 3, 5 of the review band"
    yield ""
    yield "| variant | order | first | first three | first five | band | seeds |"
    yield "|" + " --- |" * 7
    for name, seeds in tried.items():
        for order in ("matcher", "ce", "sum", "half"):
            values = np.mean([result[f"band_{order}"] for result in seeds.values()], axis=0)
            band = _number(float(np.mean([result["band"] for result in seeds.values()])))
            yield f"| {name} | {order} | {' | '.join(map(_number, values))} | {band} | {len(seeds)} |"
    yield ""


def _recheck(title: str, variants: Variants) -> Iterator[str]:
    found = {
        name: [result["recheck"] for result in seeds.values() if "recheck" in result]
        for name, seeds in variants.items()
    }
    found = {name: shares for name, shares in found.items() if shares}
    if found:
        yield f"### {title}, the list to check again"
        yield ""
        yield "| variant | flipped among the first 100 | among all | seeds |"
        yield "|" + " --- |" * 4
        for name, shares in found.items():
            first, every = (np.mean([share[part] for share in shares]) for part in ("first", "all"))
            yield f"| {name} | {first:.1%} | {every:.1%} | {len(shares)} |"
        yield ""
