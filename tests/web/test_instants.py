"""Times as they come in: any offset is one instant, and what is no instant is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rest_framework.exceptions import ValidationError

from web.fields import Instant
from web.params import instant_of

# Local times around the changes of the clocks: New York, London, Kolkata (none), Apia (the last one it had).
CHANGES = """
    2026-03-08T01:59:59-05:00 2026-03-08T06:59:59   2026-03-08T03:00:00-04:00 2026-03-08T07:00:00
    2026-11-01T01:30:00-04:00 2026-11-01T05:30:00   2026-11-01T01:30:00-05:00 2026-11-01T06:30:00
    2026-03-29T00:59:59+00:00 2026-03-29T00:59:59   2026-03-29T02:00:00+01:00 2026-03-29T01:00:00
    2026-10-25T01:30:00+01:00 2026-10-25T00:30:00   2026-10-25T01:30:00+00:00 2026-10-25T01:30:00
    2026-03-29T02:00:00+05:30 2026-03-28T20:30:00   2021-04-04T03:59:59+14:00 2021-04-03T13:59:59
    2021-04-04T03:00:00+13:00 2021-04-03T14:00:00   2026-02-28T23:30:00-01:00 2026-03-01T00:30:00
""".split()
HOURS = range(-12, 15)


@pytest.mark.parametrize(("text", "utc"), list(zip(CHANGES[::2], CHANGES[1::2], strict=True)))
def test_the_offset_decides_and_no_zone(text: str, utc: str) -> None:
    assert Instant().run_validation(text) == datetime.fromisoformat(utc + "+00:00")


@pytest.mark.parametrize("hours", HOURS)
def test_takes_every_offset(hours: int) -> None:
    text = f"2026-03-01T00:00:00{hours:+03}:00"

    taken = Instant().run_validation(text)

    assert taken == datetime(2026, 3, 1, tzinfo=UTC) - timedelta(hours=hours)


@pytest.mark.parametrize(
    ("text", "microsecond"),
    [("2026-01-01T00:00:00.5Z", 500_000), ("2026-01-01T00:00:00.1234567Z", 123_456),
     ("2026-01-01T00:00:00.999999999Z", 999_999), ("2026-01-01t00:00:00Z", 0),
     ("2026-01-01T00:00:00z", 0), ("2026-01-01t00:00:00.5z", 500_000)],
)  # fmt: skip
def test_what_is_finer_than_a_microsecond_is_left_out(text: str, microsecond: int) -> None:
    assert Instant().run_validation(text) == datetime(2026, 1, 1, microsecond=microsecond, tzinfo=UTC)


@pytest.mark.parametrize("text", ["2026-11-23T00:00:00Z", "2026-11-23t00:00:00z", "2026-11-23t02:00:00+02:00"])
def test_a_query_takes_what_a_body_takes(text: str) -> None:
    assert instant_of(text) == datetime(2026, 11, 23, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-01T00:00:00", "2026-01-01", "2026-01-01 00:00:00Z", "2026-01-01T00:00:60Z", "2026-01-01T24:00:01Z",
        "2026-02-29T00:00:00Z", "2026-04-31T00:00:00Z", "2026-13-01T00:00:00Z", "0001-01-01T00:00:00+14:00",
        "0000-01-01T00:00:00Z", "1999-12-31T23:59:59Z", "2101-01-01T00:00:00Z", "9999-12-31T23:59:59-12:00",
        "10000-01-01T00:00:00Z", "2026-01-01T00:00:00+25:00", "T", "", "soon", "٢٠٢٦-٠١-٠١T00:00:00Z",
        1767225600, 1767225600.0, True, None, [], {},
    ],
)  # fmt: skip
def test_refuses_what_is_no_instant(text: Any) -> None:
    with pytest.raises(ValidationError):
        Instant().run_validation(text)
