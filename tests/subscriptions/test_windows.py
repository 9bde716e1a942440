"""Periods of any length reach the platform in stretches it takes, without a gap, and in no more of them than needed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from kernel.values import add_months
from subscriptions.rules import Terms, on_the_wire, window_at
from tests.subscriptions.chains import DAY, seams, taken, told
from tests.subscriptions.oracle import moment, month_later, second_of

JANUARY = datetime(2024, 1, 1, 12, 30, 15, tzinfo=UTC)
PERIODS = 48
BRIDGES = {29: 3, 30: 4, 31: 20}  # February but for 2024's on day 29; every shorter month before a longer one on 31
LEADS = [timedelta(seconds=1), timedelta(hours=12), DAY - timedelta(minutes=5)]
NO_GAP = {timedelta(0)}


def period(starts_at: datetime, expires_at: datetime, *, trial_ends_at: datetime | None = None) -> Terms:
    return Terms(
        trial=trial_ends_at is not None,
        activated_at=starts_at,
        starts_at=starts_at,
        trial_ends_at=trial_ends_at,
        expires_at=expires_at,
    )


@pytest.mark.parametrize("day", range(1, 32))
@pytest.mark.parametrize("lead", LEADS, ids=str)
def test_four_years_are_told_without_a_gap_from_any_day(day: int, lead: timedelta) -> None:
    anchor = JANUARY.replace(day=day)

    sent = told(period(anchor, add_months(anchor, PERIODS)), lead=lead)

    assert (sent[0].starts_at, sent[-1].expires_at) == (anchor, add_months(anchor, PERIODS))
    assert seams(sent) == NO_GAP
    months = {moment(month_later(second_of(anchor), month)) for month in range(PERIODS)}
    bridges = [stretch for stretch in sent if stretch.starts_at not in months]
    assert len(sent) - len(bridges) == PERIODS
    assert len(bridges) == BRIDGES.get(day, 0)
    assert all(stretch.expires_at - stretch.starts_at <= 3 * DAY for stretch in bridges)


@pytest.mark.parametrize("day", range(1, 32))
def test_periods_that_billing_renews_month_by_month_are_told_alike(day: int) -> None:
    anchor = JANUARY.replace(day=day)
    ends = [add_months(anchor, month) for month in range(PERIODS + 1)]

    sent = [
        stretch
        for starts_at, expires_at in pairwise(ends)
        for stretch in told(replace(period(starts_at, expires_at), activated_at=anchor), lead=LEADS[1])
    ]

    assert seams(sent) == NO_GAP
    assert len(sent) == PERIODS + BRIDGES.get(day, 0)


@pytest.mark.parametrize("day", [1, 28, 29, 30, 31])
@pytest.mark.parametrize("days", [1, 7, 14, 28, 365, 366, 400])
def test_weekly_and_yearly_periods_are_told_whole(day: int, days: int) -> None:
    anchor = JANUARY.replace(day=day)

    sent = [
        stretch
        for number in range(3)
        for stretch in told(period(anchor + number * days * DAY, anchor + (number + 1) * days * DAY), lead=LEADS[2])
    ]

    assert (sent[0].starts_at, sent[-1].expires_at) == (anchor, anchor + 3 * days * DAY)
    assert seams(sent) == NO_GAP


@pytest.mark.parametrize("day", [1, 28, 29, 30, 31])
@pytest.mark.parametrize("more", [0, 5, 365])
def test_trials_of_any_length_are_told_with_what_follows(day: int, more: int) -> None:
    anchor = JANUARY.replace(day=day)
    for days in range(1, 202):
        over = anchor + days * DAY
        end = over + more * DAY

        sent = told(period(anchor, end, trial_ends_at=over), lead=LEADS[1])

        assert (sent[0].starts_at, sent[-1].expires_at) == (anchor, end)
        assert seams(sent) <= NO_GAP
        assert sent[0].trial_ends_at == anchor + min(days, 100) * DAY


@pytest.mark.parametrize("late", [timedelta(seconds=2), timedelta(hours=12), 3 * DAY, 27 * DAY])
@pytest.mark.parametrize("day", [28, 29, 30, 31])
def test_what_is_told_late_ends_when_it_should(day: int, late: timedelta) -> None:
    anchor = JANUARY.replace(day=day)
    window = window_at(period(anchor, anchor + 300 * DAY), anchor)

    assert taken(window, now=anchor + late).expires_at == window.expires_at


@pytest.mark.parametrize("ahead", [-7, -5, -1, 0, 1, 60])
def test_an_activation_is_sent_five_seconds_in_the_past(ahead: int) -> None:
    window, now = window_at(period(JANUARY, JANUARY + 300 * DAY), JANUARY), JANUARY - timedelta(seconds=ahead)

    sent = on_the_wire(window, now=now)

    assert sent.activated_at == min(JANUARY, now - timedelta(seconds=5))
    assert sent.starts_at == JANUARY
