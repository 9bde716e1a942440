"""Google's answer about a subscription's purchase, in our own words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final
from uuid import UUID

from kernel.money import minor_units
from kernel.values import SANE_YEARS, is_country, is_currency, rfc3339
from web.params import instant_of

RECOVERED, PURCHASED, REVOKED = 1, 4, 12  # kinds of notification that tell more than the answer does

WORDS: Final = {
    "SUBSCRIPTION_STATE_ACTIVE": "active",
    "SUBSCRIPTION_STATE_CANCELED": "cancelled",
    "SUBSCRIPTION_STATE_IN_GRACE_PERIOD": "past_due",
    "SUBSCRIPTION_STATE_ON_HOLD": "on_hold",
    "SUBSCRIPTION_STATE_PAUSED": "paused",
    "SUBSCRIPTION_STATE_EXPIRED": "expired",
}
UNBORN: Final = {"SUBSCRIPTION_STATE_PENDING", "SUBSCRIPTION_STATE_PENDING_PURCHASE_CANCELED"}
NAME: Final = re.compile(r"\A[!-~]{1,100}\Z")


class Unreadable(ValueError):
    """Google's answer is not of the shape it ought to have; the event waits."""


def is_unborn(answer: Mapping[str, Any]) -> bool:
    """Whether nothing has been paid yet: there is no subscription to speak of."""
    state = answer.get("subscriptionState")
    return isinstance(state, str) and state in UNBORN


def is_replaced(answer: Mapping[str, Any]) -> bool:
    """Whether another purchase has taken this one's place, and speaks for the subscription."""
    return "replacementCancellation" in part(answer, "canceledStateContext")


def snapshot(
    answer: Mapping[str, Any], *, external_id: str, happened_at: datetime, kind: int, voided: bool, is_first: bool
) -> dict[str, Any]:
    """The state of the subscription as Google tells it. Raises Unreadable.

    Google does not tell when the present period began. It is known for a purchase, and for what has come
    back from hold or pause; what `is_first` to be heard of begins with its purchase.
    """
    state = answer.get("subscriptionState")
    status = WORDS.get(state) if isinstance(state, str) else None
    if status is None:
        raise Unreadable("subscriptionState is unknown")
    item = line_item(answer)
    began, ends = instant(answer, "startTime"), instant(item, "expiryTime")
    if ends <= began:
        raise Unreadable("expiryTime must lie after startTime")
    renews = part(item, "autoRenewingPlan").get("autoRenewEnabled") is True
    told = {
        "external_id": external_id,
        "product": product(item),
        "status": status,
        "activated_at": rfc3339(began),
        "trial_ends_at": rfc3339(ends) if "freeTrial" in part(item, "offerPhase") else None,
        "expires_at": rfc3339(ends),
        "cancel_at_period_end": status == "cancelled" or (status in {"active", "past_due"} and not renews),
    }
    told |= owner(answer) | price(item)
    if kind == RECOVERED and began < happened_at < ends:
        told["current_period_start"] = rfc3339(happened_at)
    elif kind == PURCHASED or is_first:
        told["current_period_start"] = rfc3339(began)
    if is_country(answer.get("regionCode")):
        told["country"] = answer["regionCode"]
    if status == "past_due":
        told["grace_until"] = rfc3339(ends)  # Google moves the expiry while it bears with a payment
    if status == "expired" and (voided or kind == REVOKED):
        told |= {"status": "refunded" if voided else "expired", "revokes": True}
    return told


def line_item(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    """What was bought; of several items the one that lasts longest. Raises Unreadable."""
    items = answer.get("lineItems")
    if not isinstance(items, list) or not items or not all(isinstance(item, dict) for item in items):
        raise Unreadable("lineItems must name what was bought")
    found: Mapping[str, Any] = max(items, key=lambda item: instant(item, "expiryTime"))
    return found


def product(item: Mapping[str, Any]) -> str:
    """`google:<product>:<base plan>`, as far as the item tells. Raises Unreadable."""
    names = [item.get("productId"), part(item, "offerDetails").get("basePlanId")]
    told = [name for name in names if name is not None]
    if names[0] is None or not all(isinstance(name, str) and NAME.match(name) for name in told):
        raise Unreadable("productId is missing or malformed")
    return ":".join(["google", *told])


def owner(answer: Mapping[str, Any]) -> dict[str, Any]:
    """Whose it is, where the app said so when it was bought. Raises Unreadable."""
    account = part(answer, "externalAccountIdentifiers").get("obfuscatedExternalAccountId")
    if not account:
        return {}
    try:
        return {"account_id": str(UUID(account))}
    except (ValueError, AttributeError, TypeError):
        raise Unreadable("obfuscatedExternalAccountId must be a UUID") from None


def price(item: Mapping[str, Any]) -> dict[str, Any]:
    """What a period costs when it renews. Raises Unreadable."""
    money = part(part(item, "autoRenewingPlan"), "recurringPrice")
    if not money:
        return {}
    currency = money.get("currencyCode")
    if not isinstance(currency, str) or not is_currency(currency):
        raise Unreadable("currencyCode must be an ISO 4217 code in upper case")
    try:
        amount = Decimal(money.get("units", 0)) + Decimal(money.get("nanos", 0)).scaleb(-9)
        return {"currency": currency, "recurring_fee": minor_units(amount, currency)}
    except (ValueError, TypeError, InvalidOperation) as error:
        raise Unreadable(f"recurringPrice: {error}") from None


def instant(holder: Mapping[str, Any], member: str) -> datetime:
    """A time of Google's, of a sane year. Raises Unreadable."""
    moment = instant_of(holder.get(member))
    if moment is None or moment.year not in SANE_YEARS:
        raise Unreadable(f"{member} must be an RFC 3339 time with its offset, of the years 2000 to 2100")
    return moment


def part(holder: Mapping[str, Any], member: str) -> Mapping[str, Any]:
    """An object inside; empty where it is missing. Raises Unreadable."""
    value = holder.get(member)
    if value is not None and not isinstance(value, dict):
        raise Unreadable(f"{member} must be a JSON object")
    return value or {}
