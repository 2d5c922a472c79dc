"""The certificate in words a person can sign."""

from __future__ import annotations

from PySide6.QtWidgets import QWidget

from desktop.widgets.basics import Badge, Card, words
from desktop.widgets.wording import counted, percent
from engine.contracts import Certificate, CertificateKind, Status
from engine.contracts.certificate_words import forecast_words, segment_words


def certificate_headline(status: Status) -> str:
    """The one sentence the owner reads first."""
    certificate = status.certificate
    if status.counts.listings == 0:
        return "There are no listings yet."
    if certificate is None:
        return "Nothing is certified yet, so every match is reviewed by a person."
    if CertificateKind.BOTH in status.suspended:
        return (
            "Suspended: nothing is automated, because audits found too many automated answers wrong. "
            "The live audit says what to do."
        )
    if CertificateKind.MATCH in status.suspended:
        return (
            "Suspended: no match is automated, because audits found too many automated matches wrong. "
            "The live audit says what to do."
        )
    if certificate.threshold is None:
        missing = certificate.labels_missing
        if missing is None:
            return f"No threshold reaches {percent(certificate.precision)} precision yet."
        verb = "is" if missing == 1 else "are"
        return (
            f"About {counted(missing, 'more random decision')} {verb} needed to sign for "
            f"{percent(certificate.precision)} precision."
        )
    if certificate.kind is CertificateKind.BOTH:
        counts = status.counts
        none = counts.automated_none / counts.listings
        return (
            f"{percent(status.coverage + none)} of the listings are automated, {percent(status.coverage)} as "
            f"a match and {percent(none)} as “not in the catalogue”; at least "
            f"{percent(certificate.precision)} of both together are right."
        )
    return (
        f"{percent(status.coverage)} of the listings are automated as a match; "
        f"at least {percent(certificate.precision)} of those are right."
    )


def certificate_basis(certificate: Certificate | None) -> str:
    """What the sentence rests on: the labels, the confidence, the threshold."""
    if certificate is None:
        return "Random decisions in the review queue are what a certificate is made of."
    confidence = percent(1.0 - certificate.delta)
    if certificate.threshold is None:
        return (
            f"Measured on {counted(certificate.labels, 'random decision')} so far, "
            f"to be signed with {confidence} confidence. "
            "Random decisions come up in the review queue by themselves."
        )
    wrong = (
        "none of them wrong"
        if certificate.errors == 0
        else f"{counted(certificate.errors, 'error')} among them"
    )
    bound = ""
    if certificate.lower_bound is not None:
        bound = f" Lower bound of the precision: {percent(certificate.lower_bound, 1)}."
    return (
        f"Signed with {confidence} confidence, from {counted(certificate.labels, 'random decision')}: "
        f"{certificate.accepted:,} at or above the threshold of {certificate.threshold:.3f}, {wrong}.{bound}"
    )


def certificate_parts(certificate: Certificate | None) -> str:
    """How right each kind of answer is estimated to be where only both together are promised; "" else."""
    if certificate is None or certificate.match_part is None or certificate.none_part is None:
        return ""
    return (
        "Promised of both kinds of answers together, of neither separately. Estimated precision of the "
        f"matches: {certificate.match_part.said}; of “not in the catalogue”: {certificate.none_part.said}."
    )


def none_words(status: Status) -> str:
    """The line on "not in the catalogue": what is promised of it, or what is missing."""
    certificate, none = status.certificate, status.none_certificate
    if certificate is not None and certificate.kind is CertificateKind.BOTH:
        return certificate_parts(certificate)
    if CertificateKind.NONE in status.suspended:
        return "“Not in the catalogue” is suspended: it is reviewed until certified again."
    if none is None:
        return ""
    if none.threshold is not None:
        return (
            f"“Not in the catalogue” is automated too: at least {percent(none.precision)} of those are right."
        )
    said = []
    if none.labels_missing:
        missing = counted(none.labels_missing, "more random decision")
        said.append(f"“Not in the catalogue” is not automated yet: about {missing} missing.")
    if none.note:
        said.append(f"{none.note}.")
    return " ".join(said)


class CertificateCard(Card):
    """Headline, basis, the engine's own note, and how old it is."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Certificate", parent)
        #: What the card words; None before it was told.
        self.shown: Status | None = None
        self._badge = Badge()
        self.head.insertWidget(1, self._badge)
        self._headline = words("", "big", wrap=True, selectable=True)
        self._basis = words("", "caption", wrap=True, selectable=True)
        self._none = words("", "caption", wrap=True, selectable=True)
        self._note = words("", "caption", wrap=True, selectable=True)
        for part in (self._headline, self._basis, self._none, self._note):
            self.body.addWidget(part)
        self.body.addStretch(1)

    @property
    def headline(self) -> str:
        """The sentence on the card."""
        return self._headline.text()

    @property
    def none_line(self) -> str:
        """What is said of "not in the catalogue", or of the two parts of one promise."""
        return self._none.text()

    @property
    def note(self) -> str:
        """The engine's own note, and how many decisions are newer."""
        return self._note.text()

    def show_status(self, status: Status) -> None:
        """Word the certificate that is in force."""
        self.shown = status
        certificate = status.certificate
        signed = certificate is not None and certificate.threshold is not None
        if not set(status.suspended) <= {CertificateKind.NONE}:
            self._badge.show_as("Suspended", "bad")
        else:
            self._badge.show_as(*(("Signed", "good") if signed else ("Not yet signed", "warn")))
        self._headline.setText(certificate_headline(status))
        self._basis.setText(certificate_basis(certificate))
        self._none.setText(none_words(status))
        self._none.setVisible(bool(self._none.text()))
        told = (
            certificate.note if certificate else "",
            forecast_words(certificate),
            segment_words(certificate),
        )
        notes = [f"{one}." for one in told if one]
        if status.decisions_since_certificate:
            notes.append(f"{counted(status.decisions_since_certificate, 'decision')} since it was made.")
        self._note.setText(" ".join(notes))
        self._note.setVisible(bool(notes))
