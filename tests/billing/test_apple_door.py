"""What the App Store says, in our own words; and what it says that means nothing to us."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import Settings

from accounts.models import Listener
from billing.actions import process_event
from billing.models import BillingEvent
from billing.providers.storefronts import COUNTRIES as STOREFRONTS
from billing.simulators import apple
from kernel.values import COUNTRIES
from tests.billing.apple import APP_ID, PATH, body_of
from tests.billing.verdicts import expect_kept_and_refused
from tests.helpers import Api, expect_problem

pytestmark = pytest.mark.django_db

ACCOUNT = "8a5f2a52-6c39-4d0e-9b0c-3c0d4f6f2b11"
BOUGHT: dict[str, Any] = {
    "account_id": ACCOUNT,
    "external_id": "2000000900000001",
    "product": "apple:premium.monthly",
    "status": "active",
    "currency": "GBP",
    "recurring_fee": 999,
    "country": "GB",
    "activated_at": "2026-08-01T12:00:00Z",
    "current_period_start": "2026-08-01T12:00:00Z",
    "trial_ends_at": None,
    "expires_at": "2026-08-31T12:00:00Z",
    "cancel_at_period_end": False,
}


@pytest.fixture(autouse=True)
def in_the_store(settings: Settings) -> None:
    settings.APPLE_APP_ID = APP_ID


def told(api: Api, body: bytes) -> BillingEvent:
    """The event that the door has made of a body."""
    response = api.post(PATH, body)
    assert response.status_code == 202, response.content
    return BillingEvent.objects.get(event_id=json.loads(response.content)["event_id"])


# A moment after the purchase, as the App Store has it.
LATER = {"activated_at": "2026-08-01T12:00:01Z"}
SECOND = {"current_period_start": "2026-08-31T12:00:00Z", "expires_at": "2026-09-30T12:00:00Z"}
RECOVERED = {"current_period_start": "2026-09-04T12:00:00Z", "expires_at": "2026-10-04T12:00:00Z"}
UPGRADED = {"current_period_start": "2026-08-11T12:00:00Z", "expires_at": "2026-09-10T12:00:00Z"}
READINGS: dict[str, dict[str, Any]] = {
    "subscribed": {},
    "subscribed_trial": {
        "recurring_fee": 0, "trial_ends_at": "2026-08-15T12:00:00Z", "expires_at": "2026-08-15T12:00:00Z",
    },
    "offer_redeemed": {"recurring_fee": 499},
    "did_renew": LATER | SECOND,
    "did_renew_recovery": LATER | RECOVERED,
    "auto_renew_disabled": {"cancel_at_period_end": True},
    "auto_renew_enabled": {},
    "upgrade": {"product": "apple:family.monthly", "recurring_fee": 1499} | LATER | UPGRADED,
    "downgrade": {},
    "grace_period": {"status": "past_due", "grace_until": "2026-09-16T12:00:00Z"},
    "grace_period_undated": {"status": "past_due"},
    "billing_retry": {"status": "on_hold"},
    "grace_period_expired": {"status": "on_hold"},
    "expired": {"status": "expired"},
    "refund": {"status": "refunded", "revokes": True},
    "refund_reversed": {"cancel_at_period_end": True},
    "revoke": {"status": "expired", "revokes": True},
    "price_increase": {},
    "renewal_extended": {"expires_at": "2026-09-07T12:00:00Z"},
}  # fmt: skip


@pytest.mark.parametrize("fixture", READINGS)
def test_reads_what_the_store_says(stranger: Api, fixture: str) -> None:
    event = told(stranger, body_of(fixture))

    assert (event.state, event.type, event.subject) == ("WAITING", "subscription.updated", BOUGHT["external_id"])
    assert event.data == BOUGHT | READINGS[fixture]


@pytest.mark.parametrize("fixture", sorted(set(READINGS) - {"subscribed_trial", "offer_redeemed"}))
def test_reads_the_same_from_the_kind_where_the_store_names_no_state(stranger: Api, fixture: str) -> None:
    event = told(stranger, body_of(fixture, data={"status": ...}))

    assert event.data == BOUGHT | READINGS[fixture]


def test_the_stores_word_outranks_the_kind(stranger: Api) -> None:
    event = told(stranger, body_of("auto_renew_disabled", data={"status": 3}))

    assert (event.data["status"], event.data["cancel_at_period_end"]) == ("on_hold", False)


SILENT = ["test", "consumption_request", "one_time_charge", "renewal_extension", "refund_of_the_month_before"]


@pytest.mark.parametrize("fixture", SILENT)
def test_keeps_and_leaves_alone_what_tells_of_no_right(stranger: Api, fixture: str) -> None:
    event = told(stranger, body_of(fixture))

    assert (event.state, event.data, event.subject) == ("IGNORED", {}, "")
    assert process_event(event_id=event.pk) is None


@pytest.mark.parametrize(
    ("fixture", "changes"),
    [
        ("subscribed", {"head": {"notificationType": "SOMETHING_NEW"}}),
        ("subscribed", {"head": {"notificationType": ...}}),
        ("subscribed", {"transaction": {"isUpgraded": True}}),
        ("subscribed", {"transaction": {"type": "Non-Renewing Subscription"}}),
        ("refund", {"data": {"status": 1}}),
        ("refund", {"transaction": {"isUpgraded": True}}),
        ("refund_reversed", {"head": {"signedDate": 1790000000000}}),
    ],
)
def test_leaves_alone_what_is_not_about_the_present_period(
    stranger: Api, fixture: str, changes: dict[str, Any]
) -> None:
    assert told(stranger, body_of(fixture, **changes)).state == "IGNORED"


def test_members_of_tomorrow_disturb_nobody(stranger: Api) -> None:
    extra = {"somethingNew": {"deep": [1]}}
    parts = dict.fromkeys(("head", "data", "transaction", "renewal"), extra)

    assert told(stranger, body_of("subscribed", **parts)).data == BOUGHT


@pytest.mark.parametrize(
    ("member", "lacks"),
    [
        ("appAccountToken", {"account_id"}),
        ("price", {"currency", "recurring_fee"}),
        ("currency", {"currency", "recurring_fee"}),
        ("storefront", {"country"}),
    ],
)
def test_leaves_out_what_the_store_does_not_tell(stranger: Api, member: str, lacks: set[str]) -> None:
    event = told(stranger, body_of("subscribed", transaction={member: ...}))

    assert event.data == {name: value for name, value in BOUGHT.items() if name not in lacks}


def test_finds_the_account_in_the_renewal_too(stranger: Api) -> None:
    changes = {"transaction": {"appAccountToken": ...}, "renewal": {"appAccountToken": ACCOUNT.upper()}}

    assert told(stranger, body_of("subscribed", **changes)).data["account_id"] == ACCOUNT


def test_an_event_without_a_renewal_cancels_nothing(stranger: Api) -> None:
    assert told(stranger, body_of("subscribed", data={"signedRenewalInfo": ...})).data == BOUGHT


def test_every_country_has_its_storefront(stranger: Api) -> None:
    assert set(STOREFRONTS.values()) == COUNTRIES
    assert {STOREFRONTS[name] for name in ("USA", "DEU", "CHE", "AUT", "AUS")} == {"US", "DE", "CH", "AT", "AU"}
    assert "country" not in told(stranger, body_of("subscribed", transaction={"storefront": "XKS"})).data


# --- money ---------------------------------------------------------------------------------------------

FEES = [("GBP", 9990, 999), ("JPY", 980_000, 980), ("KWD", 2500, 2500), ("EUR", 0, 0), ("ISK", 990_000, 990)]


@pytest.mark.parametrize(("currency", "price", "fee"), FEES)
def test_fees_are_minor_units_of_any_currency(stranger: Api, currency: str, price: int, fee: int) -> None:
    event = told(stranger, body_of("subscribed", transaction={"currency": currency, "price": price}))

    assert (event.data["currency"], event.data["recurring_fee"]) == (currency, fee)


# --- sense ---------------------------------------------------------------------------------------------

NONSENSE: list[tuple[dict[str, Any], str]] = [
    ({"head": {"notificationUUID": ...}}, "notificationUUID"),
    ({"head": {"notificationUUID": ""}}, "notificationUUID"),
    ({"head": {"notificationUUID": "a\x00b"}}, "notificationUUID"),
    ({"head": {"notificationUUID": "x" * 300}}, "notificationUUID"),
    ({"head": {"signedDate": 1893456000000}}, "future"),
    ({"head": {"signedDate": ...}}, "signedDate"),
    ({"head": {"data": 5}}, "shape"),
    ({"transaction": {"originalTransactionId": ...}}, "originalTransactionId"),
    ({"transaction": {"originalTransactionId": "a\x00b"}}, "originalTransactionId"),
    ({"transaction": {"originalTransactionId": "\ud800"}}, "originalTransactionId"),
    ({"transaction": {"productId": ...}}, "productId"),
    ({"transaction": {"productId": {"a": "b c"}}}, "productId"),
    ({"transaction": {"productId": "x" * 5000}}, "productId"),
    ({"transaction": {"purchaseDate": ...}}, "purchaseDate"),
    ({"transaction": {"purchaseDate": "soon"}}, "shape"),
    ({"transaction": {"purchaseDate": 1785585600}}, "purchaseDate"),
    ({"transaction": {"purchaseDate": -(10**30)}}, "purchaseDate"),
    ({"transaction": {"originalPurchaseDate": ...}}, "originalPurchaseDate"),
    ({"transaction": {"expiresDate": ...}}, "expiresDate"),
    ({"transaction": {"expiresDate": 10**30}}, "expiresDate"),
    ({"transaction": {"expiresDate": 1785585600000}}, "expiresDate"),
    ({"transaction": {"appAccountToken": "me"}}, "appAccountToken"),
    ({"transaction": {"currency": "gbp"}}, "currency"),
    ({"transaction": {"price": -1}}, "price"),
    ({"transaction": {"price": 10**15}}, "price"),
    ({"transaction": {"price": 9995}}, "price"),
    ({"transaction": {"price": "much"}}, "shape"),
    ({"renewal": {"autoRenewStatus": "on"}}, "shape"),
]


@pytest.mark.parametrize(("changes", "named"), NONSENSE)
def test_a_proven_letter_that_makes_no_sense_is_kept_and_refused(
    stranger: Api, changes: dict[str, Any], named: str
) -> None:
    body = body_of("subscribed", **changes)

    expect_kept_and_refused(lambda: stranger.post(PATH, body), body, named)


def test_a_grace_without_a_sane_end_is_refused(stranger: Api) -> None:
    body = body_of("grace_period", renewal={"gracePeriodExpiresDate": 0})

    assert "gracePeriodExpiresDate" in expect_problem(stranger.post(PATH, body), 400, "invalid_event")["detail"]


@pytest.mark.parametrize(("ahead", "status"), [(50, 202), (70, 400)])
def test_an_event_may_be_an_hour_ahead_of_us(stranger: Api, ahead: int, status: int) -> None:
    at = apple.milliseconds(timezone.now() + timedelta(minutes=ahead))

    assert stranger.post(PATH, body_of("test", head={"signedDate": at})).status_code == status


# --- test purchases and the simulator ------------------------------------------------------------------


@pytest.mark.parametrize(("count", "state"), [(True, "WAITING"), (False, "SANDBOX")])
def test_test_purchases_are_kept_apart_unless_they_count(
    stranger: Api, settings: Settings, count: bool, state: str
) -> None:
    settings.BILLING_TEST_EVENTS = count

    event = told(stranger, sandbox_purchase())

    assert (event.state, event.data) == (state, BOUGHT)
    assert BillingEvent.objects.about(event.subject).exists() is count


def sandbox_purchase() -> bytes:
    sandbox = {"environment": "Sandbox"}
    return body_of("subscribed", data=sandbox, transaction=sandbox, renewal=sandbox)


NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
ENDINGS: dict[str, tuple[int, dict[str, Any]]] = {
    "subscribe": (1, {"status": "active", "expires_at": "2026-12-20T12:00:00Z"}),
    "trial_to_paid": (2, {"status": "active", "trial_ends_at": None, "recurring_fee": 999}),
    "renew": (2, {"status": "active", "current_period_start": "2026-11-20T12:00:00Z"}),
    "cancel_at_end": (2, {"status": "active", "cancel_at_period_end": True}),
    "cancel_now": (2, {"status": "expired", "revokes": True}),
    "uncancel": (3, {"status": "active", "cancel_at_period_end": False}),
    "grace_and_recover": (3, {"status": "active", "current_period_start": "2026-11-20T12:00:00Z"}),
    "hold_and_expire": (3, {"status": "expired", "expires_at": "2026-09-21T12:00:00Z"}),
    "upgrade": (2, {"status": "active", "product": "apple:premium.monthly"}),
    "downgrade": (3, {"status": "active", "product": "apple:basic.monthly", "recurring_fee": 499}),
    "refund": (2, {"status": "refunded", "revokes": True}),
}
MIDDLES = {
    "trial_to_paid": {"trial_ends_at": "2026-11-20T12:00:00Z", "recurring_fee": 0},
    "grace_and_recover": {"status": "active"},
    "upgrade": {"product": "apple:basic.monthly"},
    "downgrade": {"product": "apple:premium.monthly"},
}


def test_has_every_scenario_it_can() -> None:
    assert set(apple.SCENARIOS) == set(ENDINGS)
    with pytest.raises(LookupError):
        apple.events("pause_and_resume", ACCOUNT, NOW)


@pytest.mark.parametrize("scenario", ENDINGS)
def test_plays_every_scenario_through_the_door(stranger: Api, listener: Listener, scenario: str) -> None:
    events = [told(stranger, signed.body) for signed in apple.events(scenario, str(listener.pk), NOW)]

    number, ending = ENDINGS[scenario]
    assert len({event.event_id for event in events}) == number
    assert {event.data["account_id"] for event in events} == {str(listener.pk)}
    assert len({event.subject for event in events}) == 1
    assert ending.items() <= events[-1].data.items()
    assert MIDDLES.get(scenario, {}).items() <= events[0].data.items()
    assert events[-1].occurred_at == NOW


def test_the_same_story_makes_the_same_events(stranger: Api, listener: Listener) -> None:
    for _ in range(2):
        for signed in apple.events("renew", str(listener.pk), NOW):
            told(stranger, signed.body)

    assert BillingEvent.objects.count() == 2
