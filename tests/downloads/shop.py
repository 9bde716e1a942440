"""A shop: something to sell, and a billing system that says what was paid for and given back."""

from __future__ import annotations

import itertools
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from django.utils import timezone

from accounts.models import Listener
from billing.actions import Letter, process_event, store_letter
from billing.models import BillingEvent
from downloads.models import Purchase
from downloads.selling import confirm
from outbox.delivery import deliver_message
from outbox.models import Message
from tests.helpers import apply_member, offer, release_event, track_member

RELEASE: Final = 7002001
TRACKS: Final = [200100101, 200100102, 200100103]
PRICE: Final = Decimal("7.99")

numbers = itertools.count(1)


def stock(release_id: int = RELEASE, *, tracks: list[int] | None = None, offers: Any = None, **changes: Any) -> None:
    """Put a release on the shelves, its tracks for sale everywhere unless told otherwise."""
    sold = [offer(["GB", "US"])] if offers is None else offers
    members = [
        track_member(each, title=f"Song {number}", number=number, downloadAvailability=sold)
        for number, each in enumerate(TRACKS if tracks is None else tracks, start=1)
    ]
    facts = {"title": "Low Tide", "downloadAvailability": sold, "tracks": members} | changes
    apply_member(release_event(release_id, **facts))


def said(type_: str, data: dict[str, Any], *, at: datetime | None = None) -> BillingEvent:
    """A billing system has said something; its event is stored and was tried once."""
    letter = Letter(
        provider="standard", event_id=f"evt_{next(numbers)}", type=type_, subject=data["transaction_id"],
        occurred_at=at or timezone.now(), body=b"{}", data=data,
    )  # fmt: skip
    event = store_letter(letter)
    process_event(event_id=event.pk)
    event.refresh_from_db()
    return event


def order(listener: Listener, **changes: Any) -> dict[str, Any]:
    """The data of a payment for the whole release."""
    return {
        "account_id": str(listener.pk),
        "transaction_id": "T-1",
        "release_id": RELEASE,
        "retail_price": str(PRICE),
        "currency": "GBP",
        "country": "GB",
    } | changes


def paid(listener: Listener, *, at: datetime | None = None, **changes: Any) -> Purchase:
    """Somebody has paid; the purchase that was made of it."""
    event = said("purchase.paid", order(listener, **changes), at=at)
    assert event.state == BillingEvent.State.HANDLED, event.last_error
    return Purchase.objects.get(transaction_id=event.subject)


def sold(
    listener: Listener, *, platform_id: int | None = None, ago: timedelta = timedelta(0), **changes: Any
) -> Purchase:
    """A purchase that the platform has confirmed, without a platform."""
    purchase = paid(listener, **changes)
    platform_id = platform_id or 49193524 + next(numbers)
    confirm(purchase.pk, platform_id=platform_id, sold_at=timezone.now() - ago)
    purchase.refresh_from_db()
    return purchase


def given_back(purchase: Purchase, **changes: Any) -> BillingEvent:
    """The money was given back, of all that was bought."""
    what = {"release_id": purchase.release_id, "track_id": purchase.track_id}
    return said("purchase.refunded", {"transaction_id": purchase.transaction_id} | what | changes)


def carry(topic: str) -> str:
    """Carry the oldest waiting message of a topic, due or not; how it ended."""
    Message.objects.filter(topic=topic, state="WAITING").update(due_at=timezone.now() - timedelta(seconds=1))
    waiting = Message.objects.filter(topic=topic, state="WAITING").order_by("pk").first()
    assert waiting is not None, f"no {topic} waits"
    message = deliver_message(message_id=waiting.pk)
    assert message is not None
    return message.state
