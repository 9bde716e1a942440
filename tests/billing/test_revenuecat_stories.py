"""Whole stories of RevenueCat: transfers from listener to listener, and the simulator's lives of a subscription."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import Listener
from billing.actions import process_event, sweep_billing
from billing.models import BillingEvent
from billing.simulators import SCENARIOS
from billing.simulators.revenuecat import STORIES, events
from subscriptions.models import Plan, Subscription
from tests.billing.revenuecat_events import ACCOUNT, PATH, changed, send, told
from tests.billing.standard_events import updated
from tests.billing.verdicts import expect_ending
from tests.helpers import Api

pytestmark = pytest.mark.django_db
ANONYMOUS = "$RCAnonymousID:8069238d6049ce87cc529853916d624c"


@pytest.fixture(autouse=True)
def sold() -> None:
    """What RevenueCat's products stand for."""
    product = "revenuecat:com.example.tonearm.premium.monthly"
    Plan.objects.filter(code="premium-unlimited-streaming").update(products=["revenuecat:premium_monthly", product])
    Plan.objects.filter(code="standard-unlimited-streaming").update(products=["revenuecat:family_monthly"])


# --- transfers -------------------------------------------------------------------------------------


@pytest.fixture
def taker(make_listener: Callable[..., Listener]) -> Listener:
    return make_listener()


def purchase(listener: Listener, **changes: Any) -> bytes:
    return changed("initial_purchase", app_user_id=str(listener.pk), **changes)


def transfer(giver: object, taker: object) -> bytes:
    return changed("transfer", transferred_from=[ANONYMOUS, str(giver)], transferred_to=[str(taker)])


def test_a_transfer_hands_the_subscription_over(stranger: Api, listener: Listener, taker: Listener) -> None:
    send(stranger, purchase(listener))
    sweep_billing()
    send(stranger, transfer(listener.pk, taker.pk))
    sweep_billing()
    sweep_billing()

    assert Subscription.objects.get().listener == taker
    send(stranger, changed("uncancellation", app_user_id=str(taker.pk)))
    sweep_billing()
    assert set(BillingEvent.objects.values_list("state", flat=True)) == {"HANDLED"}


def test_a_transfer_handled_twice_is_told_once(stranger: Api, listener: Listener, taker: Listener) -> None:
    send(stranger, purchase(listener))
    sweep_billing()
    send(stranger, transfer(listener.pk, taker.pk))

    for _ in range(2):
        BillingEvent.objects.filter(type="revenuecat.transfer").update(state="WAITING")
        sweep_billing()
        sweep_billing()

    assert BillingEvent.objects.count() == 3
    assert set(BillingEvent.objects.values_list("state", flat=True)) == {"HANDLED"}


def test_a_transfer_waits_for_what_it_moves(stranger: Api, listener: Listener, taker: Listener) -> None:
    send(stranger, transfer(listener.pk, taker.pk))
    event = BillingEvent.objects.get()

    assert process_event(event_id=event.pk) == "WAITING"
    event.refresh_from_db()
    assert "UnclearTransfer" in event.last_error


def test_a_transfer_of_one_of_several_is_for_a_person(stranger: Api, listener: Listener, taker: Listener) -> None:
    send(stranger, purchase(listener))
    send(stranger, purchase(listener, id="another", original_transaction_id="another"))
    sweep_billing()
    send(stranger, transfer(listener.pk, taker.pk))
    sweep_billing()

    assert "2 subscriptions" in BillingEvent.objects.get(type="revenuecat.transfer").last_error
    assert set(Subscription.objects.values_list("listener", flat=True)) == {listener.pk}


def test_what_another_billing_system_sold_stays(stranger: Api, listener: Listener, taker: Listener) -> None:
    BillingEvent.objects.create(
        provider="standard",
        event_id="evt_1",
        type="subscription.updated",
        subject="sub_1",
        occurred_at="2026-11-01T12:00:00Z",
        body=b"",
        data=json.loads(updated(listener))["data"],
    )
    send(stranger, purchase(listener))
    sweep_billing()
    send(stranger, transfer(listener.pk, taker.pk))
    sweep_billing()
    sweep_billing()

    owners = dict(Subscription.objects.values_list("external_id", "listener"))
    assert owners == {"sub_1": listener.pk, "390001234567890": taker.pk}


@pytest.mark.parametrize(
    ("givers", "takers"),
    [
        ([ANONYMOUS], [ACCOUNT]),
        ([ACCOUNT], [ANONYMOUS]),
        ([ACCOUNT], [ACCOUNT, ANONYMOUS]),
        ([ACCOUNT], ["0192c7d4-6f0e-7c1a-9b3f-000000000001", "0192c7d4-6f0e-7c1a-9b3f-000000000002"]),
        (None, [ACCOUNT]),
        ([ACCOUNT], 7),
        ([{}], [None]),
    ],
)
def test_any_other_transfer_is_kept_for_a_person(stranger: Api, givers: Any, takers: Any) -> None:
    body = changed("transfer", transferred_from=givers, transferred_to=takers)

    assert json.loads(send(stranger, body).content)["state"] == "DEAD"
    assert "look them up" in BillingEvent.objects.get().last_error


# --- the simulator ---------------------------------------------------------------------------------

STATUSES: dict[str, list[str]] = {
    "subscribe": ["active"],
    "trial_to_paid": ["active", "active"],
    "renew": ["active", "active"],
    "cancel_at_end": ["active", "active"],
    "cancel_now": ["active", "active", "expired"],
    "uncancel": ["active", "active", "active"],
    "grace_and_recover": ["active", "past_due", "active"],
    "hold_and_expire": ["active", "past_due", "expired"],
    "pause_and_resume": ["active", "paused", "paused", "active"],
    "upgrade": ["active", "active"],
    "downgrade": ["active", "active"],
    "refund": ["active", "refunded"],
    "transfer": ["active"],
}


def play(stranger: Api, scenario: str, listener: Listener) -> list[dict[str, Any]]:
    """Send a story through the door; what was read of its subscription."""
    for signed in events(scenario, str(listener.pk), timezone.now()):
        assert stranger.post(PATH, signed.body, **signed.headers).status_code == 202
    return told()


@pytest.mark.parametrize("scenario", STATUSES)
def test_every_story_of_the_simulator_comes_through(stranger: Api, listener: Listener, scenario: str) -> None:
    began = timezone.now()
    read = play(stranger, scenario, listener)

    assert [data["status"] for data in read] == STATUSES[scenario]
    assert {data["account_id"] for data in read} == {str(listener.pk)}
    assert len({data["external_id"] for data in read}) == 1
    assert began - max(BillingEvent.objects.values_list("occurred_at", flat=True)) < timedelta(seconds=1)


def test_revenuecat_has_every_story() -> None:
    assert set(STATUSES) == set(STORIES) == set(SCENARIOS)


def test_a_trial_is_told_until_its_end_and_then_paid(stranger: Api, listener: Listener) -> None:
    trial, paid = play(stranger, "trial_to_paid", listener)

    assert (trial["recurring_fee"], paid["recurring_fee"]) == (0, 999)
    assert trial["expires_at"] == trial["trial_ends_at"] == paid["current_period_start"]
    assert not {"activated_at", "trial_ends_at"} & set(paid)


def test_a_downgrade_changes_product_and_fee_when_it_begins(stranger: Api, listener: Listener) -> None:
    read = [(data["product"], data["recurring_fee"]) for data in play(stranger, "downgrade", listener)]

    assert read == [("revenuecat:family_monthly", 1499), ("revenuecat:premium_monthly", 999)]


@pytest.mark.parametrize("scenario", STATUSES)
def test_every_story_ends_as_it_should(stranger: Api, listener: Listener, scenario: str) -> None:
    play(stranger, scenario, listener)

    sweep_billing()

    expect_ending(scenario)
