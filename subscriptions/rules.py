"""The platform's date rules for a subscription (Streaming guide §2.2), pure.

One validator serves the API's dry run, and what is about to be sent. Every broken rule is named,
with the offending field and the nearest value that would satisfy that rule alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from kernel.values import add_months

START_WITHIN: Final = timedelta(days=1)  # of now, on either side: the guide's words allow both readings
TRIAL_WITHIN: Final = timedelta(days=100)  # of the period's start
SECOND: Final = timedelta(seconds=1)  # the finest step the platform's dates have

CLOCK_MARGIN: Final = timedelta(seconds=5)  # an activation lies so far in the past when sent: clocks differ
LATE_MARGIN: Final = timedelta(minutes=5)  # and a start so far inside the day, since a call takes time


@dataclass(frozen=True, kw_only=True)
class Terms:
    """The dates of one window as the platform would be told. All in UTC; `trial` is the plan's property."""

    trial: bool
    activated_at: datetime
    starts_at: datetime
    trial_ends_at: datetime | None
    expires_at: datetime


def terms_in(given: Mapping[str, Any], *, trial: bool) -> Terms:
    """Dates under the API's names, as phones, billing and staff give them."""
    return Terms(
        trial=trial,
        activated_at=given["activated_at"],
        starts_at=given["current_period_start"],
        trial_ends_at=given.get("trial_ends_at"),
        expires_at=given["expires_at"],
    )


@dataclass(frozen=True, kw_only=True)
class Broken:
    """One broken rule. `field` is the API's name; `nearest` is None where leaving the field out would pass,
    or where no single date is nearest."""

    rule: str
    field: str
    detail: str
    nearest: datetime | None = None


def broken(terms: Terms, *, now: datetime) -> list[Broken]:
    """Every rule the platform would refuse `terms` for at `now`; empty when it would take them."""
    return [*broken_start(terms, now=now), *broken_trial(terms), *broken_expiry(terms)]


def broken_start(terms: Terms, *, now: datetime) -> Iterator[Broken]:
    """R1 to R3: the first activation and the period's start."""
    if terms.activated_at > now:
        yield Broken(
            rule="activated_in_future",
            field="activated_at",
            detail="the first activation must be now or earlier",
            nearest=now,
        )
    if not now - START_WITHIN <= terms.starts_at <= now + START_WITHIN:
        yield Broken(
            rule="start_over_a_day_from_now",
            field="current_period_start",
            detail="the period must start within one day of now",
            nearest=min(max(terms.starts_at, now - START_WITHIN + LATE_MARGIN), now + START_WITHIN - LATE_MARGIN),
        )
    if terms.starts_at < terms.activated_at:
        yield Broken(
            rule="start_before_activation",
            field="current_period_start",
            detail="the period cannot start before the first activation",
            nearest=terms.activated_at,
        )


def broken_trial(terms: Terms) -> Iterator[Broken]:
    """R4 and R5: the trial's end."""
    field = "trial_ends_at"
    if not terms.trial:
        if terms.trial_ends_at is not None:
            yield Broken(rule="trial_end_not_allowed", field=field, detail="only a trial plan has a trial end")
    elif terms.trial_ends_at is None:
        yield Broken(rule="trial_end_missing", field=field, detail="a trial plan needs its trial end")
    elif terms.trial_ends_at <= terms.starts_at:
        yield Broken(
            rule="trial_end_not_after_start",
            field=field,
            detail="the trial must end after the period's start",
            nearest=terms.starts_at + SECOND,
        )
    elif terms.trial_ends_at > terms.starts_at + TRIAL_WITHIN:
        yield Broken(
            rule="trial_over_100_days",
            field=field,
            detail="a trial may last 100 days from the period's start",
            nearest=terms.starts_at + TRIAL_WITHIN,
        )


def broken_expiry(terms: Terms) -> Iterator[Broken]:
    """R6 to R9: the window's end. A trial longer than a month lifts the month and fixes the end."""
    field, month_end = "expires_at", add_months(terms.starts_at, 1)
    trial_end = terms.trial_ends_at if terms.trial else None
    if terms.expires_at <= terms.starts_at:
        yield Broken(
            rule="expiry_not_after_start",
            field=field,
            detail="the window must end after it starts",
            nearest=terms.starts_at + SECOND,
        )
    if trial_end is not None and trial_end > month_end:
        if terms.expires_at != trial_end:
            yield Broken(
                rule="expiry_not_trial_end",
                field=field,
                detail="a trial of more than a month must expire exactly when it ends",
                nearest=trial_end,
            )
        return
    if terms.expires_at > month_end:
        yield Broken(
            rule="expiry_over_a_month",
            field=field,
            detail="the window may last one calendar month",
            nearest=month_end,
        )
    if trial_end is not None and terms.expires_at < trial_end:
        yield Broken(
            rule="expiry_before_trial_end",
            field=field,
            detail="the window cannot end before the trial does",
            nearest=trial_end,
        )


def window_at(terms: Terms, at: datetime) -> Terms:
    """The stretch of a period that holds `at`, as the platform takes it in one piece.

    Months are counted from the period's start, never chained: from 31 January they end on 28 February
    and on 31 March. Of a month that began on a shorter month's last day, what is more than a month after
    that, from 28 to 31 March, is a bridge of its own. A trial of more than a month is one piece, of 100 days
    at the most, and what follows counts from its end.
    """
    anchor, trial_end = terms.starts_at, terms.trial_ends_at
    if terms.trial and trial_end is not None and trial_end > add_months(anchor, 1):
        end = min(trial_end, anchor + TRIAL_WITHIN)
        if at < end:
            return replace(terms, trial_ends_at=end, expires_at=end)
        return window_at(replace(terms, starts_at=end), at)
    month = max((at.year - anchor.year) * 12 + at.month - anchor.month, 0)
    while month > 0 and add_months(anchor, month) > at:
        month -= 1
    begin, end = add_months(anchor, month), add_months(anchor, month + 1)
    bridge = add_months(begin, 1)  # the month's end, unless it began on a day brought forward
    begin, end = (begin, bridge) if at < bridge else (bridge, end)
    return replace(terms, starts_at=begin, expires_at=min(terms.expires_at, end))


def on_the_wire(window: Terms, *, now: datetime) -> Terms:
    """A window as it can be sent at `now`.

    Billing speaks late: a start more than a day ago is moved to just inside the day, while our
    ledger keeps the true one. Whole seconds. The activation lies behind the platform's clock; a start need
    not, and stays, so that the stretch ends where the next one begins.
    """
    latest = (now - CLOCK_MARGIN).replace(microsecond=0)
    earliest = (now - START_WITHIN + LATE_MARGIN).replace(microsecond=0)
    starts_at = max(window.starts_at.replace(microsecond=0), earliest)
    trial_ends_at = window.trial_ends_at and window.trial_ends_at.replace(microsecond=0)
    if window.trial and trial_ends_at is not None:
        trial_ends_at = max(trial_ends_at, starts_at + SECOND)  # a trial that is over by now; its plan still wants one
    return replace(
        window,
        activated_at=min(window.activated_at.replace(microsecond=0), latest, starts_at),
        starts_at=starts_at,
        trial_ends_at=trial_ends_at,
        expires_at=window.expires_at.replace(microsecond=0),
    )
