"""Whole stories of Stripe: refunds traced to what they paid for, and the simulator's lives of a subscription."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import Listener
from billing.actions import process_event, sweep_billing
from billing.models import BillingEvent
from billing.simulators import SCENARIOS
from billing.simulators.stripe import STORIES, events
from subscriptions.models import Plan
from tests.billing.stripe_events import ACCOUNT, PATH, changed, fixture, send, told_of
from tests.billing.verdicts import expect_ending
from tests.helpers import Api

pytestmark = pytest.mark.django_db
SUBSCRIPTION = "sub_1QTonearm0001"


# --- refunds ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "names",
    [["invoice_paid", "invoice_payment_paid", "charge_refunded"], ["invoice_paid_2020", "charge_refunded_2020"]],
)
def test_a_refund_finds_the_subscription_it_paid_for(stranger: Api, names: list[str]) -> None:
    for name in names:
        send(stranger, fixture(name))

    assert process_event(event_id=BillingEvent.objects.get(type="stripe.refund").pk) == "HANDLED"

    told = {"external_id": SUBSCRIPTION, "status": "refunded", "revokes": True}
    assert told_of(SUBSCRIPTION) == [told]


def test_a_refund_waits_for_what_was_paid_with_it(stranger: Api) -> None:
    send(stranger, fixture("charge_refunded"))
    refund = BillingEvent.objects.get()

    assert process_event(event_id=refund.pk) == "WAITING"
    refund.refresh_from_db()
    assert "NothingPaid" in refund.last_error

    send(stranger, fixture("invoice_payment_paid"))
    send(stranger, fixture("invoice_paid"))
    BillingEvent.objects.update(due_at="2026-01-01T00:00:00Z")
    assert process_event(event_id=refund.pk) == "HANDLED"


def test_a_refund_handled_twice_is_told_once(stranger: Api) -> None:
    for name in ("invoice_paid", "invoice_payment_paid", "charge_refunded"):
        send(stranger, fixture(name))
    refund = BillingEvent.objects.get(type="stripe.refund")

    for _ in range(2):
        BillingEvent.objects.filter(pk=refund.pk).update(state="WAITING")
        assert process_event(event_id=refund.pk) == "HANDLED"

    assert len(told_of(SUBSCRIPTION)) == 1


def test_the_refund_of_a_period_that_is_over_takes_nothing(stranger: Api) -> None:
    def over(thing: Any) -> None:
        thing["lines"]["data"][0]["period"] = {"start": 1790942400, "end": 1793534400}

    send(stranger, changed("invoice_paid", over))
    send(stranger, fixture("invoice_payment_paid"))
    send(stranger, fixture("charge_refunded"))

    assert process_event(event_id=BillingEvent.objects.get(type="stripe.refund").pk) == "HANDLED"
    assert told_of(SUBSCRIPTION) == []


# --- the simulator ---------------------------------------------------------------------------------

STATUSES: dict[str, list[str | None]] = {
    "subscribe": ["active", None],
    "trial_to_paid": ["active", "active", "active"],
    "renew": ["active", "active"],
    "cancel_at_end": ["active", "active"],
    "cancel_now": ["active", "cancelled"],
    "uncancel": ["active", "active", "active"],
    "grace_and_recover": ["active", "active", "past_due", "active"],
    "hold_and_expire": ["active", "active", "past_due", "on_hold", "cancelled"],
    "pause_and_resume": ["active", "paused", "active"],
    "upgrade": ["active", "active"],
    "downgrade": ["active", "active", "active"],
    "refund": ["active", "refunded"],
}


def play(stranger: Api, scenario: str, listener: Listener) -> list[dict[str, Any]]:
    """Send a story through the door and act on its refunds; what was read of its subscription."""
    for signed in events(scenario, str(listener.pk), timezone.now()):
        assert stranger.post(PATH, signed.body, **signed.headers).status_code == 202
    for refund in BillingEvent.objects.filter(type="stripe.refund"):
        assert process_event(event_id=refund.pk) == "HANDLED"
    (subject,) = set(BillingEvent.objects.filter(type="subscription.updated").values_list("subject", flat=True))
    return told_of(subject)


@pytest.mark.parametrize("scenario", STATUSES)
def test_every_story_of_the_simulator_comes_through(stranger: Api, listener: Listener, scenario: str) -> None:
    began = timezone.now()
    told = play(stranger, scenario, listener)

    assert [data.get("status") for data in told] == STATUSES[scenario]
    assert {data["account_id"] for data in told if "account_id" in data} == {str(listener.pk)}
    assert began - max(BillingEvent.objects.values_list("occurred_at", flat=True)) < timedelta(seconds=1)


def test_the_stories_are_those_that_stripe_has() -> None:
    assert set(STATUSES) == set(STORIES) == set(SCENARIOS) - {"transfer"}
    with pytest.raises(LookupError):
        events("transfer", ACCOUNT, timezone.now())


def test_the_same_story_is_the_same_events(listener: Listener) -> None:
    now = timezone.now()
    one, two = (list(events("renew", str(listener.pk), now)) for _ in range(2))

    assert [signed.body for signed in one] == [signed.body for signed in two]


def test_a_trial_is_told_until_its_end_and_then_paid(stranger: Api, listener: Listener) -> None:
    first, _, last = play(stranger, "trial_to_paid", listener)

    assert first["expires_at"] == first["trial_ends_at"] == last["current_period_start"]
    assert first["current_period_start"] == first["activated_at"] == last["activated_at"]


def test_an_upgrade_and_a_downgrade_change_product_and_fee(stranger: Api, listener: Listener) -> None:
    told = [(data["product"], data["recurring_fee"]) for data in play(stranger, "downgrade", listener)]

    assert told == [("stripe:price_premium", 999), ("stripe:price_family", 1499), ("stripe:price_premium", 999)]


@pytest.mark.parametrize("scenario", STATUSES)
def test_every_story_ends_as_it_should(stranger: Api, listener: Listener, scenario: str) -> None:
    Plan.objects.filter(code="premium-unlimited-streaming").update(products=["stripe:price_premium"])
    Plan.objects.filter(code="standard-unlimited-streaming").update(products=["stripe:price_family"])
    play(stranger, scenario, listener)

    sweep_billing()

    expect_ending(scenario)
