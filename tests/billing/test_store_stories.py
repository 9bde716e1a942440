"""Whole stories of the app stores, from the first push to the right they end in."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from django.db import connection
from django.utils import timezone
from pytest_django.live_server_helper import LiveServer

from accounts.models import Listener
from billing.actions import sweep_billing
from billing.models import BillingEvent
from billing.simulators import apple, google
from subscriptions.models import Plan, Subscription
from tests.billing.test_simulate import simulate
from tests.helpers import Api

FINALLY = {
    "cancel_at_end": "CANCELLING",
    "cancel_now": "EXPIRED",
    "hold_and_expire": "EXPIRED",
    "refund": "REFUNDED",
}


@pytest.fixture
def sold(db: None) -> None:
    """Both plans, as the two stores sell them."""
    premium = ["apple:premium.monthly", "google:premium:monthly"]
    Plan.objects.filter(code="premium-unlimited-streaming").update(products=premium)
    basic = ["apple:basic.monthly", "google:basic:monthly"]
    Plan.objects.filter(code="standard-unlimited-streaming").update(products=basic)


def expect_ending(scenario: str) -> None:
    """One subscription, in the state and with the right that the story ends with."""
    subscription = Subscription.objects.get()
    assert subscription.status == FINALLY.get(scenario, "ACTIVE")
    assert (subscription.entitled_until > timezone.now()) == (subscription.status in {"ACTIVE", "CANCELLING"})
    assert (subscription.plan_id == "standard-unlimited-streaming") == (scenario == "downgrade")
    assert (subscription.currency, subscription.country) == ("GBP", "GB")
    assert not BillingEvent.objects.filter(state="WAITING").exists()


@pytest.mark.usefixtures("sold")
@pytest.mark.parametrize("scenario", apple.SCENARIOS)
def test_every_story_of_the_app_store_ends_as_it_should(stranger: Api, listener: Listener, scenario: str) -> None:
    for signed in apple.events(scenario, str(listener.pk), timezone.now()):
        assert stranger.post("/webhooks/billing/apple", signed.body, **signed.headers).status_code == 202

    sweep_billing()

    expect_ending(scenario)


@pytest.mark.usefixtures("sold", "google_address")
@pytest.mark.parametrize("scenario", google.SCENARIOS)
def test_every_story_of_google_play_ends_as_it_should(stranger: Api, listener: Listener, scenario: str) -> None:
    for signed in google.events(scenario, str(listener.pk), timezone.now()):
        assert stranger.post("/webhooks/billing/google", signed.body, **signed.headers).status_code == 202
        sweep_billing()  # looks the purchase up

    sweep_billing()  # folds what was answered last

    expect_ending(scenario)


@pytest.fixture
def worker(transactional_db: None) -> Iterator[None]:
    """Somebody who acts on stored events all the time."""
    done = threading.Event()

    def work() -> None:
        while not done.wait(0.02):
            sweep_billing()
        connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    yield
    done.set()
    thread.join()


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("worker", "google_address")
def test_the_command_opens_googles_books_for_as_long_as_the_story_lasts(
    live_server: LiveServer, listener: Listener
) -> None:
    said = simulate("google", "upgrade", "--account", str(listener.pk), "--url", live_server.url)

    assert [line.split()[0] for line in said.splitlines()] == ["202"] * 3
    assert BillingEvent.objects.filter(data__account_id=str(listener.pk)).count() == 2
