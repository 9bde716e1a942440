"""RevenueCat, played: the events of a subscription from a store's sandbox."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, Final
from uuid import UUID

from django.conf import settings

from billing.simulators import Signed
from kernel.values import add_months

PRICES: Final = {"premium_monthly": 9.99, "family_monthly": 14.99}
GRACE: Final = timedelta(days=16)

Event = dict[str, Any]
Story = Callable[["Store"], Iterator[Event]]


def events(scenario: str, account_id: str, now: datetime) -> Iterator[Signed]:
    """A story that ends at `now`. Raises LookupError for what RevenueCat does not have."""
    seed = sha256(f"{scenario} {account_id} {now.isoformat()}".encode()).digest()
    story = STORIES[scenario](Store(account_id=account_id, now=now, transaction=str(int.from_bytes(seed[:6]))))
    return (signed(event | {"id": str(UUID(bytes=seed[:15] + bytes([number])))}) for number, event in enumerate(story))


def signed(event: Event) -> Signed:
    body = json.dumps({"api_version": "1.0", "event": event}).encode()
    headers = {"Content-Type": "application/json", "Authorization": settings.BILLING_REVENUECAT_SECRETS[0]}
    return Signed(body=body, headers=headers)


def millis(moment: datetime) -> int:
    return (moment.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


@dataclass(kw_only=True)
class Store:
    """One subscription in a store, as it stands while its story is told."""

    account_id: str
    now: datetime
    transaction: str
    product: str = "premium_monthly"
    period_type: str = "NORMAL"
    start: datetime = datetime(1970, 1, 1, tzinfo=UTC)
    end: datetime = datetime(1970, 1, 1, tzinfo=UTC)

    def months_ago(self, months: int = 1, **later: int) -> datetime:
        return add_months(self.now, -months) - timedelta(**later)

    def sells(self, at: datetime, *, until: datetime | None = None) -> None:
        """A period begins; a month of it, where no end is said."""
        self.start, self.end = at, until or add_months(at, 1)

    def tells(self, type_: str, at: datetime, **more: Any) -> Event:
        """An event of the subscription as it is. Only a sale says what was paid."""
        sale = type_ in {"INITIAL_PURCHASE", "RENEWAL"} and self.period_type != "TRIAL"
        price = PRICES[self.product] if sale else 0
        return {
            "aliases": [self.account_id],
            "app_id": "app1a2b3c4d",
            "app_user_id": self.account_id,
            "commission_percentage": 0.15,
            "country_code": "GB",
            "currency": "GBP",
            "entitlement_ids": ["premium"],
            "environment": "SANDBOX",
            "event_timestamp_ms": millis(at),
            "expiration_at_ms": millis(self.end),
            "is_family_share": False,
            "offer_code": None,
            "original_app_user_id": self.account_id,
            "original_transaction_id": self.transaction,
            "period_type": self.period_type,
            "presented_offering_id": None,
            "price": price,
            "price_in_purchased_currency": price,
            "product_id": self.product,
            "purchased_at_ms": millis(self.start),
            "store": "APP_STORE",
            "subscriber_attributes": {},
            "takehome_percentage": 0.85,
            "tax_percentage": 0.1667,
            "transaction_id": self.transaction,
            "type": type_,
        } | more

    def opens(self, at: datetime) -> Event:
        self.sells(at)
        return self.tells("INITIAL_PURCHASE", at)

    def renews(self, at: datetime) -> Event:
        self.sells(at)
        return self.tells("RENEWAL", at, is_trial_conversion=False)


def subscribe(store: Store) -> Iterator[Event]:
    yield store.opens(store.now)


def trial_to_paid(store: Store) -> Iterator[Event]:
    began = store.now - timedelta(days=7)
    store.period_type = "TRIAL"
    store.sells(began, until=store.now)
    yield store.tells("INITIAL_PURCHASE", began)
    store.period_type = "NORMAL"
    yield store.renews(store.now) | {"is_trial_conversion": True}


def renew(store: Store) -> Iterator[Event]:
    yield store.opens(store.months_ago())
    yield store.renews(store.now)


def cancel_at_end(store: Store) -> Iterator[Event]:
    yield store.opens(store.now - timedelta(days=10))
    yield store.tells("CANCELLATION", store.now, cancel_reason="UNSUBSCRIBE")


def cancel_now(store: Store) -> Iterator[Event]:
    yield store.opens(store.now - timedelta(days=10))
    store.end = store.now
    yield store.tells("CANCELLATION", store.now, cancel_reason="DEVELOPER_INITIATED")
    yield store.tells("EXPIRATION", store.now, expiration_reason="DEVELOPER_INITIATED")


def uncancel(store: Store) -> Iterator[Event]:
    yield store.opens(store.now - timedelta(days=10))
    yield store.tells("CANCELLATION", store.now - timedelta(days=1), cancel_reason="UNSUBSCRIBE")
    yield store.tells("UNCANCELLATION", store.now)


def grace_and_recover(store: Store) -> Iterator[Event]:
    yield from unpaid_for(store, days=2, grace=GRACE)
    yield store.renews(store.now)


def hold_and_expire(store: Store) -> Iterator[Event]:
    yield from unpaid_for(store, days=21)
    yield store.tells("EXPIRATION", store.now, expiration_reason="BILLING_ERROR")


def unpaid_for(store: Store, *, days: int, grace: timedelta | None = None) -> Iterator[Event]:
    """A renewal that came to nothing, so many days ago."""
    yield store.opens(store.months_ago(days=days))
    borne = millis(store.end + grace) if grace else None
    yield store.tells("BILLING_ISSUE", store.end, grace_period_expiration_at_ms=borne)
    yield store.tells("CANCELLATION", store.end, cancel_reason="BILLING_ERROR")


def pause_and_resume(store: Store) -> Iterator[Event]:
    yield store.opens(store.months_ago(days=14))
    resumes = millis(store.now)
    yield store.tells("SUBSCRIPTION_PAUSED", store.end - timedelta(days=5), auto_resume_at_ms=resumes)
    yield store.tells("EXPIRATION", store.end, expiration_reason="SUBSCRIPTION_PAUSED")
    yield store.renews(store.now)


def upgrade(store: Store) -> Iterator[Event]:
    """In the middle of a period: a new one begins at once."""
    yield store.opens(store.now - timedelta(days=10))
    yield store.tells("PRODUCT_CHANGE", store.now, new_product_id="family_monthly")
    store.product = "family_monthly"
    yield store.renews(store.now)


def downgrade(store: Store) -> Iterator[Event]:
    """With the period that begins now."""
    store.product = "family_monthly"
    yield store.opens(store.months_ago())
    yield store.tells("PRODUCT_CHANGE", store.now - timedelta(days=3), new_product_id="premium_monthly")
    store.product = "premium_monthly"
    yield store.renews(store.now)


def refund(store: Store) -> Iterator[Event]:
    yield store.opens(store.now - timedelta(days=5))
    back = -PRICES[store.product]
    prices = {"price": back, "price_in_purchased_currency": back}
    yield store.tells("CANCELLATION", store.now, cancel_reason="CUSTOMER_SUPPORT", **prices)


def transfer(store: Store) -> Iterator[Event]:
    """To a customer who has not signed in yet."""
    yield store.opens(store.now - timedelta(days=5))
    yield {
        "app_id": "app1a2b3c4d",
        "environment": "SANDBOX",
        "event_timestamp_ms": millis(store.now),
        "store": "APP_STORE",
        "transferred_from": [store.account_id],
        "transferred_to": ["$RCAnonymousID:87c6049c58069238dce29853916d624c"],
        "type": "TRANSFER",
    }


STORIES: Final[dict[str, Story]] = {
    story.__name__: story
    for story in (
        subscribe, trial_to_paid, renew, cancel_at_end, cancel_now, uncancel, grace_and_recover, hold_and_expire,
        pause_and_resume, upgrade, downgrade, refund, transfer,
    )
}  # fmt: skip
