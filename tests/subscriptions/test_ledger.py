"""The ledger of periods: what was true, what was believed, and that nothing in it is ever changed."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from accounts.actions import move_listener
from accounts.models import Listener
from billing.models import BillingEvent
from kernel.values import rfc3339
from subscriptions.actions import UnknownPlan, fold_billing_events
from subscriptions.ledger import was_entitled
from subscriptions.models import Period, Plan, Subscription
from tests.helpers import Api

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)


@pytest.fixture
def start() -> datetime:
    return timezone.now().replace(microsecond=0) - 48 * HOUR


@pytest.fixture
def other_listener(make_listener: Callable[..., Listener]) -> Listener:
    return make_listener()


Tell = Callable[..., Subscription | None]


@pytest.fixture
def tell(listener: Listener, start: datetime) -> Tell:
    """Store an event that tells this, so many hours after the start, and fold."""

    def told(number: int, *, hours: float, **data: Any) -> Subscription | None:
        BillingEvent.objects.create(
            provider="standard", event_id=f"evt_{number}", type="subscription.updated", subject="sub_1", body=b"",
            occurred_at=start + hours * HOUR, data=data,
        )  # fmt: skip
        return fold_billing_events(external_id="sub_1", account_id=data.get("account_id"), now=timezone.now())

    return told


def everything(listener: Listener, start: datetime, **changes: Any) -> dict[str, Any]:
    return {
        "account_id": str(listener.pk), "plan_code": "premium-unlimited-streaming", "status": "active",
        "currency": "GBP", "recurring_fee": 999, "country": "GB", "activated_at": rfc3339(start),
        "current_period_start": rfc3339(start), "expires_at": rfc3339(start + timedelta(days=28)),
    } | changes  # fmt: skip


def test_says_who_could_stream_when(listener: Listener, start: datetime, tell: Tell) -> None:
    tell(1, hours=0, **everything(listener, start))
    tell(2, hours=10, status="cancelled")

    asked = {hours: was_entitled(listener.pk, start + hours * HOUR) for hours in (-1, 0, 9.9, 10, 40)}
    assert asked == {-1: False, 0: True, 9.9: True, 10: False, 40: False}


def test_a_plan_told_ahead_is_not_shown_before_it_begins(
    listener: Listener, start: datetime, tell: Tell, api: Callable[[Listener], Api]
) -> None:
    tell(1, hours=0, **everything(listener, start))
    month = rfc3339(start + timedelta(days=28))
    cheaper = {"plan_code": "standard-unlimited-streaming", "recurring_fee": 499, "current_period_start": month}
    tell(2, hours=10, **everything(listener, start, expires_at=rfc3339(start + timedelta(days=56))) | cheaper)

    shown = json.loads(api(listener).get("subscription").content)

    assert shown["plan"]["code"] == "premium-unlimited-streaming"
    assert shown["current_period_start"] == rfc3339(start)
    assert shown["expires_at"] == rfc3339(start + timedelta(days=56))


def test_remembers_what_was_believed(listener: Listener, start: datetime, tell: Tell) -> None:
    tell(1, hours=0, **everything(listener, start))
    believed = Period.objects.get()
    tell(2, hours=10, status="refunded")

    later = start + 20 * HOUR
    assert not was_entitled(listener.pk, later)
    assert was_entitled(listener.pk, later, as_known_at=believed.recorded_at)
    assert not was_entitled(listener.pk, later, as_known_at=believed.recorded_at - timedelta(microseconds=1))
    believed.refresh_from_db()
    assert believed.withdrawn_at is not None
    assert not was_entitled(listener.pk, later, as_known_at=believed.withdrawn_at)
    assert Period.objects.believed().get().ends_at == start + 10 * HOUR


def test_a_later_move_changes_no_earlier_period(listener: Listener, start: datetime, tell: Tell) -> None:
    """Where billing does not say in which country: a period stays where the listener lived when it began."""
    listener.residences.update(since=start)
    tell(1, hours=0, **everything(listener, start, country=None))
    move_listener(listener=listener, country="FR", by=None, now=start + 30 * HOUR)

    tell(2, hours=40, status="cancelled")

    assert set(Period.objects.values_list("country", flat=True)) == {"GB"}


def test_the_same_news_again_add_nothing(listener: Listener, start: datetime, tell: Tell) -> None:
    tell(1, hours=0, **everything(listener, start))
    tell(2, hours=5, **everything(listener, start))

    assert Period.objects.count() == 1


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM subscriptions_period",
        "UPDATE subscriptions_period SET ends_at = ends_at + interval '1 day'",
        "UPDATE subscriptions_period SET recurring_fee = 0, withdrawn_at = now()",
    ],
)
def test_nothing_in_it_is_changed(listener: Listener, start: datetime, tell: Tell, statement: str) -> None:
    tell(1, hours=0, **everything(listener, start))

    refused = pytest.raises(IntegrityError, match="only ever added to")
    with refused, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


def test_what_was_withdrawn_stays_so(listener: Listener, start: datetime, tell: Tell) -> None:
    tell(1, hours=0, **everything(listener, start))
    tell(2, hours=10, status="refunded")

    with pytest.raises(IntegrityError, match="only ever added to"), transaction.atomic():
        Period.objects.exclude(withdrawn_at=None).update(withdrawn_at=None)


def test_no_two_periods_of_a_subscription_overlap(listener: Listener, start: datetime, tell: Tell) -> None:
    tell(1, hours=0, **everything(listener, start))
    twin = Period.objects.get()
    twin.pk = None
    twin.starts_at += HOUR

    with pytest.raises(IntegrityError, match="period_of_its_own"), transaction.atomic():
        twin.save(force_insert=True)


def test_a_transfer_moves_the_right_to_another_listener(
    listener: Listener, other_listener: Listener, start: datetime, tell: Tell
) -> None:
    tell(1, hours=0, **everything(listener, start))
    tell(2, hours=10, transferred_to=str(other_listener.pk))

    assert Subscription.objects.get().listener == other_listener
    assert was_entitled(listener.pk, start + 9 * HOUR)
    assert not was_entitled(listener.pk, start + 11 * HOUR)
    assert was_entitled(other_listener.pk, start + 11 * HOUR)


def test_what_billing_leaves_out_is_the_plans_and_the_listeners(
    listener: Listener, start: datetime, tell: Tell
) -> None:
    Plan.objects.filter(pk="premium-unlimited-streaming").update(
        products=["stripe:price_9"], currency="EUR", recurring_fee=1299
    )
    said = everything(listener, start)
    for name in ("plan_code", "currency", "recurring_fee", "country"):
        del said[name]
    tell(1, hours=0, product="stripe:price_9", **said)

    period = Period.objects.get()
    told = (period.plan_id, period.currency, period.recurring_fee, period.country)
    assert told == ("premium-unlimited-streaming", "EUR", 1299, listener.country)


def test_a_product_that_no_plan_is_sold_as_waits(listener: Listener, start: datetime, tell: Tell) -> None:
    with pytest.raises(UnknownPlan, match="stripe:price_9"):
        tell(1, hours=0, **everything(listener, start, plan_code=None, product="stripe:price_9"))


def test_a_listener_reads_their_history(
    listener: Listener, api: Callable[[Listener], Api], start: datetime, tell: Tell
) -> None:
    tell(1, hours=0, **everything(listener, start))
    tell(2, hours=10, plan_code="standard-unlimited-streaming", recurring_fee=499)
    tell(3, hours=20, status="refunded")

    page = json.loads(api(listener).get("subscription/history?limit=1").content)
    assert page["results"] == [
        {
            "starts_at": rfc3339(start + 10 * HOUR), "ends_at": rfc3339(start + 20 * HOUR), "status": "ACTIVE",
            "plan": {"code": "standard-unlimited-streaming", "name": page["results"][0]["plan"]["name"],
                     "trial": False, "offline": page["results"][0]["plan"]["offline"]},
            "recurring_fee": 499, "currency": "GBP", "country": "GB",
        }
    ]  # fmt: skip
    rest = json.loads(api(listener).get(page["next"].replace("http://testserver/api/v1/", "")).content)
    assert [(each["recurring_fee"], each["starts_at"]) for each in rest["results"]] == [(999, rfc3339(start))]
    assert rest["next"] is None


def test_history_is_ones_own(
    listener: Listener,
    other_listener: Listener,
    api: Callable[[Listener], Api],
    stranger: Api,
    start: datetime,
    tell: Tell,
) -> None:
    tell(1, hours=0, **everything(listener, start))

    assert json.loads(api(other_listener).get("subscription/history").content) == {"results": [], "next": None}
