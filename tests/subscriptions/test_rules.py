"""The date rules against an oracle that knows no date arithmetic, only a table of days."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from subscriptions.rules import Terms, broken, first_window, on_the_wire

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
MONTHLY = Terms(
    trial=False, activated_at=NOW, starts_at=NOW, trial_ends_at=None, expires_at=datetime(2026, 2, 28, 12, tzinfo=UTC)
)
TRIAL = replace(MONTHLY, trial=True, trial_ends_at=NOW + timedelta(days=14))
CASES = 200_000 if os.environ.get("LONG") else 10_000

# --- The oracle: days counted one by one from a table of month lengths, times as seconds. ------------

LENGTHS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]


def is_leap(year: int) -> bool:
    return (year % 4 == 0 and year % 100 != 0) or year % 400 == 0


DAYS: list[tuple[int, int, int]] = [
    (year, month, day)
    for year in range(2019, 2036)
    for month in range(1, 13)
    for day in range(1, LENGTHS[month - 1] + 1 + (month == 2 and is_leap(year)))
]
NUMBER = {day: number for number, day in enumerate(DAYS)}


def seconds_of(moment: datetime) -> int:
    """Seconds since the table's first midnight."""
    clock = moment.hour * 3600 + moment.minute * 60 + moment.second
    return NUMBER[(moment.year, moment.month, moment.day)] * 86400 + clock


def month_later(moment: datetime) -> int:
    """The same day and time in the next month, stepping back from days it does not have."""
    year, month = (moment.year + 1, 1) if moment.month == 12 else (moment.year, moment.month + 1)
    day = moment.day
    while (year, month, day) not in NUMBER:
        day -= 1
    return NUMBER[(year, month, day)] * 86400 + seconds_of(moment) % 86400


def oracle(terms: Terms, now: datetime) -> set[str]:
    """The names of the rules that `terms` break, straight from the guide's sentences."""
    activated, start, expiry, today = map(seconds_of, (terms.activated_at, terms.starts_at, terms.expires_at, now))
    trial_end = None if terms.trial_ends_at is None else seconds_of(terms.trial_ends_at)
    found = {
        "activated_in_future": activated > today,
        "start_over_a_day_from_now": abs(start - today) > 86400,
        "start_before_activation": start < activated,
        "trial_end_missing": terms.trial and trial_end is None,
        "trial_end_not_allowed": not terms.trial and trial_end is not None,
        "trial_end_not_after_start": terms.trial and trial_end is not None and trial_end <= start,
        "trial_over_100_days": terms.trial and trial_end is not None and trial_end - start > 100 * 86400,
        "expiry_not_after_start": expiry <= start,
    }
    long_trial = terms.trial and trial_end is not None and trial_end > month_later(terms.starts_at)
    found["expiry_not_trial_end"] = long_trial and expiry != trial_end
    found["expiry_over_a_month"] = not long_trial and expiry > month_later(terms.starts_at)
    found["expiry_before_trial_end"] = not long_trial and terms.trial and trial_end is not None and expiry < trial_end
    return {name for name, holds in found.items() if holds}


MOMENTS = st.datetimes(datetime(2024, 1, 1), datetime(2029, 12, 31), timezones=st.just(UTC)).map(  # noqa: DTZ001
    lambda moment: moment.replace(microsecond=0)
)
NUDGES = st.sampled_from([-1, 0, 1])
SPANS = st.one_of(st.integers(0, 110).map(lambda days: days * 86400), st.integers(0, 110 * 86400))


@st.composite
def terms_and_now(draw: Any) -> tuple[Terms, datetime]:
    """Terms near the edges of the rules as often as far from them."""
    start = draw(MOMENTS)
    month_end = start + timedelta(seconds=month_later(start) - seconds_of(start))
    edges = st.sampled_from([start, month_end, start + timedelta(days=100), start - timedelta(days=1)])
    near = st.one_of(edges, SPANS.map(lambda span: start + timedelta(seconds=span)))
    nudged = st.tuples(near, NUDGES).map(lambda pair: pair[0] + timedelta(seconds=pair[1]))
    trial = draw(st.booleans())
    has_end = draw(st.booleans()) or (trial and draw(st.booleans()))
    trial_end = draw(nudged) if has_end else None
    expiry = draw(st.one_of(nudged, st.just(trial_end or start)))
    now = start + timedelta(seconds=draw(st.sampled_from([0, 86400, -86400])) + draw(NUDGES))
    activated = start + timedelta(seconds=draw(st.sampled_from([0, -86400 * 40, 86400])) + draw(NUDGES))
    return Terms(trial=trial, activated_at=activated, starts_at=start, trial_ends_at=trial_end, expires_at=expiry), now


FIELDS = {"current_period_start": "starts_at"}


@settings(max_examples=CASES, deadline=None)
@given(terms_and_now())
def test_agrees_with_the_oracle_and_every_nearest_value_mends_its_rule(case: tuple[Terms, datetime]) -> None:
    terms, now = case

    faults = broken(terms, now=now)

    assert {fault.rule for fault in faults} == oracle(terms, now)
    for fault in faults:
        if fault.nearest is not None:
            mended = replace(terms, **{FIELDS.get(fault.field, fault.field): fault.nearest})
            assert fault.rule not in oracle(mended, now)


def test_takes_a_plain_month() -> None:
    assert broken(MONTHLY, now=NOW) == []


def test_takes_a_trial_that_ends_within_the_month() -> None:
    assert broken(replace(TRIAL, expires_at=TRIAL.trial_ends_at), now=NOW) == []


BROKEN = [
    ({"activated_at": NOW + timedelta(seconds=1)}, "activated_in_future"),
    ({"starts_at": NOW + timedelta(days=1, seconds=1)}, "start_over_a_day_from_now"),
    ({"starts_at": NOW - timedelta(seconds=1)}, "start_before_activation"),
    ({"trial_ends_at": NOW + timedelta(days=7)}, "trial_end_not_allowed"),
    ({"trial": True}, "trial_end_missing"),
    ({"expires_at": NOW}, "expiry_not_after_start"),
    ({"expires_at": datetime(2026, 2, 28, 12, 0, 1, tzinfo=UTC)}, "expiry_over_a_month"),
]


@pytest.mark.parametrize(("change", "rule"), BROKEN)
def test_names_the_broken_rule(change: dict[str, Any], rule: str) -> None:
    assert rule in {fault.rule for fault in broken(replace(MONTHLY, **change), now=NOW)}


@pytest.mark.parametrize("days", range(1, 102))
def test_a_trial_may_last_a_hundred_days(days: int) -> None:
    end = NOW + timedelta(days=days)
    terms = replace(TRIAL, trial_ends_at=end, expires_at=end)

    assert ("trial_over_100_days" in {fault.rule for fault in broken(terms, now=NOW)}) == (days == 101)


@settings(max_examples=2000, deadline=None)
@given(MOMENTS, st.integers(1, 400), st.integers(0, 40), st.booleans(), st.integers(1, 100))
def test_what_goes_out_breaks_nothing(now: datetime, days: int, late_days: int, trial: bool, trial_days: int) -> None:
    """However late billing speaks and however long the period is, the first window passes the platform's rules."""
    start = now - timedelta(days=late_days)
    trial_end = start + timedelta(days=trial_days) if trial else None
    expiry = max(start + timedelta(days=days), trial_end or start)
    terms = Terms(trial=trial, activated_at=start, starts_at=start, trial_ends_at=trial_end, expires_at=expiry)
    window = first_window(terms)
    if window.expires_at <= now or (trial_end is not None and trial_end <= now):
        return  # over before anybody heard of it

    sent = on_the_wire(window, now=now)

    assert broken(sent, now=now) == []
    assert broken(sent, now=now + timedelta(seconds=60)) == []
