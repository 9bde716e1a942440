"""Staff give listeners days for nothing, and take them back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, timedelta
from uuid import uuid4

import pytest
from django.contrib.admin.models import LogEntry
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.actions import close_account
from accounts.models import Listener, User
from billing.models import BillingEvent
from subscriptions.ledger import was_entitled
from subscriptions.models import Period, PlatformWindow, Subscription

pytestmark = pytest.mark.django_db
PLAN = "premium-unlimited-streaming"


def give(client: Client, listener: Listener, **changed: object) -> HttpResponse:
    form = {"plan": PLAN, "days": 10, "reason": "the app was down", "gift_id": uuid4()} | changed
    response: HttpResponse = client.post(reverse("gift", args=[listener.pk]), form)
    return response


def end(client: Client, *gifts: Subscription) -> str:
    chosen = {"action": "end_gift", "_selected_action": [gift.pk for gift in gifts]}
    return client.post(reverse("admin:subscriptions_subscription_changelist"), chosen, follow=True).content.decode()


def test_the_listener_streams_at_once_and_the_platform_is_told(boss: Client, listener: Listener) -> None:
    assert give(boss, listener).status_code == 302

    now = timezone.now()
    asked = {days: was_entitled(listener.pk, now + timedelta(days=days)) for days in (0, 9.9, 10.1)}
    assert asked == {0: True, 9.9: True, 10.1: False}
    window = PlatformWindow.objects.get()
    assert (window.recurring_fee, window.country, window.state) == (0, "GB", "PENDING")


def test_it_begins_when_what_they_have_ends(boss: Client, subscriber: Listener) -> None:
    paid = subscriber.subscriptions.get()

    give(boss, subscriber)

    [period] = Period.objects.exclude(subscription=paid)
    assert (period.starts_at, period.ends_at - period.starts_at) == (paid.entitled_until, timedelta(days=10))


def test_who_gave_it_and_why_is_kept(boss: Client, listener: Listener) -> None:
    give(boss, listener, reason="a <b>good</b> listener")

    event = BillingEvent.objects.get()
    assert (event.provider, event.data["reason"]) == ("staff", "a <b>good</b> listener")
    assert event.data["said_by"] == str(User.objects.get(email="boss@example.org").pk)
    assert "10 days of premium-unlimited-streaming" in LogEntry.objects.get().change_message


def test_a_form_sent_twice_is_one_gift(boss: Client, listener: Listener) -> None:
    gift_id = uuid4()

    for _ in range(2):
        give(boss, listener, gift_id=gift_id)

    assert Subscription.objects.count() == BillingEvent.objects.count() == 1


def test_it_can_be_taken_back_once(boss: Client, listener: Listener) -> None:
    give(boss, listener)
    gift = Subscription.objects.get()

    for _ in range(2):
        end(boss, gift)

    gift.refresh_from_db()
    assert (gift.status, gift.entitled_until <= timezone.now()) == ("EXPIRED", True)
    assert not was_entitled(listener.pk, timezone.now())
    assert BillingEvent.objects.count() == 2


def test_what_is_paid_for_cannot(boss: Client, subscriber: Listener) -> None:
    assert "is paid for" in end(boss, subscriber.subscriptions.get())

    assert was_entitled(subscriber.pk, timezone.now()) is subscriber.periods.exists()
    assert not BillingEvent.objects.exists()


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({"days": 0}, "greater than or equal to 1"),
        ({"days": 367}, "less than or equal to 366"),
        ({"days": "many"}, "Enter a whole number"),
        ({"reason": " "}, "This field is required"),
        ({"reason": "\x00"}, "Null characters are not allowed"),
        ({"plan": "no-such-plan"}, "Select a valid choice"),
        ({"plan": "trial-unlimited-streaming"}, "Select a valid choice"),
        ({"gift_id": "x"}, "Enter a valid UUID"),
    ],
)
def test_what_makes_no_sense_is_named_and_gives_nothing(
    boss: Client, listener: Listener, changed: dict[str, object], fault: str
) -> None:
    response = give(boss, listener, **changed)

    assert response.status_code == 200
    assert fault in response.content.decode()
    assert not BillingEvent.objects.exists()


def test_it_is_for_those_who_may_give(clerk: Callable[..., Client], listener: Listener) -> None:
    client = clerk("view_listener", "change_subscription")

    assert give(client, listener).status_code == 403
    assert client.get(reverse("gift", args=[listener.pk])).status_code == 403


def test_nobody_is_given_anything_whose_account_is_closed(boss: Client, listener: Listener) -> None:
    close_account(listener=listener, now=timezone.now())

    assert give(boss, listener).status_code == 404


def test_the_page_says_when_it_would_begin(boss: Client, subscriber: Listener) -> None:
    shown = boss.get(reverse("gift", args=[subscriber.pk])).content.decode()

    assert f"{subscriber.subscriptions.get().entitled_until.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC" in shown
