"""A listener's phone, registered and perhaps enabled."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import Listener
from outbox.delivery import deliver_lane
from outbox.models import Message
from streaming.models import Device
from tests.helpers import Api
from tests.sandbox.platform import Partner, Platform


@pytest.fixture
def phone(subscriber: Listener, api: Callable[[Listener], Api]) -> Api:
    return api(subscriber)


@pytest.fixture
def device(subscriber: Listener) -> Device:
    """The phone's own row: enabled, as far as we know."""
    now = timezone.now()
    return Device.objects.create(
        listener=subscriber,
        client_id="phone",
        created_at=now,
        last_seen_at=now,
        offline=Device.Offline.ON,
        switched_at=now,
        generation=1,
        max_tracks=4000,
    )


def drain() -> list[str]:
    """Carry everything that is due, as a worker would; the states in order."""
    states: list[str] = []
    while (message := Message.objects.claimable().order_by("pk").first()) is not None:
        states += deliver_lane(message_id=message.pk)
    return states


@pytest.fixture
def known(sandbox: Platform, subscriber: Listener, phone: Api) -> Platform:
    """The platform, which knows the listener and what they have paid for."""
    drain()
    tell_subscription(sandbox, subscriber)
    return sandbox


def tell_subscription(sandbox: Platform, listener: Listener, **change: str) -> None:
    """The platform hears of the listener's subscription, by another's hand."""
    partner = Partner(sandbox)
    assert partner.subscribe(listener.platform_id, **change).status_code == 200
    partner.close()


def switch(phone: Api, enabled: bool, client_id: str = "phone") -> Any:
    return phone.put(f"devices/{client_id}/offline", {"enabled": enabled})


def body_of(response: Any, status: int = 200) -> dict[str, Any]:
    assert response.status_code == status, response.content
    body: dict[str, Any] = json.loads(response.content)
    return body
