"""What billing says was paid for becomes one purchase, and one message to the platform."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from accounts.actions import close_account
from accounts.models import Listener
from billing.actions import process_event
from billing.models import BillingEvent
from downloads.models import Purchase, Refund
from downloads.personal import forget_buyers
from outbox.models import Message
from tests.downloads import shop
from tests.helpers import Api, apply_member, expect_problem, offer, statuses_at_once, webhook_headers

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def shelves(request: pytest.FixtureRequest) -> None:
    request.getfixturevalue("plans")
    shop.stock()


def deliveries() -> int:
    return Message.objects.filter(topic="purchase.deliver").count()


def test_a_release_is_kept_with_its_names(listener: Listener) -> None:
    purchase = shop.paid(listener, email="ada@example.org", country="US", post_code="12345-6789", package_id=3)

    assert purchase.state == Purchase.State.PENDING
    assert (purchase.release_id, purchase.track_id, purchase.package_id) == (shop.RELEASE, None, 3)
    assert (purchase.retail_price, purchase.currency) == (Decimal("7.99"), "GBP")
    assert (purchase.country, purchase.postcode, purchase.email) == ("US", "12345-6789", "ada@example.org")
    assert (purchase.title, purchase.artist_name, purchase.label) == ("Low Tide", "The Lamplighters", "Quay")
    assert (purchase.upc, purchase.isrc) == ("5050000000017", "")
    assert deliveries() == 1


def test_a_track_is_kept_with_its_release(listener: Listener) -> None:
    purchase = shop.paid(listener, track_id=shop.TRACKS[1], retail_price="0")

    assert (purchase.track_id, purchase.title, purchase.release_title) == (shop.TRACKS[1], "Song 2", "Low Tide")
    assert (purchase.retail_price, purchase.package_id) == (0, 2)
    assert purchase.isrc


def test_told_again_is_bought_once(listener: Listener) -> None:
    assert shop.paid(listener) == shop.paid(listener)

    assert (Purchase.objects.count(), deliveries()) == (1, 1)


@pytest.mark.parametrize(
    "other",
    [
        {"release_id": 7}, {"track_id": shop.TRACKS[0]}, {"retail_price": "7.98"}, {"currency": "EUR"},
        {"country": "FR"}, {"package_id": 5},
    ],
)  # fmt: skip
def test_a_transaction_stands_for_one_thing(listener: Listener, other: dict[str, Any]) -> None:
    first = shop.paid(listener)

    event = shop.said("purchase.paid", shop.order(listener) | other)

    assert event.state == BillingEvent.State.WAITING
    assert "TransactionTaken" in event.last_error
    assert Purchase.objects.get() == first
    assert deliveries() == 1


def test_a_transaction_belongs_to_one_listener(make_listener: Callable[..., Listener]) -> None:
    ada, grace = make_listener(), make_listener()
    shop.paid(ada)

    event = shop.said("purchase.paid", shop.order(grace))

    assert "TransactionTaken" in event.last_error
    assert Purchase.objects.get().listener == ada


def test_an_unknown_account_waits(listener: Listener) -> None:
    nobody = "00000000-0000-0000-0000-000000000007"

    event = shop.said("purchase.paid", shop.order(listener, account_id=nobody))

    assert (event.state, Purchase.objects.count()) == (BillingEvent.State.WAITING, 0)
    assert nobody in event.last_error


@pytest.mark.parametrize(
    ("what", "code", "why"),
    [
        ({"release_id": 7}, 2001, "there is no release 7"),
        ({"track_id": 7}, 2001, "track 7 is not on release"),
        ({"track_id": 700100101}, 2001, "is not on release"),
        ({"country": "FR"}, 2002, "offered in FR"),
    ],
)
def test_what_cannot_be_sold_is_kept_as_refused(listener: Listener, what: dict[str, Any], code: int, why: str) -> None:
    shop.stock(7001001, tracks=[700100101])
    shop.stock(offers=[offer(["GB"])], version=2)

    purchase = shop.paid(listener, **what)

    assert (purchase.state, purchase.platform_code) == (Purchase.State.REFUSED, code)
    assert why in purchase.detail
    assert deliveries() == 0


def test_neither_is_what_was_taken_down_or_only_streams(listener: Listener) -> None:
    shop.stock(offers=[], version=2)
    streams_only = shop.paid(listener)
    apply_member({"id": shop.RELEASE, "version": 3, "takedown": True})
    gone = shop.paid(listener, transaction_id="T-2")

    assert (streams_only.state, gone.state) == (Purchase.State.REFUSED, Purchase.State.REFUSED)
    assert "offered for DOWNLOAD" in streams_only.detail
    assert "taken down" in gone.detail


def test_what_counts_is_when_it_was_paid(listener: Listener) -> None:
    """A letter that comes late is of a sale that was right when it was made."""
    now = timezone.now()
    ended = [offer(end=(now - timedelta(hours=1)).isoformat())]
    shop.stock(offers=ended, version=2)

    assert shop.paid(listener, at=now - timedelta(hours=2)).state == Purchase.State.PENDING
    assert shop.paid(listener, transaction_id="T-2", at=now).state == Purchase.State.REFUSED


def test_who_has_left_buys_nothing(listener: Listener) -> None:
    close_account(listener=listener, now=timezone.now())

    assert shop.paid(listener).state == Purchase.State.REFUSED


def test_what_was_given_back_before_it_came_is_never_sold(listener: Listener) -> None:
    what = {"transaction_id": "T-1", "release_id": shop.RELEASE}
    early = shop.said("purchase.refunded", what)
    assert early.state == BillingEvent.State.WAITING

    purchase = shop.paid(listener)
    BillingEvent.objects.update(due_at=timezone.now() - timedelta(seconds=1))
    process_event(event_id=early.pk)

    purchase.refresh_from_db()
    early.refresh_from_db()
    assert (purchase.state, Refund.objects.get().state) == (Purchase.State.REFUNDED, Refund.State.DONE)
    assert (early.state, deliveries()) == (BillingEvent.State.HANDLED, 0)


def test_another_refund_stops_no_sale(listener: Listener) -> None:
    shop.said("purchase.refunded", {"transaction_id": "T-1", "track_id": shop.TRACKS[0]})

    assert shop.paid(listener).state == Purchase.State.PENDING
    assert deliveries() == 1


def letter(listener: Listener, **changes: Any) -> bytes:
    data = shop.order(listener) | changes
    return json.dumps({"type": "purchase.paid", "timestamp": timezone.now().isoformat(), "data": data}).encode()


@pytest.mark.parametrize("price", ["-0.01", "7.999", "1,00", "1e3", "NaN", "", 7.99, None, True, {"amount": 7}])
def test_a_wrong_price_is_told_to_who_sent_it_and_kept(stranger: Api, listener: Listener, price: Any) -> None:
    body = letter(listener, retail_price=price)

    response = stranger.post("/webhooks/billing/standard", body, **webhook_headers(body))

    assert "retail_price" in expect_problem(response, 400, "invalid_event")["detail"]
    assert BillingEvent.objects.get().state == BillingEvent.State.REFUSED
    assert not Purchase.objects.exists()


@pytest.mark.parametrize(
    "wrong",
    [
        {"account_id": "ada"}, {"transaction_id": ""}, {"transaction_id": 7}, {"transaction_id": "x" * 256},
        {"release_id": "7"}, {"release_id": 0}, {"release_id": 2**31}, {"track_id": 1.5}, {"package_id": -1},
        {"currency": "pounds"}, {"country": "UK"}, {"country": "US", "post_code": "1234"}, {"email": "nowhere"},
    ],
)  # fmt: skip
def test_so_is_whatever_else_is_wrong(stranger: Api, listener: Listener, wrong: dict[str, Any]) -> None:
    body = letter(listener, **wrong)

    response = stranger.post("/webhooks/billing/standard", body, **webhook_headers(body))

    assert list(wrong)[-1] in expect_problem(response, 400, "invalid_event")["detail"]
    assert not Purchase.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_hundred_at_once_are_one_sale(listener: Listener) -> None:
    body = letter(listener)
    headers = [webhook_headers(body, event_id=f"evt_{number}") for number in range(100)]

    def ask(client: Api) -> Any:
        answer = client.post("/webhooks/billing/standard", body, **headers.pop())
        process_event(event_id=BillingEvent.objects.get(event_id=json.loads(answer.content)["event_id"]).pk)
        return answer

    assert statuses_at_once(ask) == [202] * 100

    connection.close()
    assert BillingEvent.objects.filter(state=BillingEvent.State.HANDLED).count() == 100
    assert (Purchase.objects.count(), deliveries()) == (1, 1)


def test_what_a_payment_provider_knew_of_a_buyer_is_forgotten(listener: Listener) -> None:
    letter = {"account_id": str(listener.pk), "email": "ada@example.org", "items": []}
    kept = {"provider": "stripe", "type": "stripe.sale", "body": b"ada@example.org", "occurred_at": timezone.now()}
    BillingEvent.objects.create(event_id="evt_ada", subject="pi_1", data=letter, **kept)
    BillingEvent.objects.create(event_id="evt_grace", subject="pi_1", data=letter | {"account_id": "grace"}, **kept)
    shop.sold(listener, transaction_id="pi_1/2")

    forget_buyers([listener.pk])

    ada, grace = BillingEvent.objects.filter(type="stripe.sale").order_by("event_id")
    assert (bytes(ada.body), "email" in ada.data) == (b"", False)
    assert (bytes(grace.body), "email" in grace.data) == (b"ada@example.org", True)
