"""Pushes as Pub/Sub makes them, and Google's answers, from fixtures."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

from billing.models import BillingEvent
from billing.simulators import Signed
from billing.simulators.google import push
from tests.helpers import Api

FIXTURES = Path(__file__).parent / "fixtures" / "google"
PATH = "/webhooks/billing/google"
TOKEN = "hkpajlmnfbeodc.AO-J1Oz1_tonearm"


def told(fixture: str, **changes: Any) -> dict[str, Any]:
    """A notification or an answer; ... removes a member."""
    found: dict[str, Any] = json.loads((FIXTURES / f"{fixture}.json").read_text())
    return {name: value for name, value in (found | changes).items() if value is not ...}


def pushed(fixture: str = "purchased", *, message_id: str = "136969346945", **changes: Any) -> Signed:
    return push(told(fixture, **changes), message_id=message_id)


def send(api: Api, signed: Signed, **headers: str) -> Any:
    return api.post(PATH, signed.body, **(signed.headers | headers))


def taken(api: Api, signed: Signed) -> BillingEvent:
    """The event that the door has made of a push."""
    response = send(api, signed)
    assert response.status_code == 202, response.content
    return BillingEvent.objects.get(event_id=json.loads(response.content)["event_id"])


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
