from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from engine.errors import InputError
from trainer.data import read_job, read_pairs

ITEMS = [
    {"item_id": 1, "item_text": "acme phone 64gb"},
    {"item_id": 2, "item_text": "acme phone 128gb"},
    {"item_id": 3, "item_text": "acme phone 64gb"},
]


def _pair(listing: int, item: int, verdict: str = "match", **changes: Any) -> dict[str, Any]:
    return {
        "listing_id": listing,
        "listing_text": f"listing {listing}",
        "item_id": item,
        "verdict": verdict,
        "weight": 1.0,
        "role": "train",
    } | changes


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def write_tables(pairs: list[dict[str, Any]], items: list[dict[str, Any]] | None = None) -> Path:
        pl.DataFrame(pairs).write_parquet(tmp_path / "pairs.parquet")
        pl.DataFrame(ITEMS if items is None else items).write_parquet(tmp_path / "items.parquet")
        return tmp_path

    return write_tables


def test_that_pairs_are_grouped_by_listing_and_role(write: Callable[..., Path]) -> None:
    pairs = read_pairs(
        write(
            [
                _pair(7, 2),
                _pair(7, 1, "none"),
                _pair(7, 3, "variant"),
                _pair(8, 1, role="validation"),
                _pair(9, 2, "none"),
            ]
        )
    )
    first, second = pairs.train
    assert (first.text, first.matches, first.variants, first.rejected) == ("listing 7", (1,), (2,), (0,))
    assert (second.matches, second.rejected) == ((), (1,))
    assert [listing.text for listing in pairs.validation] == ["listing 8"]
    assert pairs.pair_count == 1


def test_that_items_with_the_same_text_are_one_item(write: Callable[..., Path]) -> None:
    assert read_pairs(write([_pair(1, 1)])).same_text == (0, 1, 0)


def test_that_ids_may_be_text(write: Callable[..., Path]) -> None:
    items = [{"item_id": "sku-1", "item_text": "kettle"}]
    pairs = read_pairs(write([_pair(1, 1, item_id="sku-1", listing_id="a")], items))
    assert pairs.train[0].matches == (0,)


def test_that_a_notice_says_how_many_confirmed_pairs_count_less_than_half(write: Callable[..., Path]) -> None:
    rows = [
        _pair(1, 1, weight=0.01),
        _pair(2, 1, weight=0.49),
        _pair(3, 2, weight=0.5),
        _pair(4, 2, "none", weight=0.1),
        _pair(5, 2, weight=0.1, role="validation"),
    ]
    pairs = read_pairs(write(rows))
    assert len(pairs.notices) == 1
    assert pairs.notices[0].startswith("2 of 3 confirmed pairs count less than half: a matcher that had not")
    assert [listing.weight for listing in pairs.train[:2]] == [{0: 0.01}, {0: 0.49}]
    assert read_pairs(write(rows[2:])).notices == ()


def test_that_rows_without_text_or_weight_are_left_out_with_a_notice(write: Callable[..., Path]) -> None:
    pairs = read_pairs(
        write(
            [_pair(1, 1), _pair(2, 1, listing_text="  "), _pair(3, 2, weight=0.0), _pair(4, 2, weight=None)]
        )
    )
    assert len(pairs.train) == 1
    assert len(pairs.notices) == 2
    assert "1 rows of pairs.parquet have an empty listing_text" in pairs.notices[0]
    assert "2 pairs of pairs.parquet have no finite weight above 0" in pairs.notices[1]


@pytest.mark.parametrize(
    ("pairs", "words"),
    [
        ([_pair(1, 1, "maybe")], "row 1: verdict is 'maybe', which is none of match, variant, none"),
        ([_pair(1, 1), _pair(2, 1, role="test")], "row 2: role is 'test'"),
        ([_pair(1, 1), _pair(2, 2, verdict=None)], "row 2: verdict is None"),
        ([_pair(1, 9)], "names 1 items that items.parquet lacks or leaves without text, such as 9"),
        ([_pair(1, 1, "none")], "no confirmed pair with role train"),
        ([_pair(1, 1, role="validation")], "no confirmed pair with role train"),
        ([_pair(1, 1), _pair(2, 2, item_id=None)], "1 rows without item_id"),
        ([{"listing_id": 1, "item_id": 1}], "lacks column listing_text, verdict, weight, role"),
    ],
)
def test_that_wrong_pairs_are_refused(
    write: Callable[..., Path], pairs: list[dict[str, Any]], words: str
) -> None:
    folder = write(pairs)
    with pytest.raises(InputError, match=words):
        read_pairs(folder)


def test_that_a_missing_or_foreign_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"pairs\.parquet is missing"):
        read_pairs(tmp_path)
    (tmp_path / "pairs.parquet").write_text("listing_id,item_id\n")
    with pytest.raises(InputError, match="is not a Parquet file"):
        read_pairs(tmp_path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "holds no job.json"),
        ("{", "is not a training job"),
        ('{"run_id": "t1", "format": 2}', "is not a training job"),
        ('{"run_id": "t1", "speed": 2}', "is not a training job"),
    ],
)
def test_that_a_wrong_job_is_refused(tmp_path: Path, content: str | None, words: str) -> None:
    if content is not None:
        (tmp_path / "job.json").write_text(content)
    with pytest.raises(InputError, match=words):
        read_job(tmp_path)


def test_that_the_fingerprint_follows_the_content(write: Callable[..., Path]) -> None:
    first = read_pairs(write([_pair(1, 1)])).fingerprint
    assert read_pairs(write([_pair(1, 1)])).fingerprint == first
    assert read_pairs(write([_pair(1, 2)])).fingerprint != first
