"""Stripe: signed snapshots of its own objects, of every API version since 2020.

Most of what Stripe tells is told by the subscription itself, so that invoices are only kept. They are
needed when a charge is refunded, which names the subscription it paid for by way of them alone.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from stripe import SignatureVerificationError, WebhookSignature

from billing.actions import Letter
from billing.models import BillingEvent
from billing.providers.reading import (
    Notice,
    Told,
    account,
    box,
    boxes,
    currency,
    instant,
    read_letter,
    text,
    truth,
    whole,
)
from billing.providers.standard import Forged
from billing.providers.stripe_sales import minor, paid_checkout, paid_intent
from kernel.values import rfc3339

PROVIDER: Final = "stripe"
TOLERANCE: Final = 300  # seconds, on both sides

TIMESTAMP = re.compile(r"\At=([1-9][0-9]{0,11})\Z")
SIGNATURE = re.compile(r"\Av1=[0-9a-f]{64}\Z")

# A status that gives no right and never did is not listed as one: `incomplete`, `incomplete_expired`.
STATUSES: Final = {
    "trialing": "active",
    "active": "active",
    "past_due": "past_due",
    "unpaid": "on_hold",
    "canceled": "cancelled",
    "paused": "paused",
}
NEVER_PAID: Final = {"incomplete", "incomplete_expired"}


def prove(*, body: bytes, signature: str, secrets: Sequence[str]) -> None:
    """Raises Forged unless one of our secrets vouches for the raw bytes, at a time close to now.

    The library is lenient about the header's shape and about the future, so both are checked here first.
    """
    parts = signature.split(",")
    stamps = [part for part in parts if part.lstrip().startswith("t=")]
    signatures = [part for part in parts if SIGNATURE.match(part)]
    stamp = TIMESTAMP.match(stamps[0]) if len(stamps) == 1 else None
    if stamp is None or not signatures:
        raise Forged("the Stripe-Signature header is missing or malformed")
    if int(stamp[1]) > time.time() + TOLERANCE:
        raise Forged("the signature is of the future")
    for secret in secrets:
        try:
            WebhookSignature.verify_header(body, ",".join([stamp[0], *signatures]), secret, TOLERANCE)
        except (SignatureVerificationError, UnicodeDecodeError):
            continue
        return
    raise Forged("the signature does not hold")


def read(*, body: bytes, now: datetime, tests_count: bool, grace: timedelta) -> Letter:
    """The proven bytes as a letter. A payment that failed leaves the right on for `grace` after its period began."""

    def understood(notice: Notice) -> Told | None:
        if notice.type in SUBSCRIPTION_EVENTS:
            return subscription(notice.content, grace=grace)
        tell = OTHERS.get(notice.type)
        return tell(notice.content) if tell else None

    return read_letter(
        provider=PROVIDER, body=body, now=now, tests_count=tests_count, opened=opened, understood=understood
    )


def opened(document: Any) -> Notice:
    """The envelope. Raises ValueError naming what is wrong."""
    if not isinstance(document, dict) or document.get("object") != "event":
        raise ValueError("the body must be one of Stripe's snapshot events")
    return Notice(
        event_id=text(document, "id", longest=240),
        type=text(document, "type", longest=128),
        occurred_at=instant(document, "created"),
        test=not truth(document, "livemode"),
        content=box(box(document, "data"), "object"),
    )


# --- subscriptions -----------------------------------------------------------------------------------

SUBSCRIPTION_EVENTS: Final = {
    f"customer.subscription.{what}" for what in ("created", "updated", "deleted", "paused", "resumed", "trial_will_end")
}


def subscription(content: Mapping[str, Any], *, grace: timedelta) -> Told | None:
    """A subscription's snapshot; None for one that was never paid.

    While one is paused its periods go by unpaid, so they are left out: what was paid before stands.
    """
    status = text(content, "status")
    if status in NEVER_PAID:
        return None
    if status not in STATUSES:
        raise ValueError("status is none that Stripe has")
    external_id, item = text(content, "id"), first_item(content)
    trial_end = optional_instant(content, "trial_end")
    data: dict[str, Any] = {
        "external_id": external_id,
        "status": "paused" if is_paused(content) else STATUSES[status],
        "activated_at": rfc3339(instant(content, "start_date")),
        "trial_ends_at": rfc3339(trial_end) if trial_end else None,
    }
    data |= account(metadata(content).get("account_id")) | price(content, item)
    if data["status"] != "paused":
        data |= period(content, item, grace=grace)
    return Told(subject=external_id, data=data)


def is_paused(content: Mapping[str, Any]) -> bool:
    """Whether nothing is collected, by Stripe's own state or by the older switch that leaves it active."""
    switch = content.get("pause_collection")
    return content["status"] == "paused" or (content["status"] in {"active", "trialing"} and switch is not None)


def first_item(content: Mapping[str, Any]) -> Mapping[str, Any]:
    """The item the subscription was made with; what was added to it gives no right of its own."""
    items = boxes(box(content, "items"), "data")
    if not items:
        raise ValueError("items must hold an item")
    return items[0]


def price(content: Mapping[str, Any], item: Mapping[str, Any]) -> dict[str, Any]:
    """Product, currency and fee. The fee is the list price, before coupons; a price in tiers tells none."""
    priced, code = box(item, "price"), currency(content)
    told = {"product": f"{PROVIDER}:{text(priced, 'id', longest=200)}", "currency": code}
    if priced.get("unit_amount") is None:
        return told
    quantity = 1 if item.get("quantity") is None else whole(item, "quantity")
    return told | {"recurring_fee": minor(whole(priced, "unit_amount") * quantity, code)}


def period(content: Mapping[str, Any], item: Mapping[str, Any], *, grace: timedelta) -> dict[str, Any]:
    """When the period runs, whether the last one, and until when an unpaid one is borne with.

    Since 2025 the period stands with the item. A cancellation may name a time of its own.
    """
    dated = item if "current_period_start" in item else content
    start, end = instant(dated, "current_period_start"), instant(dated, "current_period_end")
    cancelled = optional_instant(content, "cancel_at")
    if cancelled and start < cancelled < end:
        end = cancelled
    if not instant(content, "start_date") <= start < end:
        raise ValueError("start_date, current_period_start and current_period_end must follow each other")
    ending = truth(content, "cancel_at_period_end") or (cancelled is not None and start < cancelled <= end)
    told = {
        "current_period_start": rfc3339(start),
        "expires_at": rfc3339(end),
        "cancel_at_period_end": ending and content["status"] != "canceled",
    }
    return told | {"grace_until": rfc3339(start + grace)} if content["status"] == "past_due" else told


def metadata(content: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the app that made the object wrote on it."""
    return box(content, "metadata") if content.get("metadata") is not None else {}


def optional_instant(content: Mapping[str, Any], name: str) -> datetime | None:
    return None if content.get(name) is None else instant(content, name)


# --- what subscriptions do not tell ------------------------------------------------------------------


def checkout(content: Mapping[str, Any]) -> Told | None:
    """What was bought, or whose subscription it is, where the page that sold it knew and the subscription does not."""
    if content.get("mode") == "payment":
        return paid_checkout(content)
    owner = account(metadata(content).get("account_id"), content.get("client_reference_id"))
    if content.get("mode") != "subscription" or not owner:
        return None
    external_id = text(content, "subscription")
    return Told(subject=external_id, data={"external_id": external_id} | owner)


def paid_invoice(content: Mapping[str, Any]) -> Told | None:
    """Which subscription an invoice was for, and until when; kept for a refund."""
    parent = box(content, "parent") if content.get("parent") is not None else {}
    told = box(parent, "subscription_details") if parent.get("type") == "subscription_details" else content
    if told.get("subscription") is None:
        return None
    ends = [instant(box(line, "period"), "end") for line in boxes(box(content, "lines"), "data")]
    return Told(
        type="stripe.invoice",
        subject=text(content, "id"),
        data={"external_id": text(told, "subscription"), "paid_until": rfc3339(max(ends)) if ends else None},
        state=BillingEvent.State.IGNORED,
    )


def paid_with(content: Mapping[str, Any]) -> Told | None:
    """Which payment an invoice was paid with; kept for a refund, since invoices do not tell any more."""
    payment = box(content, "payment")
    if payment.get("type") != "payment_intent":
        return None
    return Told(
        type="stripe.payment",
        subject=text(payment, "payment_intent"),
        data={"invoice": text(content, "invoice")},
        state=BillingEvent.State.IGNORED,
    )


def refunded_charge(content: Mapping[str, Any]) -> Told | None:
    """A charge that was wholly given back; one given back in part is a courtesy and takes no right away."""
    if not truth(content, "refunded"):
        return None
    named = {name: content[name] for name in ("invoice", "payment_intent") if content.get(name) is not None}
    if not named:
        return None
    return Told(type="stripe.refund", subject=text(content, "id"), data={name: text(named, name) for name in named})


OTHERS: Final[dict[str, Callable[[Mapping[str, Any]], Told | None]]] = {
    "checkout.session.completed": checkout,
    "checkout.session.async_payment_succeeded": checkout,
    "payment_intent.succeeded": paid_intent,
    "invoice.paid": paid_invoice,
    "invoice_payment.paid": paid_with,
    "charge.refunded": refunded_charge,
}
