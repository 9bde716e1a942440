"""The date rules against an oracle that knows no date arithmetic, and by their edges."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from subscriptions.rules import Terms, broken, on_the_wire, window_at
from tests.subscriptions import oracle

ROOT = Path(__file__).resolve().parents[2]
NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
MONTHLY = Terms(
    trial=False, activated_at=NOW, starts_at=NOW, trial_ends_at=None, expires_at=datetime(2026, 2, 28, 12, tzinfo=UTC)
)
TRIAL = replace(MONTHLY, trial=True, trial_ends_at=NOW + timedelta(days=14))
SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)
CASES, SEED = 10_000, 7


def names(terms: Terms, *, now: datetime = NOW) -> set[str]:
    """The broken rules."""
    return {fault.rule for fault in broken(terms, now=now)}


# --- the oracle ------------------------------------------------------------------------------------------------

FIELDS = {"activated_at": "activated", "current_period_start": "start", "trial_ends_at": "trial_end",
          "expires_at": "expiry"}  # fmt: skip


def test_agrees_with_the_oracle_and_every_nearest_value_mends_its_rule() -> None:
    for case in oracle.cases(SEED, CASES):
        faults, _ = oracle.said(case)

        assert {fault.rule for fault in faults} == oracle.verdict(case), case
        for fault in faults:
            if fault.nearest is not None:
                mended = case._replace(**{FIELDS[fault.field]: oracle.second_of(fault.nearest)})
                assert fault.rule not in oracle.verdict(mended), (case, fault)


def test_says_the_same_in_every_time_zone() -> None:
    zones = ["America/New_York", "Europe/London", "Asia/Kolkata", "Pacific/Apia", "UTC"]
    command = [sys.executable, "-m", "tests.subscriptions.oracle", "1000", str(SEED)]

    outputs = {
        subprocess.run(command, cwd=ROOT, env=os.environ | {"TZ": zone}, capture_output=True, check=True).stdout
        for zone in zones
    }

    differences, digest = oracle.compare(SEED, 1000)
    assert outputs == {f"1000 cases, {differences} differences, {digest}\n".encode()}


# --- months ----------------------------------------------------------------------------------------------------

MONTHS = """
    2024-01-28 2024-02-28   2024-01-29 2024-02-29   2024-01-30 2024-02-29   2024-01-31 2024-02-29
    2024-02-28 2024-03-28   2024-02-29 2024-03-29   2024-03-28 2024-04-28   2024-03-29 2024-04-29
    2024-03-30 2024-04-30   2024-03-31 2024-04-30   2024-04-30 2024-05-30   2024-05-30 2024-06-30
    2024-05-31 2024-06-30   2024-06-30 2024-07-30   2024-07-31 2024-08-31   2024-08-31 2024-09-30
    2024-09-30 2024-10-30   2024-10-31 2024-11-30   2024-11-30 2024-12-30   2024-12-28 2025-01-28
    2024-12-29 2025-01-29   2024-12-30 2025-01-30   2024-12-31 2025-01-31   2025-01-01 2025-02-01
    2025-01-27 2025-02-27   2025-01-28 2025-02-28   2025-01-29 2025-02-28   2025-01-30 2025-02-28
    2025-01-31 2025-02-28   2025-02-01 2025-03-01   2025-02-27 2025-03-27   2025-02-28 2025-03-28
    2025-03-01 2025-04-01   2025-03-31 2025-04-30   2025-04-28 2025-05-28   2025-04-29 2025-05-29
    2025-05-28 2025-06-28   2025-05-29 2025-06-29   2025-06-28 2025-07-28   2025-06-29 2025-07-29
    2025-07-28 2025-08-28   2025-07-30 2025-08-30   2025-08-28 2025-09-28   2025-08-30 2025-09-30
    2025-09-28 2025-10-28   2025-10-29 2025-11-29   2025-11-28 2025-12-28   2025-12-31 2026-01-31
    2026-01-15 2026-02-15   2027-02-28 2027-03-28   2028-01-29 2028-02-29   2028-01-31 2028-02-29
    2028-02-28 2028-03-28   2028-02-29 2028-03-29   2099-12-31 2100-01-31   2100-01-28 2100-02-28
    2100-01-29 2100-02-28   2100-01-31 2100-02-28   2100-02-28 2100-03-28   2100-03-31 2100-04-30
""".split()


@pytest.mark.parametrize(("first", "last"), list(zip(MONTHS[::2], MONTHS[1::2], strict=True)))
@pytest.mark.parametrize("clock", ["00:00:00", "23:59:59"])
def test_a_month_ends_on_the_same_day_and_time_or_the_last_before(first: str, last: str, clock: str) -> None:
    start, end = (datetime.fromisoformat(f"{day}T{clock}+00:00") for day in (first, last))
    terms = replace(MONTHLY, activated_at=start, starts_at=start, expires_at=end)

    assert broken(terms, now=start) == []
    [fault] = broken(replace(terms, expires_at=end + SECOND), now=start)
    assert (fault.rule, fault.nearest) == ("expiry_over_a_month", end)
    assert window_at(replace(terms, expires_at=end + 300 * DAY), start).expires_at == end


# --- one rule at a time ----------------------------------------------------------------------------------------


def test_takes_a_plain_month() -> None:
    assert broken(MONTHLY, now=NOW) == []


BROKEN = [
    ({"activated_at": NOW + SECOND}, "activated_in_future"),
    ({"starts_at": NOW + DAY + SECOND}, "start_over_a_day_from_now"),
    ({"starts_at": NOW - SECOND}, "start_before_activation"),
    ({"trial_ends_at": NOW + 7 * DAY}, "trial_end_not_allowed"),
    ({"trial": True}, "trial_end_missing"),
    ({"expires_at": NOW}, "expiry_not_after_start"),
    ({"expires_at": MONTHLY.expires_at + SECOND}, "expiry_over_a_month"),
]


@pytest.mark.parametrize(("change", "rule"), BROKEN)
def test_names_the_broken_rule(change: dict[str, Any], rule: str) -> None:
    assert rule in names(replace(MONTHLY, **change))


@pytest.mark.parametrize(
    ("offset", "fine"),
    [(-DAY - SECOND, False), (-DAY, True), (-DAY + SECOND, True), (timedelta(0), True), (DAY - SECOND, True),
     (DAY, True), (DAY + SECOND, False)],
)  # fmt: skip
def test_a_period_starts_within_a_day_of_now(offset: timedelta, fine: bool) -> None:
    start = NOW + offset
    terms = replace(MONTHLY, activated_at=NOW - 2 * DAY, starts_at=start, expires_at=start + DAY)

    assert names(terms) == (set() if fine else {"start_over_a_day_from_now"})


@pytest.mark.parametrize(("offset", "fine"), [(-1, True), (0, True), (1, False)])
def test_an_activation_is_now_or_earlier(offset: int, fine: bool) -> None:
    activated = NOW + offset * SECOND
    terms = replace(MONTHLY, activated_at=activated, starts_at=NOW + DAY)

    assert names(terms) == (set() if fine else {"activated_in_future"})


# --- trials ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("days", range(1, 102))
def test_a_trial_may_last_a_hundred_days(days: int) -> None:
    end = NOW + days * DAY

    assert names(replace(TRIAL, trial_ends_at=end, expires_at=end)) == (
        {"trial_over_100_days"} if days > 100 else set()
    )


@pytest.mark.parametrize("days", [1, 14, 27, 28])
def test_within_a_month_the_window_ends_between_the_trials_end_and_the_months(days: int) -> None:
    end, month_end = NOW + days * DAY, MONTHLY.expires_at
    trial = replace(TRIAL, trial_ends_at=end)

    for expires_at in (end, end + (month_end - end) / 2, month_end):
        assert names(replace(trial, expires_at=expires_at)) == set()
    assert names(replace(trial, expires_at=end - SECOND)) == {"expiry_before_trial_end"}
    assert names(replace(trial, expires_at=month_end + SECOND)) == {"expiry_over_a_month"}


@pytest.mark.parametrize("over", [SECOND, DAY, 30 * DAY, 72 * DAY])
def test_over_a_month_the_window_ends_with_the_trial(over: timedelta) -> None:
    end = MONTHLY.expires_at + over
    trial = replace(TRIAL, trial_ends_at=end)

    assert names(replace(trial, expires_at=end)) == set()
    for expires_at in (end - SECOND, end + SECOND, MONTHLY.expires_at, NOW + SECOND):
        assert names(replace(trial, expires_at=expires_at)) == {"expiry_not_trial_end"}


# --- what goes out ---------------------------------------------------------------------------------------------

MOMENTS = st.datetimes(datetime(2024, 1, 1), datetime(2029, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001


@settings(max_examples=1000, deadline=None)
@given(MOMENTS, st.integers(1, 400), st.integers(0, 40), st.booleans(), st.integers(1, 100))
def test_what_goes_out_breaks_nothing(now: datetime, days: int, late_days: int, trial: bool, trial_days: int) -> None:
    """However late billing speaks and however long the period is, the window of now passes the platform's rules."""
    start = now - late_days * DAY
    trial_end = start + trial_days * DAY if trial else None
    expiry = max(start + days * DAY, trial_end or start)
    if expiry <= now:
        return  # over before anybody heard of it
    terms = Terms(trial=trial, activated_at=start, starts_at=start, trial_ends_at=trial_end, expires_at=expiry)

    window = window_at(terms, now)
    sent = on_the_wire(window, now=now)

    assert window.expires_at > now
    for clock in (now - 5 * SECOND, now, now + 60 * SECOND):
        assert broken(sent, now=clock) == []
