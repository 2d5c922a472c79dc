"""What the owner reads: status, automation rate over time, risk-coverage."""

from __future__ import annotations

from dataclasses import dataclass

from engine.contracts.matching import Certificate, CertificateKind


@dataclass(frozen=True, slots=True)
class Counts:
    """Listings by route, and what automation consists of."""

    listings: int
    items: int
    unmatched: int
    automated: int
    review: int
    settled: int
    settled_by_memory: int
    automated_matches: int
    automated_none: int
    decisions: int
    random_decisions: int
    learning_decisions: int


@dataclass(frozen=True, slots=True)
class Status:
    """``alcove status``. ``alarms``: one sentence for each certificate the live audit suspended."""

    workspace: str
    read_only: bool
    counts: Counts
    coverage: float
    automation_rate: float
    champion: str | None
    certificate: Certificate | None
    none_certificate: Certificate | None
    decisions_since_certificate: int
    next_steps: tuple[str, ...]
    alarms: tuple[str, ...] = ()
    suspended: tuple[CertificateKind, ...] = ()


@dataclass(frozen=True, slots=True)
class RateSnapshot:
    """The automation rate at one moment."""

    at: str
    release_id: str | None
    listings: int
    coverage: float
    none_rate: float
    memory_rate: float
    automation_rate: float
    decisions: int


@dataclass(frozen=True, slots=True)
class RiskCoverage:
    """Selective precision against coverage on held-out decisions, by confidence and by similarity.

    ``coverage[i]`` is the share accepted at the i-th threshold and ``precision[i]`` the share of
    those that are right. ``low``/``high`` are pointwise bounds and ``accepted`` the decisions each
    point rests on. Where decisions were drawn with different probabilities, coverage is of listings,
    not of decisions (see :func:`engine.reporting.risk_coverage.risk_coverage`).
    """

    coverage: tuple[float, ...]
    precision: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    thresholds: tuple[float, ...]
    similarity_coverage: tuple[float, ...]
    similarity_precision: tuple[float, ...]
    labels: int
    accepted: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class DoctorLine:
    """One finding of ``alcove doctor``."""

    name: str
    ok: bool
    value: str
    advice: str = ""
