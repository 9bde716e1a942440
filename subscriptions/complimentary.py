"""Periods that the service gives away: a member of staff says so, as billing would, and all else follows from that."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.db.models import Max

from accounts.models import Listener, User
from billing.actions import Letter, take_letter
from billing.models import BillingEvent
from kernel.values import rfc3339
from subscriptions.models import Plan, Subscription

PROVIDER: Final = "staff"
PREFIX: Final = "complimentary-"  # of the external_id
MOST_DAYS: Final = 366


def free_from(listener: Listener, *, now: datetime) -> datetime:
    """When a gift can begin: now, or when the last right to stream ends that the listener already has."""
    running = Subscription.objects.lasting(now).filter(listener=listener)
    ends_at: datetime | None = running.aggregate(ends_at=Max("entitled_until"))["ends_at"]
    return ends_at or now.replace(microsecond=0)


def grant_period(
    *, listener: Listener, plan: Plan, days: int, reason: str, by: User, gift_id: UUID, now: datetime
) -> BillingEvent:
    """Let the listener stream on `plan` for so many days, for nothing, from `free_from` on.

    It is an event like those of billing systems: kept for ever with who gave it and why, folded into the ledger
    and told to the platform. The same `gift_id` twice is once.
    """
    starts_at = free_from(listener, now=now)
    ends_at = starts_at + timedelta(days=days)
    return say(
        event_id=f"{gift_id}",
        subject=f"{PREFIX}{gift_id}",
        data={
            "account_id": str(listener.pk),
            "plan_code": plan.code,
            "status": "active",
            "currency": plan.currency,
            "recurring_fee": 0,
            "activated_at": rfc3339(starts_at),
            "current_period_start": rfc3339(starts_at),
            "expires_at": rfc3339(ends_at),
            "cancel_at_period_end": True,
            "said_by": str(by.pk),
            "reason": reason,
        },
        now=now,
    )


def take_back(subscription: Subscription, *, by: User, now: datetime) -> BillingEvent:
    """End a gift at once. The same gift twice is once."""
    subject = subscription.external_id
    gone = {"status": "cancelled", "cancel_at_period_end": False, "said_by": str(by.pk)}
    return say(event_id=f"{subject}-end", subject=subject, data=gone, now=now)


def is_gift(subscription: Subscription) -> bool:
    return subscription.external_id.startswith(PREFIX)


def say(*, event_id: str, subject: str, data: dict[str, Any], now: datetime) -> BillingEvent:
    """Keep what staff said as an event, and act on it here and now."""
    return take_letter(
        Letter(
            provider=PROVIDER,
            event_id=event_id,
            type="subscription.updated",
            subject=subject,
            occurred_at=now,
            body=json.dumps(data).encode(),
            data=data | {"external_id": subject},
        )
    )
