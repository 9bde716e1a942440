"""Many devices at once: what was acknowledged is there, once."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from accounts.models import Listener, User
from catalogue.models import Track
from kernel.values import rfc3339
from tests.helpers import Api, play
from usage.models import Play, PlayKey

pytestmark = pytest.mark.django_db(transaction=True)
DEVICES, OFFLINE, SECONDS = 200, 500, 60
THREADS = 8


@pytest.fixture
def crowd() -> Iterator[ThreadPoolExecutor]:
    """Threads that let go of their connections afterwards."""
    with ThreadPoolExecutor(THREADS) as pool:
        yield pool
        list(pool.map(lambda _: (time.sleep(0.02), connection.close()), range(4 * THREADS)))


@pytest.fixture
def listeners() -> list[Listener]:
    """As many as there are devices, each of whom once had a subscription."""
    now = timezone.now()
    users = User.objects.bulk_create(User(email=f"{number}@example.org") for number in range(DEVICES))
    return Listener.objects.bulk_create(
        Listener(user=user, platform_id=f"{number:032x}", country="GB", created_at=now, subscribed_since=now)
        for number, user in enumerate(users)
    )


def test_two_hundred_devices_come_back_from_a_long_flight(
    listeners: list[Listener], api: Callable[[Listener], Api], track: Track, crowd: ThreadPoolExecutor
) -> None:
    landed = timezone.now()
    told: list[dict[str, Any]] = [
        play(track.pk, played_at=rfc3339(landed - timedelta(minutes=3 * (number + 1))), mode="offline")
        for number in range(OFFLINE)
    ]
    body = gzip.compress(json.dumps({"plays": told}).encode())
    phones = [api(listener) for listener in listeners]

    def tell(phone: Api) -> dict[str, Any]:
        answer = phone.client.post("/api/v1/plays", body, content_type="application/json", headers=phone_headers(phone))
        verdict: dict[str, Any] = json.loads(answer.content)
        return verdict

    began = time.monotonic()
    verdicts = list(crowd.map(tell, phones))
    took = time.monotonic() - began

    assert verdicts == [{"accepted": OFFLINE, "duplicates": 0, "rejected": []}] * DEVICES
    assert (Play.objects.count(), PlayKey.objects.count()) == (DEVICES * OFFLINE, DEVICES * OFFLINE)
    assert took < SECONDS


def phone_headers(phone: Api) -> dict[str, str]:
    return {"Authorization": f"Bearer {phone.token}", "Content-Encoding": "gzip"}


def test_the_same_plays_told_ten_times_at_once_count_once(
    listeners: list[Listener], api: Callable[[Listener], Api], track: Track, crowd: ThreadPoolExecutor
) -> None:
    now = timezone.now()
    told = [play(track.pk, played_at=rfc3339(now - timedelta(minutes=number + 1))) for number in range(100)]
    bodies = [told if number % 2 else told[::-1] for number in range(10)]  # in any order, and yet no deadlock

    answers = list(crowd.map(lambda plays: api(listeners[0]).post("plays", {"plays": plays}), bodies))

    verdicts = [json.loads(answer.content) for answer in answers]
    assert {answer.status_code for answer in answers} == {200}
    assert sum(verdict["accepted"] for verdict in verdicts) == 100
    assert sum(verdict["duplicates"] for verdict in verdicts) == 900
    assert Play.objects.count() == 100
