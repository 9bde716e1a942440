"""What the tests of all doors expect alike: of an event that makes no sense, and of how a story ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.utils import timezone

from billing.actions import process_event
from billing.models import BillingEvent
from subscriptions.models import Subscription
from tests.helpers import expect_problem

FINALLY = {
    "cancel_at_end": "CANCELLING",
    "cancel_now": "EXPIRED",
    "hold_and_expire": "EXPIRED",
    "refund": "REFUNDED",
}


def expect_kept_and_refused(send: Callable[[], Any], body: bytes, named: str) -> dict[str, Any]:
    """The problem, which names what is wrong, of a proven event; it is kept, and refused again."""
    problem = expect_problem(send(), 400, "invalid_event")
    assert named in problem["detail"]
    event = BillingEvent.objects.get()
    assert (event.state, bytes(event.body)) == ("REFUSED", body)
    expect_problem(send(), 400, "invalid_event")
    assert process_event(event_id=event.pk) is None
    return problem


def expect_ending(scenario: str) -> Subscription:
    """The one subscription, in the state and with the right that the story ends with."""
    subscription = Subscription.objects.get()
    assert subscription.status == FINALLY.get(scenario, "ACTIVE")
    assert (subscription.entitled_until > timezone.now()) == (subscription.status in {"ACTIVE", "CANCELLING"})
    assert not BillingEvent.objects.filter(state="WAITING").exists()
    return subscription
