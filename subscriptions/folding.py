"""From everything billing ever said about a subscription to what is true of it. Pure.

Each event is a snapshot, so the latest one by (event time, event id) is the truth, in whatever
order they arrived.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from django.utils.dateparse import parse_datetime

AT_MOST_APART: Final = timedelta(days=1)  # a renewal that begins so soon after the period before continues it


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
    """What is true of one subscription. Entitled in `[entitled_from, entitled_until)`, UTC."""

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
    entitled_from: datetime
    entitled_until: datetime
    cancel_at_period_end: bool
    as_of: datetime


def fold(facts: Sequence[Fact]) -> Folded:
    """The truth after all `facts` (at least one).

    The account of the earliest one owns the subscription; facts in another account's name are passed over.
    """
    in_order = sorted(facts, key=lambda fact: (fact.occurred_at, fact.event_id))
    owner = in_order[0].data["account_id"]
    own = [fact for fact in in_order if fact.data["account_id"] == owner]
    latest, data = own[-1], own[-1].data
    status, _ = read_status(data, as_of=latest.occurred_at)
    entitled_from, entitled_until = right_after(own)
    return Folded(
        account_id=owner,
        plan_code=data["plan_code"],
        status=status,
        currency=data["currency"],
        recurring_fee=data["recurring_fee"],
        country=data["country"],
        postcode=data.get("postcode") or "",
        activated_at=time(data["activated_at"]),
        starts_at=time(data["current_period_start"]),
        trial_ends_at=trial_end(data),
        expires_at=time(data["expires_at"]),
        entitled_from=entitled_from,
        entitled_until=entitled_until,
        cancel_at_period_end=bool(data.get("cancel_at_period_end")),
        as_of=latest.occurred_at,
    )


def right_after(facts: Sequence[Fact]) -> tuple[datetime, datetime]:
    """The stretch in which one may stream, after all facts in their order.

    Billing tells of a renewal before it begins. Until then what was paid before still holds: the
    stretch is drawn out, where the new period follows within a day, instead of beginning anew.
    """
    began, ends = stretch_of(facts[0])
    ends = max(ends, began)
    for fact in facts[1:]:
        start, end = stretch_of(fact)
        if start <= fact.occurred_at or ends + AT_MOST_APART < start:
            began = start
        ends = max(end, began)
    return began, ends


def stretch_of(fact: Fact) -> tuple[datetime, datetime]:
    """From the period's start to where the right ends, which may lie before it."""
    expiry = time(fact.data["expires_at"])
    _, runs_on = read_status(fact.data, as_of=fact.occurred_at)
    return time(fact.data["current_period_start"]), expiry if runs_on else min(expiry, fact.occurred_at)


def trial_end(data: dict[str, Any]) -> datetime | None:
    return time(data["trial_ends_at"]) if data.get("trial_ends_at") else None


def read_status(data: dict[str, Any], *, as_of: datetime) -> tuple[Status, bool]:
    """Our state for billing's word, and whether the right runs on to the period's end.

    What is paid runs on: past due and paused end with their period, `cancelled` too when it says
    "at period end". A cancellation without that, an expiry and a refund end it at the event.
    """
    ending = bool(data.get("cancel_at_period_end"))
    trial_ends_at = trial_end(data)
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
