"""The workspace's database: SQLite in WAL mode behind repositories and units of work.

SQL lives here and nowhere else; rows never leave, only the DTOs of :mod:`engine.contracts` and
:mod:`engine.store.results`.
"""

from engine.store.live_audits import AuditOutcome, SampledListing, StoredLiveAudit
from engine.store.results import (
    Alias,
    Asked,
    Compared,
    DecisionCounts,
    Draw,
    QueueRow,
    RouteCounts,
    StoredPlacement,
    UpsertCounts,
)
from engine.store.store import Store
from engine.store.unit_of_work import UnitOfWork

__all__ = [
    "Alias",
    "Asked",
    "AuditOutcome",
    "Compared",
    "DecisionCounts",
    "Draw",
    "QueueRow",
    "RouteCounts",
    "SampledListing",
    "Store",
    "StoredLiveAudit",
    "StoredPlacement",
    "UnitOfWork",
    "UpsertCounts",
]
