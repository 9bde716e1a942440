"""What billing itself does with an event: a refund is traced to the subscription it paid for."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.utils.dateparse import parse_datetime
from rest_framework import serializers

from billing.actions import Letter, store_letter
from billing.models import BillingEvent
from billing.providers import stripe
from billing.providers.stripe_sales import SALE, kept_sale
from billing.registry import Happened, on_billing, reader_of


class NothingPaid(LookupError):
    """No invoice that was kept tells what the charge paid for (yet); the event waits, and ends with a person."""


class RefundedCharge(serializers.Serializer[Any]):
    """The data of Stripe's refund, as its door reads it."""

    id = serializers.CharField()


@on_billing("stripe.refund", shape=RefundedCharge, subject="id")
def charge_refunded(event: Happened) -> None:
    """Take back what the charge paid for: what was bought, or the period unless it has run out. Raises NothingPaid."""
    if (sale := kept_sale(event.data.get("payment_intent", ""))) is not None:
        take_back(sale, event)
        return
    invoice = kept("stripe.invoice", event.data.get("invoice") or invoice_of(event.data["payment_intent"]))
    paid_until = parse_datetime(invoice["paid_until"] or "")
    if paid_until is not None and paid_until <= event.occurred_at:
        return
    store_letter(
        Letter(
            provider=stripe.PROVIDER,
            event_id=f"{event.event_id}-refund",
            type="subscription.updated",
            subject=invoice["external_id"],
            occurred_at=event.occurred_at,
            body=b"",
            data={"external_id": invoice["external_id"], "status": "refunded", "revokes": True},
        )
    )


class PaidFor(serializers.Serializer[Any]):
    """The data of a one-off payment, as its door reads it."""

    items = serializers.ListField()


@on_billing(SALE, shape=PaidFor, subject="id")
def payment_succeeded(event: Happened) -> None:
    """Tell of each thing that was bought: in a basket each is a transaction of its own."""
    common = {name: value for name, value in event.data.items() if name != "items"}
    for named, item in transactions(event.subject, event.data["items"]):
        tell_purchase("purchase.paid", f"{event.event_id}-{named}", named, event.occurred_at, common | item)


def take_back(sale: BillingEvent, event: Happened) -> None:
    """The whole charge was given back, and with it everything that it paid for."""
    for named, item in transactions(sale.subject, sale.data["items"]):
        what = {name: item.get(name) for name in ("release_id", "track_id")}
        tell_purchase("purchase.refunded", f"{event.event_id}-{named}", named, event.occurred_at, what)


def transactions(payment: str, items: list[dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each thing of a payment with its transaction id: the payment's own, numbered where there are several."""
    for number, item in enumerate(items, start=1):
        yield payment if len(items) == 1 else f"{payment}/{number}", item


def tell_purchase(type_: str, event_id: str, transaction_id: str, at: datetime, data: dict[str, Any]) -> None:
    """A letter of our own, read as strictly as one of a billing system's. Raises ValidationError."""
    reader = reader_of(type_)
    if reader is None:
        raise LookupError(f"nobody handles {type_}")
    shape = reader.shape(data=data | {"transaction_id": transaction_id})
    shape.is_valid(raise_exception=True)
    store_letter(
        Letter(
            provider=stripe.PROVIDER,
            event_id=event_id,
            type=type_,
            subject=transaction_id,
            occurred_at=at,
            body=b"",
            data=dict(shape.data),
        )
    )


def invoice_of(payment_intent: str) -> str:
    """The invoice a payment went to."""
    return str(kept("stripe.payment", payment_intent)["invoice"])


def kept(type_: str, subject: str) -> dict[str, Any]:
    """What an earlier event told about a thing of Stripe's."""
    found = BillingEvent.objects.filter(provider=stripe.PROVIDER, type=type_, subject=subject).order_by("pk").first()
    if found is None:
        raise NothingPaid(f"no {type_} is known that this charge paid for")
    data: dict[str, Any] = found.data
    return data
