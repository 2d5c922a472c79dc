"""Mined negatives: what nobody turned down and is very probably wrong."""

from __future__ import annotations

from engine.contracts import Decision, Listing, Record, Stream, Verdict
from engine.learning.mining import MinedCounts, duplicate_guard, unread
from engine.learning.pairs import build_pairs
from tests.engine.small_workspace import NOW, SmallWorkspace


def _decision(
    verdict: Verdict, item: int | None, rejected: tuple[int, ...] = (), also_right: tuple[int, ...] = ()
) -> Decision:
    shown = (1, 2, 3, 4, 5)
    return Decision(
        1, 7, verdict, item, "ada", NOW, Stream.LEARNING, None, shown, rejected, also_right=also_right
    )


def test_that_only_what_stood_below_a_confirmed_item_is_unread() -> None:
    assert unread(_decision(Verdict.MATCH, 2)) == (3, 4, 5)
    assert unread(_decision(Verdict.MATCH, 2, rejected=(4,))) == (3, 5)
    assert unread(_decision(Verdict.MATCH, 5)) == ()
    assert unread(_decision(Verdict.MATCH, 99)) == ()
    assert unread(_decision(Verdict.VARIANT, 2)) == ()
    assert unread(_decision(Verdict.NONE, None)) == ()


def test_that_a_second_right_item_is_never_mined_nor_what_was_read_before_it() -> None:
    assert unread(_decision(Verdict.MATCH, 1, also_right=(2,))) == (3, 4, 5)
    assert unread(_decision(Verdict.MATCH, 2, also_right=(4,))) == (5,)
    assert unread(_decision(Verdict.MATCH, 2, rejected=(5,), also_right=(77, 4))) == ()


def test_that_a_second_right_item_is_guarded_and_a_look_alike_is_not() -> None:
    texts = {
        1: "Intel Core i7-7700K 4.2GHz Box",
        2: "Intel Core i7-7700K 4.2GHz Tray",
        3: "Nokia 3310 Dual SIM unlocked charcoal",
        4: "Philips kettle HD9350 2200W",
    }
    listing = "intel core i7 7700k kaby lake quad nokia 3310 dual sim unlocked"
    assert duplicate_guard([listing] * 3, [1, 1, 1], [2, 3, 4], texts).tolist() == [False, True, False]
    assert duplicate_guard([], [], [], texts).tolist() == []


def _text(record: Record) -> str:
    """Items share no characters to speak of; a listing quotes its candidates."""
    of = {n: f"{n * 7919:06d}{n * 104729:08d}" for n in range(record.id, record.id + 3)}
    return " ".join(of.values()) if isinstance(record, Listing) else of[record.id]


def test_that_mined_pairs_join_confirmed_ones_and_contradict_nobody(tmp_path) -> None:
    made = SmallWorkspace(tmp_path / "ws", listings=40, items=60)
    try:
        with made.reading() as uow:
            bare = build_pairs(uow, text_of=_text, seed=0).pairs.to_pylist()
        assert all(row["verdict"] != "mined" for row in bare)
        for listing in made.learning_ids(12):
            made.decide(listing, Verdict.MATCH, listing)
        with made.reading() as uow:
            rows = build_pairs(uow, text_of=_text, seed=0).pairs.to_pylist()
            shown = {d.listing_id: d for d in uow.decisions.in_force()}
    finally:
        made.store.close()
    mined = [row for row in rows if row["verdict"] == "mined"]
    judged = {(row["listing_id"], row["item_id"]) for row in rows if row["verdict"] != "mined"}
    assert mined
    for row in mined:
        decision = shown[row["listing_id"]]
        assert row["item_id"] in unread(decision)
        assert (row["listing_id"], row["item_id"]) not in judged


def test_that_what_is_known_of_false_negatives_is_counted(tmp_path) -> None:
    # Two listings of one text with different right items: to each the other's item is a false negative.
    titles = ["acme kettle"] * 2 + [f"lamp {number}" for number in range(9)]
    made = SmallWorkspace(tmp_path / "ws", items=60, titles=titles)
    counts: list[MinedCounts] = []
    try:
        for listing in (1, 2, 5):
            made.decide(listing, Verdict.MATCH, listing, stream=Stream.MANUAL)
        with made.reading() as uow:
            tables = build_pairs(uow, text_of=lambda r: r.title, seed=0, mined_counts=counts.append)
    finally:
        made.store.close()
    (found,) = counts
    assert (found.confirmed, found.turned_down) == (1, 0)
    mined = tables.pairs.column("verdict").to_pylist().count("mined")
    assert found.unjudged - found.guarded == mined


def test_that_what_is_known_of_false_negatives_is_one_line() -> None:
    assert MinedCounts(0, 0, 0, 0).in_words() == ""
    assert MinedCounts(3, 57, 400, 100).in_words() == (
        "Mined negatives: of 60 unread candidates that another decision judged, 3 are right (5.0%), which is "
        "all that is known of the false-negative rate; of 400 that nobody judged, the duplicate guard leaves "
        "out 100 (25.0%) and 300 may be trained on."
    )
    assert "the false-negative rate is not known" in MinedCounts(0, 0, 4, 1).in_words()
