"""A web process that dies after it has stored an event and before it could say so."""

from __future__ import annotations

import json
import os
import signal
import uuid
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
import requests

from kernel.values import rfc3339
from tests.helpers import webhook_headers
from tests.journeys.conftest import SECRET, House, Subscriber, eventually

TURNS = 2  # the keeper gives up on a program that dies six times in a minute
AT_ONCE = 4  # as many as one process has threads: one that came later would find that the broker is asked no more


def body(account_id: str, external_id: str) -> bytes:
    now = datetime.now(UTC).replace(microsecond=0)
    data = {
        "account_id": account_id,
        "external_id": external_id,
        "plan_code": "premium-unlimited-streaming",
        "status": "active",
        "currency": "GBP",
        "recurring_fee": 999,
        "country": "GB",
        "activated_at": rfc3339(now),
        "current_period_start": rfc3339(now),
        "expires_at": rfc3339(now + timedelta(days=28)),
    }
    return json.dumps({"type": "subscription.updated", "timestamp": rfc3339(now), "data": data}).encode()


@pytest.mark.parametrize("turn", range(TURNS))
def test_events_whose_answers_died_are_applied_once(house: House, subscriber: Subscriber, turn: int) -> None:
    """A broker that hangs holds the answers back for a second once the events are stored: then the web is killed."""
    letters = {f"evt_{uuid.uuid4().hex}": f"sub_{uuid.uuid4().hex}" for _ in range(AT_ONCE)}
    bodies = {event: body(subscriber.journey.seen.account_id, subject) for event, subject in letters.items()}

    assert killed_meanwhile(house, bodies) == [None] * AT_ONCE
    eventually(lambda: healthy(house), seconds=60, what="the web is back")
    assert [tell(house, event, bodies[event]) for event in bodies] == [202] * AT_ONCE

    eventually(lambda: stored(house, bodies, state="HANDLED") == AT_ONCE, seconds=60, what="all are handled")
    assert stored(house, bodies) == AT_ONCE
    rights = house.rows(
        "SELECT s.external_id, count(*) FROM subscriptions_subscription s"
        " JOIN subscriptions_period p ON p.subscription_id = s.id WHERE s.external_id = ANY(%s) GROUP BY 1",
        list(letters.values()),
    )
    assert sorted(rights) == sorted((subject, 1) for subject in letters.values())


def killed_meanwhile(house: House, bodies: dict[str, bytes]) -> list[int | None]:
    """What the senders hear when the web is killed once their events are stored."""
    valkey = house.valkey.pid()
    assert valkey is not None
    with ThreadPoolExecutor(AT_ONCE) as senders:
        os.kill(valkey, signal.SIGSTOP)
        try:
            asked = [senders.submit(tell, house, event, bodies[event]) for event in bodies]
            eventually(lambda: stored(house, bodies) == AT_ONCE, seconds=60, what="all are stored")
            house.kill("granian")
        finally:
            os.kill(valkey, signal.SIGCONT)
        return [each.result() for each in asked]


def tell(house: House, event: str, content: bytes) -> int | None:
    """The status of the answer, None for none."""
    headers = webhook_headers(content, event_id=event, secret=SECRET) | {"Content-Type": "application/json"}
    door = f"{house.web}/webhooks/billing/standard"
    try:
        return requests.post(door, data=content, headers=headers, timeout=15).status_code
    except requests.RequestException:
        return None


def stored(house: House, events: Iterable[str], *, state: str = "%") -> int:
    query = "SELECT count(*) FROM billing_billingevent WHERE event_id = ANY(%s) AND state LIKE %s"
    return int(house.rows(query, list(events), state)[0][0])


def healthy(house: House) -> bool:
    try:
        return all(requests.get(f"{house.web}/healthz", timeout=2).status_code == 200 for _ in range(10))
    except requests.RequestException:
        return False
