"""Every loss once more, cell by cell in Python floats, to test the vectorised ones against."""

from __future__ import annotations

import math
from collections.abc import Sequence

NEGATIVE, TARGET, KNOWN, VARIANT = 0, 1, 2, 3
Matrix = Sequence[Sequence[float]]
Cells = Sequence[Sequence[int]]


def _is_negative(cell: int) -> bool:
    return cell in (NEGATIVE, VARIANT)


def _mean(values: list[tuple[float, float]]) -> float:
    total = sum(weight for _, weight in values)
    return sum(value * weight for value, weight in values) / total if total else 0.0


def infonce(s: Matrix, cells: Cells, weight: Sequence[float], temperature: float, symmetric: bool) -> float:
    rows, columns = [], []
    for i, row in enumerate(cells):
        for c, cell in enumerate(row):
            if cell != TARGET:
                continue
            own = math.exp(s[i][c] / temperature)
            along = sum(math.exp(s[i][k] / temperature) for k in range(len(row)) if _is_negative(row[k]))
            down = sum(
                math.exp(s[r][c] / temperature) for r in range(len(cells)) if _is_negative(cells[r][c])
            )
            rows.append((-math.log(own / (own + along)), weight[i]))
            columns.append((-math.log(own / (own + down)), weight[i]))
    return (_mean(rows) + _mean(columns)) / 2 if symmetric else _mean(rows)


def decoupled(s: Matrix, cells: Cells, weight: Sequence[float], temperature: float) -> float:
    listings = []
    for i, row in enumerate(cells):
        positives = [c for c, cell in enumerate(row) if cell in (TARGET, KNOWN)]
        if not positives:
            continue
        negatives = sum(math.exp(s[i][k] / temperature) for k, cell in enumerate(row) if _is_negative(cell))
        terms = []
        for c in positives:
            own = math.exp(s[i][c] / temperature)
            terms.append(-math.log(own / (own + negatives)))
        listings.append((sum(terms) / len(terms), weight[i]))
    return _mean(listings)


def triplet(
    s: Matrix,
    cells: Cells,
    weight: Sequence[float],
    *,
    count: int,
    sharpness: float,
    margin: float | None,
    least: float = 0.1,
    most: float = 0.3,
) -> float:
    """NGAME with a fixed margin; PRIME with margin None."""
    listings = []
    for i, row in enumerate(cells):
        targets = [c for c, cell in enumerate(row) if cell == TARGET]
        if not targets:
            continue
        positive = s[i][targets[0]]
        hardest = sorted((s[i][k] for k, cell in enumerate(row) if _is_negative(cell)), reverse=True)[:count]
        violating = []
        for negative in hardest:
            gap = margin if margin is not None else min(max(abs(positive - negative), least), most)
            hinge = negative - positive + gap
            if hinge > 0:
                violating.append((hinge, math.exp(negative / sharpness)))
        listings.append((_mean(violating), weight[i]))
    return _mean(listings)


def threshold_margin(s: Matrix, cells: Cells, weight: Sequence[float], high: float, low: float) -> float:
    pull, push = [], []
    for i, row in enumerate(cells):
        for c, cell in enumerate(row):
            if cell in (TARGET, KNOWN) and s[i][c] < high:
                pull.append((high - s[i][c], weight[i]))
            if _is_negative(cell) and s[i][c] > low:
                push.append((s[i][c] - low, weight[i]))
    return _mean(pull) + _mean(push)


def judged(s: Matrix, cells: Cells) -> list[tuple[int, int, int]]:
    """(listing, item, is match) of what the ALC objectives judge: targets, then hardest negatives."""
    found = [(i, c, 1) for i, row in enumerate(cells) for c, cell in enumerate(row) if cell == TARGET]
    for i, row in enumerate(cells):
        negatives = [(s[i][c], -c) for c, cell in enumerate(row) if _is_negative(cell)]
        if negatives:
            found.append((i, -max(negatives)[1], 0))
    return found


def representation(listing: Sequence[float], item: Sequence[float]) -> list[float]:
    pairs = list(zip(item, listing, strict=True))
    return [*item, *listing, *(abs(q - v) for q, v in pairs), *(q * v for q, v in pairs)]


def binary_cross_entropy(logit: float, is_match: int) -> float:
    probability = 1 / (1 + math.exp(-logit))
    return -math.log(probability if is_match else 1 - probability)


def hardest(s: Matrix, cells: Cells, i: int, count: int | None) -> list[int]:
    """Columns of the most similar negatives of listing i, at most ``count``."""
    negatives = [c for c, cell in enumerate(cells[i]) if _is_negative(cell)]
    return sorted(negatives, key=lambda c: -s[i][c])[:count]


def graded_circle(
    s: Matrix,
    cells: Cells,
    weight: Sequence[float],
    levels: tuple[float, float, float, float],
    scale: float,
) -> float:
    grades = {NEGATIVE: 0, VARIANT: 1, KNOWN: 2, TARGET: 2}
    bands = [(-levels[0], levels[0]), (levels[1], levels[2]), (levels[3], 2 - levels[3])]
    listings = []
    for i, row in enumerate(cells):
        terms = []
        for a, better in enumerate(row):
            for b, worse in enumerate(row):
                if grades[better] <= grades[worse]:
                    continue
                low, high = bands[grades[better]]
                up = -scale * max(high - s[i][a], 0) * (s[i][a] - low)
                low, high = bands[grades[worse]]
                down = scale * max(s[i][b] - low, 0) * (s[i][b] - high)
                terms.append(math.exp(up + down))
        if terms:
            listings.append((math.log1p(sum(terms)) / scale, weight[i]))
    return _mean(listings)


def soft_targets(
    s: Matrix,
    cells: Cells,
    weight: Sequence[float],
    agreement: Sequence[float],
    *,
    temperature: float,
    spread: float,
    non_target_weight: float,
) -> tuple[float, float]:
    """The mean along the rows and the mean along the columns."""
    rows, columns = [], []
    for i, row in enumerate(cells):
        for c, cell in enumerate(row):
            if cell != TARGET:
                continue
            along = [s[i][k] for k in range(len(row)) if _is_negative(row[k])]
            down = [s[r][c] for r in range(len(cells)) if _is_negative(cells[r][c])]
            for found, others in ((rows, along), (columns, down)):
                value = _soft_divergence(
                    s[i][c], others, agreement[i], temperature, spread, non_target_weight
                )
                found.append((value, weight[i]))
    return _mean(rows), _mean(columns)


def _soft_divergence(
    positive: float, others: list[float], a: float, temperature: float, spread: float, weight: float
) -> float:
    if not others:
        return 0.0
    own = math.exp(positive / temperature)
    rest = [math.exp(other / temperature) for other in others]
    wide = [math.exp(other / spread) for other in others]
    hit, miss = own / (own + sum(rest)), sum(rest) / (own + sum(rest))
    value = a * math.log(a / hit) + ((1 - a) * math.log((1 - a) / miss) if a < 1 else 0.0)
    for share, probability in zip(wide, rest, strict=True):
        q, p = share / sum(wide), probability / sum(rest)
        value += weight * (1 - a) * q * math.log(q / p)
    return value
