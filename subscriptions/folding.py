"""From everything billing ever said about a subscription to what is true of it. Pure.

Each event is a snapshot, so the latest one by (event time, event id) is the truth, in whatever
order they arrived.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from django.utils.dateparse import parse_datetime


class Status(StrEnum):
    """A subscription's state."""

    TRIALING = "TRIALING"
    ACTIVE = "ACTIVE"
    GRACE = "GRACE"
    PAUSED = "PAUSED"
    CANCELLING = "CANCELLING"
    EXPIRED = "EXPIRED"
    REFUNDED = "REFUNDED"


@dataclass(frozen=True, kw_only=True)
class Fact:
    """One event, as far as folding is concerned."""

    event_id: str
    occurred_at: datetime
    data: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Folded:
    """What is true of one subscription. Entitled in `[starts_at, entitled_until)`, UTC."""

    account_id: str
    plan_code: str
    status: Status
    currency: str
    recurring_fee: int
    country: str
    postcode: str
    activated_at: datetime
    starts_at: datetime
    trial_ends_at: datetime | None
    expires_at: datetime
    entitled_until: datetime
    cancel_at_period_end: bool
    as_of: datetime


def fold(facts: Sequence[Fact]) -> Folded:
    """The truth after all `facts` (at least one).

    The account of the earliest one owns the subscription; facts in another account's name are passed over.
    """
    in_order = sorted(facts, key=lambda fact: (fact.occurred_at, fact.event_id))
    owner = in_order[0].data["account_id"]
    latest = [fact for fact in in_order if fact.data["account_id"] == owner][-1]
    data = latest.data
    starts_at, expires_at = time(data["current_period_start"]), time(data["expires_at"])
    trial_ends_at = time(data["trial_ends_at"]) if data.get("trial_ends_at") else None
    status, runs_on = read_status(data, as_of=latest.occurred_at, trial_ends_at=trial_ends_at)
    entitled_until = expires_at if runs_on else min(expires_at, latest.occurred_at)
    return Folded(
        account_id=owner,
        plan_code=data["plan_code"],
        status=status,
        currency=data["currency"],
        recurring_fee=data["recurring_fee"],
        country=data["country"],
        postcode=data.get("postcode") or "",
        activated_at=time(data["activated_at"]),
        starts_at=starts_at,
        trial_ends_at=trial_ends_at,
        expires_at=expires_at,
        entitled_until=max(entitled_until, starts_at),
        cancel_at_period_end=bool(data.get("cancel_at_period_end")),
        as_of=latest.occurred_at,
    )


def read_status(data: dict[str, Any], *, as_of: datetime, trial_ends_at: datetime | None) -> tuple[Status, bool]:
    """Our state for billing's word, and whether the right runs on to the period's end.

    What is paid runs on: past due and paused end with their period, `cancelled` too when it says
    "at period end". A cancellation without that, an expiry and a refund end it at the event.
    """
    ending = bool(data.get("cancel_at_period_end"))
    match data["status"]:
        case "active" if ending:
            return Status.CANCELLING, True
        case "active":
            return (Status.TRIALING if trial_ends_at and trial_ends_at > as_of else Status.ACTIVE), True
        case "past_due":
            return Status.GRACE, True
        case "paused":
            return Status.PAUSED, True
        case "cancelled" if ending:
            return Status.CANCELLING, True
        case "refunded":
            return Status.REFUNDED, False
        case _:
            return Status.EXPIRED, False


def time(text: str) -> datetime:
    """A time as its door has cleaned it."""
    moment = parse_datetime(text)
    if moment is None:
        raise ValueError("not a time")
    return moment
