"""Letters about money that name nobody: they are found along what was paid for, and go with the account."""

from __future__ import annotations

import json
from typing import Any

import pytest

from accounts.models import Listener
from billing.models import BillingEvent
from billing.personal import trail_of
from subscriptions import personal
from subscriptions.models import Subscription
from tests.billing.stripe_events import fixture, send
from tests.helpers import Api

pytestmark = pytest.mark.django_db
SUBSCRIPTION = "sub_1QTonearm0001"
STORIES = [["invoice_paid", "invoice_payment_paid", "charge_refunded"], ["invoice_paid_2020", "charge_refunded_2020"]]


def somebody_elses(name: str) -> bytes:
    """The same letter about other things of another subscription."""
    text = fixture(name).decode()
    for kind in ("evt_", "sub_", "in_", "pi_", "ch_", "inpay_"):
        text = text.replace(f'"{kind}', f'"{kind}other')
    return json.dumps(json.loads(text)).encode()


def bodies() -> dict[str, bool]:
    """Which events still have their letters."""
    events: Any = BillingEvent.objects.values_list("event_id", "body")
    return {event_id: bool(bytes(body)) for event_id, body in events}


@pytest.mark.parametrize("names", STORIES)
def test_what_was_paid_leads_back_to_the_subscription(stranger: Api, names: list[str]) -> None:
    for name in names:
        send(stranger, fixture(name))
    own = set(BillingEvent.objects.values_list("pk", flat=True))
    for name in names:
        send(stranger, somebody_elses(name))

    assert len(own) == len(names)
    assert BillingEvent.objects.count() == 2 * len(names)
    assert trail_of({SUBSCRIPTION}) == own


def test_a_refund_leads_back_to_the_payment_of_a_purchase(stranger: Api) -> None:
    send(stranger, fixture("charge_refunded"))
    refund = BillingEvent.objects.get()

    assert trail_of({refund.data["payment_intent"]}) == {refund.pk}
    assert trail_of(set()) == trail_of({"pi_of_nobody"}) == set()


@pytest.mark.parametrize("names", STORIES)
def test_they_are_told_and_forgotten_with_the_account(stranger: Api, subscriber: Listener, names: list[str]) -> None:
    Subscription.objects.filter(listener=subscriber).update(external_id=SUBSCRIPTION)
    for name in names:
        send(stranger, fixture(name))
        send(stranger, somebody_elses(name))
    kinds = set(BillingEvent.objects.values_list("type", flat=True))

    assert {told["type"] for told in personal.billing_events(subscriber.pk)} == kinds
    personal.forget_payers([subscriber.pk])

    left = {event_id for event_id, kept in bodies().items() if kept}
    assert len(left) == len(names)
    assert all(event_id.startswith("evt_other") for event_id in left)
