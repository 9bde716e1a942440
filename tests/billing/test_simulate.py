"""The command that plays a billing provider, against a running service."""

from __future__ import annotations

import io
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from accounts.models import Listener
from billing.models import BillingEvent


def simulate(*what: str, **options: Any) -> str:
    said = io.StringIO()
    call_command("billing_simulate", *what, stdout=said, **options)
    return said.getvalue()


@pytest.mark.django_db(transaction=True)
def test_a_story_goes_through_the_real_door(live_server: LiveServer, listener: Listener) -> None:
    said = simulate("stripe", "subscribe", "--account", str(listener.pk), "--url", live_server.url)

    assert [line.split()[0] for line in said.splitlines()] == ["202"] * 5
    assert BillingEvent.objects.filter(data__account_id=str(listener.pk)).exists()


@pytest.mark.django_db(transaction=True)
def test_the_same_end_makes_the_same_events(live_server: LiveServer, listener: Listener) -> None:
    for _ in range(2):
        simulate(
            "stripe", "renew", "--account", str(listener.pk), "--url", live_server.url, "--at", "2026-11-20T12:00:00Z"
        )

    assert BillingEvent.objects.filter(type="subscription.updated").count() == 2


@pytest.mark.django_db(transaction=True)
def test_says_when_the_door_does_not_take_it(live_server: LiveServer, listener: Listener, settings: Settings) -> None:
    with pytest.raises(CommandError, match="door"):
        simulate("stripe", "subscribe", "--account", str(listener.pk), "--url", f"{live_server.url}/elsewhere")


@pytest.mark.parametrize(
    ("what", "fault"),
    [
        (("stripe", "transfer"), "no transfer"),
        (("stripe", "subscribe", "--url", "http://127.0.0.1:9"), "reached"),
        (("stripe", "subscribe", "--at", "yesterday"), "RFC 3339"),
        (("paypal", "subscribe"), "paypal"),
        (("stripe", "win_the_lottery"), "win_the_lottery"),
    ],
)
def test_says_what_cannot_be_played(what: tuple[str, ...], fault: str) -> None:
    with pytest.raises(CommandError, match=fault):
        simulate(*what, "--account", "0192c7d4-6f0e-7c1a-9b3f-5d2e8a4c6b10")


def test_plays_nothing_in_production(settings: Settings) -> None:
    settings.PRODUCTION = True

    with pytest.raises(CommandError, match="production"):
        simulate("stripe", "subscribe", "--account", "0192c7d4-6f0e-7c1a-9b3f-5d2e8a4c6b10")
