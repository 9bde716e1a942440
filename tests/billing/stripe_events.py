"""Events of Stripe's own shape for the tests, signed by our own hand."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.conf import settings
from django.http import HttpResponse

from billing.models import BillingEvent
from tests.helpers import Api

PATH = "/webhooks/billing/stripe"
FIXTURES = Path(__file__).parent / "fixtures" / "stripe"
ACCOUNT = "0192c7d4-6f0e-7c1a-9b3f-5d2e8a4c6b10"


def fixture(name: str) -> bytes:
    return (FIXTURES / f"{name}.json").read_bytes()


def changed(name: str, change: Callable[[Any], None]) -> bytes:
    """A fixture after `change` was made to the object it tells of."""
    document = json.loads(fixture(name))
    change(document["data"]["object"])
    return json.dumps(document).encode()


def signature(body: bytes, *, at: int | None = None, secret: str | None = None) -> str:
    """The header, of now and with our first secret unless told otherwise."""
    stamp = int(time.time()) if at is None else at
    key = (secret or settings.BILLING_STRIPE_SECRETS[0]).encode()
    return f"t={stamp},v1={hmac.new(key, f'{stamp}.'.encode() + body, hashlib.sha256).hexdigest()}"


def send(api: Api, body: bytes, **given: Any) -> HttpResponse:
    return api.post(PATH, body, Stripe_Signature=signature(body, **given))


def told_of(subject: str) -> list[dict[str, Any]]:
    """What was read of a subscription, in the order in which it happened."""
    found = BillingEvent.objects.filter(type="subscription.updated", subject=subject)
    return [event.data for event in found.order_by("occurred_at", "event_id")]
