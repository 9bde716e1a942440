"""A listener who leaves a mark wherever marks can be left."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import Listener
from billing.actions import process_event
from billing.models import BillingEvent
from catalogue.models import Track
from streaming.models import Device
from tests.downloads import shop
from tests.helpers import Api, play, webhook_headers


def lead_a_life(listener: Listener, phone: Api, boss: Client, track: Track, mark: str) -> None:
    """Move, subscribe, stream, keep tracks, report a play, be looked after by staff, with `mark` in every text."""
    phone.patch("me", {"country": "FR"})
    letter_about(listener, mark)
    wish = {"track_id": track.pk, "format_id": 26, "client_id": f"{mark}-device"}
    assert phone.post("streams", wish).status_code == 201
    facts = {"name": f"{mark}-name", "model": f"{mark}-model", "app_version": f"{mark}-1.0"}
    assert phone.put(f"devices/{mark}-device", facts).status_code == 201
    Device.objects.filter(listener=listener).update(offline=Device.Offline.ON, switched_at=timezone.now())
    assert phone.post("offline/copies", wish).status_code == 201
    report = play(track.pk, played_at=timezone.now().isoformat(), source=f"{mark}-playlist")
    assert json.loads(phone.post("plays", {"plays": [report]}).content)["accepted"] == 1
    clip = {name: report[name] for name in ("play_id", "track_id", "played_at", "seconds_played", "user_agent")}
    assert json.loads(phone.post("previews", {"plays": [clip]}).content)["accepted"] == 1
    facts = {"name": f"{mark}-mornings", "description": f"{mark}-slowly"}
    made = phone.post("playlists", facts, idempotency_key=f"{mark}-key")
    items = f"playlists/{json.loads(made.content)['id']}/items"
    assert phone.post(items, {"track_id": track.pk}, if_match=made.headers["ETag"]).status_code == 201
    buy_and_regret(listener, mark)
    page = reverse("admin:accounts_user_change", args=[listener.user_id])
    assert boss.post(page, {"is_active": "on"}).status_code == 302


def buy_and_regret(listener: Listener, mark: str) -> None:
    """A purchase that stands in the locker and is to be taken back."""
    shop.stock()
    address = {"email": f"{mark}@example.com", "post_code": f"{mark}-postcode"}
    shop.given_back(shop.sold(listener, transaction_id=f"{mark}-transaction", **address))


def letter_about(listener: Listener, mark: str, *, number: int = 1) -> BillingEvent:
    """A billing system tells of the listener's subscription, and of more than it was asked for."""
    now = timezone.now()
    start = (now - timedelta(hours=1)).isoformat()
    data: dict[str, Any] = {
        "account_id": str(listener.pk),
        "external_id": f"{mark}-subscription",
        "status": "active",
        "plan_code": "premium-unlimited-streaming",
        "currency": "GBP",
        "recurring_fee": 999,
        "country": "GB",
        "postcode": f"{mark}-postcode",
        "activated_at": start,
        "current_period_start": start,
        "expires_at": (now + timedelta(days=20)).isoformat(),
        "cardholder": f"{mark}-cardholder",
    }
    letter = json.dumps({"type": "subscription.updated", "timestamp": now.isoformat(), "data": data}).encode()
    event_id = f"{mark}-event-{number}"
    response = Api(Client(), token=None).post(
        "/webhooks/billing/standard", letter, **webhook_headers(letter, event_id=event_id)
    )
    assert response.status_code == 202, response.content
    event = BillingEvent.objects.get(event_id=event_id)
    assert process_event(event_id=event.pk) == BillingEvent.State.HANDLED, event.last_error
    return event
