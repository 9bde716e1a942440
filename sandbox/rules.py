"""The date rules of a subscription, one name each ("Create a subscription"). Pure.

R1 to R8 are the documentation's; R9 (a period has some length) goes without saying there.
"""

from __future__ import annotations

import calendar
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

DAY = timedelta(days=1)
LONGEST_TRIAL = timedelta(days=100)


@dataclass(frozen=True, kw_only=True)
class Terms:
    """The dates of one submitted period, all in UTC. `trial_plan`: its plan code is a trial's."""

    activated_at: datetime
    starts_at: datetime
    expires_at: datetime
    trial_ends_at: datetime | None
    trial_plan: bool


@dataclass(frozen=True, kw_only=True)
class Broken:
    """One rule that does not hold: its number, the field to blame in the platform's spelling, and why."""

    rule: str
    field: str
    reason: str


def broken(terms: Terms, *, now: datetime, past_side: bool = True) -> list[Broken]:
    """Every rule that `terms` break at the instant `now`; an empty list is a yes.

    R2 says "no more than 1 day from now" and can be read two ways: with `past_side` the start
    may lie at most a day back as well, without it only the future is limited (our choice: both).
    """
    return [*_start_rules(terms, now, past_side), *_trial_rules(terms), *_expiry_rules(terms)]


def one_month_after(start: datetime) -> datetime:
    """Same day and time next month, or that month's last day where it has no such day (our choice)."""
    year, month = start.year + start.month // 12, start.month % 12 + 1
    return start.replace(year=year, month=month, day=min(start.day, calendar.monthrange(year, month)[1]))


def _start_rules(terms: Terms, now: datetime, past_side: bool) -> Iterator[Broken]:
    if terms.activated_at > now:
        yield Broken(rule="R1", field="activatedAt", reason="must be now or earlier")
    if terms.starts_at - now > DAY or (past_side and now - terms.starts_at > DAY):
        yield Broken(rule="R2", field="currentPeriodStartDate", reason="must be no more than 1 day from now")
    if terms.starts_at < terms.activated_at:
        reason = "must be the same as or later than activatedAt"
        yield Broken(rule="R3", field="currentPeriodStartDate", reason=reason)


def _trial_rules(terms: Terms) -> Iterator[Broken]:
    if terms.trial_plan != (terms.trial_ends_at is not None):
        reason = "is required for a trial plan" if terms.trial_plan else "is only for trial plans"
        yield Broken(rule="R4", field="trialEndsAt", reason=reason)
    if terms.trial_ends_at and not terms.starts_at < terms.trial_ends_at <= terms.starts_at + LONGEST_TRIAL:
        reason = "must be later than currentPeriodStartDate, by no more than 100 days"
        yield Broken(rule="R5", field="trialEndsAt", reason=reason)


def _expiry_rules(terms: Terms) -> Iterator[Broken]:
    month_end = one_month_after(terms.starts_at)
    trial_end = terms.trial_ends_at
    if trial_end and trial_end > month_end:
        if terms.expires_at != trial_end:
            reason = "must equal trialEndsAt when the trial is longer than 1 month"
            yield Broken(rule="R8", field="expiryDate", reason=reason)
    elif terms.expires_at > month_end:
        reason = "must be no more than 1 month from currentPeriodStartDate"
        yield Broken(rule="R6", field="expiryDate", reason=reason)
    elif trial_end and terms.expires_at < trial_end:
        yield Broken(rule="R7", field="expiryDate", reason="must be the same as or later than trialEndsAt")
    if terms.expires_at <= terms.starts_at:
        yield Broken(rule="R9", field="expiryDate", reason="must be later than currentPeriodStartDate")
