"""A listener's page in the admin tells their whole story, to those who may read it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from accounts.models import Listener
from billing.models import BillingEvent
from catalogue.models import Track
from tests.accounts.marks import lead_a_life, letter_about
from tests.helpers import Api, play

pytestmark = pytest.mark.django_db
CHAPTERS = [
    "Subscriptions", "When they could stream", "What the platform was told", "What billing said", "What plays",
    "Devices", "What was issued", "Messages to the platform", "Purchases", "The locker",
    "Where the locker and the platform’s differ", "Plays", "The latest plays", "Where they lived",
]  # fmt: skip


def page(listener: Listener) -> str:
    return reverse("admin:accounts_listener_change", args=[listener.pk])


def told(client: Client, listener: Listener) -> dict[str, list[str]]:
    """The chapters with their rows, a text each."""
    response = client.get(page(listener))
    assert response.status_code == 200
    return {title: [" ".join(map(str, row)) for row in table["rows"]] for title, table in response.context["story"]}


def test_tells_of_everything_on_one_page(
    boss: Client, api: Callable[[Listener], Api], listener: Listener, track: Track
) -> None:
    lead_a_life(listener, api(listener), boss, track, "ada")

    story = told(boss, listener)

    assert list(story) == CHAPTERS
    assert {title: len(rows) for title, rows in story.items()} == dict.fromkeys(CHAPTERS, 1) | {
        "Messages to the platform": 2, "Where they lived": 2, "What was issued": 2, "The locker": 3,
        "Where the locker and the platform’s differ": 0,
    }  # fmt: skip
    assert "9.99 GBP" in story["Subscriptions"][0]
    assert "PENDING" in story["What the platform was told"][0]
    assert "ada-device" in story["What plays"][0]
    lanes = boss.get(page(listener)).context["strip"]["lanes"]
    assert [title for title, _ in lanes] == ["could stream", "platform told", "plays"]


def test_an_event_that_nobody_could_handle_is_shown(boss: Client, listener: Listener) -> None:
    """There is no subscription yet that it could be found by."""
    BillingEvent.objects.create(
        provider="stripe", event_id="evt_9", type="subscription.updated", subject="sub_9", body=b"",
        data={"account_id": str(listener.pk)}, state=BillingEvent.State.DEAD, last_error="UnknownPlan: no plan",
    )  # fmt: skip

    [row] = told(boss, listener)["What billing said"]

    assert "DEAD" in row
    assert "UnknownPlan" in row


def test_shows_each_reader_what_they_may_view(clerk: Callable[..., Client], listener: Listener) -> None:
    assert list(told(clerk("view_listener", "view_play"), listener)) == [
        "Plays",
        "The latest plays",
        "Where they lived",
    ]


def test_is_empty_for_somebody_new(boss: Client, listener: Listener) -> None:
    story = told(boss, listener)

    assert {title for title, rows in story.items() if rows} == {"Messages to the platform", "Where they lived"}
    assert boss.get(page(listener)).context["strip"] is None


def test_takes_as_many_queries_for_a_long_life_as_for_a_short_one(
    boss: Client, api: Callable[[Listener], Api], listener: Listener, track: Track
) -> None:
    lead_a_life(listener, api(listener), boss, track, "ada")
    boss.get(page(listener))
    with CaptureQueriesContext(
        connection,
    ) as short:
        boss.get(page(listener))
    for number in range(2, 9):
        letter_about(listener, "ada", number=number)
        moment = (timezone.now() - timedelta(hours=number)).isoformat()
        api(listener).post("plays", {"plays": [play(track.pk, played_at=moment)]})

    with CaptureQueriesContext(connection) as long:
        boss.get(page(listener))

    assert len(long) == len(short)
