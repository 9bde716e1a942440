"""A payment becomes a purchase, and a purchase a message to the platform: once, however often it is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from django.db import transaction

from accounts.models import Listener
from billing.models import BillingEvent
from downloads.items import NotForSale, item_for_sale
from downloads.models import Purchase, Refund
from outbox.actions import Draft, send

TAKEN_BACK: Final = "purchase.refunded"


class NobodyKnown(LookupError):
    """No listener has this account id (yet); the event waits, and ends with a person."""


class TransactionTaken(ValueError):
    """The transaction stands for something else already; which is right, only a person can tell."""


@dataclass(frozen=True, kw_only=True)
class Order:
    """What a billing system says was paid for, by whom, when and where."""

    account_id: UUID
    transaction_id: str
    release_id: int
    track_id: int | None
    package_id: int
    retail_price: Decimal
    currency: str
    country: str
    postcode: str
    email: str
    paid_at: datetime


SAME = ("release_id", "track_id", "package_id", "retail_price", "currency", "country")


@transaction.atomic
def buy(order: Order) -> Purchase:
    """Keep the purchase and have the platform told of the sale. Twice is once: by its transaction id.

    What cannot be sold is kept as REFUSED, for the money to be given back; what was taken back before it came here is
    not sold at all. Raises NobodyKnown, TransactionTaken. (Download guide §3)
    """
    listener = Listener.objects.filter(pk=order.account_id).first()
    if listener is None:
        raise NobodyKnown(f"no listener has the account id {order.account_id}")
    Purchase.objects.bulk_create([purchase_of(order, listener)], ignore_conflicts=True)
    purchase = Purchase.objects.select_for_update().get(transaction_id=order.transaction_id)
    if purchase.listener_id != listener.pk or any(getattr(purchase, name) != getattr(order, name) for name in SAME):
        raise TransactionTaken(f"transaction {order.transaction_id} stands for another purchase already")
    if purchase.state == Purchase.State.PENDING and purchase.called_at is None:
        go_on_with(purchase)
    return purchase


def purchase_of(order: Order, listener: Listener) -> Purchase:
    """The order as a row, with the names of what it is of; REFUSED where it cannot be sold."""
    facts: dict[str, Any] = vars(order) | {"listener": listener}
    del facts["account_id"]
    if listener.closed_at is not None:
        return refused(facts, "the account is closed", 2002)
    try:
        item = item_for_sale(
            release_id=order.release_id, track_id=order.track_id, country=order.country, at=order.paid_at
        )
    except NotForSale as no:
        return refused(facts, no.detail, no.code)
    return Purchase(**facts, **vars(item))


def refused(facts: dict[str, Any], detail: str, code: int) -> Purchase:
    return Purchase(**facts, state=Purchase.State.REFUSED, detail=detail, platform_code=code)


def go_on_with(purchase: Purchase) -> None:
    """Have the platform told, unless the money has been given back meanwhile."""
    told = BillingEvent.objects.about(purchase.transaction_id).filter(type=TAKEN_BACK)
    back = next((event for event in told if is_of(purchase, event.data)), None)
    if back is None:
        send(delivery_of(purchase))
        return
    Purchase.objects.filter(pk=purchase.pk).update(state=Purchase.State.REFUNDED)
    Refund.objects.create(
        purchase=purchase,
        state=Refund.State.DONE,
        reason="by the billing system",
        asked_at=back.received_at,
        settled_at=back.received_at,
        detail="taken back before it was sold: the platform was never told",
    )


def is_of(purchase: Purchase, data: Mapping[str, Any]) -> bool:
    """Whether a refund names what was bought: the track, or the release where it was bought whole."""
    if data.get("track_id") is not None:
        return bool(data["track_id"] == purchase.track_id)
    return purchase.track_id is None and bool(data.get("release_id") == purchase.release_id)


def delivery_of(purchase: Purchase) -> Draft:
    """The message that tells the platform of the sale: one for each time that somebody wanted it sold."""
    return Draft(
        topic="purchase.deliver",
        key=f"{purchase.pk}/{purchase.round}",
        lane=lane_of(purchase),
        body={"purchase_id": str(purchase.pk), "round": purchase.round},
    )


def lane_of(purchase: Purchase) -> str:
    """A purchase's own: no sale waits for another, and a refund for its sale alone."""
    return f"purchase {purchase.pk}"
