"""Stripe, played: the events of a subscription's life in the shape of its API of 2025 and later, in test mode."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, Final

from django.conf import settings
from stripe import WebhookSignature

from billing.simulators import Signed
from kernel.values import add_months

API_VERSION: Final = "2026-10-28.clover"
PRICES: Final = {"price_premium": 999, "price_family": 1499}

Event = tuple[str, datetime, dict[str, Any]]
Story = Callable[["Shop"], Iterator[Event]]


def events(scenario: str, account_id: str, now: datetime) -> Iterator[Signed]:
    """A story that ends at `now`. Raises LookupError for what Stripe does not have."""
    seed = sha256(f"{scenario} {account_id} {now.isoformat()}".encode()).hexdigest()[:24]
    story = STORIES[scenario](Shop(account_id=account_id, now=now, seed=seed))
    return (signed(envelope(f"evt_{seed}{number:02}", *event)) for number, event in enumerate(story))


def envelope(event_id: str, type_: str, at: datetime, thing: dict[str, Any]) -> bytes:
    document = {
        "id": event_id,
        "object": "event",
        "api_version": API_VERSION,
        "created": seconds(at),
        "data": {"object": thing},
        "livemode": False,
        "pending_webhooks": 1,
        "request": {"id": None, "idempotency_key": None},
        "type": type_,
    }
    return json.dumps(document, indent=2).encode()  # Stripe signs its bodies with line ends and all


def signed(body: bytes) -> Signed:
    secret = settings.BILLING_STRIPE_SECRETS[0]
    signature = WebhookSignature.generate_signature_header(body.decode(), secret)
    return Signed(body=body, headers={"Content-Type": "application/json", "Stripe-Signature": signature})


def seconds(moment: datetime) -> int:
    return int(moment.timestamp())


@dataclass(kw_only=True)
class Shop:
    """One subscription at Stripe, as it stands while its story is told."""

    account_id: str
    now: datetime
    seed: str
    thing: dict[str, Any] = field(default_factory=dict)

    def months_ago(self, months: int = 1, **later: int) -> datetime:
        return add_months(self.now, -months) - timedelta(**later)

    def opens(self, at: datetime, *, trial_days: int = 0) -> Iterator[Event]:
        """A subscription begins, with a trial or with a first payment."""
        trial_end = at + timedelta(days=trial_days) if trial_days else None
        self.thing = {
            "id": f"sub_{self.seed}",
            "object": "subscription",
            "billing_cycle_anchor": seconds(trial_end or at),
            "cancel_at": None,
            "cancel_at_period_end": False,
            "canceled_at": None,
            "collection_method": "charge_automatically",
            "created": seconds(at),
            "currency": "gbp",
            "customer": f"cus_{self.seed}",
            "default_payment_method": f"pm_{self.seed}",
            "discounts": [],
            "ended_at": None,
            "items": {"object": "list", "data": [self.item("price_premium")], "has_more": False, "total_count": 1},
            "latest_invoice": f"in_{self.seed}",
            "livemode": False,
            "metadata": {"account_id": self.account_id},
            "pause_collection": None,
            "start_date": seconds(at),
            "status": "trialing" if trial_days else "incomplete",
            "trial_end": trial_end and seconds(trial_end),
            "trial_start": seconds(at) if trial_days else None,
        }
        self.runs(at, trial_end)
        yield self.tells("created", at)
        if not trial_days:
            yield self.tells("updated", at, status="active")
            yield from self.pays(at)

    def item(self, price: str) -> dict[str, Any]:
        return {
            "id": f"si_{self.seed}",
            "object": "subscription_item",
            "metadata": {},
            "price": {
                "id": price,
                "object": "price",
                "billing_scheme": "per_unit",
                "currency": "gbp",
                "product": f"prod_{price.removeprefix('price_')}",
                "recurring": {"interval": "month", "interval_count": 1, "usage_type": "licensed"},
                "type": "recurring",
                "unit_amount": PRICES[price],
                "unit_amount_decimal": str(PRICES[price]),
            },
            "quantity": 1,
            "subscription": f"sub_{self.seed}",
        }

    def runs(self, start: datetime, end: datetime | None = None) -> None:
        """A period begins; a month of it, where no end is said."""
        bounds = {"current_period_start": seconds(start), "current_period_end": seconds(end or add_months(start, 1))}
        self.thing["items"]["data"][0] |= bounds

    def sells(self, price: str) -> None:
        """The price changes; the period stays."""
        item = self.thing["items"]["data"][0]
        item |= {name: value for name, value in self.item(price).items() if name == "price"}

    def tells(self, what: str, at: datetime, **changes: Any) -> Event:
        """The subscription, changed so, in an event."""
        self.thing |= changes
        return f"customer.subscription.{what}", at, json.loads(json.dumps(self.thing))

    def pays(self, at: datetime) -> Iterator[Event]:
        """The invoice of the present period, and what it was paid with."""
        invoice, item = f"in_{self.seed}", self.thing["items"]["data"][0]
        period = {"start": item["current_period_start"], "end": item["current_period_end"]}
        details = {"metadata": self.thing["metadata"], "subscription": self.thing["id"]}
        yield (
            "invoice_payment.paid",
            at,
            {
                "id": f"inpay_{self.seed}",
                "object": "invoice_payment",
                "amount_paid": item["price"]["unit_amount"],
                "invoice": invoice,
                "payment": {"payment_intent": f"pi_{self.seed}", "type": "payment_intent"},
                "status": "paid",
            },
        )
        yield (
            "invoice.paid",
            at,
            {
                "id": invoice,
                "object": "invoice",
                "amount_paid": item["price"]["unit_amount"],
                "currency": "gbp",
                "lines": {
                    "object": "list",
                    "data": [{"id": f"il_{self.seed}", "object": "line_item", "period": period}],
                },
                "parent": {"quote_details": None, "subscription_details": details, "type": "subscription_details"},
                "status": "paid",
            },
        )


def subscribe(shop: Shop) -> Iterator[Event]:
    yield from shop.opens(shop.now)
    yield (
        "checkout.session.completed",
        shop.now,
        {
            "id": f"cs_{shop.seed}",
            "object": "checkout.session",
            "client_reference_id": shop.account_id,
            "mode": "subscription",
            "payment_status": "paid",
            "status": "complete",
            "subscription": shop.thing["id"],
        },
    )


def trial_to_paid(shop: Shop) -> Iterator[Event]:
    yield from shop.opens(shop.now - timedelta(days=7), trial_days=7)
    yield shop.tells("trial_will_end", shop.now - timedelta(days=3))
    shop.runs(shop.now)
    yield shop.tells("updated", shop.now, status="active")


def renew(shop: Shop) -> Iterator[Event]:
    yield from shop.opens(shop.months_ago())
    shop.runs(shop.now)
    yield shop.tells("updated", shop.now)


def cancel_at_end(shop: Shop) -> Iterator[Event]:
    yield from shop.opens(shop.now - timedelta(days=10))
    yield shop.tells("updated", shop.now, cancel_at_period_end=True, canceled_at=seconds(shop.now))


def cancel_now(shop: Shop) -> Iterator[Event]:
    yield from shop.opens(shop.now - timedelta(days=10))
    over = seconds(shop.now)
    yield shop.tells("deleted", shop.now, status="canceled", canceled_at=over, ended_at=over)


def uncancel(shop: Shop) -> Iterator[Event]:
    yield from shop.opens(shop.now - timedelta(days=10))
    yield shop.tells("updated", shop.now - timedelta(days=1), cancel_at_period_end=True)
    yield shop.tells("updated", shop.now, cancel_at_period_end=False)


def grace_and_recover(shop: Shop) -> Iterator[Event]:
    yield from unpaid_for(shop, days=2)
    yield shop.tells("updated", shop.now, status="active")


def hold_and_expire(shop: Shop) -> Iterator[Event]:
    yield from unpaid_for(shop, days=21)
    yield shop.tells("updated", shop.now - timedelta(days=7), status="unpaid")
    yield shop.tells("deleted", shop.now, status="canceled", ended_at=seconds(shop.now))


def unpaid_for(shop: Shop, *, days: int) -> Iterator[Event]:
    """A renewal that came to nothing, so many days ago."""
    yield from shop.opens(shop.months_ago(days=days))
    renewal = shop.now - timedelta(days=days)
    shop.runs(renewal)
    yield shop.tells("updated", renewal)
    failed = renewal + timedelta(hours=1)
    yield "invoice.payment_failed", failed, {"id": f"in_{shop.seed}", "object": "invoice", "status": "open"}
    yield shop.tells("updated", failed, status="past_due")


def pause_and_resume(shop: Shop) -> Iterator[Event]:
    yield from shop.opens(shop.now - timedelta(days=20))
    paused = {"behavior": "void", "resumes_at": None}
    yield shop.tells("updated", shop.now - timedelta(days=10), pause_collection=paused)
    yield shop.tells("updated", shop.now, pause_collection=None)


def upgrade(shop: Shop) -> Iterator[Event]:
    """In the middle of a period, at once."""
    yield from shop.opens(shop.now - timedelta(days=10))
    shop.sells("price_family")
    yield shop.tells("updated", shop.now)


def downgrade(shop: Shop) -> Iterator[Event]:
    """With the period that begins now."""
    yield from shop.opens(shop.months_ago())
    shop.sells("price_family")
    yield shop.tells("updated", shop.months_ago() + timedelta(hours=1))
    shop.sells("price_premium")
    shop.runs(shop.now)
    yield shop.tells("updated", shop.now)


def refund(shop: Shop) -> Iterator[Event]:
    yield from shop.opens(shop.now - timedelta(days=5))
    yield (
        "charge.refunded",
        shop.now,
        {
            "id": f"ch_{shop.seed}",
            "object": "charge",
            "amount": PRICES["price_premium"],
            "amount_refunded": PRICES["price_premium"],
            "currency": "gbp",
            "metadata": {},
            "payment_intent": f"pi_{shop.seed}",
            "refunded": True,
        },
    )


STORIES: Final[dict[str, Story]] = {
    story.__name__: story
    for story in (
        subscribe, trial_to_paid, renew, cancel_at_end, cancel_now, uncancel, grace_and_recover, hold_and_expire,
        pause_and_resume, upgrade, downgrade, refund,
    )
}  # fmt: skip
