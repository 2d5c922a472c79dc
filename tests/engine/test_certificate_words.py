"""What a certificate says of further decisions and of segments, in words."""

from __future__ import annotations

from dataclasses import replace

from engine.contracts import Certificate, CertificateKind, Forecast, SegmentCertificate
from engine.contracts.certificate_words import forecast_words, segment_words

CERTIFIED = Certificate(CertificateKind.MATCH, 0.95, 0.1, 0.8, 200, 120, 2, 0.01, 0.96, 0.5, None, 0.1)
NOT_YET = replace(CERTIFIED, threshold=None, expected_coverage=0.0)


def test_that_a_forecast_names_the_first_gain_and_the_largest() -> None:
    forecasts = (
        Forecast(50, 0.5, 0.48, 0.52, 1.0),
        Forecast(100, 0.52, 0.5, 0.55, 1.0),
        Forecast(400, 0.6, 0.57, 0.62, 1.0),
    )
    words = forecast_words(replace(CERTIFIED, forecasts=forecasts))
    assert words == (
        "Certified for 50 % of the listings, those decided by hand included; forecast: 52 % (50 % to 55 %) "
        "with 100 more random decisions, 60 % (57 % to 62 %) with 400 more random decisions"
    )


def test_that_a_forecast_without_gain_says_so() -> None:
    words = forecast_words(replace(CERTIFIED, forecasts=(Forecast(800, 0.5, 0.5, 0.5, 1.0),)))
    assert words == "Up to 800 more random decisions are not expected to certify more than now"
    assert forecast_words(CERTIFIED) == forecast_words(None) == ""


def test_that_before_a_certificate_the_forecast_is_of_the_first() -> None:
    likely = (Forecast(50, 0.1, 0.0, 0.4, 0.3), Forecast(100, 0.4, 0.3, 0.5, 0.9))
    assert forecast_words(replace(NOT_YET, forecasts=likely)) == (
        "100 more random decisions give a certificate with a chance of 90 %, then of 40 % of the listings "
        "(30 % to 50 %)"
    )
    assert "chance of 30 %" in forecast_words(replace(NOT_YET, forecasts=likely[:1]))


def test_that_segments_are_named_by_whether_they_bear_the_threshold() -> None:
    segments = (
        SegmentCertificate("TV", 500, 60, 0.05, 0.7, 0.9, 0.6),
        SegmentCertificate("Phones", 400, 60, 0.05, 0.85, 0.9, 0.3),
        SegmentCertificate("Fridges", 300, 60, 0.05, None, None, 0.0),
    )
    words = segment_words(replace(CERTIFIED, segments=segments))
    assert words == (
        "The certificate holds for TV by itself too; it rests on the other segments' labels as well for "
        "Phones, Fridges"
    )
    assert segment_words(replace(NOT_YET, segments=segments)) == segment_words(CERTIFIED) == ""
