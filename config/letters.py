"""What the demonstration's billing system says."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from kernel.values import rfc3339

COUNTRY: Final = "GB"
PLAN: Final = "premium-unlimited-streaming"


def subscription_event(*, account_id: str, external_id: str, now: datetime) -> dict[str, Any]:
    """What a billing system says of four weeks that begin now."""
    now = now.replace(microsecond=0)
    data = {
        "account_id": account_id,
        "external_id": external_id,
        "plan_code": PLAN,
        "status": "active",
        "currency": "GBP",
        "recurring_fee": 999,
        "country": COUNTRY,
        "activated_at": rfc3339(now),
        "current_period_start": rfc3339(now),
        "expires_at": rfc3339(now + timedelta(days=28)),
        "cancel_at_period_end": False,
    }
    return {"type": "subscription.updated", "timestamp": rfc3339(now), "data": data}


def purchase_event(
    *, account_id: str, transaction_id: str, release_id: int, price: str, now: datetime
) -> dict[str, Any]:
    """What a billing system says of a release that was paid for just now."""
    data = {
        "account_id": account_id,
        "transaction_id": transaction_id,
        "release_id": release_id,
        "retail_price": price,
        "currency": "GBP",
        "country": COUNTRY,
    }
    return {"type": "purchase.paid", "timestamp": rfc3339(now), "data": data}
