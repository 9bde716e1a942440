"""Subscribers by day, plan and country, out of the ledger."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from accounts.models import Listener
from subscriptions.counts import subscribers
from subscriptions.models import Period, Subscription

pytestmark = pytest.mark.django_db

PAGE = "/admin/subscribers/"
FIRST = datetime(2026, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def period(make_listener: Callable[..., Listener], subscribe: Callable[..., Subscription]) -> Callable[..., Period]:
    """A right from one day of March until another, of a listener of its own unless one is named."""

    def make(start: float, end: float, *, of: Period | None = None, **changes: Any) -> Period:
        subscription = of.subscription if of else subscribe(make_listener())
        facts: dict[str, Any] = {
            "listener_id": subscription.listener_id, "plan_id": "premium-unlimited-streaming", "status": "ACTIVE",
            "recurring_fee": 999, "currency": "GBP", "country": "GB",
        } | changes  # fmt: skip
        return Period.objects.create(
            subscription=subscription, starts_at=FIRST + (start - 1) * DAY, ends_at=FIRST + (end - 1) * DAY, **facts
        )

    return make


def counts(first: int, last: int, *, known_at: datetime | None = None) -> list[tuple[Any, ...]]:
    found = subscribers(date(2026, 3, first), date(2026, 3, last), known_at=known_at or timezone.now())
    return [(each.day.day, each.plan.split("-")[0], each.country, *each[3:]) for each in found]


def test_counts_listeners_by_day_plan_and_country(period: Any) -> None:
    period(1, 3)
    period(2, 4, country="DE")
    period(2.5, 9, status="TRIALING")

    assert counts(1, 3) == [
        (1, "premium", "GB", 1, 1, 0),
        (2, "premium", "DE", 1, 1, 0),
        (2, "premium", "GB", 2, 2, 1),
        (3, "premium", "DE", 1, 1, 0),
        (3, "premium", "GB", 1, 1, 1),
    ]


def test_a_listener_with_two_periods_in_a_day_is_one(period: Any) -> None:
    morning = period(1, 1.25)
    period(1.5, 1.75, of=morning, recurring_fee=0)

    assert counts(1, 1) == [(1, "premium", "GB", 1, 0, 0)]


def test_who_changes_plans_had_both_and_has_one(period: Any) -> None:
    before = period(1, 1.5)
    period(1.5, 20, of=before, plan_id="standard-unlimited-streaming")

    assert counts(1, 1) == [(1, "premium", "GB", 1, 0, 0), (1, "standard", "GB", 1, 1, 0)]


def test_a_day_without_anybody_has_no_row(period: Any) -> None:
    period(1, 2)
    period(4, 5)

    assert [row[0] for row in counts(1, 5)] == [1, 4]


def test_the_report_of_yesterday_can_be_had_again(period: Any) -> None:
    wrong = period(1, 3)
    known_at = wrong.recorded_at
    Period.objects.filter(pk=wrong.pk).update(withdrawn_at=known_at + timedelta(microseconds=1))

    assert counts(1, 3) == []
    assert [row[0] for row in counts(1, 3, known_at=known_at)] == [1, 2]


def test_the_command_writes_csv(period: Any) -> None:
    period(1, 2)
    out = StringIO()
    call_command("report_subscribers", "2026-03-01", "2026-03-31", stdout=out)

    assert out.getvalue() == (
        "day,plan,country,during,at_end,on_trial\n2026-03-01,premium-unlimited-streaming,GB,1,1,0\n"
    )


@pytest.mark.parametrize(
    "words", [("2026-03-01", "2028-03-01"), ("March", "April"), ("2026-03-01", "2026-03-02", "--known-at", "noon")]
)
def test_the_command_refuses_what_makes_no_sense(words: tuple[str, ...]) -> None:
    with pytest.raises(CommandError):
        call_command("report_subscribers", *words)


# --- the page ----------------------------------------------------------------------------------------------


def test_the_page_shows_the_days_asked_for(boss: Client, period: Any) -> None:
    period(1, 3)
    period(5, 6)
    shown = boss.get(PAGE, {"first": "2026-03-01", "last": "2026-03-31"})

    assert shown.status_code == 200
    assert [(each["day"].day, each["count"], each["height"]) for each in shown.context["days"]] == [
        (1, 1, 100), (2, 1, 100), (3, 0, 0), (4, 0, 0), (5, 1, 100),
    ]  # fmt: skip
    assert b"premium-unlimited-streaming" in shown.content


def test_the_page_is_of_the_last_month_unless_asked(boss: Client) -> None:
    assert b"Nobody had a subscription in these days." in boss.get(PAGE).content


@pytest.mark.parametrize(
    ("query", "fault"),
    [
        ({"first": "2026-03-02", "last": "2026-03-01"}, "This day lies before the first."),
        ({"first": "2026-03-02"}, "This field is required."),
        ({"first": "x", "last": "\x00"}, "Enter a valid date."),
        ({"first": "2020-01-01", "last": "2026-03-01"}, "at most 400 days at once."),
    ],
)
def test_the_page_names_what_makes_no_sense(boss: Client, query: dict[str, str], fault: str) -> None:
    shown = boss.get(PAGE, query)

    assert shown.status_code == 200
    assert fault in shown.content.decode()


def test_the_page_is_for_those_who_may_view_subscriptions(clerk: Callable[..., Client]) -> None:
    assert clerk("view_plan").get(PAGE).status_code == 403
