"""A date is understood or its member is refused with the field's name, and nothing that was stored breaks a page."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from catalogue.models import Offer, Release
from tests.catalogue.conftest import Door
from tests.helpers import Api, offer, release_event, track_member

pytestmark = pytest.mark.django_db
LONG_AGO = "0001-01-01T00:00:00Z"


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc,arg-type]


# What the field holds, and the instant it means; None: it is refused.
DATES: dict[str, tuple[Any, datetime | None]] = {
    "an instant": ("2025-03-07T10:11:12Z", utc(2025, 3, 7, 10, 11, 12)),
    "a day": ("2025-03-07", utc(2025, 3, 7)),
    "no zone": ("2025-03-07T10:11:12", utc(2025, 3, 7, 10, 11, 12)),
    "a zone ahead": ("2025-03-07T00:00:00+14:00", utc(2025, 3, 6, 10)),
    "a zone behind": ("2025-03-07T00:00:00-12:00", utc(2025, 3, 7, 12)),
    "a zone without minutes": ("2025-03-07T00:00:00+01", utc(2025, 3, 6, 23)),
    "a zone of a day": ("2025-03-07T00:00:00+24:00", None),
    "a zone by name": ("2025-03-07T00:00:00[Europe/London]", None),
    "no seconds": ("2025-03-07T10:11Z", utc(2025, 3, 7, 10, 11)),
    "seven digits": ("2025-03-07T00:00:00.1234567Z", utc(2025, 3, 7, 0, 0, 0, 123456)),
    "nine digits": ("2025-03-07T00:00:00.123456789Z", utc(2025, 3, 7, 0, 0, 0, 123456)),
    "a leap day": ("2024-02-29T00:00:00Z", utc(2024, 2, 29)),
    "no leap day": ("2025-02-29T00:00:00Z", None),
    "a month too many": ("2025-13-01T00:00:00Z", None),
    "a leap second": ("2016-12-31T23:59:60Z", None),
    "an hour too many": ("2025-03-07T24:00:00Z", None),
    "an hour that a clock change skips": ("2025-03-30T02:30:00+01:00", utc(2025, 3, 30, 1, 30)),
    "an hour that a clock change repeats": ("2025-10-26T02:30:00", utc(2025, 10, 26, 2, 30)),
    "a week": ("2025-W10-5", utc(2025, 3, 7)),
    "a day of the year": ("2025-066", None),
    "year 0": ("0000-01-01T00:00:00Z", None),
    "year 1": (LONG_AGO, utc(1, 1, 1)),
    "before year 1": ("0001-01-01T00:00:00+01:00", None),
    "the last second": ("9999-12-31T23:59:59.9999999", utc(9999, 12, 31, 23, 59, 59, 999999)),
    "after the last second": ("9999-12-31T23:59:59-01:00", None),
    "year 10000": ("10000-01-01T00:00:00Z", None),
    "seconds since 1970": (1741305600, None),
    "seconds since 1970 as text": ("1741305600", None),
    "digits of another script": ("٢٠٢٥-٠٣-٠٧T00:00:00Z", None),
    "words": ("next friday", None),
}


def on_release(value: Any) -> Any:
    return release_event(2, releaseDate=value)


def on_start(value: Any) -> Any:
    return release_event(3, tracks=[track_member(301, offers=[offer(start=value)])])


def on_end(value: Any) -> Any:
    return release_event(4, tracks=[track_member(401, offers=[offer(start=LONG_AGO, end=value)])])


@pytest.mark.parametrize(("value", "instant"), DATES.values(), ids=DATES)
def test_each_date_is_understood_or_refused(door: Door, phone: Api, value: Any, instant: datetime | None) -> None:
    event = door.bring(release_event(1), on_release(value), on_start(value), on_end(value))

    ends = instant is not None and instant > utc(1, 1, 1)
    understood = [True, instant is not None, instant is not None, ends]
    refused = {no["index"]: no["reason"].partition(":")[0] for no in event.outcome["refused"]}
    assert refused == {
        index: name for index, name in enumerate(["", "releaseDate", "start", "end"]) if not understood[index]
    }
    for number, path in ((2, "releases/2"), (3, "tracks/301/availability"), (4, "tracks/401/availability")):
        assert phone.get(f"catalogue/{path}").status_code == (200 if understood[number - 1] else 404)
    assert phone.get("catalogue/releases").status_code == 200
    if instant is not None:
        assert Release.objects.get(pk=2).release_date == instant
        assert Offer.objects.get(track=301).starts_at == instant
    if ends and instant is not None:
        assert Offer.objects.get(track=401).ends_at == (None if instant.year == 9999 else instant)


def test_the_dates_are_30() -> None:
    assert len(DATES) == 30
