"""The automation rate: how much of the feed is settled without a person, now and over time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.contracts import Certificate, Counts, RateSnapshot

if TYPE_CHECKING:
    from engine.store import UnitOfWork

#: So many new decisions make fitting the matcher and the certificate again worth a minute.
DECISIONS_FOR_CERTIFY = 50
#: So many decisions of the learning stream make a first training run worth its time.
DECISIONS_FOR_TRAINING = 300


def counts(uow: UnitOfWork) -> Counts:
    """Listings by route and decisions by stream, from maintained counts (no table is scanned)."""
    routes = uow.listings.counts()
    decisions = uow.decisions.counts()
    return Counts(
        listings=routes.total,
        items=uow.items.count(),
        unmatched=routes.unmatched,
        automated=routes.automated,
        review=routes.review,
        settled=routes.settled,
        settled_by_memory=routes.memory,
        automated_matches=routes.automated_match,
        automated_none=routes.automated_none,
        decisions=decisions.total,
        random_decisions=decisions.random,
        learning_decisions=decisions.learning,
    )


def coverage(now: Counts) -> float:
    """Share of all listings that are automated as a match; 0 for an empty workspace."""
    return _share(now.automated_matches, now.listings)


def automation_rate(now: Counts) -> float:
    """Share of all listings settled without a person: automated matches, automated none, memory."""
    return _share(now.automated_matches + now.automated_none + now.settled_by_memory, now.listings)


def snapshot(uow: UnitOfWork, now: str, release_id: str | None) -> RateSnapshot:
    """The automation rate at this moment, to be kept.

    Args:
        uow: of the workspace.
        now: the moment, ISO 8601 in UTC.
        release_id: the champion, or None before the first match.
    """
    current = counts(uow)
    return RateSnapshot(
        at=now,
        release_id=release_id,
        listings=current.listings,
        coverage=coverage(current),
        none_rate=_share(current.automated_none, current.listings),
        memory_rate=_share(current.settled_by_memory, current.listings),
        automation_rate=automation_rate(current),
        decisions=current.decisions,
    )


def next_steps(
    current: Counts,
    *,
    champion: str | None,
    certificate: Certificate | None,
    decisions_since_certificate: int,
    trained: bool = False,
    challenger: str | None = None,
    matcher: bool = False,
) -> tuple[str, ...]:
    """What to do next, in words, the most useful first; at most three.

    Args:
        current: from :func:`counts`.
        champion: the running release, or None.
        certificate: its certificate for matches, or None while there is none.
        decisions_since_certificate: decisions in force that the champion has not seen.
        trained: whether a training run has made a release already.
        challenger: a release that is built and waits for the gate, or None.
        matcher: whether the champion has a matcher (fitted from decisions).
    """
    if current.items == 0:
        return ("Import a catalogue.",)
    if current.listings == 0:
        return ("Import listings to match.",)
    if champion is None or current.unmatched == current.listings:
        return (f"Match the {_many(current.listings, 'listing')}.",)
    steps: list[str] = []
    if current.unmatched:
        steps.append(f"Match {_many(current.unmatched, 'new or changed listing')}.")
    if challenger is not None:
        steps.append(f"Evaluate {challenger} and promote it if the gate allows.")
    certified = certificate is not None and certificate.threshold is not None
    if not certified:
        steps += _towards_certificate(current, certificate, decisions_since_certificate, matcher)
    elif decisions_since_certificate >= DECISIONS_FOR_CERTIFY:
        steps.append(f"Certify again: {_many(decisions_since_certificate, 'decision')} came in since.")
    if (
        certified
        and not trained
        and challenger is None
        and current.learning_decisions >= DECISIONS_FOR_TRAINING
    ):
        steps.append("Train the encoder on the confirmed pairs.")
    if certified and current.review:
        steps.append(f"Review the {_many(current.review, 'listing')} waiting in the queue.")
    if not steps:
        steps.append("Nothing waits. Export the matches, or import the next feed.")
    return tuple(steps[:3])


def _towards_certificate(
    current: Counts, certificate: Certificate | None, decisions_since: int, matcher: bool
) -> list[str]:
    """The steps of a workspace in which nothing may be automated yet."""
    steps: list[str] = []
    if decisions_since >= DECISIONS_FOR_CERTIFY or (
        not matcher and current.decisions >= DECISIONS_FOR_CERTIFY
    ):
        steps.append(f"Certify: {_many(decisions_since or current.decisions, 'decision')} can be used.")
    missing = certificate.labels_missing if certificate is not None else None
    if current.review == 0:
        return steps
    if missing:
        steps.append(
            f"Review: about {_many(missing, 'more random decision')} "
            "are expected to be needed for a certificate."
        )
    elif current.decisions < DECISIONS_FOR_CERTIFY:
        left = DECISIONS_FOR_CERTIFY - current.decisions
        steps.append(f"Review {_many(left, 'listing')} so that the matcher can be fitted; then certify.")
    else:
        steps.append(f"Review the {_many(current.review, 'listing')} waiting in the queue.")
    return steps


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def _many(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
