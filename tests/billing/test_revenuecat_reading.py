"""What RevenueCat's events tell: as far as they tell it, or kept and refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from billing.models import BillingEvent
from tests.billing.revenuecat_events import ACCOUNT, changed, fixture, send, told
from tests.billing.verdicts import expect_kept_and_refused
from tests.helpers import Api

pytestmark = pytest.mark.django_db

WHOSE = {"account_id": ACCOUNT, "external_id": "390001234567890"}
RUNNING = WHOSE | {
    "product": "revenuecat:com.example.tonearm.premium.monthly",
    "current_period_start": "2026-11-01T12:00:00Z",
    "expires_at": "2026-12-01T12:00:00Z",
}
ACTIVE = RUNNING | {"status": "active", "cancel_at_period_end": False}
PAID = {"currency": "GBP", "recurring_fee": 999}
BEGUN = {"activated_at": "2026-11-01T12:00:00Z", "trial_ends_at": None}
TRIAL = {"activated_at": "2026-11-01T12:00:00Z", "trial_ends_at": "2026-11-08T12:00:00Z"}
PAST = RUNNING | {"current_period_start": "2026-10-10T12:00:00Z", "expires_at": "2026-11-10T12:00:00Z"}

READINGS: dict[str, dict[str, Any]] = {
    "initial_purchase": ACTIVE | PAID | BEGUN,
    "initial_purchase_trial": ACTIVE | PAID | TRIAL | {"expires_at": "2026-11-08T12:00:00Z", "recurring_fee": 0},
    "renewal": ACTIVE | PAID,
    "renewal_yen": ACTIVE
    | {"external_id": "GPA.3344-1234-5678-90123", "product": "revenuecat:premium:monthly"}
    | {"currency": "JPY", "recurring_fee": 980},
    "cancellation": ACTIVE | {"cancel_at_period_end": True},
    "cancellation_refund": WHOSE | {"status": "refunded", "revokes": True},
    "uncancellation": ACTIVE,
    "billing_issue": PAST | {"status": "past_due", "grace_until": "2026-11-26T12:00:00Z"},
    "billing_issue_without_grace": PAST | {"status": "past_due"},
    "subscription_paused": RUNNING | {"status": "paused"},
    "expiration": PAST | {"status": "expired", "cancel_at_period_end": False},
    "expiration_paused": PAST | {"status": "paused", "cancel_at_period_end": False},
    "subscription_extended": RUNNING | {"status": "active", "expires_at": "2026-12-08T12:00:00Z"},
    "refund_reversed": RUNNING | {"status": "active"},
}
SILENT = ["cancellation_billing_error", "cancellation_non_renewing", "non_renewing_purchase", "product_change", "test"]


@pytest.mark.parametrize("name", READINGS)
def test_reads_what_revenuecat_tells(stranger: Api, name: str) -> None:
    assert json.loads(send(stranger, fixture(name)).content)["state"] == "WAITING"

    assert told() == [READINGS[name]]


@pytest.mark.parametrize("name", SILENT)
def test_keeps_and_leaves_alone_what_changes_no_right(stranger: Api, name: str) -> None:
    assert json.loads(send(stranger, fixture(name)).content)["state"] == "IGNORED"

    assert bytes(BillingEvent.objects.get().body) == fixture(name)


def test_an_unknown_type_is_kept_and_left_alone(stranger: Api) -> None:
    body = changed("renewal", type="EXPERIMENT_ENROLLMENT", product_id=...)

    assert json.loads(send(stranger, body).content)["state"] == "IGNORED"


def test_members_it_does_not_know_change_nothing(stranger: Api) -> None:
    send(stranger, changed("renewal", weather={"sun": [1, 2.5, None]}, status="lost"))

    assert told() == [READINGS["renewal"]]


@pytest.mark.parametrize(
    "names",
    [
        {"app_user_id": "$RCAnonymousID:1", "original_app_user_id": "$RCAnonymousID:1", "aliases": ["x", ACCOUNT]},
        {"app_user_id": "$RCAnonymousID:1", "original_app_user_id": ACCOUNT, "aliases": ...},
        {"app_user_id": ACCOUNT.upper(), "original_app_user_id": None, "aliases": None},
    ],
)
def test_finds_the_listener_among_the_aliases(stranger: Api, names: dict[str, Any]) -> None:
    send(stranger, changed("renewal", **names))

    assert told()[0]["account_id"] == ACCOUNT


@pytest.mark.parametrize("aliases", [[], None, "x", 7, {"x": 1}, [7, None, {}], ["$RCAnonymousID:1"]])
def test_an_account_that_is_not_told_is_left_out(stranger: Api, aliases: Any) -> None:
    send(stranger, changed("renewal", app_user_id="$RCAnonymousID:1", original_app_user_id="me", aliases=aliases))

    assert "account_id" not in told()[0]


@pytest.mark.parametrize(
    ("code", "price", "fee"),
    [
        ("JPY", 980, 980),
        ("JPY", 980.0, 980),
        ("KWD", 2.5, 2500),
        ("KWD", 2.125, 2125),
        ("GBP", 0, 0),
        ("GBP", 8.1, 810),
        ("GBP", 1.005, 100),
        ("GBP", 9.990000000000001, 999),
        ("eur", 9.989999771118164, 999),
    ],
)
def test_prices_become_minor_units_of_any_currency(stranger: Api, code: str, price: float, fee: int) -> None:
    send(stranger, changed("renewal", currency=code, price_in_purchased_currency=price))

    assert (told()[0]["currency"], told()[0]["recurring_fee"]) == (code.upper(), fee)


def test_a_price_that_is_not_told_is_left_out(stranger: Api) -> None:
    send(stranger, changed("renewal", currency=None, price_in_purchased_currency=None))

    assert told() == [ACTIVE]


NONSENSE: list[tuple[bytes, str]] = [
    (b"", "JSON"),
    (b"{", "JSON"),
    (b"[]", "event"),
    (b"null", "event"),
    (b'{"event": []}', "event"),
    (b'{"a":' * 2000 + b"1" + b"}" * 2000, "JSON"),
    (fixture("renewal").replace(b'_currency": 9.99', b'_currency": 1e400'), "JSON"),
    (changed("renewal", type=...), "type"),
    (changed("renewal", type=7), "type"),
    (changed("renewal", id=None), "id"),
    (changed("renewal", environment=...), "environment"),
    (changed("renewal", environment="STAGING"), "environment"),
    (changed("renewal", event_timestamp_ms=4_000_000_000_000), "future"),
    (changed("renewal", event_timestamp_ms=1793534400), "event_timestamp_ms"),
    (changed("renewal", event_timestamp_ms=10**300), "event_timestamp_ms"),
    (changed("renewal", event_timestamp_ms="1793534400000"), "event_timestamp_ms"),
    (changed("renewal", original_transaction_id=...), "original_transaction_id"),
    (changed("renewal", original_transaction_id="1" * 300), "original_transaction_id"),
    (changed("renewal", product_id=...), "product_id"),
    (changed("renewal", product_id=""), "product_id"),
    (changed("renewal", purchased_at_ms=...), "purchased_at_ms"),
    (changed("renewal", purchased_at_ms=True), "purchased_at_ms"),
    (changed("renewal", expiration_at_ms=None), "expiration_at_ms"),
    (changed("renewal", expiration_at_ms=1793534400000), "expiration_at_ms"),
    (changed("renewal", expiration_at_ms=1.5), "expiration_at_ms"),
    (changed("renewal", currency=None), "currency"),
    (changed("renewal", currency="pounds"), "currency"),
    (changed("renewal", price_in_purchased_currency=-0.01), "negative"),
    (changed("renewal", price_in_purchased_currency="9.99"), "number"),
    (changed("renewal", price_in_purchased_currency=True), "number"),
    (changed("renewal", price_in_purchased_currency=1e300), "large"),
    (changed("renewal", price_in_purchased_currency=10**300), "large"),
    (changed("renewal", price_in_purchased_currency=2e9), "large"),
    (changed("billing_issue", grace_period_expiration_at_ms="soon"), "grace_period_expiration_at_ms"),
    (changed("cancellation_refund", original_transaction_id=None), "original_transaction_id"),
]


@pytest.mark.parametrize(("body", "named"), NONSENSE)
def test_a_proven_event_that_makes_no_sense_is_kept_and_refused(stranger: Api, body: bytes, named: str) -> None:
    expect_kept_and_refused(lambda: send(stranger, body), body, named)
