"""The synthetic demo data: the same for everyone, honest answers, hard in the right places."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from sklearn.feature_extraction.text import TfidfVectorizer

from engine.contracts import RecordKind
from engine.demo_data import DemoData, generate_demo, write_demo
from engine.demo_data.words import brands, resources_folder, shops
from engine.errors import InputError
from engine.intake import preview_table
from engine.intake.cell_values import parse_gtin


@pytest.fixture(scope="module")
def demo() -> DemoData:
    return generate_demo(7, items=1200, listings=2400)


def test_that_a_seed_decides_everything(demo: DemoData) -> None:
    assert generate_demo(7, items=1200, listings=2400) == demo
    assert generate_demo(8, items=1200, listings=2400).listings != demo.listings


@pytest.mark.parametrize(("items", "listings"), [(1, 0), (1, 5), (40, 100), (3000, 6000)])
def test_that_sizes_are_exact(items: int, listings: int) -> None:
    data = generate_demo(1, items, listings)
    assert (len(data.items), len(data.listings), len(data.answers)) == (items, listings, listings)


def test_that_impossible_sizes_are_refused() -> None:
    with pytest.raises(InputError):
        generate_demo(1, items=0)


def test_that_items_are_distinct_and_their_gtins_valid(demo: DemoData) -> None:
    for column in ("item_id", "title", "model", "gtin"):
        assert len({item[column] for item in demo.items}) == len(demo.items), column
    assert all(parse_gtin(item["gtin"]) == item["gtin"] for item in demo.items)
    assert all(item["gtin"].startswith("29") for item in demo.items), "GS1's range for in-house use"
    assert all(float(item["price"]) > 0 for item in demo.items)


def test_that_every_listing_is_answered_with_an_item_of_the_catalogue(demo: DemoData) -> None:
    ids = {item["item_id"] for item in demo.items}
    assert [row["listing_id"] for row in demo.listings] == list(demo.answers)
    assert all(answer is None or answer in ids for answer in demo.answers.values())
    assert all(row["title"].strip() for row in demo.listings)


def test_that_about_a_fifth_is_not_in_the_catalogue_and_best_sellers_repeat(demo: DemoData) -> None:
    unmatched = sum(answer is None for answer in demo.answers.values()) / len(demo.answers)
    assert 0.15 < unmatched < 0.25
    times = Counter(answer for answer in demo.answers.values() if answer)
    assert max(times.values()) >= 5
    titles = Counter(row["title"] for row in demo.listings)
    assert sum(times > 1 for times in titles.values()) > 20, "exact repeats"


def test_that_equal_titles_have_equal_answers(demo: DemoData) -> None:
    answers: dict[str, set[str | None]] = {}
    for row in demo.listings:
        answers.setdefault(row["title"].casefold(), set()).add(demo.answers[row["listing_id"]])
    assert all(len(found) == 1 for found in answers.values())


def test_that_families_have_many_variants(demo: DemoData) -> None:
    families = Counter(item["model"].split("-")[0] + item["category"] + item["year"] for item in demo.items)
    assert sum(families.values()) / len(families) > 6


def test_that_characters_alone_find_only_some_of_the_items(demo: DemoData) -> None:
    texts = [f"{item['title']} {item['model']}" for item in demo.items]
    place = {item["item_id"]: number for number, item in enumerate(demo.items)}
    matched = [row for row in demo.listings if demo.answers[row["listing_id"]]]
    vectors = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 4), sublinear_tf=True).fit(texts)
    similar = vectors.transform([row["title"] for row in matched]) @ vectors.transform(texts).T
    best = similar.toarray().argmax(axis=1)
    right = sum(
        place[demo.answers[row["listing_id"]] or ""] == hit for row, hit in zip(matched, best, strict=True)
    )
    assert 0.25 < right / len(matched) < 0.65


def test_that_the_files_import_without_a_refusal(tmp_path: Path) -> None:
    catalogue, listings, answers = write_demo(tmp_path / "demo", 3, items=60, listings=150)
    items = preview_table(catalogue, RecordKind.CATALOGUE)
    assert (items.rows, items.refused_total) == (60, 0)
    assert dict(items.mapping.columns) == {
        "external_id": "item_id",
        "title": "title",
        "brand": "brand",
        "model": "model",
        "category": "category",
        "price": "price",
        "gtin": "gtin",
        "description": "description",
    }
    feed = preview_table(listings, RecordKind.LISTINGS)
    assert (feed.rows, feed.refused_total) == (150, 0)
    assert feed.mapping.column("external_id") == "listing_id"
    assert answers.read_text(encoding="utf-8").startswith("listing_id,item_id\n")


def test_that_it_is_said_to_be_synthetic() -> None:
    assert "synthetic" in (resources_folder() / "README.md").read_text(encoding="utf-8")
    assert "synthetic" in (generate_demo.__module__ and __import__("engine.demo_data").demo_data.__doc__)


def test_that_every_colour_and_unit_of_the_catalogue_has_words_in_the_shops() -> None:
    assert set(shops().words["colour"]) == set(brands().colours)
    assert all(
        len(words) > vendor.colour for words in shops().words["colour"].values() for vendor in shops().vendors
    )
