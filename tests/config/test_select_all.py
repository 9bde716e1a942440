"""Whoever acts on all that a list leads to acts on as many rows as the list says, and on none beyond them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final
from uuid import uuid4

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.db.models import Model
from django.test import Client
from django.utils import timezone

from accounts.models import Listener
from billing.models import BillingEvent
from catalogue.models import CatalogueEvent
from desk import rows
from streaming.models import Device
from subscriptions.complimentary import grant_period
from subscriptions.models import Plan, PlatformWindow, Subscription
from tests.config.desks import page
from tests.helpers import stored_event

pytestmark = pytest.mark.django_db
MOST: Final = 3
ROWS: Final = 5
MakeListener = Callable[..., Listener]


@pytest.fixture(autouse=True)
def short_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lists lead to so many rows, two to a page."""
    for model in (BillingEvent, CatalogueEvent, Device, PlatformWindow, Subscription):
        desk = type(admin.site._registry[model])
        monkeypatch.setattr(desk, "list_per_page", 2)
        monkeypatch.setattr(sys.modules[desk.__module__], "MOST", MOST, raising=False)
    monkeypatch.setattr(rows, "MOST", MOST)


def devices(make: MakeListener) -> list[Model]:
    now, listener = timezone.now(), make()
    facts = {"listener": listener, "created_at": now, "last_seen_at": now}
    return [Device.objects.create(client_id=f"phone{number}", **facts) for number in range(ROWS)]


def gifts(make: MakeListener) -> list[Model]:
    plan = Plan.objects.get(code="premium-unlimited-streaming")
    for _ in range(ROWS):
        listener = make()
        facts: dict[str, Any] = {"by": listener.user, "now": timezone.now(), "gift_id": uuid4()}
        grant_period(listener=listener, plan=plan, days=7, reason="sorry", **facts)
    return list(Subscription.objects.all())


def windows(make: MakeListener) -> list[Model]:
    gifts(make)
    return list(PlatformWindow.objects.all())


def letters(make: MakeListener) -> list[Model]:
    facts = {"provider": "standard", "body": b"", "state": "DEAD"}
    return [BillingEvent.objects.create(event_id=f"evt_{number}", **facts) for number in range(ROWS)]


@pytest.mark.parametrize(
    ("make_rows", "action"),
    [(devices, "remove"), (gifts, "tell"), (gifts, "end_gift"), (windows, "tell_again"), (letters, "handle_again")],
)
def test_who_acts_on_all_acts_on_as_many_as_the_list_says(
    boss: Client, make_listener: MakeListener, make_rows: Callable[[MakeListener], list[Model]], action: str
) -> None:
    first, *others = make_rows(make_listener)
    assert len(others) == ROWS - 1

    listed = boss.get(page(first)).content.decode()
    act_on_all(boss, first, action)

    assert f"Select all {MOST} " in listed
    assert LogEntry.objects.count() == MOST


@pytest.mark.parametrize(
    ("model", "action", "settled", "open_"),
    [
        (CatalogueEvent, "try_again", {"state": "WAITING"}, {"state": "DEAD"}),
        (BillingEvent, "handle_again", {"state": "WAITING"}, {"state": "DEAD"}),
        (Device, "remove", {"removed_at": timezone.now()}, {"removed_at": None}),
    ],
)
def test_what_the_list_does_not_lead_to_is_left_alone(
    boss: Client, make_listener: MakeListener, model: Any, action: str, settled: dict[str, Any], open_: dict[str, Any]
) -> None:
    if model is CatalogueEvent:
        made: list[Any] = [stored_event(body=b"[]", members=[]) for _ in range(ROWS)]
    else:
        made = (letters if model is BillingEvent else devices)(make_listener)
    beyond = made[0]
    if model is Device:
        model.objects.filter(pk=beyond.pk).update(last_seen_at=timezone.now() - timedelta(days=1))
    model.objects.exclude(pk=beyond.pk).update(**settled)
    model.objects.filter(pk=beyond.pk).update(**open_)

    act_on_all(boss, beyond, action)

    assert not LogEntry.objects.exists()
    assert model.objects.filter(pk=beyond.pk, **open_).exists()


def act_on_all(client: Client, first: Model, action: str) -> None:
    """As with a click on "Select all"."""
    client.post(page(first), {"action": action, "select_across": "1", "_selected_action": [first.pk]})
