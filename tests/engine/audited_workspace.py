"""A workspace with a certified champion whose automated listings are audited one by one."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from engine.contracts import (
    Certificate,
    CertificateKind,
    ChangeSet,
    Decision,
    Item,
    Listing,
    Placement,
    Promise,
    ReleaseManifest,
    Route,
    RouteReason,
    Verdict,
)
from engine.store import Store, UnitOfWork
from engine.workspace import Workspace
from tests.engine.small_workspace import candidates_of

PROMISE, ACCEPTED, ERRORS = 0.95, 124, 2


def certificate(kind: CertificateKind, *, threshold: float | None = 0.9) -> Certificate:
    return Certificate(
        kind=kind,
        precision=PROMISE,
        delta=0.1,
        threshold=threshold,
        labels=200,
        accepted=ACCEPTED,
        errors=ERRORS,
        p_value=0.04,
        lower_bound=0.957,
        expected_coverage=0.5,
        labels_missing=0,
        delta_spent=0.1,
    )


def add_release(
    uow: UnitOfWork, id: str, *, origin: str = "refit", action: str = "refit", together: bool = False
) -> None:
    """A certified release, made the champion; ``together``: with one promise for both answers."""
    uow.releases.add(
        ReleaseManifest.model_validate(
            {
                "id": id,
                "created_at": "2026-03-02T09:00:00+00:00",
                "origin": origin,
                "encoder_sha256": "0" * 64,
                "encoder_variant": "int8",
                "dimension": 8,
                "matcher": "logistic",
            }
        ),
        certificate(CertificateKind.BOTH if together else CertificateKind.MATCH),
        None if together else certificate(CertificateKind.NONE),
    )
    uow.releases.make_champion(id, action)  # type: ignore[arg-type]


class AuditedWorkspace:
    """Feeds of automated listings; :meth:`audit` answers the next draw right or wrong.

    Listing i of a feed is automated as a match of item 1 (``none``: as not in the catalogue).
    ``together``: under one promise for both.
    """

    def __init__(
        self,
        folder: Path,
        feeds: Iterable[str] = ("monday",),
        listings: int = 120,
        *,
        together: bool = False,
    ) -> None:
        self.folder = folder
        Store.create(folder).close()
        self.workspace = Workspace.open(folder)
        self.waiting: dict[str, list[int]] = {}
        if together:
            self.workspace.update_settings(promise=Promise.TOGETHER.value)
        with self.writing() as uow:
            uow.items.upsert([Item(0, f"i{n}", f"Acme kettle {n}", brand="Acme") for n in (1, 2)], ["a", "b"])
            for feed in feeds:
                feed_id = uow.feeds.ensure(feed)
                made = [Listing(0, f"{feed}-{n}", f"acme kettle {feed} {n}") for n in range(listings)]
                uow.listings.upsert(feed_id, made, [f"{feed} {n}" for n in range(listings)])
                self.waiting[feed] = uow.listings.feed_listing_ids(feed_id).tolist()
            add_release(uow, "r0001", together=together)
            self.place(uow, [i for ids in self.waiting.values() for i in ids])
            for kind in (Promise.TOGETHER if together else Promise.EACH).kinds:
                uow.live_audits.open(kind, "r0001", precision=PROMISE, accepted=ACCEPTED, errors=ERRORS)

    def writing(self):
        return self.workspace._store.writing()

    def reading(self):
        return self.workspace._store.reading()

    def place(self, uow: UnitOfWork, ids: list[int], *, none: bool = False) -> None:
        reason = RouteReason.NOT_IN_CATALOGUE if none else RouteReason.ABOVE_THRESHOLD
        placements = [
            Placement(i, Route.AUTOMATED, reason, None if none else 1, 0.97, 0.98, 0.4, candidates_of(1))
            for i in ids
        ]
        uow.listings.save_placements("r0001", placements, [0.0] * len(ids))

    def draw(self, feed: str = "monday") -> tuple[int, int]:
        """A listing of a feed and its draw."""
        listing = self.waiting[feed].pop(0)
        with self.writing() as uow:
            (draw,) = uow.draws.add([listing], 0.25, "test", uow.releases.champion(), None)
        return listing, draw

    def audit(self, *, wrong: bool, feed: str = "monday", none: bool = False) -> tuple[Decision, ChangeSet]:
        """Draw a listing and answer it."""
        listing, draw = self.draw(feed)
        right_is_match = none == wrong
        return self.workspace.decide(
            listing_id=listing,
            verdict=Verdict.MATCH if right_is_match else Verdict.NONE,
            item_id=1 if right_is_match else None,
            reviewer="ann",
            draw_id=draw,
        )

    def until_alarm(self, feed: str = "monday", *, none: bool = False) -> tuple[int, Decision]:
        """Wrong audits until the certificate is suspended: how many, and the last."""
        for count in range(1, 100):
            decision, changes = self.audit(wrong=True, feed=feed, none=none)
            if changes.certificates:
                return count, decision
        raise AssertionError("no alarm after 100 wrong audits")

    def routes(self) -> dict[tuple[str, str], int]:
        """Listings by effective route and reason."""
        found: dict[tuple[str, str], int] = {}
        with self.reading() as uow:
            for placed in uow.listings.placements(with_candidates=False):
                key = (placed.route.value, placed.reason.value)
                found[key] = found.get(key, 0) + 1
        return found

    def reopen(self) -> None:
        """Close the workspace and open it again."""
        self.workspace.close()
        self.workspace = Workspace.open(self.folder)

    def __enter__(self) -> AuditedWorkspace:
        return self

    def __exit__(self, *_: object) -> None:
        self.workspace.close()
