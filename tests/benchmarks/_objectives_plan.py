"""The plans of ``objectives``: which encoders are trained on which worlds, and how they are measured.

Kinds of worlds (``_objectives_pack.py`` deals them): ``A`` thousands of confirmed pairs, and a matcher fitted
to other listings; ``AF`` the same with one in ten confirmed for a wrong item; ``B`` the same with more pairs;
``L`` what there is after 4,000 decisions.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from engine.errors import InputError

UNTRAINED = "untrained"
AUXILIARIES: dict[str, dict[str, Any]] = {
    "none": {},
    "tcm": {"tcm_weight": 1.0},
    "ql": {"query_label_weight": 0.1},
    "qb": {"batch_aware_weight": 0.1},
    "both": {"query_label_weight": 0.1, "batch_aware_weight": 0.1},
    "both+tcm": {"query_label_weight": 0.1, "batch_aware_weight": 0.1, "tcm_weight": 1.0},
}
BASES = ("infonce", "prime", "ngame", "decoupled")


class Cross(BaseModel):
    """A cross-encoder over the candidates that the matcher puts first (``_objectives_cross.py``).

    ``from_trained``: it starts from the line's trained encoder instead of the base encoder.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    from_trained: bool = False
    epochs: int = 3
    candidates: int = 8
    learning_rate: float = 1e-4


class Line(BaseModel):
    """One encoder to train and measure.

    Attributes:
        data: name of the data set.
        seed: of the world and the training run.
        kind: of the world.
        variant: what the tables call it; ``untrained`` trains nothing.
        over: settings of the recipe that differ from plain InfoNCE.
        steps: training steps; None: three times over the pairs, 150 at least.
        pairs: only the first so many listings are trained on.
        peer: batch size of sentence-transformers' own trainer, which is then used instead of ours.
        second: a score that joins the evidence beside the trained similarity: the untrained one, or
            what the head of the query-label objective says of a pair.
        cross: a cross-encoder, as evidence and as an order.
        average: share of the trained weights in an average with the start; 1: the trained ones alone.
        folds: as many further encoders are trained on all listings but a share each, with as many passes: a
            judged listing's similarity is of the one that has not seen it. 0: one encoder is all there is,
            and those it has seen fit the matcher at a fraction.
        whole: all families train, also those that validate.
        guessed: listings that nobody judged, trained on as if they were confirmed for what an untrained
            matcher is surest of.
        weighed: pairs count as far as a matcher that has not seen them goes along with them.
        noised: items, trained on as if they were listings, with words left out and in another order.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    data: str
    seed: int
    kind: str
    variant: str
    over: dict[str, Any] = {}
    steps: int | None = None
    pairs: int | None = None
    peer: int | None = None
    second: Literal["untrained", "pair head"] | None = None
    cross: Cross | None = None
    average: float = 1.0
    folds: int = 0
    whole: bool = False
    guessed: int = 0
    noised: int = 0
    weighed: bool = False

    @property
    def key(self) -> tuple[str, int, str, str]:
        """What tells one result from another."""
        return self.data, self.seed, self.kind, self.variant


Row = dict[str, Any]


def _ablation() -> Iterator[Row]:
    yield {"kind": "A", "variant": UNTRAINED}
    for base in BASES:
        for name, over in AUXILIARIES.items():
            yield {"kind": "A", "variant": f"{base} {name}", "over": {"base": base} | over}
    yield {"kind": "A", "variant": "peer", "peer": 8}
    yield {"kind": "A", "variant": "peer 64", "peer": 64}


def _live() -> Iterator[Row]:
    every = AUXILIARIES["both+tcm"]
    default = every | {"learning_rate": 2e-4}

    def row(variant: str, over: dict[str, Any], steps: int = 300, **more: Any) -> Row:
        return {"kind": "L", "variant": variant, "steps": steps, "over": over, **more}

    yield {"kind": "L", "variant": UNTRAINED}
    yield row("default", default)
    for share in (0.75, 0.5):
        yield row(f"default, average {share:g}", default, average=share)
    yield row("infonce alone", {})
    yield row("600 steps", every, 600)
    yield row("batch 128", every | {"batch_size": 128})
    yield row("temperature .03", default | {"temperature": 0.03})
    yield row("mined 3", default | {"mined_negatives": True, "hard_negatives": 3})
    yield row("pair head", default, second="pair head")
    yield row("untrained beside it", default, second="untrained")
    yield row("folds 2 of those that train", default, folds=2, average=0.75)
    yield row("folds 2", default, folds=2, whole=True)
    yield row("folds 2, average 0.75", default, folds=2, whole=True, average=0.75)
    yield row("folds 4, average 0.75", default, folds=4, whole=True, average=0.75)
    yield row("10,000 guesses, 600 steps", every, 600, guessed=10_000)
    yield row("noised items, 600 steps", every, 600, noised=20_000)
    yield row("cross", default, 150, cross=Cross())
    yield row("cross from trained", default, 150, cross=Cross(from_trained=True))


def _flipped() -> Iterator[Row]:
    for name in ("none", "tcm", "both+tcm"):
        yield {"kind": "AF", "variant": f"flipped infonce {name}", "over": AUXILIARIES[name]}
    for name in ("none", "both+tcm"):
        weighed = {"over": AUXILIARIES[name], "weighed": True}
        yield {"kind": "AF", "variant": f"flipped infonce {name}, weighed", **weighed}
        yield {"kind": "A", "variant": f"infonce {name}, weighed", **weighed}
    agreement = AUXILIARIES["both+tcm"] | {"gradient_agreement": 1.0}
    yield {"kind": "AF", "variant": "flipped infonce both+tcm, agreement", "over": agreement}
    yield {"kind": "A", "variant": "infonce both+tcm, agreement", "over": agreement}


def _pairs() -> Iterator[Row]:
    for name in ("none", "both+tcm"):
        over = AUXILIARIES[name]
        for pairs in (1000, 2000):
            yield {
                "kind": "A",
                "variant": f"infonce {name}, {pairs} pairs",
                "pairs": pairs,
                "over": over,
            }
        yield {"kind": "B", "variant": f"infonce {name}, 10000 pairs", "over": over}


PLANS = {"ablation": _ablation, "live": _live, "flipped": _flipped, "pairs": _pairs}


def lines_of(plan: str, worlds: Iterable[tuple[str, int, list[str]]]) -> list[Line]:
    """The lines of a plan by name, for every world that has their kind, or of a file.

    Raises:
        InputError: there is neither such a plan nor such a file, or one of its lines is wrong.
    """
    if plan in PLANS:
        return [
            Line(data=data, seed=seed, **row)
            for data, seed, kinds in worlds
            for row in PLANS[plan]()
            if row["kind"] in kinds
        ]
    path = Path(plan)
    if not path.is_file():
        raise InputError(f"There is no plan {plan}; choose {', '.join(PLANS)} or name a file of lines.")
    lines = []
    for number, text in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if text.strip():
            try:
                lines.append(Line.model_validate(json.loads(text)))
            except ValidationError as error:
                first = error.errors()[0]
                where = ".".join(map(str, first["loc"]))
                raise InputError(f"{path} line {number}: {where}: {first['msg']}.") from error
            except ValueError as error:
                raise InputError(f"{path} line {number} is not JSON: {error}.") from error
    return lines
