"""What Google answers about a purchase, in our own words; and that its silence changes nobody's right."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import Settings

from accounts.models import Listener
from billing.actions import process_event, replay
from billing.models import BillingEvent, PlayPurchase
from billing.providers.google import name_of
from billing.simulators import google
from billing.simulators.google import Books
from tests.billing.google import TOKEN, pushed, send, taken, told
from tests.helpers import Api, webhook_headers

pytestmark = pytest.mark.django_db

NAME = name_of(TOKEN)
BOUGHT: dict[str, Any] = {
    "account_id": "8a5f2a52-6c39-4d0e-9b0c-3c0d4f6f2b11",
    "external_id": NAME,
    "product": "google:premium:monthly",
    "status": "active",
    "currency": "GBP",
    "recurring_fee": 999,
    "country": "GB",
    "activated_at": "2026-08-01T12:00:00.123000Z",
    "current_period_start": "2026-08-01T12:00:00.123000Z",
    "trial_ends_at": None,
    "expires_at": "2026-08-31T12:00:00.123000Z",
    "cancel_at_period_end": False,
}


def answers() -> list[BillingEvent]:
    return list(BillingEvent.objects.filter(type="subscription.updated").order_by("pk"))


def looked_up(api: Api, *, kind: int = 4, message_id: str = "1", voided: bool = False) -> BillingEvent:
    """The push, once its handler has had its turn."""
    about = told("purchased")["subscriptionNotification"] | {"notificationType": kind}
    push = (
        pushed("voided", message_id=message_id)
        if voided
        else pushed(message_id=message_id, subscriptionNotification=about)
    )
    event = taken(api, push)
    process_event(event_id=event.pk)
    event.refresh_from_db()
    return event


READINGS: dict[str, dict[str, Any]] = {
    "active": {},
    "trial": {"trial_ends_at": "2026-08-15T12:00:00.123000Z", "expires_at": "2026-08-15T12:00:00.123000Z"},
    "canceled": {"status": "cancelled", "cancel_at_period_end": True},
    "grace": {
        "status": "past_due",
        "expires_at": "2026-09-07T12:00:00.123000Z",
        "grace_until": "2026-09-07T12:00:00.123000Z",
    },
    "on_hold": {"status": "on_hold"},
    "paused": {"status": "paused"},
    "expired": {"status": "expired"},
    "prepaid": {"currency": ..., "recurring_fee": ..., "cancel_at_period_end": True},
    "downgrade_deferred": {},
    "test_purchase": {},
}


@pytest.mark.parametrize("fixture", READINGS)
def test_reads_what_google_answers(stranger: Api, books: Books, fixture: str) -> None:
    books.purchases[TOKEN] = told(fixture)
    before = timezone.now()

    push = looked_up(stranger)

    assert (push.state, push.last_error) == ("HANDLED", "")
    [answer] = answers()
    assert answer.data == {name: value for name, value in (BOUGHT | READINGS[fixture]).items() if value is not ...}
    assert (answer.provider, answer.subject, answer.state) == ("google", NAME, "WAITING")
    assert answer.event_id.startswith("1@")
    assert answer.occurred_at is not None
    assert before <= answer.occurred_at <= timezone.now()


@pytest.mark.parametrize(
    ("kind", "told_start"), [(2, ...), (4, BOUGHT["current_period_start"]), (1, "2026-08-01T12:00:00Z")]
)
def test_tells_when_a_period_began_where_google_does(stranger: Api, books: Books, kind: int, told_start: Any) -> None:
    books.purchases[TOKEN] = told("active", startTime="2026-07-01T12:00:00Z")
    looked_up(stranger, kind=2)
    books.purchases[TOKEN] = told("active", startTime="2026-07-01T12:00:00Z" if kind != 4 else BOUGHT["activated_at"])

    looked_up(stranger, kind=kind, message_id="2")

    first, second = answers()
    assert first.data["current_period_start"] == "2026-07-01T12:00:00Z"
    assert second.data.get("current_period_start", ...) == told_start


@pytest.mark.parametrize(("kind", "voided", "status"), [(12, False, "expired"), (4, True, "refunded")])
def test_what_is_taken_back_is_taken_at_once(stranger: Api, books: Books, kind: int, voided: bool, status: str) -> None:
    books.purchases[TOKEN] = told("expired")

    looked_up(stranger, kind=kind, voided=voided)

    assert BOUGHT | {"status": status, "revokes": True} == answers()[0].data


@pytest.mark.parametrize(("kind", "voided"), [(12, False), (4, True)])
def test_a_push_takes_nothing_that_google_lets_stand(stranger: Api, books: Books, kind: int, voided: bool) -> None:
    books.purchases[TOKEN] = told("active")

    looked_up(stranger, kind=kind, voided=voided)

    assert answers()[0].data == BOUGHT


def test_what_is_not_paid_yet_is_nothing_yet(stranger: Api, books: Books) -> None:
    books.purchases[TOKEN] = told("pending")

    assert looked_up(stranger).state == "HANDLED"
    assert answers() == []


@pytest.mark.parametrize(("count", "state"), [(True, "WAITING"), (False, "SANDBOX")])
def test_test_purchases_are_kept_apart_unless_they_count(
    stranger: Api, books: Books, settings: Settings, count: bool, state: str
) -> None:
    settings.BILLING_TEST_EVENTS = count
    books.purchases[TOKEN] = told("test_purchase")

    looked_up(stranger)

    assert answers()[0].state == state


def test_a_real_purchase_counts_everywhere(stranger: Api, books: Books, settings: Settings) -> None:
    settings.BILLING_TEST_EVENTS = False
    books.purchases[TOKEN] = told("active")

    looked_up(stranger)

    assert answers()[0].state == "WAITING"


# --- purchases in a chain ------------------------------------------------------------------------------


def push_about(api: Api, token: str, *, number: int) -> None:
    about = {"version": "1.0", "notificationType": 4, "purchaseToken": token}
    process_event(event_id=taken(api, pushed(message_id=str(number), subscriptionNotification=about)).pk)


def test_a_change_of_plan_stays_the_same_subscription(stranger: Api, books: Books) -> None:
    books.purchases = {
        "a": told("active"), "b": told("active", linkedPurchaseToken="a"), "c": told("active", linkedPurchaseToken="b"),
    }  # fmt: skip

    for number, token in enumerate("abc"):
        push_about(stranger, token, number=number)

    assert {answer.subject for answer in answers()} == {name_of("a")}
    assert {answer.data["external_id"] for answer in answers()} == {name_of("a")}
    assert len(answers()) == 3


def test_a_chain_is_known_from_its_second_link_on(stranger: Api, books: Books) -> None:
    books.purchases["b"] = told("active", linkedPurchaseToken="a")

    push_about(stranger, "b", number=1)

    assert [answer.subject for answer in answers()] == [name_of("a")]


@pytest.mark.parametrize("late", ["replaced", "expired", "active"])
def test_a_purchase_that_was_replaced_ends_nothing(stranger: Api, books: Books, late: str) -> None:
    books.purchases = {"a": told(late), "b": told("active", linkedPurchaseToken="a")}

    push_about(stranger, "b", number=1)
    push_about(stranger, "a", number=2)

    assert [answer.data["status"] for answer in answers()] == ["active"]


def test_a_replaced_purchase_ends_nothing_even_when_it_comes_first(stranger: Api, books: Books) -> None:
    books.purchases = {"a": told("replaced")}

    push_about(stranger, "a", number=1)

    assert answers() == []


def test_an_unpaid_change_of_plan_leaves_the_old_purchase_in_force(stranger: Api, books: Books) -> None:
    books.purchases = {"a": told("active"), "b": told("pending", linkedPurchaseToken="a")}

    push_about(stranger, "b", number=1)
    push_about(stranger, "a", number=2)

    assert [answer.subject for answer in answers()] == [name_of("a")]
    assert not PlayPurchase.objects.filter(replaced=True).exists()


# --- silence -------------------------------------------------------------------------------------------


def test_silence_lets_the_push_wait_and_changes_nobody(stranger: Api, books: Books, settings: Settings) -> None:
    event = taken(stranger, pushed())
    settings.GOOGLE_PLAY_URL = "http://127.0.0.1:9"

    assert process_event(event_id=event.pk) == "WAITING"

    event.refresh_from_db()
    assert (event.attempts, event.last_error) == (1, "Unanswered: Google cannot be reached (ConnectionError)")
    assert answers() == []


def test_an_unknown_purchase_waits(stranger: Api, books: Books) -> None:
    assert (looked_up(stranger).state, answers()) == ("WAITING", [])


def test_what_waited_is_looked_up_later(stranger: Api, books: Books) -> None:
    event = looked_up(stranger)
    books.purchases[TOKEN] = told("active")
    BillingEvent.objects.update(due_at="2026-01-01T00:00:00Z")

    assert process_event(event_id=event.pk) == "HANDLED"
    assert [answer.data for answer in answers()] == [BOUGHT]


def test_asking_again_hears_what_is_true_by_then(stranger: Api, books: Books) -> None:
    books.purchases[TOKEN] = told("active")
    event = looked_up(stranger)
    books.purchases[TOKEN] = told("expired")

    replay([event])
    process_event(event_id=event.pk)

    assert [answer.data["status"] for answer in answers()] == ["active", "expired"]


@pytest.mark.parametrize("content", ["", "{}", '{"client_email": "x"}', '{"client_email": "x", "private_key": "y"}'])
def test_without_a_service_account_pushes_wait(
    stranger: Api, books: Books, settings: Settings, tmp_path: Any, content: str
) -> None:
    (tmp_path / "account.json").write_text(content)
    settings.GOOGLE_SERVICE_ACCOUNT = str(tmp_path / "account.json")
    books.purchases[TOKEN] = told("active")

    assert "service account" in looked_up(stranger).last_error


def test_a_withdrawn_access_token_is_replaced(stranger: Api, books: Books) -> None:
    books.purchases[TOKEN] = told("active")
    looked_up(stranger)
    books.access = "another"

    assert looked_up(stranger, message_id="2").last_error == "Unanswered: Google answered 401"
    assert looked_up(stranger, message_id="3").state == "HANDLED"


def test_tokens_stay_out_of_logs_and_errors(
    stranger: Api, books: Books, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    looked_up(stranger)
    settings.GOOGLE_PLAY_URL = "http://127.0.0.1:9"
    event = looked_up(stranger, message_id="2")

    assert "not handled yet" in caplog.text
    assert TOKEN not in caplog.text + event.last_error
    assert TOKEN not in event.subject


UNREADABLE: list[dict[str, Any]] = [
    {"subscriptionState": ...}, {"subscriptionState": "SUBSCRIPTION_STATE_UNSPECIFIED"}, {"subscriptionState": []},
    {"startTime": ...}, {"startTime": "soon"}, {"startTime": "2027-01-01T00:00:00Z"},
    {"lineItems": ...}, {"lineItems": []}, {"lineItems": {}}, {"lineItems": [1]}, {"lineItems": [{}]},
    {"lineItems": [{"expiryTime": "2026-08-31T12:00:00Z"}]},
    {"lineItems": [{"expiryTime": "2026-08-31T12:00:00", "productId": "premium"}]},
    {"lineItems": [{"expiryTime": "2026-08-31T12:00:00Z", "productId": "premium", "autoRenewingPlan": "yes"}]},
    {"externalAccountIdentifiers": {"obfuscatedExternalAccountId": "me"}},
    {"externalAccountIdentifiers": {"obfuscatedExternalAccountId": 1}},
    {"externalAccountIdentifiers": []}, {"linkedPurchaseToken": 1}, {"linkedPurchaseToken": "a/../b"},
    {"canceledStateContext": "no"},
]  # fmt: skip


@pytest.mark.parametrize("changes", UNREADABLE)
def test_an_answer_that_makes_no_sense_changes_nobody(stranger: Api, books: Books, changes: dict[str, Any]) -> None:
    books.purchases[TOKEN] = told("active", **changes)

    event = looked_up(stranger)

    assert (event.state, answers()) == ("WAITING", [])
    assert "Unreadable" in event.last_error
    assert not PlayPurchase.objects.exists()


def test_members_of_tomorrow_disturb_nobody(stranger: Api, books: Books) -> None:
    books.purchases[TOKEN] = told("active", somethingNew={"deep": [1]})
    looked_up(stranger)

    assert answers()[0].data == BOUGHT


@pytest.mark.parametrize(
    ("changes", "lacks"),
    [
        ({"externalAccountIdentifiers": ...}, {"account_id"}),
        ({"regionCode": ...}, {"country"}),
        ({"regionCode": "XK"}, {"country"}),
    ],
)
def test_leaves_out_what_google_does_not_tell(
    stranger: Api, books: Books, changes: dict[str, Any], lacks: set[str]
) -> None:
    books.purchases[TOKEN] = told("active", **changes)
    looked_up(stranger)

    assert answers()[0].data == {name: value for name, value in BOUGHT.items() if name not in lacks}


def test_only_google_speaks_of_its_purchases(stranger: Api, books: Books) -> None:
    """The standard door takes any kind of event that somebody handles."""
    body = (
        b'{"type": "google.notification", "timestamp": "2026-08-01T12:00:00Z", "data": '
        b'{"token": "a", "kind": 4, "voided": false}}'
    )
    assert stranger.post("/webhooks/billing/standard", body, **webhook_headers(body)).status_code == 202

    assert process_event(event_id=BillingEvent.objects.get().pk) == "WAITING"
    assert books.asked == {}


# --- money ---------------------------------------------------------------------------------------------


def priced(**money: Any) -> dict[str, Any]:
    answer = told("active")
    answer["lineItems"][0]["autoRenewingPlan"]["recurringPrice"] = money
    return answer


FEES = [
    ("GBP", {"units": "9", "nanos": 990_000_000}, 999), ("JPY", {"units": "980"}, 980), ("EUR", {}, 0),
    ("KWD", {"units": "2", "nanos": 500_000_000}, 2500), ("GBP", {"nanos": 990_000_000}, 99),
]  # fmt: skip


@pytest.mark.parametrize(("currency", "money", "fee"), FEES)
def test_fees_are_minor_units_of_any_currency(
    stranger: Api, books: Books, currency: str, money: dict[str, Any], fee: int
) -> None:
    books.purchases[TOKEN] = priced(currencyCode=currency, **money)
    looked_up(stranger)

    assert (answers()[0].data["currency"], answers()[0].data["recurring_fee"]) == (currency, fee)


BAD_MONEY: list[dict[str, Any]] = [
    {"currencyCode": "gbp", "units": "9"}, {"units": "9"}, {"currencyCode": "GBP", "units": "-9"},
    {"currencyCode": "GBP", "units": "much"}, {"currencyCode": "GBP", "units": "9" * 30},
    {"currencyCode": "GBP", "units": {}}, {"currencyCode": "GBP", "nanos": 1}, {"currencyCode": "JPY", "nanos": 5e8},
    {"currencyCode": "GBP", "units": "NaN"}, {"currencyCode": "GBP", "units": "Infinity"},
]  # fmt: skip


@pytest.mark.parametrize("money", BAD_MONEY)
def test_money_that_is_none_changes_nobody(stranger: Api, books: Books, money: dict[str, Any]) -> None:
    books.purchases[TOKEN] = priced(**money)

    assert (looked_up(stranger).state, answers()) == ("WAITING", [])


# --- the simulator -------------------------------------------------------------------------------------

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
ENDINGS: dict[str, tuple[int, dict[str, Any]]] = {
    "subscribe": (1, {"status": "active", "expires_at": "2026-12-20T12:00:00Z"}),
    "trial_to_paid": (2, {"status": "active", "trial_ends_at": None, "expires_at": "2026-12-20T12:00:00Z"}),
    "renew": (2, {"status": "active", "expires_at": "2026-12-20T12:00:00Z"}),
    "cancel_at_end": (2, {"status": "cancelled", "cancel_at_period_end": True}),
    "cancel_now": (2, {"status": "expired", "revokes": True, "expires_at": "2026-11-20T12:00:00Z"}),
    "uncancel": (3, {"status": "active", "cancel_at_period_end": False}),
    "grace_and_recover": (3, {"status": "active", "expires_at": "2026-12-17T00:00:00Z"}),
    "hold_and_expire": (3, {"status": "expired", "expires_at": "2026-10-21T12:00:00Z"}),
    "pause_and_resume": (3, {"status": "active", "current_period_start": "2026-11-20T12:00:00Z"}),
    "upgrade": (2, {"status": "active", "product": "google:premium:monthly"}),
    "downgrade": (2, {"status": "active", "product": "google:basic:monthly", "recurring_fee": 499}),
    "refund": (2, {"status": "refunded", "revokes": True}),
}


def test_has_every_scenario_it_can() -> None:
    assert set(google.SCENARIOS) == set(ENDINGS)
    with pytest.raises(LookupError):
        google.events("transfer", str(BOUGHT["account_id"]), NOW)


@pytest.mark.usefixtures("google_address")
@pytest.mark.parametrize("scenario", ENDINGS)
def test_plays_every_scenario_through_the_door(stranger: Api, listener: Listener, scenario: str) -> None:
    for signed in google.events(scenario, str(listener.pk), NOW):
        assert send(stranger, signed).status_code == 202
        newest = BillingEvent.objects.filter(type="google.notification").latest("pk")
        assert process_event(event_id=newest.pk) == "HANDLED"

    number, ending = ENDINGS[scenario]
    told_of = answers()
    assert len(told_of) == number
    assert {answer.data["account_id"] for answer in told_of} == {str(listener.pk)}
    assert len({answer.subject for answer in told_of}) == 1
    assert ending.items() <= told_of[-1].data.items()
    assert told_of[0].data["current_period_start"] == told_of[0].data["activated_at"]


@pytest.mark.usefixtures("google_address")
def test_a_story_does_not_go_on_when_nobody_asks(
    stranger: Api, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(google, "PATIENCE_SECONDS", 0.05)
    story = google.events("renew", str(listener.pk), NOW)
    next(story)

    with pytest.raises(TimeoutError):
        next(story)
