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
from subscriptions.models import Plan
from tests.billing.test_simulate import simulate
from tests.billing.verdicts import expect_ending
from tests.helpers import Api


@pytest.fixture
def sold(db: None) -> None:
    """Both plans, as the two stores sell them."""
    premium = ["apple:premium.monthly", "google:premium:monthly"]
    Plan.objects.filter(code="premium-unlimited-streaming").update(products=premium)
    basic = ["apple:basic.monthly", "google:basic:monthly"]
    Plan.objects.filter(code="standard-unlimited-streaming").update(products=basic)


def expect_ending_of_a_store(scenario: str) -> None:
    """As everywhere, on the plan that the story ends with."""
    subscription = expect_ending(scenario)
    assert (subscription.plan_id == "standard-unlimited-streaming") == (scenario == "downgrade")
    assert (subscription.currency, subscription.country) == ("GBP", "GB")


@pytest.mark.usefixtures("sold")
@pytest.mark.parametrize("scenario", apple.SCENARIOS)
def test_every_story_of_the_app_store_ends_as_it_should(stranger: Api, listener: Listener, scenario: str) -> None:
    for signed in apple.events(scenario, str(listener.pk), timezone.now()):
        assert stranger.post("/webhooks/billing/apple", signed.body, **signed.headers).status_code == 202

    sweep_billing()

    expect_ending_of_a_store(scenario)


@pytest.mark.usefixtures("sold", "google_address")
@pytest.mark.parametrize("scenario", google.SCENARIOS)
def test_every_story_of_google_play_ends_as_it_should(stranger: Api, listener: Listener, scenario: str) -> None:
    for signed in google.events(scenario, str(listener.pk), timezone.now()):
        assert stranger.post("/webhooks/billing/google", signed.body, **signed.headers).status_code == 202
        sweep_billing()  # looks the purchase up

    sweep_billing()  # folds what was answered last

    expect_ending_of_a_store(scenario)


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
