"""Please check again: confirmed pairs that training never learnt, which are wrong far more often than others.

The trainer notes the mean margin of every confirmed pair over the run: how much nearer the listing was to
its item than to the hardest negative beside it. Right pairs support each other and are learnt early; a
wrong one stands against all listings like it. What a person then says decides, the margin does nothing.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from engine.contracts import Decision
from engine.contracts.training import DYNAMICS
from engine.errors import InputError

if TYPE_CHECKING:
    from engine.store import UnitOfWork


def suspicious(uow: UnitOfWork, run_folder: Path, *, trained_at: str) -> list[Decision]:
    """Decisions to check again, the least credible first.

    A pair is suspicious if another item of its batches was nearer on average (a margin below 0). What was
    decided since the run was prepared has been looked at since then and is left out.

    Args:
        uow: of the workspace.
        run_folder: of a finished training run.
        trained_at: when the run was prepared, ISO 8601 in UTC.

    Returns:
        Matches in force; none where the run noted nothing.

    Raises:
        InputError: what the run noted cannot be read.
    """
    path = run_folder / DYNAMICS
    if not path.exists():
        return []
    try:
        table = pl.read_parquet(path, columns=["listing_id", "item_id", "margin"])
        pairs = table.filter(pl.col("margin") < 0).sort("margin", maintain_order=True)
        rows = [(int(listing), int(item)) for listing, item, _ in pairs.iter_rows()]
    except (OSError, ValueError, pl.exceptions.PolarsError) as error:
        raise InputError(f"{path} cannot be read: {error}; train again to renew it") from error
    found: dict[int, Decision] = {}
    for listing_id, item_id in rows:
        decision = uow.decisions.in_force_for(listing_id)
        if decision is None or decision.decided_at >= trained_at:
            continue
        if decision.confirms(item_id):
            found.setdefault(decision.id, decision)
    return list(found.values())
