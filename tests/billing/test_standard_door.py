"""The door for any billing system: proof over raw bytes, stored once for ever, acted upon later."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import pytest
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from accounts.models import Listener
from billing.actions import process_event
from billing.models import BillingEvent
from subscriptions.models import Subscription
from tests.billing.standard_events import PATH, send, updated
from tests.billing.verdicts import expect_kept_and_refused
from tests.helpers import Api, expect_problem, statuses_at_once, webhook_headers

pytestmark = pytest.mark.django_db


def test_keeps_a_proven_event_as_it_came(stranger: Api, listener: Listener) -> None:
    body = updated(listener)

    response = send(stranger, body)

    assert response.status_code == 202, response.content
    assert json.loads(response.content) == {"event_id": "evt_1", "state": "WAITING"}
    event = BillingEvent.objects.get()
    assert bytes(event.body) == body
    assert (event.provider, event.type, event.subject) == ("standard", "subscription.updated", "sub_1")
    assert event.occurred_at is not None
    assert event.occurred_at.isoformat() == "2026-11-01T12:00:00+00:00"


def test_keeps_the_same_event_once(stranger: Api, listener: Listener) -> None:
    for _ in range(3):
        assert send(stranger, updated(listener)).status_code == 202
    assert send(stranger, updated(listener, recurring_fee=1)).status_code == 202

    assert json.loads(bytes(BillingEvent.objects.get().body))["data"]["recurring_fee"] == 999


@pytest.mark.django_db(transaction=True)
def test_a_hundred_at_once_are_one(listener: Listener) -> None:
    body = updated(listener)

    assert statuses_at_once(lambda api: send(api, body)) == [202] * 100
    assert BillingEvent.objects.count() == 1


# --- proof -----------------------------------------------------------------------------------------

NOW = int(time.time())
OTHER = "whsec_" + base64.b64encode(b"o" * 32).decode()


def tampered(name: str, body: bytes) -> tuple[bytes, dict[str, str]]:
    """A well-signed event with one thing changed after signing."""
    headers = webhook_headers(body)
    signature = headers["webhook-signature"]
    changes: dict[str, dict[str, str]] = {
        "no id": {"webhook-id": ""},
        "another id": {"webhook-id": "evt_2"},
        "dot in the id": {"webhook-id": f"evt_1.{headers['webhook-timestamp']}"},
        "long id": {"webhook-id": "e" * 300},
        "no timestamp": {"webhook-timestamp": ""},
        "another timestamp": {"webhook-timestamp": str(NOW - 1)},
        "fraction": {"webhook-timestamp": headers["webhook-timestamp"] + ".0"},
        "underscore": {"webhook-timestamp": headers["webhook-timestamp"][:-1] + "_0"},
        "space": {"webhook-timestamp": f" {headers['webhook-timestamp']}"},
        "exponent": {"webhook-timestamp": "1e9"},
        "not a number": {"webhook-timestamp": "nan"},
        "far future": {"webhook-timestamp": "9" * 30},
        "a digit of no number": {"webhook-timestamp": headers["webhook-timestamp"][:-1] + "²"},
        "no signature": {"webhook-signature": ""},
        "bare": {"webhook-signature": signature.removeprefix("v1,")},
        "another version": {"webhook-signature": signature.replace("v1,", "v2,")},
        "capital version": {"webhook-signature": signature.replace("v1,", "V1,")},
        "cut off": {"webhook-signature": signature[:-5]},
        "longer": {"webhook-signature": signature + "A"},
        "hex": {"webhook-signature": "v1," + base64.b64decode(signature[3:]).hex()},
        "zeros": {"webhook-signature": "v1," + "A" * 43 + "="},
        "garbage": {"webhook-signature": "v1,é v1,"},
        "several wrong": {"webhook-signature": " ".join(["v1," + "A" * 43 + "="] * 20)},
    }
    return body, headers | changes[name]


NAMES = [
    "no id", "another id", "dot in the id", "long id", "no timestamp", "another timestamp", "fraction", "underscore",
    "space", "exponent", "not a number", "far future", "a digit of no number", "no signature", "bare",
    "another version", "capital version", "cut off", "longer", "hex", "zeros", "several wrong",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_keeps_forgeries_out(stranger: Api, listener: Listener, name: str) -> None:
    body, headers = tampered(name, updated(listener))

    expect_problem(stranger.post(PATH, body, **headers), 401, "not_authenticated")
    assert not BillingEvent.objects.exists()


@pytest.mark.parametrize("change", [b" ", b"\n", b"\xef\xbb\xbf"])
def test_signs_the_bytes_and_not_their_meaning(stranger: Api, listener: Listener, change: bytes) -> None:
    body = updated(listener)
    headers = webhook_headers(body)

    expect_problem(stranger.post(PATH, change + body, **headers), 401, "not_authenticated")
    for same in (json.dumps(json.loads(body), indent=1).encode(), body.replace(b"GBP", b"\\u0047BP")):
        assert json.loads(same) == json.loads(body)
        expect_problem(stranger.post(PATH, same, **headers), 401, "not_authenticated")


@pytest.mark.parametrize(
    ("age", "status"), [(-301, 401), (-300, 202), (-299, 202), (0, 202), (299, 202), (300, 401), (301, 401)]
)
def test_wants_a_signature_of_the_last_five_minutes(stranger: Api, listener: Listener, age: int, status: int) -> None:
    """Timestamps are whole seconds, and what is left of this one belongs to the age."""
    while time.time() % 1 > 0.3:
        time.sleep(0.01)

    assert send(stranger, updated(listener), at=int(time.time()) - age).status_code == status


def test_takes_two_secrets_during_rotation(stranger: Api, listener: Listener, settings: Settings) -> None:
    old = settings.BILLING_STANDARD_SECRETS[0]
    phases = [([old], 202, 401), ([old, OTHER], 202, 202), ([OTHER], 401, 202)]

    for number, (secrets, with_old, with_new) in enumerate(phases):
        settings.BILLING_STANDARD_SECRETS = secrets
        assert send(stranger, updated(listener), event_id=f"o{number}", secret=old).status_code == with_old
        assert send(stranger, updated(listener), event_id=f"n{number}", secret=OTHER).status_code == with_new


def test_one_good_signature_among_several_is_enough(stranger: Api, listener: Listener) -> None:
    body = updated(listener)
    headers = webhook_headers(body)
    headers["webhook-signature"] = f"v1,{'A' * 43}= v2,x {headers['webhook-signature']}"

    assert stranger.post(PATH, body, **headers).status_code == 202


def test_a_door_without_a_secret_does_not_exist(stranger: Api, listener: Listener, settings: Settings) -> None:
    body = updated(listener)
    headers = webhook_headers(body)
    settings.BILLING_STANDARD_SECRETS = []

    expect_problem(stranger.post(PATH, body, **headers), 404, "not_found")


# --- sense -----------------------------------------------------------------------------------------

NONSENSE: list[tuple[bytes, str]] = [
    (b"", "JSON"),
    (b"{", "JSON"),
    (b"[]", "object"),
    (b'{"type": "subscription.updated", "timestamp": "2026-11-01T12:00:00Z"}', "data"),
    (b'{"timestamp": "2026-11-01T12:00:00Z", "data": {}}', "type"),
    (b'{"type": "subscription.updated", "data": {}}', "timestamp"),
    (updated(timestamp="2026-11-01T12:00:00"), "timestamp"),
    (updated(timestamp="٢٠٢٦-11-01T12:00:00Z"), "timestamp"),
    (updated(timestamp="0001-01-01T00:00:00+14:00"), "timestamp"),
    (updated(timestamp="9999-12-31T23:59:59-12:00"), "timestamp"),
    (updated(external_id=...), "external_id"),
    (updated(account_id="me"), "account_id"),
    (updated(status="happy"), "status"),
    (updated(currency="gbp"), "currency"),
    (updated(country="XX"), "country"),
    (updated(recurring_fee=-1), "recurring_fee"),
    (updated(recurring_fee=9.99), "recurring_fee"),
    (updated(recurring_fee="999"), "recurring_fee"),
    (updated(recurring_fee=2**40), "recurring_fee"),
    (updated(recurring_fee=True), "recurring_fee"),
    (updated(expires_at="2026-10-01T12:00:00Z"), "expires_at"),
    (updated(expires_at="2026-12-01T12:00:00"), "expires_at"),
    (updated(expires_at="2026-12-01T12:00:60Z"), "expires_at"),
    (updated(activated_at="2026-11-02T12:00:00Z"), "current_period_start"),
    (updated(trial_ends_at="soon"), "trial_ends_at"),
    (updated(timestamp="2099-01-01T00:00:00Z"), "future"),
    (
        b'{"type": "subscription.updated", "timestamp": "2026-11-01T12:00:00Z", "data": {"recurring_fee": 1e400}}',
        "JSON",
    ),
    (b'{"a":' * 2000 + b"1" + b"}" * 2000, "JSON"),
]


@pytest.mark.parametrize(("body", "named"), NONSENSE)
def test_a_proven_letter_that_makes_no_sense_is_kept_and_refused(stranger: Api, body: bytes, named: str) -> None:
    problem = expect_kept_and_refused(lambda: send(stranger, body), body, named)

    assert "ErrorDetail" not in problem["detail"]


def test_an_unknown_type_is_kept_and_left_alone(stranger: Api) -> None:
    body = json.dumps({"type": "invoice.sent", "timestamp": "2026-11-01T12:00:00Z", "data": {"x": 1}}).encode()

    assert json.loads(send(stranger, body).content)["state"] == "IGNORED"
    assert bytes(BillingEvent.objects.get().body) == body


def test_an_oversized_letter_is_refused_unread(stranger: Api) -> None:
    body = b" " * 65537

    expect_problem(stranger.post(PATH, body, **webhook_headers(body)), 413, "body_too_large")


@pytest.mark.parametrize(("currency", "fee"), [("JPY", 980), ("KWD", 2500), ("GBP", 0)])
def test_fees_are_minor_units_of_any_currency(stranger: Api, listener: Listener, currency: str, fee: int) -> None:
    body = updated(listener, currency=currency, recurring_fee=fee)
    send(stranger, body)
    process_event(event_id=BillingEvent.objects.get().pk)

    subscription = Subscription.objects.get()
    assert (subscription.currency, subscription.recurring_fee) == (currency, fee)


# --- acting upon it ----------------------------------------------------------------------------------


def test_wakes_a_worker_once_the_letter_is_stored(
    stranger: Api, listener: Listener, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    with django_capture_on_commit_callbacks() as callbacks:
        send(stranger, updated(listener))

    assert len(callbacks) == 1


def test_an_event_of_an_unknown_account_waits_for_it(stranger: Api, make_listener: Any) -> None:
    send(stranger, updated(None))
    event = BillingEvent.objects.get()

    assert process_event(event_id=event.pk) == "WAITING"

    event.refresh_from_db()
    assert event.attempts == 1
    assert "UnknownAccount" in event.last_error
    assert process_event(event_id=event.pk) is None  # it rests first


def test_an_event_that_never_finds_its_account_ends_with_a_person(stranger: Api) -> None:
    send(stranger, updated(None))
    event = BillingEvent.objects.get()

    for _ in range(12):
        BillingEvent.objects.update(due_at="2026-01-01T00:00:00Z")
        process_event(event_id=event.pk)

    event.refresh_from_db()
    assert (event.state, event.attempts) == ("DEAD", 12)


def test_an_unknown_plan_waits_for_somebody_to_add_it(stranger: Api, listener: Listener) -> None:
    send(stranger, updated(listener, plan_code="family"))

    assert process_event(event_id=BillingEvent.objects.get().pk) == "WAITING"
    assert "UnknownPlan" in BillingEvent.objects.get().last_error


def test_nobody_takes_anothers_subscription(stranger: Api, listener: Listener, make_listener: Any) -> None:
    send(stranger, updated(listener), event_id="one")
    send(stranger, updated(make_listener(), timestamp="2026-11-02T12:00:00Z"), event_id="two")
    mine, theirs = BillingEvent.objects.order_by("pk")

    assert process_event(event_id=mine.pk) == "HANDLED"
    assert process_event(event_id=theirs.pk) == "WAITING"

    assert Subscription.objects.get().listener == listener
    theirs.refresh_from_db()
    assert "ForeignSubscription" in theirs.last_error


@pytest.mark.parametrize("accept", ["text/plain", "application/xml", "text/html;q=0.9", "nonsense"])
def test_an_odd_accept_costs_no_event(stranger: Api, accept: str) -> None:
    body = updated()

    assert stranger.post(PATH, body, **webhook_headers(body), Accept=accept).status_code == 202
