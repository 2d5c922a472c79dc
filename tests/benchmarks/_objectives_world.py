"""The worlds of ``objectives``: what a training run and its measurement need, without the product.

A world is one data set dealt by one seed. ``FOLDER/NAME-items.json`` holds the catalogue,
``FOLDER/NAME-SEED.json`` texts and who plays which part, ``FOLDER/NAME-SEED.npz`` the candidates with
their evidence. Listings and items go by their row in the data set throughout.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from engine.automation.evidence_columns import EVIDENCE_NAMES, column
from engine.automation.ranking import best_rows, group_numbers, group_starts
from engine.errors import InputError
from trainer.pairs import JudgedListing, PairSet

#: Where a score stands that a line of the plan adds to the evidence. Nothing is confirmed in these worlds,
#: so no item has aliases and their columns say nothing: the matcher need not be widened for an experiment.
SPARE = ("alias_similarity", "alias_margin")


@dataclass(frozen=True, slots=True)
class Taught:
    """A listing as training sees it; items by row.

    ``matches`` are what the reviewer named, ``rejected`` what stood above that, ``mined`` what stood below
    and passed the duplicate guard; ``role`` is ``train`` or ``validation``. ``weight`` is how far a matcher
    that has not seen the decision goes along with it.
    """

    row: int
    text: str
    matches: list[int]
    rejected: list[int]
    mined: list[int]
    role: str
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Deal:
    """Who plays which part: listings by row.

    ``judged`` fit the matcher and ``held`` measure. ``unseen`` are the judged ones that the encoder was not
    trained on; None: it was trained on none of them. ``flips`` were confirmed for a wrong item. ``guesses``
    are listings that nobody judged, the surest first, with the item that an untrained matcher gives them.
    """

    train: list[Taught]
    judged: list[int]
    held: list[int]
    unseen: list[int] | None = None
    flips: list[int] | None = None
    guesses: list[Taught] | None = None


class Candidates(NamedTuple):
    """Pairs grouped by listing, ``listing_row`` ascending; the last three are by listing, as ``rows``.

    ``right`` by gold; ``named`` where a reviewer says so, who sees the first candidates only.
    """

    listing_row: np.ndarray
    item_row: np.ndarray
    evidence: np.ndarray
    right: np.ndarray
    named: np.ndarray
    rows: np.ndarray
    text: np.ndarray
    matchable: np.ndarray

    def of(self, listings: list[int]) -> np.ndarray:
        """Which pairs are those of some listings."""
        return np.isin(self.listing_row, listings)

    def places(self, listing_row: np.ndarray) -> np.ndarray:
        """The places of listings in ``rows``."""
        return np.searchsorted(self.rows, listing_row)


@dataclass(frozen=True, slots=True)
class World:
    """One data set dealt by one seed; ``texts`` and ``answers`` (right items) by listing."""

    data: str
    seed: int
    item_ids: list[int]
    item_texts: list[str]
    texts: dict[int, str]
    answers: dict[int, list[int]]
    deals: dict[str, Deal]
    candidates: Candidates

    def pairs(
        self,
        kind: str,
        listings: int | None = None,
        *,
        whole: bool = False,
        without: Callable[[int], bool] | None = None,
        more: Iterable[Taught] = (),
        weighed: bool = False,
    ) -> PairSet:
        """What the encoder is trained on.

        Args:
            kind: of the world.
            listings: the first so many; None: all.
            whole: all families train and none validates.
            without: tells by row which listings are left out.
            more: to be trained on as well.
            weighed: pairs count by the matcher's word on them.
        """
        first: dict[str, int] = {}
        same = tuple(first.setdefault(text, row) for row, text in enumerate(self.item_texts))
        by_role: dict[str, list[JudgedListing]] = {"train": [], "validation": []}
        taught = [one for one in self.deals[kind].train[:listings] if not (without and without(one.row))]
        for one in (*taught, *more):
            role = "train" if whole else one.role
            if one.matches or (one.rejected and role == "train"):
                by_role[role].append(_judged(one, one.weight if weighed else 1.0))
        return PairSet(
            tuple(self.item_texts),
            tuple(by_role["train"]),
            tuple(by_role["validation"]),
            same,
            tuple(map(str, self.item_ids)),
        )

    def write(self, folder: Path) -> None:
        """Write the three files of the world; that of the items is the same for every seed."""
        folder.mkdir(parents=True, exist_ok=True)
        items = {"ids": self.item_ids, "texts": self.item_texts}
        (folder / f"{self.data}-items.json").write_text(json.dumps(items))
        c = self.candidates
        small = c._replace(evidence=c.evidence.astype(np.float16), text=c.text.astype(np.float32))
        np.savez_compressed(
            folder / f"{self.data}-{self.seed}.npz", columns=np.asarray(EVIDENCE_NAMES), **small._asdict()
        )
        document = {
            "texts": self.texts,
            "answers": self.answers,
            "deals": {kind: asdict(deal) for kind, deal in self.deals.items()},
        }
        (folder / f"{self.data}-{self.seed}.json").write_text(json.dumps(document))

    @classmethod
    def read(cls, folder: Path, data: str, seed: int) -> World:
        """The world that :meth:`write` wrote.

        Raises:
            InputError: it was packed when evidence had other columns.
        """
        items = json.loads((folder / f"{data}-items.json").read_text())
        document = json.loads((folder / f"{data}-{seed}.json").read_text())
        with np.load(folder / f"{data}-{seed}.npz") as stored:
            arrays = {name: stored[name] for name in stored.files}
        if arrays.pop("columns").tolist() != list(EVIDENCE_NAMES):
            raise InputError(f"{folder / data}-{seed}.npz has other columns of evidence; pack it again.")
        arrays["evidence"] = arrays["evidence"].astype(np.float32)
        return cls(
            data=data,
            seed=seed,
            item_ids=items["ids"],
            item_texts=items["texts"],
            texts={int(row): text for row, text in document["texts"].items()},
            answers={int(row): right for row, right in document["answers"].items()},
            deals={
                kind: Deal(
                    **deal
                    | {
                        name: deal[name] and [Taught(**taught) for taught in deal[name]]
                        for name in ("train", "guesses")
                    }
                )
                for kind, deal in document["deals"].items()
            },
            candidates=Candidates(**arrays),
        )


def _judged(taught: Taught, counts: float) -> JudgedListing:
    weight: dict[int | None, float] = dict.fromkeys(taught.matches, counts) if taught.matches else {None: 1.0}
    return JudgedListing(
        taught.text,
        tuple(taught.matches),
        (),
        tuple(taught.rejected),
        weight,
        tuple(taught.mined),
        str(taught.row),
    )


def worlds_in(folder: Path) -> Iterator[tuple[str, int, list[str]]]:
    """Data set, seed and kinds of every world of a folder."""
    for path in sorted(folder.glob("*-*.npz")):
        data, seed = path.stem.rsplit("-", 1)
        yield data, int(seed), list(json.loads(path.with_suffix(".json").read_text())["deals"])


def read_results(out: Path) -> list[dict[str, Any]]:
    """The results of a file that worked; none where there is no file."""
    if not out.exists():
        return []
    rows = [json.loads(text) for text in out.read_text(encoding="utf-8").splitlines() if text.strip()]
    return [row for row in rows if "error" not in row["result"]]


def set_with_margin(
    evidence: np.ndarray, listing_row: np.ndarray, values: np.ndarray, names: tuple[str, str]
) -> None:
    """Set a column to ``values`` and another to their margin over the listing's others, in place."""
    evidence[:, column(names[0])] = values
    starts, run = group_starts(listing_row), group_numbers(listing_row)
    best = best_rows(listing_row, values)
    top = values[best]
    others = values.copy()
    others[best] = -np.inf
    second = np.maximum.reduceat(others, starts)
    margin = values - top[run]
    margin[best] = np.where(np.isfinite(second), top - second, 0.0)
    evidence[:, column(names[1])] = margin
