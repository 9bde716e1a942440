"""RevenueCat: one schema for the events of several stores, proved by a shared value in a header.

An event is no snapshot: what it does not tell is left out, and what was known before stands.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from hmac import compare_digest
from typing import Any, Final

from billing.actions import Letter
from billing.models import BillingEvent
from billing.providers.reading import Notice, Told, account, box, currency, instant, read_letter, text
from billing.providers.standard import Forged
from kernel.money import DIGITS, LIMIT, minor_units
from kernel.values import MILLISECOND, rfc3339

PROVIDER: Final = "revenuecat"
ENVIRONMENTS: Final = {"PRODUCTION", "SANDBOX"}


def prove(*, authorization: str, secrets: Sequence[str]) -> None:
    """Raises Forged unless the header's value is one of our secrets, to the letter."""
    if not any(compare_digest(authorization.encode(), secret.encode()) for secret in secrets):
        raise Forged("the Authorization header is not the value that was agreed")


def read(*, body: bytes, now: datetime, tests_count: bool) -> Letter:
    """The proven bytes as a letter."""
    return read_letter(
        provider=PROVIDER, body=body, now=now, tests_count=tests_count, opened=opened, understood=understood
    )


def opened(document: Any) -> Notice:
    """The envelope. Raises ValueError naming what is wrong. A TRANSFER tells no environment."""
    event = box(document, "event")
    type_ = text(event, "type", longest=128)
    environment = text(event, "environment") if "environment" in event or type_ != "TRANSFER" else "PRODUCTION"
    if environment not in ENVIRONMENTS:
        raise ValueError("environment must be PRODUCTION or SANDBOX")
    return Notice(
        event_id=text(event, "id", longest=240),
        type=type_,
        occurred_at=instant(event, "event_timestamp_ms", unit=MILLISECOND),
        test=environment == "SANDBOX",
        content=event,
    )


def understood(notice: Notice) -> Told | None:
    """What the event tells of its subscription; None for one that changes no right.

    A PRODUCT_CHANGE is such a one: it may lie ahead, and what takes its place comes as a RENEWAL.
    """
    if notice.type == "TRANSFER":
        return transferred(notice.content)
    tell = KINDS.get(notice.type)
    told = tell(notice.content) if tell else None
    if told is None:
        return None
    external_id = text(notice.content, "original_transaction_id")
    return Told(subject=external_id, data={"external_id": external_id} | whose(notice.content) | told)


def transferred(event: Mapping[str, Any]) -> Told:
    """Purchases went from one customer to another; which, the event does not say.

    From listener to listener it can be found out; for what has to do with anybody else a person must look.
    """
    givers, takers = listeners(event.get("transferred_from")), listeners(event.get("transferred_to"))
    if givers and len(takers) == 1 and takers[0] not in givers:
        return Told(type="revenuecat.transfer", data={"given_up_by": givers, "account_id": takers[0]})
    return Told(
        type="revenuecat.transfer",
        state=BillingEvent.State.DEAD,
        error="purchases were moved, but not from listener to listener; look them up at RevenueCat",
    )


def listeners(names: object) -> list[str]:
    """Those of a customer's names that can be a listener's id."""
    found = [account(name) for name in names] if isinstance(names, list) else []
    return sorted({one["account_id"] for one in found if one})


def whose(event: Mapping[str, Any]) -> dict[str, Any]:
    """The listener, also where RevenueCat made up an id before they signed in."""
    aliases = event.get("aliases")
    others = aliases if isinstance(aliases, list) else []
    return account(event.get("app_user_id"), event.get("original_app_user_id"), *others)


# --- kinds of events -----------------------------------------------------------------------------------

Members = Mapping[str, Any]


def bought(event: Members) -> dict[str, Any]:
    """The first purchase, perhaps a trial."""
    period = running(event)
    trial_ends_at = period["expires_at"] if event.get("period_type") == "TRIAL" else None
    return sold(event) | {"activated_at": period["current_period_start"], "trial_ends_at": trial_ends_at}


def sold(event: Members) -> dict[str, Any]:
    """A period that was paid for. Other events name prices, too, but not always what the listener pays."""
    return renewing(event) | money(event)


def renewing(event: Members) -> dict[str, Any]:
    """It runs, and will be renewed."""
    return running(event) | {"status": "active", "cancel_at_period_end": False}


def extended(event: Members) -> dict[str, Any]:
    """It runs longer; whether it will be renewed then is not told."""
    return running(event) | {"status": "active"}


def cancelled(event: Members) -> dict[str, Any] | None:
    """Given back, or not to be renewed. None for what was bought for ever, and for a failed payment.

    The latter comes as a BILLING_ISSUE as well, which tells until when it is borne with.
    """
    reason = event.get("cancel_reason")
    if event.get("expiration_at_ms") is None or reason == "BILLING_ERROR":
        return None
    if reason == "CUSTOMER_SUPPORT":
        return {"status": "refunded", "revokes": True}
    return running(event) | {"status": "active", "cancel_at_period_end": True}


def unpaid(event: Members) -> dict[str, Any]:
    """A payment failed; without a period of grace the right ends with what was paid."""
    told = running(event) | {"status": "past_due"}
    if event.get("grace_period_expiration_at_ms") is None:
        return told
    return told | {"grace_until": rfc3339(instant(event, "grace_period_expiration_at_ms", unit=MILLISECOND))}


def to_be_paused(event: Members) -> dict[str, Any]:
    """It will rest after this period; that the pause has begun is told by its expiration."""
    return running(event) | {"status": "paused"}


def over(event: Members) -> dict[str, Any]:
    """The right has ended, for good or for a pause."""
    status = "paused" if event.get("expiration_reason") == "SUBSCRIPTION_PAUSED" else "expired"
    return running(event) | {"status": status, "cancel_at_period_end": False}


KINDS: Final[dict[str, Callable[[Members], dict[str, Any] | None]]] = {
    "INITIAL_PURCHASE": bought,
    "RENEWAL": sold,
    "UNCANCELLATION": renewing,
    "REFUND_REVERSED": extended,
    "SUBSCRIPTION_EXTENDED": extended,
    "CANCELLATION": cancelled,
    "BILLING_ISSUE": unpaid,
    "SUBSCRIPTION_PAUSED": to_be_paused,
    "EXPIRATION": over,
}


def running(event: Members) -> dict[str, Any]:
    """Product and period. Raises ValueError."""
    start = instant(event, "purchased_at_ms", unit=MILLISECOND)
    end = instant(event, "expiration_at_ms", unit=MILLISECOND)
    if end <= start:
        raise ValueError("expiration_at_ms must lie after purchased_at_ms")
    return {
        "product": f"{PROVIDER}:{text(event, 'product_id', longest=200)}",
        "current_period_start": rfc3339(start),
        "expires_at": rfc3339(end),
    }


def money(event: Members) -> dict[str, Any]:
    """Currency and fee; neither where no price is told."""
    price = event.get("price_in_purchased_currency")
    if price is None:
        return {}
    if isinstance(price, bool) or not isinstance(price, int | float):
        raise ValueError("price_in_purchased_currency must be a number")
    if not 0 <= price <= LIMIT:
        raise ValueError("price_in_purchased_currency is negative or too large")
    code = currency(event)
    amount = round(Decimal(str(price)), DIGITS.get(code, 2))  # prices are floats: 9.99 may come as 9.990000000000001
    return {"currency": code, "recurring_fee": minor_units(amount, code)}
