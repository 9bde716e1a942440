"""Several subscriptions of one listener: the platform, which knows one, never lets them lapse."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import Listener
from outbox.models import Message
from subscriptions.models import PlatformWindow, Subscription
from subscriptions.telling import extend_all, tell_again, tell_platform
from tests.conftest import NOON
from tests.helpers import Api

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)
Subscribe = Callable[..., Subscription]


@pytest.fixture
def run(listener: Listener, subscribe: Subscribe) -> Subscribe:
    """A subscription that runs from one day to another, for a fee."""

    def make(first: float, last: float, fee: int = 999, *, start: datetime = NOON, **changes: Any) -> Subscription:
        begins, ends = start + first * DAY, start + last * DAY
        return subscribe(
            listener, external_id=f"sub-{Subscription.objects.count()}", recurring_fee=fee, activated_at=begins,
            starts_at=begins, expires_at=ends, entitled_until=ends, **changes,
        )  # fmt: skip

    return make


def told(listener: Listener) -> list[tuple[float, float, int]]:
    """What was queued for the platform, in order: from which day to which, and the fee."""
    windows = PlatformWindow.objects.filter(subscription__listener=listener).order_by("created_at", "starts_at")
    return [((each.starts_at - NOON) / DAY, (each.expires_at - NOON) / DAY, each.recurring_fee) for each in windows]


def test_the_dearest_is_told_and_of_equals_the_one_that_runs_longest(listener: Listener, run: Subscribe) -> None:
    run(-1, 20, 0)
    run(-1, 15, 999)
    run(-1, 10, 999)

    tell_platform(listener, now=NOON)

    assert told(listener) == [(-1, 15, 999)]


def test_another_is_told_when_it_ends(listener: Listener, run: Subscribe) -> None:
    run(-1, 20, 0)
    run(-1, 15, 999)
    tell_platform(listener, now=NOON)

    for day in range(20):
        extend_all(now=NOON + day * DAY)

    assert told(listener) == [(-1, 15, 999), (-1, 20, 0)]


def test_another_is_told_at_once_when_it_is_ended_early(listener: Listener, run: Subscribe) -> None:
    run(-1, 20, 0)
    dear = run(-1, 15, 999)
    tell_platform(listener, now=NOON)
    Subscription.objects.filter(pk=dear.pk).update(entitled_until=NOON + 2 * DAY)

    tell_platform(listener, now=NOON + 2 * DAY)

    assert told(listener) == [(-1, 15, 999), (-1, 20, 0)]


def test_one_that_begins_in_between_takes_the_lead_and_gives_it_back(listener: Listener, run: Subscribe) -> None:
    run(-1, 28, 0)
    run(5, 10, 999)
    tell_platform(listener, now=NOON)

    for day in range(28):
        extend_all(now=NOON + day * DAY)

    assert told(listener) == [(-1, 28, 0), (5, 10, 999), (-1, 28, 0)]


def test_nothing_is_told_twice(listener: Listener, run: Subscribe) -> None:
    run(-1, 20, 0)
    run(-1, 15, 999)

    for _ in range(3):
        tell_platform(listener, now=NOON)

    assert len(told(listener)) == Message.objects.filter(topic="subscription.tell").count() == 1


@pytest.mark.parametrize("seed", range(8))
def test_who_may_stream_is_known_by_their_dearest(listener: Listener, run: Subscribe, seed: int) -> None:
    """Up to four that begin, run side by side and are ended early, and a sweep every twelve hours."""
    chance = random.Random(seed)
    with transaction.atomic():
        plans = [(chance.randint(0, 40), chance.randint(1, 90), chance.choice([0, 499, 999])) for _ in range(4)]
        ended = {chance.randint(0, 60): chance.randrange(4) for _ in range(2)}
        made: list[Subscription] = []
        for step in range(2 * 70):
            now = NOON + step * DAY / 2
            for first, length, fee in plans:
                if first * 2 == step:
                    made.append(run(first, first + length, fee))
                    tell_platform(listener, now=now)
            if step % 2 == 0 and (index := ended.get(step // 2, 9)) < len(made):
                cut = Subscription.objects.filter(pk=made[index].pk, entitled_from__lt=now, entitled_until__gt=now)
                cut.update(entitled_until=now)
                tell_platform(listener, now=now)
            extend_all(now=now)
            if may := list(Subscription.objects.covering(now)):
                known = PlatformWindow.objects.filter(starts_at__lte=now).order_by("created_at", "starts_at").last()
                assert known is not None
                assert known.expires_at > now, step
                assert known.recurring_fee == max(each.recurring_fee for each in may), step
        transaction.set_rollback(True)


# --- told again ------------------------------------------------------------------------------------------------------


def test_a_person_has_the_platform_told_again(listener: Listener, run: Subscribe) -> None:
    run(-1, 20)
    tell_platform(listener, now=NOON)
    PlatformWindow.objects.update(state="REFUSED", detail="no such plan")

    tell_again(listener, now=NOON)

    assert told(listener) == [(-1, 20, 999)] * 2
    assert list(PlatformWindow.objects.order_by("created_at").values_list("state", flat=True)) == ["REFUSED", "PENDING"]


@pytest.mark.parametrize("model", ["subscription", "platformwindow"])
def test_the_admin_offers_it(boss: Client, listener: Listener, run: Subscribe, model: str) -> None:
    now = timezone.now()
    subscription = run(-1, 20, start=now)
    tell_platform(listener, now=now)
    window = PlatformWindow.objects.get()
    row, verb = (subscription, "tell") if model == "subscription" else (window, "tell_again")

    page = reverse(f"admin:subscriptions_{model}_changelist")
    answer = boss.post(page, {"action": verb, "_selected_action": [row.pk]}, follow=True)

    assert "told of 1 listener(s) again" in answer.content.decode()
    assert PlatformWindow.objects.count() == 2
    assert boss.post(page, {"action": verb, "_selected_action": []}, follow=True).status_code == 200


def test_the_admin_offers_it_to_those_who_may(clerk: Callable[..., Client], listener: Listener, run: Subscribe) -> None:
    subscription = run(-1, 20, start=timezone.now())
    client = clerk("view_subscription")

    page = reverse("admin:subscriptions_subscription_changelist")
    client.post(page, {"action": "tell", "_selected_action": [subscription.pk]})

    assert not PlatformWindow.objects.exists()


# --- what the phone sees ---------------------------------------------------------------------------------------------


def test_the_phone_sees_the_one_that_runs(listener: Listener, run: Subscribe, api: Callable[[Listener], Api]) -> None:
    now = timezone.now()
    run(-1, 5, start=now)
    run(5, 60, 0, start=now)

    shown = api(listener).get("subscription").json()  # type: ignore[attr-defined]

    assert shown["expires_at"] == (now + 5 * DAY).isoformat().replace("+00:00", "Z")
