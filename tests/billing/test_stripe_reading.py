"""What Stripe's objects tell, of several API versions: as our own snapshot, or kept and refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pytest_django import Settings

from billing.models import BillingEvent
from tests.billing.stripe_events import ACCOUNT, changed, fixture, send, told_of
from tests.billing.verdicts import expect_kept_and_refused
from tests.helpers import Api

pytestmark = pytest.mark.django_db
SUBSCRIPTION = "sub_1QTonearm0001"

WHOLE = {
    "account_id": ACCOUNT,
    "external_id": SUBSCRIPTION,
    "product": "stripe:price_1QPremiumMonthly",
    "status": "active",
    "currency": "GBP",
    "recurring_fee": 999,
    "activated_at": "2026-11-01T12:00:00Z",
    "current_period_start": "2026-11-01T12:00:00Z",
    "trial_ends_at": None,
    "expires_at": "2026-12-01T12:00:00Z",
    "cancel_at_period_end": False,
}
PERIOD = ("current_period_start", "expires_at", "cancel_at_period_end")
PAUSED = {name: value for name, value in (WHOLE | {"status": "paused"}).items() if name not in PERIOD}

READINGS: dict[str, dict[str, Any]] = {
    "subscription_active": WHOLE,
    "subscription_active_2020": WHOLE
    | {"product": "stripe:price_1HStandardYen", "currency": "JPY", "recurring_fee": 1960},
    "subscription_trialing": WHOLE | {"trial_ends_at": "2026-11-08T12:00:00Z", "expires_at": "2026-11-08T12:00:00Z"},
    "subscription_cancelling": WHOLE | {"cancel_at_period_end": True},
    "subscription_cancel_at": WHOLE | {"cancel_at_period_end": True, "expires_at": "2026-11-21T12:00:00Z"},
    "subscription_deleted": WHOLE | {"status": "cancelled"},
    "subscription_past_due": WHOLE | {"status": "past_due", "grace_until": "2026-11-08T12:00:00Z"},
    "subscription_unpaid": WHOLE | {"status": "on_hold"},
    "subscription_collection_paused": PAUSED,
    "subscription_paused": PAUSED,
    "checkout_session_completed": {"account_id": ACCOUNT, "external_id": SUBSCRIPTION},
}  # fmt: skip


@pytest.mark.parametrize("name", READINGS)
def test_reads_what_stripe_tells(stranger: Api, name: str) -> None:
    assert json.loads(send(stranger, fixture(name)).content)["state"] == "WAITING"

    assert told_of(SUBSCRIPTION) == [READINGS[name]]


@pytest.mark.parametrize(
    "name", ["subscription_incomplete", "invoice_paid", "invoice_payment_failed", "charge_refunded_in_part"]
)
def test_keeps_and_leaves_alone_what_says_nothing_of_a_right(stranger: Api, name: str) -> None:
    assert json.loads(send(stranger, fixture(name)).content)["state"] == "IGNORED"

    assert bytes(BillingEvent.objects.get().body) == fixture(name)


def test_an_unknown_type_is_kept_and_left_alone(stranger: Api) -> None:
    body = fixture("subscription_active").replace(b"customer.subscription.updated", b"customer.tax_id.created")

    assert json.loads(send(stranger, body).content)["state"] == "IGNORED"
    assert BillingEvent.objects.get().type == "customer.tax_id.created"


def test_the_days_of_grace_are_a_setting(stranger: Api, settings: Settings) -> None:
    settings.BILLING_GRACE_DAYS = 3

    send(stranger, fixture("subscription_past_due"))

    assert told_of(SUBSCRIPTION)[0]["grace_until"] == "2026-11-04T12:00:00Z"


def test_members_it_does_not_know_change_nothing(stranger: Api) -> None:
    send(
        stranger,
        changed("subscription_active", lambda thing: thing.update(weather={"sun": [1, 2.5, None]}, plan="gone")),
    )

    assert told_of(SUBSCRIPTION) == [WHOLE]


@pytest.mark.parametrize("metadata", [None, {}, {"account_id": "me"}, {"account_id": 7}, {"account": ACCOUNT}])
def test_an_account_that_is_not_told_is_left_out(stranger: Api, metadata: Any) -> None:
    send(stranger, changed("subscription_active", lambda thing: thing.update(metadata=metadata)))

    assert "account_id" not in told_of(SUBSCRIPTION)[0]


def test_a_checkout_that_knows_nobody_is_left_alone(stranger: Api) -> None:
    body = changed("checkout_session_completed", lambda thing: thing.update(client_reference_id=None))

    assert json.loads(send(stranger, body).content)["state"] == "IGNORED"


def priced(**changes: Any) -> Any:
    return lambda thing: thing["items"]["data"][0]["price"].update(changes)


def in_currency(code: str, amount: Any) -> bytes:
    def change(thing: Any) -> None:
        thing["currency"] = code
        priced(unit_amount=amount)(thing)

    return changed("subscription_active", change)


@pytest.mark.parametrize(
    ("code", "amount", "fee"),
    [("jpy", 980, 980), ("kwd", 2500, 2500), ("gbp", 0, 0), ("isk", 99900, 999), ("ugx", 500, 5), ("mga", 20, 2000)],
)
def test_fees_are_minor_units_of_any_currency(stranger: Api, code: str, amount: int, fee: int) -> None:
    send(stranger, in_currency(code, amount))

    assert (told_of(SUBSCRIPTION)[0]["currency"], told_of(SUBSCRIPTION)[0]["recurring_fee"]) == (code.upper(), fee)


def test_a_price_in_tiers_tells_no_fee(stranger: Api) -> None:
    send(stranger, changed("subscription_active", priced(unit_amount=None, billing_scheme="tiered")))

    assert "recurring_fee" not in told_of(SUBSCRIPTION)[0]


def without(*path: Any) -> Any:
    def change(thing: Any) -> None:
        for name in path[:-1]:
            thing = thing[name]
        del thing[path[-1]]

    return change


def with_(**changes: Any) -> Any:
    return lambda thing: thing.update(changes)


ITEM = ("items", "data", 0)
NONSENSE: list[tuple[bytes, str]] = [
    (b"", "JSON"),
    (b"{", "JSON"),
    (b"[]", "snapshot"),
    (b"null", "snapshot"),
    (b'{"object": "event"}', "id"),
    (b'{"object": "v2.core.event", "id": "evt_1", "type": "x", "livemode": true}', "snapshot"),
    (b'{"a":' * 2000 + b"1" + b"}" * 2000, "JSON"),
    (
        fixture("subscription_active").replace(b'"livemode": true,\n  "pending', b'"livemode": 1,\n  "pending'),
        "livemode",
    ),
    (fixture("subscription_active").replace(b'"created": 1793534403', b'"created": 4000000000'), "future"),
    (fixture("subscription_active").replace(b'"created": 1793534403', b'"created": 1.5'), "created"),
    (fixture("subscription_active").replace(b'"created": 1793534403', b'"created": 9' + b"9" * 400), "created"),
    (fixture("subscription_active").replace(b'"created": 1793534403', b'"created": true'), "created"),
    (fixture("subscription_active").replace(b'"id": "evt_1QActive"', b'"id": ""'), "id"),
    (in_currency("gbp", -1), "negative"),
    (in_currency("gbp", 9.99), "unit_amount"),
    (in_currency("gbp", "999"), "unit_amount"),
    (in_currency("gbp", True), "unit_amount"),
    (in_currency("gbp", 2**40), "large"),
    (in_currency("gbp", 10**300), "large"),
    (in_currency("isk", 50), "finer"),
    (in_currency("pounds", 999), "currency"),
    (in_currency("gbp", 12345678).replace(b"12345678", b"1e400"), "JSON"),
    (changed("subscription_active", with_(status="happy")), "status"),
    (changed("subscription_active", with_(status=None)), "status"),
    (changed("subscription_active", with_(items=[])), "items"),
    (changed("subscription_active", with_(items={"data": []})), "items"),
    (changed("subscription_active", with_(items={"data": ["si_1"]})), "data"),
    (changed("subscription_active", with_(metadata="x")), "metadata"),
    (changed("subscription_active", with_(id="s" * 300)), "id"),
    (changed("subscription_active", with_(start_date=1793534401)), "start_date"),
    (changed("subscription_active", with_(start_date="2026-11-01")), "start_date"),
    (changed("subscription_active", without("start_date")), "start_date"),
    (changed("subscription_active", without("status")), "status"),
    (changed("subscription_active", without("id")), "id"),
    (changed("subscription_active", without("currency")), "currency"),
    (changed("subscription_active", without("cancel_at_period_end")), "cancel_at_period_end"),
    (changed("subscription_active", without(*ITEM, "price")), "price"),
    (changed("subscription_active", without(*ITEM, "price", "id")), "id"),
    (changed("subscription_active", without(*ITEM, "current_period_start")), "current_period_start"),
    (changed("subscription_active", without(*ITEM, "current_period_end")), "current_period_end"),
    (changed("invoice_paid", with_(lines=None)), "lines"),
    (changed("invoice_paid", with_(parent="x")), "parent"),
    (changed("invoice_payment_paid", with_(payment=None)), "payment"),
    (changed("charge_refunded", with_(refunded="yes")), "refunded"),
    (changed("checkout_session_completed", with_(subscription={"id": "sub"})), "subscription"),
]


@pytest.mark.parametrize(("body", "named"), NONSENSE)
def test_a_proven_event_that_makes_no_sense_is_kept_and_refused(stranger: Api, body: bytes, named: str) -> None:
    expect_kept_and_refused(lambda: send(stranger, body), body, named)
