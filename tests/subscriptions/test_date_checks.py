"""The date rules as staff try them: on a page of the admin, and on the command line."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

pytestmark = pytest.mark.django_db
PLAN = "premium-unlimited-streaming"
TRIAL = "trial-unlimited-streaming"


@pytest.fixture
def now() -> datetime:
    return timezone.now().replace(microsecond=0)


def ask(client: Client, now: datetime, plan: str = PLAN, **days: float | str | None) -> Any:
    """The page's answer about dates so many days from now."""
    asked = {"activated_at": -1, "current_period_start": 0, "expires_at": 27} | days
    given = {
        name: f"{now + timedelta(days=when):%Y-%m-%d %H:%M:%S}" if isinstance(when, int | float) else when or ""
        for name, when in asked.items()
    }
    return client.get(reverse("dates"), {"plan_code": plan} | given)


def rules(response: Any) -> list[str]:
    return [row[0] for row in response.context["broken"]["rows"]]


def test_the_page_takes_what_the_platform_would(boss: Client, now: datetime) -> None:
    answer = ask(boss, now)

    assert rules(answer) == []
    assert "the platform would take them" in answer.content.decode()
    assert answer.context["sent"].expires_at > now


def test_the_page_names_every_broken_rule_and_what_would_be_sent(boss: Client, now: datetime) -> None:
    answer = ask(boss, now, activated_at=-3, current_period_start=-2, expires_at=40)

    assert rules(answer) == ["start_over_a_day_from_now", "expiry_over_a_month"]
    assert answer.context["sent"].starts_at > now - timedelta(days=1)


def test_the_page_knows_trials(boss: Client, now: datetime) -> None:
    assert rules(ask(boss, now, TRIAL)) == ["trial_end_missing"]
    assert rules(ask(boss, now, TRIAL, trial_ends_at=20)) == []
    assert rules(ask(boss, now, trial_ends_at=20)) == ["trial_end_not_allowed"]


@pytest.mark.parametrize("text", ["", "x", "0001-01-01 00:00", "9999-12-31 23:59", "2026-13-01", "\x00"])
def test_the_page_refuses_what_is_no_date(boss: Client, now: datetime, text: str) -> None:
    answer = ask(boss, now, expires_at=text)

    assert answer.status_code == 200
    assert answer.context["form"].errors.keys() == {"expires_at"}


def test_the_page_is_empty_at_first_and_for_those_who_may_see_windows(
    boss: Client, clerk: Callable[..., Client]
) -> None:
    assert boss.get(reverse("dates")).context["form"].errors == {}
    assert clerk("view_plan").get(reverse("dates")).status_code == 403


def command(now: datetime, plan: str = PLAN, **days: float) -> str:
    out = StringIO()
    dates = {
        f"--{name.replace('_', '-')}": (now + timedelta(days=count)).isoformat()
        for name, count in ({"activated_at": -1, "current_period_start": 0, "expires_at": 27} | days).items()
    }
    try:
        call_command("check_dates", plan, *[word for pair in dates.items() for word in pair], stdout=out)
    except CommandError as error:
        return f"{out.getvalue()}{error}"
    return out.getvalue()


def test_the_command_says_the_same(now: datetime) -> None:
    assert command(now) == "the platform would take these dates\n"
    refused = command(now, activated_at=-3, current_period_start=-2, expires_at=40)
    assert refused.startswith("start_over_a_day_from_now: current_period_start: ")
    assert refused.endswith("2 rule(s) broken")
    assert "trial_end_missing" in command(now, TRIAL)
    assert "there is no plan x; there are" in command(now, "x")


def test_the_command_refuses_what_is_no_instant() -> None:
    with pytest.raises(CommandError, match="moment"):
        call_command("check_dates", PLAN, "--activated-at", "2026-01-01T00:00:00")
