"""Sentences and tables the verbs share."""

from __future__ import annotations

from rich.table import Table

from engine.cli.terminal import facts, percent, table
from engine.contracts import (
    Certificate,
    CertificateKind,
    Comparison,
    Gate,
    ReleaseEvaluation,
    ReleaseSummary,
    SegmentCoverage,
)
from engine.contracts.certificate_words import forecast_words, segment_words

#: What a certificate of each kind is for.
KIND_WORDS = {
    CertificateKind.MATCH: "matches",
    CertificateKind.NONE: "not in catalogue",
    CertificateKind.BOTH: "matches and not in catalogue together",
}
#: How many falling segments a comparison lists, and how many rising ones.
SEGMENTS_LISTED = 5


def certificate_words(certificate: Certificate | None) -> str:
    """A certificate as the sentence it is."""
    if certificate is None:
        return "no certificate yet"
    wanted = f"precision ≥ {percent(certificate.precision)} with confidence {percent(1 - certificate.delta)}"
    if certificate.kind is CertificateKind.BOTH:
        wanted = f"matches and not in catalogue together: {wanted}"
    if certificate.threshold is None:
        missing = certificate.labels_missing
        more = f"; about {missing:,} more random decisions are expected to be needed" if missing else ""
        outlook = f". {certificate.note}" if certificate.note else ""
        return f"{wanted}: nothing could be certified from {certificate.labels:,} labels{more}{outlook}"
    return (
        f"{wanted} at threshold {certificate.threshold:.4f}, from {certificate.labels:,} labels "
        f"({certificate.accepted:,} accepted, {certificate.errors:,} wrong)"
        f"{'; ' if certificate.note else ''}{certificate.note}"
    )


def certificate_facts(
    certificate: Certificate | None, none_certificate: Certificate | None
) -> dict[str, str]:
    """The certificates of a release, by what they are for; the parts of one for both beside it."""
    facts_ = {"certificate": certificate_words(certificate)}
    if certificate is None or certificate.kind is not CertificateKind.BOTH:
        facts_["not in catalogue"] = certificate_words(none_certificate)
    elif parts := parts_words(certificate):
        facts_["of these"] = parts
    further = {"forecast": forecast_words(certificate), "segments": segment_words(certificate)}
    return facts_ | {name: words for name, words in further.items() if words}


def parts_words(certificate: Certificate) -> str:
    """How right each kind of answer is estimated to be, where only both together are promised."""
    match, none = certificate.match_part, certificate.none_part
    if match is None or none is None:
        return ""
    return (
        f"matches ({percent(match.share)}), estimated precision {match.said}; not in catalogue "
        f"({percent(none.share)}), estimated precision {none.said}; neither is promised separately"
    )


def gate_words(gate: Gate | None) -> str:
    """Whether a challenger may be promoted, and why."""
    if gate is None:
        return "not evaluated"
    return f"{'passed' if gate.passed else 'refused'}: {'; '.join(gate.reasons) or 'no objection'}"


def origin_words(release: ReleaseSummary) -> str:
    """What a release was made by; of an averaged encoder, how much of it is trained."""
    if release.trained_share is None:
        return release.origin
    return f"{release.origin}, encoder {percent(release.trained_share)} trained and the rest its start"


def release_table(release: ReleaseSummary) -> Table:
    """One release as names and values."""
    return facts(
        f"Release {release.id}",
        {
            "champion": "yes" if release.is_champion else "no",
            "origin": origin_words(release),
            "matcher": release.matcher,
            "decisions": f"{release.decisions:,}",
            **certificate_facts(release.certificate, release.none_certificate),
        },
    )


def _oracle(evaluation: ReleaseEvaluation, precision: int) -> str:
    return percent(evaluation.coverage_at.get(precision))


def _levels(evaluation: ReleaseEvaluation) -> list[str]:
    return list(evaluation.encoder_coverage.get("fp32", {}))


def _by_file(evaluation: ReleaseEvaluation, level: str) -> str:
    """What each file of an encoder would automate on the validation pairs of its training run."""
    shares = [evaluation.encoder_coverage.get(name, {}).get(level) for name in ("fp32", "int8", "fp16")]
    return " / ".join(percent(share) for share in shares) if any(s is not None for s in shares) else "–"


def comparison_tables(comparison: Comparison) -> list[Table | str]:
    """Champion and challenger side by side, the gate, and the first flips."""
    champion, challenger = comparison.champion, comparison.challenger
    precisions = sorted(champion.coverage_at.keys() & challenger.coverage_at.keys())
    rows: list[tuple[object, ...]] = [
        ("certified coverage", percent(champion.certified_coverage), percent(challenger.certified_coverage)),
        ("automation rate", percent(champion.automation_rate), percent(challenger.automation_rate)),
    ]
    rows += [(f"oracle C@{p}", _oracle(champion, p), _oracle(challenger, p)) for p in precisions]
    rows += [
        (
            f"by similarity alone, oracle C@{p}",
            percent(champion.similarity_coverage_at.get(p)),
            percent(challenger.similarity_coverage_at.get(p)),
        )
        for p in precisions
    ]
    rows += [
        ("best candidate right", percent(champion.best_right), percent(challenger.best_right)),
        ("AURC", f"{champion.aurc:.4f}", f"{challenger.aurc:.4f}"),
        ("held-out labels", f"{champion.labels:,}", f"{challenger.labels:,}"),
    ]
    rows += [
        (
            f"coverage of {'the newest feed' if place == 0 else 'the earlier feeds'}, "
            f"{', '.join(part.feeds)} ({part.labels:,} held-out labels)",
            percent(part.champion),
            percent(part.challenger),
        )
        for place, part in enumerate(comparison.feeds)
    ]
    for level in sorted({*_levels(champion), *_levels(challenger)}):
        line = f"encoder on its validation pairs, {level}: fp32 / int8 / fp16"
        rows.append((line, _by_file(champion, level), _by_file(challenger, level)))
    names = (f"champion {champion.release_id}", f"challenger {challenger.release_id}")
    parts: list[Table | str] = [table("", ("", *names), rows, right=names)]
    if champion.release_id == challenger.release_id:
        parts.append("There is no challenger yet, so this is the champion beside itself.")
    else:
        parts.append(f"Gate {gate_words(comparison.gate)}")
        parts += segment_parts(comparison)
    if comparison.flips:
        shown = comparison.flips[:10]
        columns = ("listing", "title", "before", "after", "contradicts a decision")
        flips = [
            (
                flip.listing_external_id,
                flip.listing_title,
                f"{flip.before} {flip.before_item}",
                f"{flip.after} {flip.after_item}",
                "yes" if flip.contradicts_decision else "",
            )
            for flip in shown
        ]
        title = f"Automated answers that would change ({len(shown):,} of {comparison.flips_total:,})"
        parts.append(table(title, columns, flips))
    return parts


def segment_parts(comparison: Comparison) -> list[Table | str]:
    """The segments that fall and those that rise, the most first, and how many are not listed."""
    segments = comparison.segments
    if not segments:
        return ["No segment has enough listings to be compared."]
    falls = [one for one in segments if one.lost > 0]
    # Segments come with what loses most first.
    rises = [one for one in reversed(segments) if one.lost < 0]
    listed = falls[:SEGMENTS_LISTED] + rises[:SEGMENTS_LISTED]
    if not listed:
        return [
            f"No segment changes in the share of its listings that is automated ({len(segments):,} compared)."
        ]
    names = (f"champion {comparison.champion.release_id}", f"challenger {comparison.challenger.release_id}")
    rows = [
        (
            one.name,
            f"{one.listings:,}",
            percent(one.champion),
            percent(one.challenger),
            change_words(one, comparison.max_segment_drop),
        )
        for one in listed
    ]
    title = (
        f"Segments by the share of their listings that is automated ({len(listed):,} of {len(segments):,})"
    )
    columns = ("segment", "listings", *names, "change")
    parts: list[Table | str] = [table(title, columns, rows, right=("listings", *names))]
    rest = (
        (len(falls[SEGMENTS_LISTED:]), "that fall less"),
        (len(rises[SEGMENTS_LISTED:]), "that rise less"),
        (
            same := len(segments) - len(falls) - len(rises),
            f"that {'stays' if same == 1 else 'stay'} the same",
        ),
    )
    if said := ", ".join(f"{number:,} {what}" for number, what in rest if number):
        parts.append(f"Segments not listed: {said}")
    return parts


def change_words(segment: SegmentCoverage, tolerance: float) -> str:
    """By how much a segment falls or rises, and whether that is more than the gate lets pass."""
    size = f"{100 * abs(segment.lost):.1f} points"
    if segment.falls_beyond(tolerance):
        return f"falls by {size}, more than the {100 * tolerance:g} tolerated"
    return f"falls by {size}" if segment.lost > 0 else f"rises by {size}"
