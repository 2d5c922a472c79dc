"""Drawing, giving and settling second opinions on a small workspace, and all that they must not act on."""

from __future__ import annotations

from engine.contracts import Verdict
from engine.learning.evaluate import held_out
from engine.learning.pairs import build_pairs
from engine.review import second_opinions
from engine.review.adjudication import adjudicate
from engine.review.overlap import POLICY, due_draws
from tests.engine.small_workspace import NOW, RELEASE


def draw_all(world, share=1.0):
    with world.writing() as uow:
        due = due_draws(uow, share, seed=0)
        uow.overlaps.add(due, share, POLICY)
    return [listing for _, listing in due]


def asked(world, reviewer):
    with world.reading() as uow:
        return [one.listing_id for one in uow.overlaps.asked_of(reviewer, 1000)]


def give(world, listing, verdict=Verdict.MATCH, item=None, reviewer="bob", about=None, also_right=()):
    with world.writing() as uow:
        if about is None:
            about = uow.overlaps.asked_on(listing, reviewer).about
        return second_opinions.give(
            uow,
            listing_id=listing,
            about=about,
            verdict=verdict,
            item_id=(item or listing) if verdict == Verdict.MATCH else None,
            also_right=also_right,
            reviewer=reviewer,
            champion=RELEASE,
            now=NOW,
        )


def settle(world, listing, verdict=Verdict.MATCH, item=None, reviewer="eve", note="", also_right=()):
    with world.writing() as uow:
        return adjudicate(
            uow,
            listing_id=listing,
            verdict=verdict,
            item_id=(item or listing) if verdict == Verdict.MATCH else None,
            also_right=also_right,
            reviewer=reviewer,
            note=note,
            champion=RELEASE,
            now=NOW,
        )


def effects(world):
    """All that training and certificates are made of, and where every listing stands."""
    with world.reading() as uow:
        return (
            build_pairs(uow, text_of=lambda record: record.title, seed=0).pairs.to_pylist(),
            [(d.id, d.verdict, d.item_id) for d in held_out(uow.decisions.in_force())],
            [alias.decision_id for alias in uow.aliases.active(8)],
            uow.listings.placements(0, 1000),
            [draw.id for draw in uow.draws.open()],
            uow.decisions.counts(),
        )


def opinions(world):
    with world.reading() as uow:
        return [(one.second, one.second_answer) for one in uow.opinions.compared()]
