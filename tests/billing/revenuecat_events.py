"""RevenueCat's events for the tests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.conf import settings
from django.http import HttpResponse

from billing.models import BillingEvent
from tests.helpers import Api

PATH = "/webhooks/billing/revenuecat"
FIXTURES = Path(__file__).parent / "fixtures" / "revenuecat"
ACCOUNT = "0192c7d4-6f0e-7c1a-9b3f-5d2e8a4c6b10"


def fixture(name: str) -> bytes:
    return (FIXTURES / f"{name}.json").read_bytes()


def changed(name: str, **changes: Any) -> bytes:
    """A fixture with members of its event changed, or left out (...)."""
    document = json.loads(fixture(name))
    event = document["event"] | changes
    return json.dumps(document | {"event": {name: value for name, value in event.items() if value is not ...}}).encode()


def send(api: Api, body: bytes, *, secret: str | None = None) -> HttpResponse:
    return api.post(PATH, body, Authorization=settings.BILLING_REVENUECAT_SECRETS[0] if secret is None else secret)


def told() -> list[dict[str, Any]]:
    """What was read of subscriptions, in the order in which it happened."""
    found = BillingEvent.objects.filter(provider="revenuecat", type="subscription.updated")
    return [event.data for event in found.order_by("occurred_at", "event_id")]
