"""From everything billing ever said about a subscription to what is true of it. Pure.

Events are taken in the order (event time, event id), whatever the order in which they arrived.
Each may tell everything anew, or only what has changed: what it leaves out stays as it was.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from django.utils.dateparse import parse_datetime

from subscriptions.timeline import News, Period, Terms, last_stretch, timeline


class Status(StrEnum):
    """A subscription's state."""

    TRIALING = "TRIALING"
    ACTIVE = "ACTIVE"
    GRACE = "GRACE"
    ON_HOLD = "ON_HOLD"
    PAUSED = "PAUSED"
    CANCELLING = "CANCELLING"
    EXPIRED = "EXPIRED"
    REFUNDED = "REFUNDED"


class NothingKnown(ValueError):
    """No event so far says enough: whose it is, on which plan, from when to when."""


@dataclass(frozen=True, kw_only=True)
class Fact:
    """One event, as far as folding is concerned."""

    event_id: str
    occurred_at: datetime
    data: dict[str, Any]


class Told(NamedTuple):
    """A fact, and all that is known once it is."""

    fact: Fact
    known: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Folded:
    """What is true of one subscription. Entitled in `[entitled_from, entitled_until)`, UTC; `periods` is the history.

    `plan` is a plan code, or `provider:product` where billing knows the plan by that.
    """

    account_id: str
    plan: str
    status: Status
    currency: str
    recurring_fee: int | None
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
    periods: tuple[Period, ...]


NEEDED = ("account_id", "plan", "status", "activated_at", "current_period_start", "expires_at")


def fold(facts: Sequence[Fact]) -> Folded:
    """The truth after all `facts` (at least one). Raises NothingKnown."""
    told = list(tell(facts))
    if not told:
        raise NothingKnown("no event says whose subscription it is, on which plan, from when to when")
    fact, known = told[-1]
    periods = timeline(map(news_of, told))
    starts_at = time(known["current_period_start"])
    entitled_from, entitled_until = last_stretch(periods) or (starts_at, starts_at)
    return Folded(
        account_id=known["account_id"],
        plan=known["plan"],
        status=standing(known, as_of=fact.occurred_at)[0],
        currency=known.get("currency") or "",
        recurring_fee=known.get("recurring_fee"),
        country=known.get("country") or "",
        postcode=known.get("postcode") or "",
        activated_at=min(time(known["activated_at"]), starts_at),
        starts_at=starts_at,
        trial_ends_at=trial_end(known),
        expires_at=max(time(known["expires_at"]), entitled_until),
        entitled_from=entitled_from,
        entitled_until=entitled_until,
        cancel_at_period_end=bool(known.get("cancel_at_period_end")),
        as_of=fact.occurred_at,
        periods=periods,
    )


def tell(facts: Sequence[Fact]) -> Iterator[Told]:
    """The facts in their order, from where enough is known.

    The account that the earliest names owns the subscription until a fact with `transferred_to`
    hands it over; facts in another account's name are passed over.
    """
    known: dict[str, Any] = {}
    for fact in sorted(facts, key=lambda fact: (fact.occurred_at, fact.event_id)):
        owner = known.get("account_id")
        if owner is not None and fact.data.get("account_id") not in {owner, None}:
            continue
        known = merged(known, fact.data)
        if all(known.get(name) is not None for name in NEEDED):
            yield Told(fact, known)


def merged(known: Mapping[str, Any], news: Mapping[str, Any]) -> dict[str, Any]:
    """What is known, with what the news say of it. A grace or a loss is of its own event alone.

    Where nobody says when the subscription began, because it is older than our acquaintance, the first
    period we hear of does.
    """
    lasting = {name: value for name, value in known.items() if name not in {"grace_until", "revokes"}}
    plan = news.get("plan_code") or news.get("product") or known.get("plan")
    owner = news.get("transferred_to") or news.get("account_id") or known.get("account_id")
    began = news.get("activated_at") or known.get("activated_at") or news.get("current_period_start")
    said = {name: value for name, value in news.items() if value is not None or name in NULLABLE}
    return lasting | said | {"plan": plan, "account_id": owner, "activated_at": began}


NULLABLE = {"trial_ends_at", "postcode"}  # members whose null says that there is none


def news_of(told: Told) -> News:
    """A fact as the timeline takes it."""
    fact, known = told
    status, ends_at = standing(known, as_of=fact.occurred_at)
    trial = trial_end(known)
    earlier = Status.TRIALING if trial and trial > time(known["current_period_start"]) else Status.ACTIVE
    return News(
        told_at=fact.occurred_at,
        starts_at=time(known["current_period_start"]),
        ends_at=ends_at,
        terms=terms_of(known, status),
        before=terms_of(known, earlier),
    )


def terms_of(known: Mapping[str, Any], status: Status) -> Terms:
    return Terms(
        account_id=known["account_id"],
        plan=known["plan"],
        status=status,
        currency=known.get("currency") or "",
        recurring_fee=known.get("recurring_fee"),
        country=known.get("country") or "",
    )


def standing(known: Mapping[str, Any], *, as_of: datetime) -> tuple[Status, datetime]:
    """Our state for billing's word, and until when the right runs on.

    What is paid runs on: paused ends with its period, `cancelled` too when it says "at period end",
    past due with the grace that billing gives, or its period. A hold, a cancellation at once, an
    expiry, a refund and whatever `revokes` end it at the event.
    """
    expiry, ending = time(known["expires_at"]), bool(known.get("cancel_at_period_end"))
    at_once = min(expiry, as_of)
    trial = trial_end(known)
    match known["status"]:
        case "refunded":
            return Status.REFUNDED, at_once
        case _ if known.get("revokes"):
            return Status.EXPIRED, at_once
        case "active" if ending:
            return Status.CANCELLING, expiry
        case "active":
            return (Status.TRIALING if trial and trial > as_of else Status.ACTIVE), expiry
        case "past_due":
            return Status.GRACE, time(known["grace_until"]) if known.get("grace_until") else expiry
        case "on_hold":
            return Status.ON_HOLD, at_once
        case "paused":
            return Status.PAUSED, expiry
        case "cancelled" if ending:
            return Status.CANCELLING, expiry
        case _:
            return Status.EXPIRED, at_once


def trial_end(known: Mapping[str, Any]) -> datetime | None:
    return time(known["trial_ends_at"]) if known.get("trial_ends_at") else None


def time(text: str) -> datetime:
    """A time as its door has cleaned it."""
    moment = parse_datetime(text)
    if moment is None:
        raise ValueError("not a time")
    return moment
