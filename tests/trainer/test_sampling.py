from __future__ import annotations

import numpy as np
import pytest

from trainer.sampling import LookAlikeBatches, Vectors, balanced_clusters, inverse_propensity


def _groups(count: int, size: int, seed: int = 0) -> tuple[Vectors, np.ndarray]:
    """Tight groups of unit vectors in shuffled order, and the group of each row."""
    random = np.random.default_rng(seed)
    group = random.permutation(np.repeat(np.arange(count), size))
    centres = random.normal(size=(count, 32))
    vectors = centres[group] + 0.01 * random.normal(size=(count * size, 32))
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit.astype(np.float32), group


def _sampler(vectors: Vectors | None, count: int, **changes: int) -> LookAlikeBatches:
    settings = {"batch_size": 16, "seed": 3, "cluster_size": 4} | changes
    encode = None if vectors is None else lambda: vectors
    return LookAlikeBatches([[n] for n in range(count)], encode=encode, **settings)


def test_that_clusters_are_balanced_and_never_too_large() -> None:
    vectors, _ = _groups(20, 5)
    labels = balanced_clusters(vectors, 8, np.random.default_rng(0))
    sizes = np.bincount(labels)
    assert sizes.sum() == 100
    assert sizes.max() <= 8
    assert sizes.max() - sizes.min() <= 1


@pytest.mark.parametrize("same", [True, False])
def test_that_identical_vectors_can_be_clustered(same: bool) -> None:
    vectors = np.ones((9, 4), dtype=np.float32) if same else np.zeros((9, 4), dtype=np.float32)
    assert np.bincount(balanced_clusters(vectors, 2, np.random.default_rng(0))).max() <= 2


def test_that_an_epoch_holds_every_listing_once() -> None:
    vectors, _ = _groups(10, 5)
    batches = list(_sampler(vectors, 50))
    assert sorted(row for batch in batches for row in batch) == list(range(50))
    assert len(batches) == len(_sampler(vectors, 50)) == 4
    assert {len(batch) for batch in batches} == {12, 13}


def test_that_look_alikes_meet_in_a_batch_far_more_often_than_by_chance() -> None:
    vectors, group = _groups(32, 4)

    def together(sampler: LookAlikeBatches) -> float:
        meetings = sum(
            int((group[batch][:, None] == group[batch][None]).sum()) - len(batch) for batch in sampler
        )
        return meetings / (len(group) * 3)

    assert together(_sampler(vectors, 128)) > 0.6
    assert together(_sampler(None, 128)) < 0.25


def test_that_a_listing_with_several_confirmed_items_takes_one_of_them_per_epoch() -> None:
    rows_of = [[0, 1, 2], [3], [4, 5]]
    sampler = LookAlikeBatches(rows_of, batch_size=2, seed=0, encode=None)
    seen = set()
    for epoch in range(20):
        sampler.set_epoch(epoch)
        rows = [row for batch in sampler for row in batch]
        assert sorted(next(n for n, own in enumerate(rows_of) if row in own) for row in rows) == [0, 1, 2]
        seen.update(rows)
    assert seen == {0, 1, 2, 3, 4, 5}


def test_that_batches_follow_from_seed_and_epoch() -> None:
    vectors, _ = _groups(10, 5)
    first, same, other_seed = (_sampler(vectors, 50), _sampler(vectors, 50), _sampler(vectors, 50, seed=4))
    assert list(first) == list(same)
    assert list(first) != list(other_seed)
    same.set_epoch(1)
    assert list(first) != list(same)


def test_that_clusters_are_refreshed_with_the_encoder_of_the_day() -> None:
    calls = []

    def encode() -> Vectors:
        calls.append(sampler.epoch)
        return _groups(10, 5, seed=len(calls))[0]

    sampler = LookAlikeBatches(
        [[n] for n in range(50)], batch_size=16, seed=0, encode=encode, cluster_size=4, refresh_epochs=2
    )
    for epoch in range(5):
        sampler.set_epoch(epoch)
        list(sampler)
    assert calls == [0, 2, 4]


def test_that_a_restored_sampler_makes_the_batches_of_the_interrupted_one() -> None:
    before, after = _groups(10, 5, seed=1)[0], _groups(10, 5, seed=2)[0]
    interrupted = _sampler(before, 50)
    expected = list(interrupted)
    resumed = _sampler(after, 50)  # the encoder has moved on since the clusters were made
    assert list(resumed) != expected
    resumed = _sampler(after, 50)
    resumed.restore(interrupted.state())
    assert list(resumed) == expected


def test_that_a_sampler_that_has_not_begun_has_no_state() -> None:
    fresh = _sampler(_groups(10, 5)[0], 50)
    assert fresh.state() == {}
    fresh.restore({})
    assert sorted(row for batch in fresh for row in batch) == list(range(50))


def test_that_clusters_grow_with_the_encoder_up_to_a_batch() -> None:
    vectors, _ = _groups(16, 8)
    sampler = LookAlikeBatches(
        [[n] for n in range(128)], batch_size=32, seed=3, encode=lambda: vectors, cluster_size=4, growth=2.0
    )
    largest = []
    for epoch in range(5):
        sampler.set_epoch(epoch)
        list(sampler)
        largest.append(int(np.bincount(sampler.state()["clusters"]).max()))
    assert largest == [4, 8, 16, 32, 32]


def test_that_rarer_items_of_a_listing_are_preferred() -> None:
    # Listing 0 was confirmed for items 5 and 6; item 5 is confirmed eight times more elsewhere.
    items: list[int | None] = [5, 6, *([5] * 8), None]
    chances = inverse_propensity(items, 1.0)
    assert chances[:2] == [1 / 9, 1.0]
    assert chances[-1] == 1.0
    rows_of = [[0, 1], *([n] for n in range(2, 11))]
    sampler = LookAlikeBatches(rows_of, batch_size=4, seed=0, encode=None, chances=chances)
    picked = []
    for epoch in range(400):
        sampler.set_epoch(epoch)
        picked += [row for batch in sampler for row in batch if row < 2]
    assert len(picked) == 400
    assert picked.count(1) / 400 == pytest.approx(0.9, abs=0.05)
    assert inverse_propensity(items, 0.0) == [1.0] * 11
