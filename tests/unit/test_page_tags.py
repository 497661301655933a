"""How pages show spans of time, instants and addresses."""

from datetime import datetime, timedelta, timezone

import pytest

from paygo.pages.templatetags.pages import countdown, instant, qr, short, span


@pytest.mark.parametrize(
    ("duration_ms", "text"),
    [
        (0, "0 s"),
        (999, "0 s"),
        (12_000, "12 s"),
        (60_000, "1 min"),
        (245_000, "4 min 5 s"),
        (3_600_000, "1 h"),
        (12_000_000, "3 h 20 min"),
        (100 * 3_600_000 + 59_999, "100 h"),
    ],
)
def test_a_span_has_two_units_at_most_and_is_rounded_down(duration_ms: int, text: str):
    assert span(duration_ms).replace("\N{NO-BREAK SPACE}", " ") == text


def test_an_instant_is_in_utc_for_who_runs_no_script():
    moment = datetime(2026, 2, 1, 1, 30, tzinfo=timezone(timedelta(hours=1)))

    assert instant(moment) == '<time datetime="2026-02-01T00:30:00Z" data-local>2026-02-01 00:30 UTC</time>'
    assert "2026-02-01T01:30:00+01:00" in countdown(moment)


def test_a_long_address_keeps_enough_to_tell_it():
    assert short("t" * 36) == "t" * 36
    assert short("u" + "1" * 50 + "abcdef") == "u" + "1" * 19 + "…abcdef"


def test_a_code_has_nothing_that_the_strict_policy_refuses():
    drawn = qr("zcash:x?amount=1", "A <b>code</b>")

    assert "style=" not in drawn
    assert "<b>" not in drawn
