"""What the letters of billing systems say of people, for the packages that know whose they are."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import connection
from django.db.models import Q, QuerySet
from django.db.models.fields.json import KT

from billing.models import BillingEvent

TELLING: Final = ("provider", "event_id", "type", "occurred_at", "received_at", "data", "state")
# What is told of an event is what its door read; the letter itself goes, and of its data what names the payer.
PAYER: Final = ("email", "postcode", "post_code")
FORGET: Final = """
    UPDATE billing_billingevent SET body = '', data = data - %(payer)s::text[] WHERE id = ANY (%(events)s)
"""

UNREAD_KEPT: Final = timedelta(days=90)  # time enough to find out that a kind of letter should have been read


def told_of(events: QuerySet[BillingEvent]) -> QuerySet[BillingEvent, dict[str, Any]]:
    """The events as they stand in a listener's export, in the order in which things happened."""
    told: QuerySet[BillingEvent, dict[str, Any]] = events.order_by("occurred_at", "event_id").values(*TELLING)
    return told


def trail_of(subjects: Collection[str]) -> set[int]:
    """Letters of Stripe that name no payer, but belong to one: the invoices of these subscriptions, what each was paid
    with, and the refunds of those payments or of these."""
    invoices = naming("stripe.invoice", "external_id", subjects)
    payments = naming("stripe.payment", "invoice", invoices.values())
    refunds = naming("stripe.refund", "invoice", invoices.values())
    refunds |= naming("stripe.refund", "payment_intent", {*subjects, *payments.values()})
    return {*invoices, *payments, *refunds}


def naming(kind: str, member: str, subjects: Collection[str]) -> dict[int, str]:
    """The events of a type whose data names one of these, and what each is about."""
    named = BillingEvent.objects.annotate(named=KT(f"data__{member}")).filter(type=kind, named__in=list(subjects))
    return dict(named.values_list("pk", "subject"))


def forget_letters(events: QuerySet[BillingEvent]) -> None:
    """Take the raw letters and the payers' addresses away; an event that is being handled is left for the next time."""
    telling = events.filter(~Q(body=b"") | Q(data__has_any_keys=PAYER)).select_for_update(skip_locked=True)
    with connection.cursor() as cursor:
        cursor.execute(FORGET, {"events": list(telling.values_list("pk", flat=True)), "payer": list(PAYER)})


def forget_unread_letters(*, now: datetime) -> int:
    """Empty old letters of kinds that nobody here reads: whom they name nobody could find in them. How many.

    That they came is kept for ever, so that a copy is still known as one; so is what a door read for a later refund.
    """
    unread = BillingEvent.objects.filter(state=BillingEvent.State.IGNORED).exclude(body=b"")
    return unread.filter(received_at__lt=now - UNREAD_KEPT).update(body=b"")
