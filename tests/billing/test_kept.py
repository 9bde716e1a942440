"""What a door has taken is kept for good and acted upon once; what it could not take is asked for again."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings
from rest_framework import serializers

from accounts.models import Listener
from accounts.tasks import prune
from billing.actions import process_event
from billing.models import BillingEvent
from billing.registry import Happened, on_billing
from billing.simulators.google import Books
from billing.tasks import prune as billing_prune
from outbox.models import Message
from subscriptions.models import Plan, PlatformWindow, Subscription
from tests.billing import apple, google, revenuecat_events, stripe_events
from tests.billing.standard_events import PATH, send, updated
from tests.helpers import Api, expect_problem, webhook_headers

pytestmark = pytest.mark.django_db


# --- taken once for ever ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("days", [31, 400])
def test_an_event_that_comes_again_long_afterwards_is_the_same(stranger: Api, listener: Listener, days: int) -> None:
    then = timezone.now() - timedelta(days=days)
    assert send(stranger, updated(listener)).status_code == 202
    event = BillingEvent.objects.get()
    process_event(event_id=event.pk)
    BillingEvent.objects.update(received_at=then, due_at=then)
    prune()

    again = send(stranger, updated(listener, recurring_fee=1))

    assert json.loads(again.content) == {"event_id": "evt_1", "state": "HANDLED"}
    assert BillingEvent.objects.get().pk == event.pk
    assert Subscription.objects.get().recurring_fee == 999
    assert PlatformWindow.objects.count() == Message.objects.filter(topic="subscription.tell").count()


def test_what_no_event_may_say_is_left_out(stranger: Api, listener: Listener) -> None:
    """Members that only our own doors write, and names of our columns."""
    said = ["id", "pk", "state", "provider", "event_id", "subject", "body", "attempts", "due_at", "received_at",
            "occurred_at", "last_error", "type", "listener", "listener_id", "plan", "plan_id", "starts_at", "as_of",
            "entitled_from", "entitled_until", "told_until", "withdrawn_at", "recorded_at", "platform_id", "is_staff",
            "product", "revokes", "transferred_to", "given_up_by", "test", "__proto__"]  # fmt: skip
    plainly = json.loads(updated(listener))
    strangely = plainly | {"data": {name: str(uuid4()) for name in said} | plainly["data"]}
    for event_id, body in {"plain": plainly, "strange": strangely}.items():
        send(stranger, json.dumps(body).encode(), event_id=event_id)

    plain, odd = BillingEvent.objects.order_by("pk")

    assert odd.data == plain.data
    assert (odd.state, odd.event_id, odd.subject) == ("WAITING", "strange", "sub_1")
    assert process_event(event_id=odd.pk) == "HANDLED"
    assert Subscription.objects.get().listener == listener


# --- letters that nobody reads ---------------------------------------------------------------------------------


def test_letters_of_kinds_that_nobody_reads_are_emptied_in_the_end(stranger: Api, listener: Listener) -> None:
    """They may name people, whom nobody can find in them when they leave."""
    unread = json.loads(updated(listener)) | {"type": "customer.updated"}
    send(stranger, json.dumps(unread).encode(), event_id="unread")
    send(stranger, json.dumps(unread).encode(), event_id="fresh")
    send(stranger, updated(listener), event_id="read")
    send(stranger, updated(listener, plan_code="unheard of"), event_id="waiting")
    stripe_events.send(stranger, stripe_events.fixture("invoice_paid"))
    invoice = BillingEvent.objects.get(provider="stripe")
    old, young = timezone.now() - timedelta(days=90, seconds=5), timezone.now() - timedelta(days=90, seconds=-60)
    BillingEvent.objects.exclude(event_id="fresh").update(received_at=old)
    BillingEvent.objects.filter(event_id="fresh").update(received_at=young)

    assert (billing_prune(), billing_prune()) == (2, 0)

    whole = set(BillingEvent.objects.exclude(body=b"").values_list("event_id", flat=True))
    assert whole == {"fresh", "read", "waiting"}
    assert BillingEvent.objects.get(event_id="unread").data == {}
    assert BillingEvent.objects.get(pk=invoice.pk).data == invoice.data, "a refund asks for it"
    assert json.loads(send(stranger, json.dumps(unread).encode(), event_id="unread").content)["state"] == "IGNORED"
    assert BillingEvent.objects.filter(event_id="unread", body=b"").count() == 1


# --- a handler that fails --------------------------------------------------------------------------------------

broken = {"for": 0}


class Anything(serializers.Serializer[Any]):
    name = serializers.CharField()


@on_billing("test.stumbled", shape=Anything, subject="name")
def stumble(event: Happened) -> None:
    broken["for"] -= 1
    if broken["for"] >= 0:
        raise RuntimeError(f"a bug met {event.subject}")


def test_twenty_events_that_no_handler_survives_end_with_a_person_and_can_be_handled_again(
    stranger: Api, boss: Client
) -> None:
    broken["for"] = 1000
    for number in range(20):
        body = {"type": "test.stumbled", "timestamp": "2026-11-01T12:00:00Z", "data": {"name": f"nr {number}"}}
        assert send(stranger, json.dumps(body).encode(), event_id=f"evt_{number}").status_code == 202
    pks = list(BillingEvent.objects.order_by("pk").values_list("pk", flat=True))

    for _ in range(20):
        BillingEvent.objects.update(due_at=timezone.now() - timedelta(hours=1))
        for pk in pks:
            process_event(event_id=pk)

    assert BillingEvent.objects.filter(state="DEAD", attempts=12).count() == 20
    page = boss.get("/admin/billing/billingevent/?state__exact=DEAD").content.decode()
    assert all(f"evt_{number}<" in page for number in range(20))
    assert "RuntimeError: a bug met nr 7" in boss.get(f"/admin/billing/billingevent/{pks[7]}/change/").content.decode()

    broken["for"] = 0
    boss.post("/admin/billing/billingevent/", {"action": "handle_again", "_selected_action": pks})

    assert {process_event(event_id=pk) for pk in pks} == {"HANDLED"}
    assert not BillingEvent.objects.exclude(last_error="").exists()


def test_what_a_person_mends_is_handled_again(stranger: Api, listener: Listener, boss: Client) -> None:
    send(stranger, updated(listener, plan_code="family"))
    event = BillingEvent.objects.get()
    BillingEvent.objects.update(state="DEAD", attempts=12)
    Plan.objects.create(code="family", name="Family")

    boss.post("/admin/billing/billingevent/", {"action": "handle_again", "_selected_action": [event.pk]})

    assert process_event(event_id=event.pk) == "HANDLED"
    assert Subscription.objects.get().plan_id == "family"


# --- without a database ----------------------------------------------------------------------------------------


def standard(api: Api) -> Any:
    body = updated()
    return api.post(PATH, body, **webhook_headers(body))


DOORS: dict[str, Callable[[Api], Any]] = {
    "standard": standard,
    "stripe": lambda api: stripe_events.send(api, stripe_events.fixture("subscription_active")),
    "apple": lambda api: api.post("/webhooks/billing/apple", apple.body_of("subscribed")),
    "revenuecat": lambda api: revenuecat_events.send(api, revenuecat_events.fixture("initial_purchase")),
    "google": lambda api: google.send(api, google.pushed()),
}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("door", DOORS)
def test_without_postgresql_every_door_asks_to_be_told_again(
    stranger: Api, books: Books, settings: Settings, no_database: None, door: str
) -> None:
    settings.APPLE_APP_ID = apple.APP_ID
    answer = DOORS[door](stranger)

    expect_problem(answer, 503, "unavailable")
    assert answer.headers["Retry-After"] == "2"
