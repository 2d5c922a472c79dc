"""What the other listings of a workspace say of an item."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from engine.automation.claims import MOST_AHEAD, Claims, PlainPairs
from engine.automation.evidence_columns import EVIDENCE_NAMES, column
from engine.automation.ranking import plain_score


def evidence_of(plain: list[float]) -> np.ndarray:
    out = np.zeros((len(plain), len(EVIDENCE_NAMES)), np.float32)
    out[:, column("lexical")] = plain
    return out


def filled(listing: list[int], item: list[int], plain: list[float], items: int, cut: int) -> np.ndarray:
    """The evidence after the claims of all pairs, which come in two parts, were filled in."""
    evidence, rows, of = evidence_of(plain), np.asarray(listing), np.asarray(item)
    parts = [
        PlainPairs.of(rows[part], of[part], evidence[part]) for part in (slice(0, cut), slice(cut, None))
    ]
    Claims.build(parts, items).fill(evidence, of)
    return evidence


@given(
    st.lists(
        st.lists(
            st.tuples(st.integers(0, 4), st.integers(1, 40)), min_size=1, max_size=5, unique_by=lambda p: p[0]
        ),
        min_size=1,
        max_size=12,
    )
)
def test_that_claims_are_those_of_a_plain_loop(listings: list[list[tuple[int, int]]]) -> None:
    pairs = [(row, item, score / 20) for row, some in enumerate(listings) for item, score in some]
    cut = sum(len(some) for some in listings[: len(listings) // 2])
    evidence = filled([p[0] for p in pairs], [p[1] for p in pairs], [p[2] for p in pairs], 5, cut)
    plain = plain_score(evidence)
    claimed: dict[int, list[float]] = {}
    for row in range(len(listings)):
        mine = [n for n, pair in enumerate(pairs) if pair[0] == row]
        best = max(mine, key=lambda n: (plain[n], -n))
        claimed.setdefault(pairs[best][1], []).append(float(plain[best]))
    for n, (_, item, _) in enumerate(pairs):
        others = [float(plain[m]) for m, pair in enumerate(pairs) if pair[1] == item]
        ahead = sum(other > plain[n] + 1e-9 for other in others)
        found = evidence[n]
        assert found[column("nearer_listings")] == np.float32(np.log1p(ahead))
        assert np.isclose(found[column("nearest_gap")], plain[n] - max(others), atol=1e-6)
        claims = claimed.get(item, [])
        assert np.isclose(found[column("claimants")], np.log1p(len(claims)))
        gap = plain[n] - np.mean(claims) if claims else 0.0
        assert np.isclose(found[column("claim_gap")], gap, atol=1e-6)


def test_that_a_pair_of_no_listing_so_far_is_held_against_the_claims() -> None:
    rows, items = np.array([0, 1]), np.array([3, 3])
    claims = Claims.build([PlainPairs.of(rows, items, evidence_of([1.0, 0.5]))], 4)
    evidence = evidence_of([0.75, 0.75])

    claims.fill(evidence, np.array([3, 0]))

    assert evidence[0, column("nearer_listings")] == np.float32(np.log1p(1))
    assert np.isclose(evidence[0, column("nearest_gap")], -0.25)
    assert np.isclose(evidence[0, column("claim_gap")], 0.0)
    assert not evidence[1, [column("nearer_listings"), column("nearest_gap"), column("claimants")]].any()


def test_that_only_the_nearest_listings_of_an_item_are_counted() -> None:
    many = 3 * MOST_AHEAD
    rows = np.arange(many)
    evidence = evidence_of(np.linspace(2.0, 0.1, many).tolist())
    Claims.build([PlainPairs.of(rows, np.zeros(many, np.int64), evidence)], 1).fill(
        evidence, np.zeros(many, np.int64)
    )

    assert evidence[:, column("nearer_listings")].max() == np.float32(np.log1p(MOST_AHEAD - 1))
    assert evidence[1, column("nearer_listings")] == np.float32(np.log1p(1))
    assert np.isclose(evidence[0, column("claimants")], np.log1p(many))


def test_that_there_may_be_no_listings_and_no_items() -> None:
    claims = Claims.build([], 0)
    evidence = evidence_of([])

    claims.fill(evidence, np.zeros(0, np.int64))

    assert len(claims.keys) == 0
