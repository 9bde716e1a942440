"""What billing says becomes a right to stream, and the platform is told in dates it accepts."""

from __future__ import annotations

import itertools
import json
import random
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connections, transaction
from django.db.models.functions import Now
from django.utils import timezone

from accounts.actions import close_account
from accounts.models import Listener
from billing.actions import Letter, process_event, store_letter
from billing.models import BillingEvent
from kernel.values import add_months, rfc3339
from outbox.delivery import deliver_lane
from outbox.models import Circuit, Message
from outbox.sweep import sweep_outbox
from subscriptions.actions import fold_billing_events, lock
from subscriptions.models import PlatformWindow, Subscription
from subscriptions.telling import extend_windows
from tests.helpers import Api, eventually_blocked, expect_problem
from tests.sandbox.platform import Platform

pytestmark = pytest.mark.django_db
PATH = "/1.2/user/unlimitedStreaming"


def said(listener: Listener, *, ago: timedelta = timedelta(0), number: int = 1, **changes: Any) -> BillingEvent:
    """Billing has said something, `ago`; its event is stored and handled."""
    now = timezone.now().replace(microsecond=0)
    data = {
        "account_id": str(listener.pk),
        "external_id": "sub_1",
        "plan_code": "premium-unlimited-streaming",
        "status": "active",
        "currency": "GBP",
        "recurring_fee": 999,
        "country": "GB",
        "postcode": "N1 9GU",
        "activated_at": rfc3339(now - timedelta(days=2)),
        "current_period_start": rfc3339(now - timedelta(hours=1)),
        "trial_ends_at": None,
        "expires_at": rfc3339(now + timedelta(days=20)),
        "cancel_at_period_end": False,
    } | {name: rfc3339(value) if isinstance(value, datetime) else value for name, value in changes.items()}
    letter = Letter(
        provider="standard", event_id=f"evt_{number}", body=b"", type="subscription.updated", subject="sub_1",
        occurred_at=now - ago, data=data,
    )  # fmt: skip
    event = store_letter(letter)
    process_event(event_id=event.pk)
    event.refresh_from_db()
    return event


def drain() -> list[str]:
    states: list[str] = []
    for _ in range(6):
        Circuit.objects.all().delete()
        Message.objects.filter(state="WAITING").update(due_at=Now())
        head = Message.objects.claimable().order_by("pk").values_list("pk", flat=True).first()
        if head is None:
            break
        states += deliver_lane(message_id=head)
    return states


def test_the_platform_hears_of_the_listener_and_then_of_the_subscription(
    listener: Listener, sandbox: Platform, api: Callable[[Listener], Api]
) -> None:
    assert said(listener).state == "HANDLED"
    assert json.loads(api(listener).get("subscription").content)["platform"] == {"state": "PENDING", "detail": ""}

    assert drain() == ["DONE", "DONE"]

    (user,) = sandbox.journal("users")
    assert (user["userId"], user["country"]) == (listener.platform_id, "GB")
    (told,) = sandbox.journal("subscriptions")
    subscription = Subscription.objects.get()
    assert told["userId"] == listener.platform_id
    sent = [told[name] for name in ("planCode", "status", "currency", "recurringFee", "country", "postcode")]
    assert sent == ["premium-unlimited-streaming", "active", "GBP", "999", "GB", "N1 9GU"]
    assert told["currentPeriodStartDate"] == rfc3339(subscription.starts_at)
    assert told["expiryDate"] == rfc3339(subscription.expires_at)
    assert "trialEndsAt" not in told
    body = json.loads(api(listener).get("subscription").content)
    assert body["status"] == "ACTIVE"
    assert body["platform"]["state"] == "SYNCED"
    assert set(body) == {
        "status", "plan", "activated_at", "current_period_start", "trial_ends_at", "expires_at",
        "cancel_at_period_end", "platform",
    }  # fmt: skip
    listener.refresh_from_db()
    assert listener.on_platform_since is not None
    assert listener.subscribed_since == subscription.activated_at


def test_the_same_news_twice_is_told_once(listener: Listener, sandbox: Platform) -> None:
    now = timezone.now().replace(microsecond=0)
    dates = {
        "activated_at": now - timedelta(days=2),
        "current_period_start": now,
        "expires_at": now + timedelta(days=9),
    }
    for number in (1, 1, 2):
        said(listener, number=number, **dates)

    drain()

    assert len(sandbox.journal("subscriptions")) == 1


@pytest.mark.parametrize("days_late", [2, 5, 19])
def test_late_news_is_sent_inside_the_platforms_day_and_kept_true(
    listener: Listener, sandbox: Platform, days_late: int
) -> None:
    start = timezone.now().replace(microsecond=0) - timedelta(days=days_late)
    said(listener, activated_at=start, current_period_start=start, expires_at=start + timedelta(days=28))

    assert drain() == ["DONE", "DONE"]

    (told,) = sandbox.journal("subscriptions")
    assert Subscription.objects.get().starts_at == start
    assert PlatformWindow.objects.get().starts_at == start
    sent = datetime.fromisoformat(told["currentPeriodStartDate"])
    assert timedelta(hours=23) < timezone.now() - sent < timedelta(days=1)


def test_a_yearly_period_is_told_by_the_month(listener: Listener, sandbox: Platform) -> None:
    now = timezone.now().replace(microsecond=0)
    said(listener, activated_at=now, current_period_start=now, expires_at=now + timedelta(days=365))

    assert drain() == ["DONE", "DONE"]

    (told,) = sandbox.journal("subscriptions")
    assert datetime.fromisoformat(told["expiryDate"]) <= now + timedelta(days=31)
    assert Subscription.objects.get().expires_at == now + timedelta(days=365)


@pytest.mark.parametrize("days", [7, 30, 60, 100])
def test_a_trial_is_told_with_its_end(listener: Listener, sandbox: Platform, days: int) -> None:
    now = timezone.now().replace(microsecond=0)
    end = now + timedelta(days=days)
    said(
        listener, plan_code="trial-unlimited-streaming", recurring_fee=0,
        activated_at=now, current_period_start=now, trial_ends_at=end, expires_at=end,
    )  # fmt: skip

    assert drain() == ["DONE", "DONE"]

    (told,) = sandbox.journal("subscriptions")
    assert told["recurringFee"] == "0"
    assert abs(datetime.fromisoformat(told["trialEndsAt"]) - end) <= timedelta(seconds=10)
    assert Subscription.objects.get().status == "TRIALING"


@pytest.mark.parametrize(
    ("plan", "days", "detail"),
    [("premium", 3, "only a trial plan"), ("trial", None, "needs its trial end"), ("trial", 25, "before the trial")],
)
def test_what_the_platform_would_refuse_is_not_sent_and_shown(
    listener: Listener, sandbox: Platform, api: Callable[[Listener], Api], plan: str, days: int | None, detail: str
) -> None:
    ends = days and timezone.now().replace(microsecond=0) + timedelta(days=days)
    said(listener, plan_code=f"{plan}-unlimited-streaming", trial_ends_at=ends)

    assert drain() == ["DONE", "DONE"]

    assert sandbox.journal("subscriptions") == []
    state = json.loads(api(listener).get("subscription").content)["platform"]
    assert state["state"] == "REFUSED"
    assert detail in state["detail"]


def test_what_the_platform_refuses_is_shown_and_holds_up_nobody(listener: Listener, sandbox: Platform) -> None:
    from subscriptions.models import Plan

    Plan.objects.create(code="unheard-of", name="Unheard of")
    said(listener, plan_code="unheard-of")

    assert drain() == ["DONE", "DONE"]
    window = PlatformWindow.objects.get()
    assert (window.state, window.told_at is not None) == ("REFUSED", True)
    assert window.detail


@pytest.mark.parametrize("behaviour", ["lost_answer", "hang", "garbage_xml", "truncated", "error_500", "refused"])
def test_a_lost_answer_is_read_back_before_it_is_told_again(
    listener: Listener, sandbox: Platform, behaviour: str
) -> None:
    said(listener)
    sandbox.order(behaviour, PATH)

    assert drain() == ["DONE", "WAITING", "DONE"]

    assert PlatformWindow.objects.get().state == "SYNCED"
    assert len(sandbox.journal("subscriptions")) == 1


@pytest.mark.parametrize("behaviour", ["lost_answer", "error_in_200", "rate_limited", "redirect", "endless"])
def test_a_listener_is_created_once_whatever_becomes_of_the_answer(
    listener: Listener, sandbox: Platform, behaviour: str
) -> None:
    sandbox.order(behaviour, "/1.2/user/create")

    assert drain() == ["WAITING", "DONE"]

    assert [user["userId"] for user in sandbox.journal("users")] == [listener.platform_id]


def test_an_early_renewal_takes_nothing_away(listener: Listener, sandbox: Platform) -> None:
    """Billing tells of the next month two hours before it begins."""
    now = timezone.now().replace(microsecond=0)
    ends = now + timedelta(hours=2)
    said(listener, ago=timedelta(days=27), current_period_start=now - timedelta(days=28), expires_at=ends,
         activated_at=now - timedelta(days=60))  # fmt: skip
    said(listener, number=2, current_period_start=ends, expires_at=ends + timedelta(days=28),
         activated_at=now - timedelta(days=60))  # fmt: skip

    for moment in (now, ends - timedelta(seconds=1), ends, ends + timedelta(days=27)):
        assert Subscription.objects.covering(moment).exists()
    assert not Subscription.objects.covering(ends + timedelta(days=28)).exists()
    assert PlatformWindow.objects.count() == 2


def test_a_cancellation_before_the_start_leaves_no_right(listener: Listener) -> None:
    start = timezone.now() + timedelta(hours=5)
    said(listener, status="cancelled", current_period_start=start, activated_at=timezone.now() - timedelta(days=1))

    assert not Subscription.objects.covering(timezone.now()).exists()
    assert not Subscription.objects.covering(start).exists()


@pytest.mark.parametrize("behaviour", ["error_500", "rate_limited", "lost_answer", None])
def test_a_change_of_plan_is_told_whatever_becomes_of_the_first_try(
    listener: Listener, sandbox: Platform, behaviour: str | None
) -> None:
    until = timezone.now().replace(microsecond=0) + timedelta(days=20)
    said(listener, expires_at=until)
    drain()
    if behaviour:
        sandbox.order(behaviour, PATH)
    said(listener, number=2, plan_code="standard-unlimited-streaming", recurring_fee=499, expires_at=until)
    drain()

    told = sandbox.journal("subscriptions")[-1]
    assert (told["planCode"], told["recurringFee"]) == ("standard-unlimited-streaming", "499")
    assert {window.state for window in PlatformWindow.objects.all()} == {"SYNCED"}


def test_every_change_is_told_and_so_is_its_reversal(listener: Listener, sandbox: Platform) -> None:
    now = timezone.now().replace(microsecond=0)
    dates = {"current_period_start": now - timedelta(hours=1), "expires_at": now + timedelta(days=20),
             "activated_at": now - timedelta(days=2)}  # fmt: skip
    changes: list[dict[str, Any]] = [
        {}, {"plan_code": "standard-unlimited-streaming"}, {},
        {"country": "DE", "currency": "EUR"}, {"postcode": "10115"},
    ]  # fmt: skip
    for number, change in enumerate(changes, 1):
        said(listener, number=number, ago=timedelta(seconds=len(changes) - number), **dates | change)
    drain()
    drain()

    told = [(one["planCode"][:8], one["country"], one["postcode"]) for one in sandbox.journal("subscriptions")]
    assert told == [
        ("premium-", "GB", "N1 9GU"), ("standard", "GB", "N1 9GU"), ("premium-", "GB", "N1 9GU"),
        ("premium-", "DE", "N1 9GU"), ("premium-", "GB", "10115"),
    ]  # fmt: skip


def test_what_outlasts_a_month_is_told_month_by_month(listener: Listener, sandbox: Platform) -> None:
    start = timezone.now().replace(microsecond=0) - timedelta(days=1)
    end = start + timedelta(days=365)
    said(listener, activated_at=start, current_period_start=start, expires_at=end)
    for day in range(0, 366, 1):
        for _ in range(1 + (day % 9 == 0)):  # twice is once
            extend_windows(now=start + timedelta(days=day, hours=12))

    windows = list(PlatformWindow.objects.order_by("created_at"))
    assert {add_months(start, month) for month in range(12)} <= {window.starts_at for window in windows}
    assert all(before.expires_at == after.starts_at for before, after in itertools.pairwise(windows))
    assert windows[-1].expires_at == end


def test_old_news_after_the_next_month_was_told_tells_nothing_again(listener: Listener, sandbox: Platform) -> None:
    start = timezone.now().replace(microsecond=0) - timedelta(days=27, hours=12)
    said(listener, activated_at=start, current_period_start=start, expires_at=start + timedelta(days=90))
    assert extend_windows(now=add_months(start, 1) - timedelta(hours=1)) == 1

    said(listener, number=2, activated_at=start, current_period_start=start, expires_at=start + timedelta(days=90))

    assert PlatformWindow.objects.count() == 2
    assert Subscription.objects.get().told_until == PlatformWindow.objects.latest("created_at").expires_at


def test_a_start_days_ahead_is_told_the_day_before(listener: Listener, sandbox: Platform) -> None:
    now = timezone.now().replace(microsecond=0)
    start = now + timedelta(days=3)
    said(
        listener,
        activated_at=now - timedelta(days=1),
        current_period_start=start,
        expires_at=start + timedelta(days=28),
    )

    assert extend_windows(now=now + timedelta(days=1)) == 0
    assert extend_windows(now=now + timedelta(days=2, hours=1)) == 1
    assert PlatformWindow.objects.get().starts_at == start


def test_a_start_put_off_and_back_again_leaves_no_later_month_untold(listener: Listener, sandbox: Platform) -> None:
    now = timezone.now().replace(microsecond=0)
    began, start = now - timedelta(days=1), now + timedelta(hours=5)
    for number, ahead in enumerate([timedelta(0), timedelta(days=60), timedelta(0)]):
        said(listener, number=number, ago=timedelta(seconds=3 - number), activated_at=began,
             current_period_start=start + ahead, expires_at=start + timedelta(days=120))  # fmt: skip

    assert Subscription.objects.get().told_until == PlatformWindow.objects.get().expires_at
    assert extend_windows(now=add_months(start, 1) - timedelta(hours=1)) == 1
    assert PlatformWindow.objects.latest("created_at").starts_at == add_months(start, 1)


def test_a_trial_heard_of_when_it_is_over_is_still_told(listener: Listener, sandbox: Platform) -> None:
    start = timezone.now().replace(microsecond=0) - timedelta(days=10)
    over, end = start + timedelta(days=7), start + timedelta(days=28)
    said(listener, plan_code="trial-unlimited-streaming", recurring_fee=0, activated_at=start,
         current_period_start=start, trial_ends_at=over, expires_at=end)  # fmt: skip
    drain()

    assert PlatformWindow.objects.get().state == "SYNCED"


def test_a_window_that_could_not_be_told_in_time_holds_up_nobody(listener: Listener, sandbox: Platform) -> None:
    said(listener)
    Message.objects.filter(topic="subscription.tell").update(deadline=Now())
    sweep_outbox()

    assert PlatformWindow.objects.get().state == "REFUSED"
    assert Message.objects.get(topic="subscription.tell").state == "DISCARDED"


def test_what_billing_says_of_a_closed_account_is_heard_and_changes_nothing(listener: Listener) -> None:
    close_account(listener=listener, now=timezone.now())

    assert said(listener, status="cancelled").state == "HANDLED"
    assert not Subscription.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_two_workers_folding_at_once_leave_the_newest_state(listener: Listener) -> None:
    """The first has the lock; the second must read what was stored while it waited."""
    said(listener, ago=timedelta(hours=1))
    started = threading.Event()

    def second() -> None:
        try:
            started.set()
            fold_billing_events(external_id="sub_1", account_id=str(listener.pk), now=timezone.now())
        finally:
            connections.close_all()

    with transaction.atomic():
        lock("sub_1")
        thread = threading.Thread(target=second)
        thread.start()
        started.wait(5)
        eventually_blocked()
        BillingEvent.objects.create(
            provider="standard", event_id="evt_2", type="subscription.updated", subject="sub_1", body=b"",
            occurred_at=timezone.now(), data=BillingEvent.objects.get().data | {"status": "refunded"},
        )  # fmt: skip
    thread.join(10)

    assert Subscription.objects.get().status == "REFUNDED"


@pytest.mark.parametrize("seed", range(5))
def test_arrival_in_any_order_ends_in_the_same_row(listener: Listener, seed: int) -> None:
    news = [
        {"number": 1, "ago": timedelta(hours=3)},
        {"number": 2, "ago": timedelta(hours=2), "recurring_fee": 1299},
        {"number": 3, "ago": timedelta(hours=1), "cancel_at_period_end": True},
        {"number": 4, "ago": timedelta(0), "status": "expired"},
    ]
    random.Random(seed).shuffle(news)

    for each in [*news, news[0]]:
        said(listener, **each)

    row = Subscription.objects.get()
    assert (row.status, row.cancel_at_period_end) == ("EXPIRED", False)
    assert row.entitled_until == row.as_of


# --- the API ---------------------------------------------------------------------------------------------------


def test_there_is_none_before_there_is_one(listener: Listener, api: Callable[[Listener], Api]) -> None:
    expect_problem(api(listener).get("subscription"), 404, "no_subscription")


def test_one_that_ran_out_is_shown_as_expired(subscriber: Listener, api: Callable[[Listener], Api]) -> None:
    Subscription.objects.update(entitled_until=timezone.now() - timedelta(minutes=1))

    assert json.loads(api(subscriber).get("subscription").content)["status"] == "EXPIRED"


def check(stranger: Api, **changes: Any) -> Any:
    now = datetime.now(UTC).replace(microsecond=0)
    terms = {
        "plan_code": "premium-unlimited-streaming",
        "activated_at": rfc3339(now - timedelta(minutes=1)),
        "current_period_start": rfc3339(now - timedelta(minutes=1)),
        "expires_at": rfc3339(now + timedelta(days=20)),
    } | changes
    return stranger.post("subscriptions/check", {name: value for name, value in terms.items() if value is not ...})


def test_a_dry_run_takes_what_the_platform_would_take(stranger: Api, db: None) -> None:
    assert json.loads(check(stranger).content) == {"valid": True, "broken": []}


def test_a_dry_run_names_the_rule_the_field_and_the_nearest_value(stranger: Api, db: None) -> None:
    start = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=1)

    body = json.loads(check(stranger, expires_at=rfc3339(start + timedelta(days=40))).content)

    assert body["valid"] is False
    (fault,) = body["broken"]
    assert (fault["rule"], fault["field"]) == ("expiry_over_a_month", "expires_at")
    assert datetime.fromisoformat(fault["nearest"]) <= start + timedelta(days=31)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"plan_code": ...}, "missing_parameter"),
        ({"plan_code": "none"}, "invalid_parameter"),
        ({"activated_at": "2026-01-01T00:00:00"}, "invalid_parameter"),
        ({"activated_at": "0001-01-01T00:00:00+14:00"}, "invalid_parameter"),
        ({"expires_at": "9999-12-31T23:59:59-12:00"}, "invalid_parameter"),
        ({"expires_at": "2026-01-01T00:00:60Z"}, "invalid_parameter"),
        ({"expires_at": 7}, "invalid_parameter"),
    ],
)
def test_a_dry_run_refuses_what_are_no_terms(stranger: Api, db: None, change: dict[str, Any], code: str) -> None:
    expect_problem(check(stranger, **change), 400, code)
