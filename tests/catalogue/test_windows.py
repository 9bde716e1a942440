"""A window is open from its first second, and closed from its last on, territory by territory."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest

from catalogue.models import Track
from kernel.values import rfc3339
from tests.catalogue.conftest import Door
from tests.helpers import Api, offer, release_event, track_member

pytestmark = pytest.mark.django_db
START, MIDDLE, END = (datetime(2026, month, day, tzinfo=UTC) for month, day in [(2, 28), (3, 29), (10, 25)])
SECOND = timedelta(seconds=1)

OFFERS = [
    offer(["GB"], "2026-02-28T00:00:00Z", "2026-10-25T00:00:00Z"),
    offer(["DE"], "2026-02-28T01:00:00+01:00"),  # for good
    offer(["JP"], "2026-02-28T09:00:00+09:00", "2026-03-29T00:00:00Z"),  # two that meet
    offer(["JP"], "2026-03-29T00:00:00Z", "2026-10-25T00:00:00"),
    offer(["AU"], "2026-02-28", "2026-03-29"),  # two with a second between them
    offer(["AU"], "2026-03-29T00:00:01Z", "2026-10-24T14:00:00-10:00"),
]
INSTANTS = {
    "before the start": START - SECOND,
    "at the start": START,
    "after the start": START + SECOND,
    "in the middle": MIDDLE,
    "after the middle": MIDDLE + SECOND,
    "before the end": END - SECOND,
    "at the end": END,
    "after the end": END + SECOND,
}
OPEN = {
    "GB": "no yes yes yes yes yes no no",
    "DE": "no yes yes yes yes yes yes yes",
    "JP": "no yes yes yes yes yes no no",
    "AU": "no yes yes no yes yes no no",
    "US": "no no no no no no no no",
}
CASES = [
    pytest.param(country, instant, verdict == "yes", id=f"{country} {when}")
    for country, verdicts in OPEN.items()
    for (when, instant), verdict in zip(INSTANTS.items(), verdicts.split(), strict=True)
]


@pytest.mark.parametrize(("country", "at", "available"), CASES)
def test_is_open_at_the_right_seconds(door: Door, phone: Api, country: str, at: datetime, available: bool) -> None:
    door.bring(release_event(7, tracks=[track_member(701, offers=OFFERS)]))

    answer = phone.get(f"catalogue/tracks/701/availability?country={country}&at={quote(rfc3339(at))}")

    assert answer.status_code == 200
    assert json.loads(answer.content)["available"] is available
    assert Track.objects.playable(country=country, at=at).exists() is available


def test_the_cases_are_40() -> None:
    assert len(CASES) == 40
