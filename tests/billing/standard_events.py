"""Events of a billing system that signs by Standard Webhooks."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

from accounts.models import Listener
from tests.helpers import Api, webhook_headers

PATH = "/webhooks/billing/standard"


def updated(listener: Listener | None = None, *, timestamp: str = "2026-11-01T12:00:00Z", **changes: Any) -> bytes:
    """The body of a subscription.updated event."""
    data = {
        "account_id": str(listener.pk if listener else uuid4()),
        "external_id": "sub_1",
        "plan_code": "premium-unlimited-streaming",
        "status": "active",
        "currency": "GBP",
        "recurring_fee": 999,
        "country": "GB",
        "activated_at": "2026-11-01T12:00:00Z",
        "current_period_start": "2026-11-01T12:00:00Z",
        "expires_at": "2026-12-01T12:00:00Z",
        "cancel_at_period_end": False,
    } | changes
    data = {name: value for name, value in data.items() if value is not ...}
    return json.dumps({"type": "subscription.updated", "timestamp": timestamp, "data": data}).encode()


def send(api: Api, body: bytes, **given: Any) -> Any:
    headers = webhook_headers(body, **{name: value for name, value in given.items() if value is not None})
    return api.post(PATH, body, **headers)
