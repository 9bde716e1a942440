"""The platform's date rules for a subscription (Streaming guide §2.2), pure.

One validator serves the API's dry run, and what is about to be sent. Every broken rule is named,
with the offending field and the nearest value that would satisfy that rule alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from kernel.values import add_months

START_WITHIN: Final = timedelta(days=1)  # of now, on either side: the guide's words allow both readings
TRIAL_WITHIN: Final = timedelta(days=100)  # of the period's start
SECOND: Final = timedelta(seconds=1)  # the finest step the platform's dates have

CLOCK_MARGIN: Final = timedelta(seconds=5)  # sent times lie so far in the past: clocks differ
LATE_MARGIN: Final = timedelta(minutes=5)  # and so far inside the day, since a call takes time


@dataclass(frozen=True, kw_only=True)
class Terms:
    """The dates of one window as the platform would be told. All in UTC; `trial` is the plan's property."""

    trial: bool
    activated_at: datetime
    starts_at: datetime
    trial_ends_at: datetime | None
    expires_at: datetime


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


def first_window(terms: Terms) -> Terms:
    """The first stretch of a period that the platform takes in one piece: at most a month, or a whole long trial."""
    return window_at(terms, terms.starts_at)


def window_at(terms: Terms, at: datetime) -> Terms:
    """The stretch of a period that holds `at`, as the platform takes it in one piece.

    Months are counted from the period's start, never chained: from 31 January they end on 28 February
    and on 31 March. A trial of more than a month is one piece, and the months after it count from its end.
    """
    anchor = terms.starts_at
    if terms.trial and terms.trial_ends_at is not None and terms.trial_ends_at > add_months(anchor, 1):
        if at < terms.trial_ends_at:
            return replace(terms, expires_at=terms.trial_ends_at)
        anchor = terms.trial_ends_at
    month = max((at.year - anchor.year) * 12 + at.month - anchor.month, 0)
    while month > 0 and add_months(anchor, month) > at:
        month -= 1
    begin, end = add_months(anchor, month), add_months(anchor, month + 1)
    return replace(terms, starts_at=begin, expires_at=min(terms.expires_at, end))


def on_the_wire(terms: Terms, *, now: datetime) -> Terms:
    """`terms` as they can be sent at `now`.

    Billing speaks late: a start more than a day ago is moved to just inside the day, while our
    ledger keeps the true one. Whole seconds, and nothing claimed as now lies ahead of the platform's clock.
    """
    latest = (now - CLOCK_MARGIN).replace(microsecond=0)
    earliest = (now - START_WITHIN + LATE_MARGIN).replace(microsecond=0)
    starts_at = max(terms.starts_at.replace(microsecond=0), earliest)
    if terms.starts_at <= now:
        starts_at = min(starts_at, latest)
    trial_ends_at = terms.trial_ends_at and min(terms.trial_ends_at.replace(microsecond=0), starts_at + TRIAL_WITHIN)
    if terms.trial and trial_ends_at is not None:
        trial_ends_at = max(trial_ends_at, starts_at + SECOND)  # a trial that is over by now; its plan still wants one
    sent = replace(
        terms,
        activated_at=min(terms.activated_at.replace(microsecond=0), latest, starts_at),
        starts_at=starts_at,
        trial_ends_at=trial_ends_at,
        expires_at=terms.expires_at.replace(microsecond=0),
    )
    return first_window(sent)  # a start five seconds earlier ends its month five seconds earlier
