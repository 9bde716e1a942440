"""The date rules, one by one, against an independent calendar."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from dateutil.relativedelta import relativedelta
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.rules import Terms, broken, one_month_after

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
DAY = timedelta(days=1)
TICK = timedelta(seconds=1)
MONTH_END = datetime(2026, 2, 28, 12, tzinfo=UTC)
MONTHLY = Terms(activated_at=NOW - 90 * DAY, starts_at=NOW, expires_at=MONTH_END, trial_ends_at=None, trial_plan=False)
TRIAL = replace(MONTHLY, trial_plan=True, trial_ends_at=NOW + 14 * DAY)
LONG_TRIAL = replace(TRIAL, trial_ends_at=NOW + 60 * DAY, expires_at=NOW + 60 * DAY)

KEPT = [
    MONTHLY,
    TRIAL,
    LONG_TRIAL,
    replace(MONTHLY, activated_at=NOW),
    replace(MONTHLY, starts_at=NOW + DAY),
    replace(MONTHLY, starts_at=NOW - DAY),
    replace(MONTHLY, expires_at=NOW + TICK),
    replace(TRIAL, trial_ends_at=MONTH_END),
    replace(TRIAL, trial_ends_at=NOW + 100 * DAY, expires_at=NOW + 100 * DAY),
]

BROKEN = [
    (replace(MONTHLY, activated_at=NOW + TICK, starts_at=NOW + 2 * TICK), {"R1"}),
    (replace(MONTHLY, starts_at=NOW + DAY + TICK), {"R2"}),
    (replace(MONTHLY, starts_at=NOW - DAY - TICK, expires_at=NOW), {"R2"}),
    (replace(MONTHLY, activated_at=NOW - TICK, starts_at=NOW - 2 * TICK, expires_at=NOW), {"R3"}),
    (replace(MONTHLY, trial_plan=True), {"R4"}),
    (replace(MONTHLY, trial_ends_at=NOW + DAY), {"R4"}),
    (replace(TRIAL, trial_ends_at=NOW), {"R5"}),
    (replace(TRIAL, trial_ends_at=NOW + 100 * DAY + TICK, expires_at=NOW + 100 * DAY + TICK), {"R5"}),
    (replace(MONTHLY, expires_at=MONTH_END + TICK), {"R6"}),
    (replace(TRIAL, expires_at=NOW + 14 * DAY - TICK), {"R7"}),
    (replace(LONG_TRIAL, expires_at=NOW + 60 * DAY - TICK), {"R8"}),
    (replace(LONG_TRIAL, expires_at=NOW + 60 * DAY + TICK), {"R8"}),
    (replace(MONTHLY, expires_at=NOW), {"R9"}),
    (replace(MONTHLY, expires_at=NOW - DAY), {"R9"}),
]


@pytest.mark.parametrize("terms", KEPT)
def test_finds_nothing_wrong(terms):
    assert broken(terms, now=NOW) == []


@pytest.mark.parametrize(("terms", "rules"), BROKEN)
def test_names_the_broken_rule(terms, rules):
    assert {each.rule for each in broken(terms, now=NOW)} == rules


def test_reads_rule_2_both_ways():
    late = replace(MONTHLY, starts_at=NOW - 20 * DAY, expires_at=NOW)
    assert [each.rule for each in broken(late, now=NOW, past_side=False)] == []
    assert [each.rule for each in broken(late, now=NOW, past_side=True)] == ["R2"]


def test_names_every_broken_rule_at_once():
    mess = replace(MONTHLY, activated_at=NOW + TICK, starts_at=NOW + 3 * DAY, expires_at=NOW)
    assert [each.rule for each in broken(mess, now=NOW)] == ["R1", "R2", "R9"]


@settings(deadline=None)
@given(st.integers(0, 4_000_000_000).map(lambda second: datetime.fromtimestamp(second, UTC)))
def test_counts_months_as_the_calendar_does(start):
    assert one_month_after(start) == start + relativedelta(months=1)
