"""What a certificate says besides its promise, in words that every screen and report shares."""

from __future__ import annotations

from engine.contracts.matching import Certificate, Forecast

#: A forecast is told where it adds at least this much coverage, and where a certificate is this likely.
_WORTH_TELLING, _LIKELY = 0.01, 0.8
_SEGMENTS_NAMED = 6


def forecast_words(certificate: Certificate | None) -> str:
    """What further random decisions are expected to give; "" where nothing is forecast."""
    if certificate is None or not certificate.forecasts:
        return ""
    if certificate.threshold is None:
        return _towards_a_certificate(certificate.forecasts)
    now = certificate.expected_coverage
    better = [one for one in certificate.forecasts if one.coverage >= now + _WORTH_TELLING]
    if not better:
        most = certificate.forecasts[-1].more
        return f"Up to {most:,} more random decisions are not expected to certify more than now"
    # The first step that brings something, and the one that brings most.
    told = [better[0]]
    best = max(better, key=lambda one: one.coverage)
    if best.coverage >= better[0].coverage + _WORTH_TELLING:
        told.append(best)
    parts = [f"{_percent(one.coverage)}{_range(one)} with {one.more:,} more random decisions" for one in told]
    return (
        f"Certified for {_percent(now)} of the listings, those decided by hand included; forecast: "
        f"{', '.join(parts)}"
    )


def _towards_a_certificate(forecasts: tuple[Forecast, ...]) -> str:
    likely = next((one for one in forecasts if one.chance >= _LIKELY), None)
    if likely is None:
        most = forecasts[-1]
        return (
            f"{most.more:,} more random decisions give a certificate with a chance of {_percent(most.chance)}"
        )
    return (
        f"{likely.more:,} more random decisions give a certificate with a chance of "
        f"{_percent(likely.chance)}, then of {_percent(likely.coverage)} of the listings{_range(likely)}"
    )


def _range(one: Forecast) -> str:
    low, high = _percent(one.low), _percent(one.high)
    return "" if low == high else f" ({low} to {high})"


def segment_words(certificate: Certificate | None) -> str:
    """Which segments bear the threshold by themselves; "" where none was tried."""
    if certificate is None or not certificate.segments or certificate.threshold is None:
        return ""
    holding = [one for one in certificate.segments if one.holds_at(certificate.threshold)]
    others = [one for one in certificate.segments if not one.holds_at(certificate.threshold)]
    parts = []
    if holding:
        parts.append(f"holds for {_named([one.segment for one in holding])} by itself too")
    if others:
        parts.append(f"rests on the other segments' labels as well for {_named([o.segment for o in others])}")
    return f"The certificate {'; it '.join(parts)}"


def _named(names: list[str]) -> str:
    shown = ", ".join(names[:_SEGMENTS_NAMED])
    left = len(names) - _SEGMENTS_NAMED
    return f"{shown} and {left} more" if left > 0 else shown


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
