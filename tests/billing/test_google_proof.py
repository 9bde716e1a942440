"""Google Play's door: whose pushes are believed, and what is kept of them."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.utils import timezone
from pytest_django import Settings

from billing.actions import process_event
from billing.models import BillingEvent
from billing.providers.google import name_of
from billing.providers.play import Keys
from billing.simulators.google import KEY_ID, Books, key, push, push_token
from tests.billing.google import PATH, TOKEN, pushed, send, taken, told
from tests.billing.verdicts import expect_kept_and_refused
from tests.helpers import Api, expect_problem, statuses_at_once

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("books")]


def minutes(number: int) -> datetime:
    return timezone.now() + timedelta(minutes=number)


def claims(**changes: Any) -> str:
    """The genuine key under other claims; ... removes one."""
    found = jwt.decode(push_token(minutes(0)), options={"verify_signature": False}) | changes
    return signed({name: value for name, value in found.items() if value is not ...})


def signed(payload: Any, *, by: Any = None, algorithm: str = "RS256", **header: Any) -> str:
    headers = {name: value for name, value in ({"kid": KEY_ID} | header).items() if value is not ...}
    return jwt.encode(payload, by or key(), algorithm=algorithm, headers=headers)


def usual() -> dict[str, Any]:
    payload: dict[str, Any] = jwt.decode(push_token(minutes(0)), options={"verify_signature": False})
    return payload


def spliced(part: int, text: str) -> str:
    parts = push_token(minutes(0)).split(".")
    parts[part] = text
    return ".".join(parts)


def stranger_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def public_pem() -> str:
    return base64.b64encode(key().public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()


FORGERIES: dict[str, Callable[[], str]] = {
    "nothing": lambda: "",
    "no token": lambda: "Bearer ",
    "no scheme": lambda: push_token(minutes(0)),
    "another scheme": lambda: f"Basic {push_token(minutes(0))}",
    "two tokens": lambda: f"Bearer {push_token(minutes(0))} {push_token(minutes(0))}",
    "garbage": lambda: "Bearer a.b.c",
    "a long one": lambda: f"Bearer {'a' * 9000}.b.c",
    "no signature": lambda: "Bearer " + spliced(2, ""),
    "a signature cut off": lambda: f"Bearer {push_token(minutes(0))[:-4]}",
    "a signature of zeros": lambda: "Bearer " + spliced(2, "A" * 342),
    "another payload": lambda: "Bearer " + spliced(1, claims(aud="else").split(".")[1]),
    "another header": lambda: "Bearer " + spliced(0, signed({}, kid="other").split(".")[0]),
    "no algorithm": lambda: "Bearer " + jwt.encode(usual(), None, algorithm="none", headers={"kid": KEY_ID}),
    "a shared secret": lambda: "Bearer " + signed(usual(), by=public_pem(), algorithm="HS256"),
    "another hash": lambda: "Bearer " + signed(usual(), algorithm="RS512"),
    "another padding": lambda: "Bearer " + signed(usual(), algorithm="PS256"),
    "a stranger's key": lambda: "Bearer " + signed(usual(), by=stranger_key()),
    "an unknown key": lambda: "Bearer " + signed(usual(), kid="unknown"),
    "no key": lambda: "Bearer " + signed(usual(), kid=...),
    "critical extensions": lambda: "Bearer " + signed(usual(), crit=["exp"]),
    "another audience": lambda: "Bearer " + claims(aud="https://example.org"),
    "several audiences": lambda: "Bearer " + claims(aud=[usual()["aud"], "https://example.org"]),
    "no audience": lambda: "Bearer " + claims(aud=...),
    "another issuer": lambda: "Bearer " + claims(iss="https://accounts.example.org"),
    "no issuer": lambda: "Bearer " + claims(iss=...),
    "another account": lambda: "Bearer " + claims(email="other@simulated.iam.gserviceaccount.com"),
    "no account": lambda: "Bearer " + claims(email=...),
    "an unverified account": lambda: "Bearer " + claims(email_verified=False),
    "a verified text": lambda: "Bearer " + claims(email_verified="true"),
    "nobody verified": lambda: "Bearer " + claims(email_verified=...),
    "an old one": lambda: f"Bearer {push_token(minutes(-61))}",
    "one from the future": lambda: f"Bearer {push_token(minutes(2))}",
    "no end": lambda: "Bearer " + claims(exp=...),
    "no beginning": lambda: "Bearer " + claims(iat=...),
    "an end that is no time": lambda: "Bearer " + claims(exp="soon"),
    "an endless end": lambda: "Bearer " + claims(exp=1e400),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_keeps_forgeries_out(stranger: Api, name: str) -> None:
    push = pushed()

    expect_problem(send(stranger, push, Authorization=FORGERIES[name]()), 401, "not_authenticated")
    assert not BillingEvent.objects.exists()


@pytest.mark.parametrize(("seconds", "status"), [(-3640, 401), (-3620, 202), (0, 202), (20, 202), (40, 401)])
def test_a_token_lasts_an_hour(stranger: Api, seconds: int, status: int) -> None:
    token = push_token(timezone.now() + timedelta(seconds=seconds))

    assert send(stranger, pushed(), Authorization=f"Bearer {token}").status_code == status


def test_keeps_a_push_as_it_came(stranger: Api) -> None:
    push = pushed()

    event = taken(stranger, push)

    assert bytes(event.body) == push.body
    assert (event.provider, event.event_id, event.type) == ("google", "136969346945", "google.notification")
    assert (event.state, event.subject) == ("WAITING", name_of(TOKEN))
    assert event.occurred_at == datetime(2026, 8, 1, 12, tzinfo=UTC)
    assert event.data == {"token": TOKEN, "kind": 4, "voided": False}


def test_asks_nobody_while_the_push_waits_for_its_answer(stranger: Api, books: Books) -> None:
    taken(stranger, pushed())

    assert set(books.asked) == {"/keys"}


@pytest.mark.django_db(transaction=True)
def test_a_hundred_at_once_are_one() -> None:
    push = pushed()

    assert statuses_at_once(lambda api: send(api, push)) == [202] * 100
    assert BillingEvent.objects.count() == 1


def test_a_door_without_an_app_does_not_exist(stranger: Api, settings: Settings) -> None:
    settings.GOOGLE_PACKAGE_NAME = ""

    expect_problem(send(stranger, pushed()), 404, "not_found")


def test_an_oversized_push_is_refused_unread(stranger: Api) -> None:
    expect_problem(stranger.post(PATH, b" " * 65537, **pushed().headers), 413, "body_too_large")


# --- Google's keys -------------------------------------------------------------------------------------


def test_without_googles_keys_a_push_comes_again(stranger: Api, settings: Settings) -> None:
    settings.GOOGLE_KEYS_URL = "http://127.0.0.1:9/keys"

    expect_problem(send(stranger, pushed()), 503, "unavailable")


def test_asks_for_an_unknown_key_once_a_minute_at_the_most(books: Books, google_address: str) -> None:
    keys = Keys(f"{google_address}/keys")
    assert keys.find(KEY_ID) is not None
    books.key_ids = [KEY_ID, "new"]

    assert [keys.find("new") for _ in range(5)] == [None] * 5
    assert books.asked == {"/keys": 1}
    keys.rest_until = 0.0
    assert keys.find("new") is not None


def test_forgets_a_key_that_google_has_withdrawn(books: Books, google_address: str) -> None:
    keys = Keys(f"{google_address}/keys")
    assert keys.find(KEY_ID) is not None
    books.key_ids = ["new"]

    keys.fresh_until = 0.0

    assert keys.find(KEY_ID) is None


def test_keeps_its_keys_while_google_has_none_and_does_not_press(books: Books, google_address: str) -> None:
    keys = Keys(f"{google_address}/keys")
    assert keys.find(KEY_ID) is not None
    books.key_ids = []

    keys.fresh_until = 0.0

    assert [keys.find(KEY_ID) is not None for _ in range(5)] == [True] * 5
    assert books.asked == {"/keys": 2}


# --- sense ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fixture", ["test", "one_time", "voided_once"])
def test_keeps_and_leaves_alone_what_is_about_no_subscription(stranger: Api, fixture: str) -> None:
    event = taken(stranger, pushed(fixture))

    assert (event.state, event.data, event.subject) == ("IGNORED", {}, "")
    assert process_event(event_id=event.pk) is None


def test_a_voided_subscription_is_looked_up_too(stranger: Api) -> None:
    assert taken(stranger, pushed("voided")).data == {"token": TOKEN, "kind": 0, "voided": True}


def test_members_of_tomorrow_disturb_nobody(stranger: Api) -> None:
    assert taken(stranger, pushed(somethingNew={"a": 1}, version="2.0")).state == "WAITING"


def about(**changes: Any) -> dict[str, Any]:
    found = told("purchased")["subscriptionNotification"] | changes
    return {"subscriptionNotification": {name: value for name, value in found.items() if value is not ...}}


NONSENSE: list[tuple[dict[str, Any], str]] = [
    ({"packageName": "org.example.other"}, "packageName"),
    ({"packageName": ...}, "packageName"),
    ({"eventTimeMillis": ...}, "eventTimeMillis"),
    ({"eventTimeMillis": "soon"}, "eventTimeMillis"),
    ({"eventTimeMillis": "١٧٨٥٥٨٥٦٠٠٠٠٠"}, "eventTimeMillis"),
    ({"eventTimeMillis": True}, "eventTimeMillis"),
    ({"eventTimeMillis": 10**40}, "eventTimeMillis"),
    ({"eventTimeMillis": "1785585600"}, "eventTimeMillis"),
    ({"eventTimeMillis": "4070908800000"}, "future"),
    ({"subscriptionNotification": None}, "subscriptionNotification"),
    ({"subscriptionNotification": [1]}, "subscriptionNotification"),
    (about(purchaseToken=...), "purchaseToken"),
    (about(purchaseToken=""), "purchaseToken"),
    (about(purchaseToken="a/../b"), "purchaseToken"),
    (about(purchaseToken="a\x00b"), "NUL"),
    (about(purchaseToken="x" * 2000), "purchaseToken"),
    (about(notificationType=...), "notificationType"),
    (about(notificationType="bought"), "notificationType"),
    (about(notificationType=4.5), "notificationType"),
]


@pytest.mark.parametrize(("changes", "named"), NONSENSE)
def test_a_proven_push_that_makes_no_sense_is_kept_and_refused(
    stranger: Api, changes: dict[str, Any], named: str
) -> None:
    push = pushed(**changes)

    problem = expect_kept_and_refused(lambda: send(stranger, push), push.body, named)

    assert TOKEN not in json.dumps(problem)


BODIES = [
    b"", b"{", b"[]", b"{}", b'{"message": []}', b'{"message": {"data": "e30="}}',
    b'{"message": {"messageId": "1"}}', b'{"message": {"messageId": "1", "data": "%%%"}}',
    b'{"message": {"messageId": "1", "data": "W10="}}', b'{"message": {"messageId": "a\\u0000", "data": "e30="}}',
    b'{"message": {"messageId": 1, "data": "e30="}}', b'{"message": {"messageId": "' + b"1" * 300 + b'"}}',
]  # fmt: skip


@pytest.mark.parametrize("body", BODIES)
def test_a_body_that_is_no_push_is_kept_and_refused(stranger: Api, body: bytes) -> None:
    headers = push({}, message_id="1").headers

    expect_problem(stranger.post(PATH, body, **headers), 400, "invalid_event")
    assert BillingEvent.objects.get().state == "REFUSED"
