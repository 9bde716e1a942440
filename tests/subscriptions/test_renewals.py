"""The sweep that tells the platform of what is about to begin: in time, once, whatever was away."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest
from django.db import connections, transaction

from accounts.models import Listener, User
from kernel.values import add_months
from outbox.models import Message
from subscriptions.models import PlatformWindow, Subscription
from subscriptions.rules import Terms
from subscriptions.telling import extend_all, extend_windows, store_windows, terms_of
from tests.conftest import NOON
from tests.subscriptions.chains import DAY, seams, taken

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


def subscribed(starts: Sequence[datetime], *, ends: Sequence[datetime]) -> list[Subscription]:
    """Listeners with a long period each, of which the platform knows the first stretch."""
    users = User.objects.bulk_create(User(email=f"{number}@example.org") for number in range(len(starts)))
    listeners = Listener.objects.bulk_create(Listener(user=user, country="GB") for user in users)
    made = Subscription.objects.bulk_create(
        Subscription(
            listener=listener, external_id=str(listener.pk), plan_id="premium-unlimited-streaming", status="ACTIVE",
            recurring_fee=999, currency="GBP", country="GB", activated_at=start, starts_at=start, expires_at=end,
            entitled_from=start, entitled_until=end, as_of=start,
        )
        for listener, start, end in zip(listeners, starts, ends, strict=True)
    )  # fmt: skip
    store_windows({each: each.starts_at for each in made}, now=min(starts))
    PlatformWindow.objects.update(state="SYNCED")
    return list(Subscription.objects.order_by("starts_at"))


def tell(now: datetime) -> list[Terms]:
    """The sweep, and what is queued by it as the platform takes it at once."""
    extend_all(now=now)
    queued = PlatformWindow.objects.filter(state="PENDING").select_related("plan")
    sent = [taken(terms_of(window), now=now) for window in queued]
    queued.update(state="SYNCED")
    return sent


def test_four_years_from_the_ends_of_a_month_are_told_in_time_and_whole() -> None:
    starts = [NOON.replace(day=day) for day in (1, 28, 29, 30, 31)]
    subscribed(starts, ends=[add_months(start, 48) for start in starts])

    while next_end := Subscription.objects.exclude(told_until__gte=add_months(NOON, 47)).order_by("told_until").first():
        assert next_end.told_until is not None
        assert tell(next_end.told_until - HOUR)

    for subscription in Subscription.objects.all():
        windows = [terms_of(window) for window in subscription.windows.select_related("plan").order_by("created_at")]
        assert seams(windows) == {timedelta(0)}
    queued = Message.objects.filter(topic="subscription.tell").count()
    assert queued == PlatformWindow.objects.count() - len(starts)


def test_nobody_lapses_while_nothing_runs_for_half_a_day() -> None:
    """A thousand whose stretch ends within two days, an hourly sweep, and twelve hours without it."""
    count = 1000
    starts = [NOON - timedelta(seconds=172800 * number // count) for number in range(count)]
    subscribed(starts, ends=[start + 300 * DAY for start in starts])
    first = add_months(starts[-1], 1)
    outage = range(30, 42)

    for hour in range(-24, 50):
        now = first + hour * HOUR
        if hour not in outage:
            tell(now)
        assert not Subscription.objects.filter(told_until__lte=now).exists()

    assert PlatformWindow.objects.count() == 2 * count


def test_what_was_missed_altogether_is_told_from_now_on() -> None:
    [subscription] = subscribed([NOON], ends=[NOON + 300 * DAY])
    now = add_months(NOON, 1) + 40 * HOUR

    [sent] = tell(now)

    assert now - DAY < sent.starts_at <= now
    assert sent.expires_at == add_months(add_months(NOON, 1), 1)
    assert extend_windows(now=now) == 0
    assert subscription.windows.count() == 2
    assert Message.objects.claimable().get().key == str(subscription.windows.latest("created_at").pk)


def test_works_through_more_than_fits_into_one_part() -> None:
    starts = [NOON + timedelta(seconds=number) for number in range(510)]
    subscribed(starts, ends=[start + 300 * DAY for start in starts])
    now = add_months(NOON, 1)

    assert extend_windows(now=now, limit=5) == 5
    assert extend_all(now=now) == 505
    assert extend_all(now=now) == 0
    assert PlatformWindow.objects.count() == 1020


@pytest.mark.django_db(transaction=True)
def test_leaves_alone_what_somebody_is_busy_with() -> None:
    held, _ = subscribed([NOON, NOON], ends=[NOON + 300 * DAY] * 2)
    now = add_months(NOON, 1)
    counts: list[int] = []

    def sweep() -> None:
        try:
            counts.append(extend_all(now=now))
        finally:
            connections.close_all()

    with transaction.atomic():
        Subscription.objects.select_for_update().get(pk=held.pk)
        thread = threading.Thread(target=sweep)
        thread.start()
        thread.join(10)

    assert counts == [1]
    assert extend_all(now=now) == 1
