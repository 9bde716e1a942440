"""What billing itself does with an event: a refund is traced to the subscription it paid for."""

from __future__ import annotations

from typing import Any

from django.utils.dateparse import parse_datetime
from rest_framework import serializers

from billing.actions import Letter, store_letter
from billing.models import BillingEvent
from billing.providers import stripe
from billing.registry import Happened, on_billing


class NothingPaid(LookupError):
    """No invoice that was kept tells what the charge paid for (yet); the event waits, and ends with a person."""


class RefundedCharge(serializers.Serializer[Any]):
    """The data of Stripe's refund, as its door reads it."""

    id = serializers.CharField()


@on_billing("stripe.refund", shape=RefundedCharge, subject="id")
def charge_refunded(event: Happened) -> None:
    """Take back what the charge paid for, unless that has run out. Raises NothingPaid."""
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
