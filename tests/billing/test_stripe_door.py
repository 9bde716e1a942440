"""Stripe's door: its signature over the raw bytes, stored once for ever."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import Any

import pytest
from pytest_django import Settings

from billing.actions import process_event
from billing.models import BillingEvent
from tests.billing.stripe_events import PATH, fixture, send, signature
from tests.helpers import Api, expect_problem, statuses_at_once

pytestmark = pytest.mark.django_db
OTHER = "whsec_anotherTestSecretOfStripe0123456789"


# --- storing ---------------------------------------------------------------------------------------


def test_keeps_a_proven_event_as_it_came(stranger: Api) -> None:
    response = send(stranger, fixture("subscription_active"))

    assert response.status_code == 202, response.content
    assert json.loads(response.content) == {"event_id": "evt_1QActive", "state": "WAITING"}
    event = BillingEvent.objects.get()
    assert bytes(event.body) == fixture("subscription_active")
    assert (event.provider, event.type, event.subject) == ("stripe", "subscription.updated", "sub_1QTonearm0001")
    assert event.occurred_at == datetime(2026, 11, 1, 12, 0, 3, tzinfo=UTC)


@pytest.mark.django_db(transaction=True)
def test_a_hundred_at_once_are_one(settings: Settings) -> None:
    body = fixture("subscription_active")
    header = signature(body)

    assert statuses_at_once(lambda api: api.post(PATH, body, Stripe_Signature=header)) == [202] * 100
    assert BillingEvent.objects.count() == 1


def test_a_test_event_has_no_effect_where_such_do_not_count(stranger: Api, settings: Settings) -> None:
    body = fixture("subscription_active").replace(b'"livemode": true', b'"livemode": false')
    settings.BILLING_TEST_EVENTS = False

    assert json.loads(send(stranger, body).content)["state"] == "SANDBOX"

    event = BillingEvent.objects.get()
    assert process_event(event_id=event.pk) is None
    assert not BillingEvent.objects.about("sub_1QTonearm0001").exists()


def test_a_test_event_counts_where_told_so(stranger: Api) -> None:
    body = fixture("subscription_active").replace(b'"livemode": true', b'"livemode": false')

    assert json.loads(send(stranger, body).content)["state"] == "WAITING"


# --- proof -----------------------------------------------------------------------------------------

V1 = "v1=" + "a" * 64
FORGERIES: dict[str, Any] = {
    "no header": lambda t, s: "",
    "a comma": lambda t, s: ",",
    "no time": lambda t, s: s,
    "no signature": lambda t, s: t,
    "time twice": lambda t, s: f"{t},{t},{s}",
    "two times": lambda t, s: f"t=1,{t},{s}",
    "another time": lambda t, s: f"t={int(t[2:]) - 1},{s}",
    "an empty time": lambda t, s: f"t=,{s}",
    "a time with a fraction": lambda t, s: f"{t}.0,{s}",
    "a time with an underscore": lambda t, s: f"{t[:-1]}_{t[-1]},{s}",
    "a time with a space": lambda t, s: f"t= {t[2:]},{s}",
    "a space before the time": lambda t, s: f" {t},{s}",
    "a time with a plus": lambda t, s: f"t=+{t[2:]},{s}",
    "a time with a zero": lambda t, s: f"t=0{t[2:]},{s}",
    "a negative time": lambda t, s: f"t=-{t[2:]},{s}",
    "a time that is none": lambda t, s: f"t=nan,{s}",
    "an exponent": lambda t, s: f"t=1e9,{s}",
    "the far future": lambda t, s: f"t={'9' * 30},{s}",
    "another version": lambda t, s: f"{t},{s.replace('v1', 'v0')}",
    "a capital version": lambda t, s: f"{t},{s.replace('v1', 'V1')}",
    "bare": lambda t, s: f"{t},{s[3:]}",
    "cut off": lambda t, s: f"{t},{s[:-1]}",
    "longer": lambda t, s: f"{t},{s}0",
    "in capitals": lambda t, s: f"{t},v1={s[3:].upper()}",
    "base64": lambda t, s: f"{t},v1={'A' * 43}=",
    "zeros": lambda t, s: f"{t},v1={'0' * 64}",
    "another signature": lambda t, s: f"{t},{V1}",
    "many wrong": lambda t, s: ",".join([t, *[V1] * 100]),
    "semicolons": lambda t, s: f"{t};{s}",
    "a space between": lambda t, s: f"{t}, {s}",
    "equals twice": lambda t, s: f"{t},v1=={s[3:]}",
    "a quoted signature": lambda t, s: f'{t},v1="{s[3:]}"',
}


@pytest.mark.parametrize("name", FORGERIES)
def test_keeps_forgeries_out(stranger: Api, settings: Settings, name: str) -> None:
    body = fixture("subscription_active")
    stamp, good = signature(body).split(",")

    response = stranger.post(PATH, body, Stripe_Signature=FORGERIES[name](stamp, good))

    expect_problem(response, 401, "not_authenticated")
    assert not BillingEvent.objects.exists()


def test_wants_one_of_our_secrets(stranger: Api) -> None:
    expect_problem(send(stranger, fixture("subscription_active"), secret=OTHER), 401, "not_authenticated")


@pytest.mark.parametrize("change", [b" ", b"\n", b"\xef\xbb\xbf", b"\xff"])
def test_signs_the_bytes_and_not_their_meaning(stranger: Api, settings: Settings, change: bytes) -> None:
    body = fixture("subscription_active")
    header = signature(body)

    for other in (change + body, body + change, json.dumps(json.loads(body)).encode()):
        expect_problem(stranger.post(PATH, other, Stripe_Signature=header), 401, "not_authenticated")


@pytest.mark.parametrize(("age", "status"), [(-310, 401), (-290, 202), (0, 202), (290, 202), (310, 401)])
def test_wants_a_signature_of_the_last_five_minutes(stranger: Api, age: int, status: int) -> None:
    assert send(stranger, fixture("subscription_active"), at=int(time.time()) - age).status_code == status


def test_takes_two_secrets_during_rotation(stranger: Api, settings: Settings) -> None:
    old = settings.BILLING_STRIPE_SECRETS[0]
    body = fixture("subscription_active")

    for secrets, with_old, with_new in [([old], 202, 401), ([old, OTHER], 202, 202), ([OTHER], 401, 202)]:
        settings.BILLING_STRIPE_SECRETS = secrets
        assert send(stranger, body, secret=old).status_code == with_old
        assert send(stranger, body, secret=OTHER).status_code == with_new


def test_one_good_signature_among_several_is_enough(stranger: Api, settings: Settings) -> None:
    body = fixture("subscription_active")
    stamp, good = signature(body).split(",")

    assert stranger.post(PATH, body, Stripe_Signature=f"{stamp},v0=x,{V1},{good}").status_code == 202


def test_a_door_without_a_secret_does_not_exist(stranger: Api, settings: Settings) -> None:
    body = fixture("subscription_active")
    header = signature(body)
    settings.BILLING_STRIPE_SECRETS = []

    expect_problem(stranger.post(PATH, body, Stripe_Signature=header), 404, "not_found")


@pytest.mark.parametrize(("size", "status"), [(200_000, 202), (262_145, 413)])
def test_takes_large_events_but_not_any_size(stranger: Api, size: int, status: int) -> None:
    body = fixture("subscription_active")

    assert send(stranger, body + b" " * (size - len(body))).status_code == status
