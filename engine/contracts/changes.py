"""What a mutation changed, and the events that long work streams."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ChangeSet:
    """Which parts of the workspace an operation touched; screens refresh from it.

    ``certificates``: the live audit suspended a certificate, or gave it back.
    """

    items: bool = False
    listings: bool = False
    routes: bool = False
    decisions: bool = False
    releases: bool = False
    training_runs: bool = False
    certificates: bool = False
    opinions: bool = False
    listing_ids: tuple[int, ...] = ()

    def __or__(self, other: ChangeSet) -> ChangeSet:
        return replace(
            self,
            items=self.items or other.items,
            listings=self.listings or other.listings,
            routes=self.routes or other.routes,
            decisions=self.decisions or other.decisions,
            releases=self.releases or other.releases,
            training_runs=self.training_runs or other.training_runs,
            certificates=self.certificates or other.certificates,
            opinions=self.opinions or other.opinions,
            listing_ids=self.listing_ids + other.listing_ids,
        )

    def __bool__(self) -> bool:
        return any(
            (
                self.items,
                self.listings,
                self.routes,
                self.decisions,
                self.releases,
                self.training_runs,
                self.certificates,
                self.opinions,
            )
        )


@dataclass(frozen=True, slots=True)
class Progress:
    """One step of long work: ``done`` of ``total`` (0 = unknown) in a named stage."""

    stage: str
    done: int
    total: int
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Notice:
    """Something the user should know that is not an error (a slower provider, a skipped step)."""

    message: str


@dataclass(frozen=True, slots=True)
class Finished(Generic[T]):
    """The last event of long work: its result and what it changed."""

    result: T
    changes: ChangeSet


#: Long work is an iterator of these. Stop iterating and close it to cancel: what was committed
#: stays, nothing is half-done, and the same call carries on from there.
WorkEvent = Progress | Notice | Finished[T]
