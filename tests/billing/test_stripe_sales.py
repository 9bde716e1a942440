"""What Stripe says was bought: by a checkout, by a payment, by both, in a basket, and given back."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone

from accounts.actions import close_account
from accounts.models import Listener
from billing.actions import process_event, sweep_billing
from billing.models import BillingEvent
from downloads.models import Purchase, Refund
from tests.billing.stripe_events import changed, fixture, send
from tests.downloads import shop
from tests.helpers import Api, expect_problem

pytestmark = pytest.mark.django_db
INTENT = "pi_3QTonearm0009"

Sell = Callable[..., bytes]


@pytest.fixture
def checkout(buyer: Listener) -> Sell:
    """A checkout of one release, paid."""

    def make(**changes: Any) -> bytes:
        def sold(thing: dict[str, Any]) -> None:
            thing |= {"mode": "payment", "subscription": None, "invoice": None, "payment_intent": INTENT}
            thing["client_reference_id"] = str(buyer.pk)
            thing["amount_total"], thing["metadata"] = 799, {"release_id": str(shop.RELEASE)}
            thing.update(changes)

        return changed("checkout_session_completed", sold)

    return make


@pytest.fixture
def payment(buyer: Listener) -> Sell:
    """The payment of the same, as Stripe tells of it by itself."""

    def make(**changes: Any) -> bytes:
        document = json.loads(fixture("checkout_session_completed"))
        document |= {"id": "evt_1QPayment", "type": "payment_intent.succeeded"}
        document["data"]["object"] = {
            "id": INTENT, "object": "payment_intent", "amount": 799, "amount_received": 799, "currency": "gbp",
            "receipt_email": None, "shipping": None, "status": "succeeded",
            "metadata": {"account_id": str(buyer.pk), "release_id": str(shop.RELEASE), "country": "GB"},
        } | changes  # fmt: skip
        return json.dumps(document).encode()

    return make


@pytest.fixture
def buyer(listener: Listener) -> Listener:
    shop.stock()
    shop.stock(7002002, tracks=[200200101])
    return listener


def bought() -> list[tuple[str, int, int | None, str, str]]:
    """Handle whatever waits; the purchases that came of it."""
    while sweep_billing():
        pass
    rows = Purchase.objects.order_by("transaction_id")
    return [(each.transaction_id, each.release_id, each.track_id, str(each.retail_price), each.state) for each in rows]


def test_a_checkout_is_a_purchase(stranger: Api, checkout: Sell, buyer: Listener) -> None:
    assert send(stranger, checkout()).status_code == 202

    assert bought() == [(INTENT, shop.RELEASE, None, "7.99", "PENDING")]
    purchase = Purchase.objects.get()
    assert (purchase.listener, purchase.currency, purchase.country) == (buyer, "GBP", "GB")
    assert (purchase.email, purchase.postcode) == ("ada@example.org", "")


def test_a_payment_is_too_and_both_are_one(stranger: Api, checkout: Sell, payment: Sell) -> None:
    for body in (payment(), checkout(), payment(), checkout()):
        assert send(stranger, body).status_code == 202

    assert bought() == [(INTENT, shop.RELEASE, None, "7.99", "PENDING")]


def test_a_track_is_named_with_its_release(stranger: Api, payment: Sell, buyer: Listener) -> None:
    said = {"account_id": str(buyer.pk), "release_id": str(shop.RELEASE), "track_id": str(shop.TRACKS[0])}
    send(stranger, payment(metadata=said | {"country": "GB", "package_id": "3"}))

    assert bought() == [(INTENT, shop.RELEASE, shop.TRACKS[0], "7.99", "PENDING")]
    assert Purchase.objects.get().package_id == 3


def test_a_basket_is_a_transaction_each(stranger: Api, checkout: Sell) -> None:
    items = f"{shop.RELEASE}:{shop.TRACKS[1]}=0.99  7002002=7.00"
    send(stranger, checkout(metadata={"items": items}))

    assert bought() == [
        (f"{INTENT}/1", shop.RELEASE, shop.TRACKS[1], "0.99", "PENDING"),
        (f"{INTENT}/2", 7002002, None, "7.00", "PENDING"),
    ]


def test_a_gift_costs_nothing(stranger: Api, checkout: Sell) -> None:
    send(stranger, checkout(amount_total=0, payment_intent=None, payment_status="no_payment_required"))

    assert bought() == [("cs_live_a1Tonearm", shop.RELEASE, None, "0.00", "PENDING")]


def test_a_checkout_that_waits_for_its_money_waits(stranger: Api, checkout: Sell) -> None:
    send(stranger, checkout(payment_status="unpaid"))
    assert bought() == []

    document = json.loads(checkout())
    document |= {"id": "evt_1QLater", "type": "checkout.session.async_payment_succeeded"}
    send(stranger, json.dumps(document).encode())
    assert len(bought()) == 1


@pytest.mark.parametrize(("sent", "kept"), [("90210", "90210"), (" 90210-1234 ", "90210-1234"), ("9021", "")])
def test_a_postcode_that_is_none_costs_no_sale(stranger: Api, checkout: Sell, sent: str, kept: str) -> None:
    details = {"address": {"country": "US", "postal_code": sent}, "email": None}
    send(stranger, checkout(customer_details=details, currency="usd"))

    assert len(bought()) == 1
    assert Purchase.objects.get().postcode == kept


@pytest.mark.parametrize(
    ("code", "amount", "price"), [("jpy", 980, "980.00"), ("eur", 799, "7.99"), ("isk", 99900, "999.00")]
)
def test_money_is_counted_as_stripe_counts_it(
    stranger: Api, checkout: Sell, code: str, amount: int, price: str
) -> None:
    send(stranger, checkout(currency=code, amount_total=amount))

    assert [each[3] for each in bought()] == [price]


@pytest.mark.parametrize("metadata", [{}, {"order": "7"}, None])
def test_what_names_nothing_of_ours_is_left_alone(stranger: Api, checkout: Sell, metadata: Any) -> None:
    assert send(stranger, checkout(metadata=metadata)).status_code == 202

    assert BillingEvent.objects.get().state == BillingEvent.State.IGNORED


@pytest.mark.parametrize(
    "wrong",
    [
        {"client_reference_id": None}, {"client_reference_id": "ada"}, {"amount_total": -1}, {"amount_total": "7.99"},
        {"currency": "pounds"}, {"payment_intent": 7}, {"metadata": {"release_id": "x"}}, {"metadata": {"items": ""}},
        {"metadata": {"items": "7004137"}}, {"metadata": {"items": "7004137=7,99"}}, {"metadata": {"items": "7:8:9=1"}},
        {"customer_details": None}, {"metadata": {"items": "7=1 " * 200}},
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_told_and_kept(stranger: Api, checkout: Sell, wrong: dict[str, Any]) -> None:
    expect_problem(send(stranger, checkout(**wrong)), 400, "invalid_event")

    assert BillingEvent.objects.get().state == BillingEvent.State.REFUSED


def test_a_refund_takes_back_all_that_was_paid_for(stranger: Api, checkout: Sell) -> None:
    items = f"{shop.RELEASE}:{shop.TRACKS[1]}=0.99 7002002=7.00"
    refunded = changed("charge_refunded", lambda thing: thing.update(payment_intent=INTENT))
    send(stranger, refunded)
    assert process_event(event_id=BillingEvent.objects.get().pk) == "WAITING"  # nobody knows yet what was paid

    send(stranger, checkout(metadata={"items": items}))
    BillingEvent.objects.update(due_at="2026-01-01T00:00:00Z")

    assert [each[4] for each in bought()] == ["REFUNDED", "REFUNDED"]
    assert Refund.objects.count() == 2


def test_a_refund_in_part_takes_nothing(stranger: Api, checkout: Sell) -> None:
    send(stranger, checkout())
    send(stranger, changed("charge_refunded_in_part", lambda thing: thing.update(payment_intent=INTENT)))

    assert [each[4] for each in bought()] == ["PENDING"]


def test_the_address_of_a_buyer_goes_with_the_account(stranger: Api, checkout: Sell, buyer: Listener) -> None:
    """It stands in the letter, and in what was made of it."""
    details = {"address": {"country": "US", "postal_code": "10001"}, "email": "ada@example.org"}
    send(stranger, checkout(customer_details=details))
    assert [state for *_, state in bought()] == ["PENDING"]
    told = BillingEvent.objects.get(type="purchase.paid").data
    assert (told["email"], told["post_code"]) == ("ada@example.org", "10001")

    close_account(listener=buyer, now=timezone.now())

    for event in BillingEvent.objects.all():
        assert not {"email", "post_code"} & event.data.keys()
        assert bytes(event.body) == b""
