"""Subscriptions: the platform is told of each period that our billing has sold."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from massivemusic import instants
from massivemusic.answers import Answer
from massivemusic.client import Client
from massivemusic.errors import NotAvailable, NotFound, Unreadable

_PATH: Final = "/user/unlimitedStreaming"


@dataclass(frozen=True, kw_only=True)
class SubscriptionTerms:
    """One period of a subscription, at most a month long (Streaming guide §2.2).

    Instants are aware and in UTC on the wire, to the second. `activated_at` is the first activation
    of any subscription, `starts_at` that of this period. `recurring_fee` is in minor units of
    `currency` (ISO 4217), 0 on a voucher. `trial_ends_at` is given on trial plans and on no other.
    """

    plan_code: str
    recurring_fee: int
    currency: str
    country: str
    activated_at: datetime
    starts_at: datetime
    expires_at: datetime
    trial_ends_at: datetime | None = None
    postcode: str | None = None


@dataclass(frozen=True, kw_only=True)
class SubscriptionStatus:
    """What the platform holds: the plan's level (`premium`, …) and the end of the period (UTC)."""

    level: str
    expires_at: datetime


def create_subscription(client: Client, *, user_id: str, terms: SubscriptionTerms) -> SubscriptionStatus:
    """Begin, renew or change a listener's subscription; there is one call for all ("Create a subscription").

    The same terms twice end in the same state. Raises ParameterInvalid for a broken date rule,
    NotFound for an unknown listener, ValueError for a naive instant.
    """
    status = _status(client.call("POST", _PATH, form={"userId": user_id, **_on_the_wire(terms)}))
    if status is None:
        raise Unreadable("the answer names no subscription")
    return status


def read_subscription(client: Client, *, user_id: str, country: str) -> SubscriptionStatus | None:
    """What the platform holds for a listener, lapsed or not; None when it says there is nothing."""
    try:
        answer = client.call("GET", _PATH, query={"userId": user_id, "country": country})
    except (NotFound, NotAvailable):
        return None
    if not answer.body:
        raise Unreadable("an empty answer says nothing", status=answer.status)
    return _status(answer)


def _on_the_wire(terms: SubscriptionTerms) -> dict[str, str | int]:
    fields: dict[str, str | int] = {
        "planCode": terms.plan_code,
        "status": "active",  # the only word the guide allows
        "currency": terms.currency,
        "recurringFee": terms.recurring_fee,
        "country": terms.country,
        "activatedAt": instants.written(terms.activated_at),
        "currentPeriodStartDate": instants.written(terms.starts_at),
        "expiryDate": instants.written(terms.expires_at),
    }
    if terms.trial_ends_at is not None:
        fields["trialEndsAt"] = instants.written(terms.trial_ends_at)
    if terms.postcode is not None:
        fields["postcode"] = terms.postcode
    return fields


def _status(answer: Answer) -> SubscriptionStatus | None:
    """The answer's `streaming`; None without one. Raises Unreadable when it is there and incomplete."""
    if answer.at("streaming") is None:
        return None
    level = answer.at("streaming", "level")
    try:
        expires_at = instants.read(answer.at("streaming", "expiryDate"))
    except ValueError:
        expires_at = None
    if not isinstance(level, str) or expires_at is None:
        raise Unreadable("the answer names no level or no expiry", status=answer.status)
    return SubscriptionStatus(level=level, expires_at=expires_at)
