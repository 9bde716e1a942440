"""Signing up, signing in, and being who one says one is."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Barrier
from typing import Any
from uuid import UUID, uuid4

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from django.conf import settings as django_settings
from django.core import mail
from django.db import connections
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from accounts.actions import move_listener
from accounts.models import Listener, Residence, User, country_at
from accounts.tokens import public_key
from outbox.models import Message
from tests.helpers import Api, expect_problem, token_for

pytestmark = pytest.mark.django_db
SIGNUP = "/_allauth/app/v1/auth/signup"
LOGIN = "/_allauth/app/v1/auth/login"
REFRESH = "/_allauth/app/v1/tokens/refresh"


def signed_up(stranger: Api, email: str = "ada@example.org", **changes: Any) -> dict[str, Any]:
    response = stranger.post(SIGNUP, {"email": email, "password": "correct horse", "country": "GB"} | changes)
    assert response.status_code == 200, response.content
    body: dict[str, Any] = json.loads(response.content)
    return body


def test_signing_up_makes_a_login_a_listener_and_a_message(stranger: Api) -> None:
    meta = signed_up(stranger)["meta"]

    listener = Listener.objects.get()
    assert listener.user is not None
    assert (listener.user.email, listener.country) == ("ada@example.org", "GB")
    assert Residence.objects.get().country == "GB"
    message = Message.objects.get()
    assert (message.topic, message.key, message.lane) == ("listener.create", listener.platform_id, listener.platform_id)
    assert meta["is_authenticated"] is True
    claims = jwt.decode(
        meta["access_token"], public_key(), algorithms=["RS256"], audience="tonearm-api", issuer="tonearm"
    )
    assert claims["listener"] == str(listener.pk)
    assert claims["exp"] - claims["iat"] <= 900


def test_the_platform_id_says_nothing_about_the_person(stranger: Api) -> None:
    signed_up(stranger)

    listener = Listener.objects.get()
    assert listener.platform_id not in {listener.pk.hex, listener.user_id.hex}
    assert re.fullmatch("[0-9a-f]{32}", listener.platform_id)  # no room for a name


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"country": "gb"}, "country"),
        ({"country": "XX"}, "country"),
        ({"country": ""}, "country"),
        ({"country": None}, "country"),
        ({"country": ["GB"]}, "country"),
        ({"email": "nobody"}, "email"),
        ({"email": ""}, "email"),
        ({"password": "short"}, "password"),
        ({"password": "password"}, "password"),
    ],
)
def test_signing_up_with_something_wrong_leaves_nothing_behind(stranger: Api, change: Any, param: str) -> None:
    response = stranger.post(
        SIGNUP, {"email": "ada@example.org", "password": "correct horse", "country": "GB"} | change
    )

    assert response.status_code == 400
    assert {error["param"] for error in json.loads(response.content)["errors"]} == {param}
    assert not User.objects.exists()
    assert not Listener.objects.exists()


@pytest.mark.parametrize(
    "body", [b"{", b"[]", b'{"email": "\\ud800"}', b'{"email": "a\\u0000b"}', b"[" * 60_000, b"\xff"]
)
def test_signing_up_with_a_hostile_body_is_refused(stranger: Api, body: bytes) -> None:
    assert stranger.post(SIGNUP, body).status_code == 400


def test_signing_up_twice_is_refused(stranger: Api) -> None:
    signed_up(stranger)

    response = stranger.post(SIGNUP, {"email": "ADA@example.org", "password": "correct horse", "country": "GB"})

    assert response.status_code in {400, 401, 409}
    assert Listener.objects.count() == 1


def test_signing_in_gives_tokens_that_count(stranger: Api) -> None:
    signed_up(stranger)

    response = stranger.post(LOGIN, {"email": "ada@example.org", "password": "correct horse"})

    token = json.loads(response.content)["meta"]["access_token"]
    assert Api(stranger.client, token=token).get("me").status_code == 200


def test_signing_in_with_a_wrong_password_does_not(stranger: Api) -> None:
    signed_up(stranger)

    assert stranger.post(LOGIN, {"email": "ada@example.org", "password": "wrong horse"}).status_code == 400


def test_a_refresh_token_works_once(stranger: Api) -> None:
    first = signed_up(stranger)["meta"]["refresh_token"]

    fresh = json.loads(stranger.post(REFRESH, {"refresh_token": first}).content)["data"]

    assert Api(stranger.client, token=fresh["access_token"]).get("me").status_code == 200
    assert fresh["refresh_token"] != first
    assert stranger.post(REFRESH, {"refresh_token": first}).status_code == 400


# --- me ------------------------------------------------------------------------------------------------


def test_me_tells_billing_systems_id_and_never_the_platforms(
    api: Callable[[Listener], Api], listener: Listener
) -> None:
    body = json.loads(api(listener).get("me").content)

    assert set(body) == {"id", "email", "country", "explicit_filter", "created_at"}
    assert UUID(body["id"]) == listener.pk
    assert body["created_at"].endswith("Z")
    assert listener.platform_id not in json.dumps(body)


def test_moving_keeps_where_one_lived(api: Callable[[Listener], Api], listener: Listener) -> None:
    body = json.loads(api(listener).patch("me", {"country": "FR", "explicit_filter": True}).content)

    assert (body["country"], body["explicit_filter"]) == ("FR", True)
    assert list(Residence.objects.order_by("since").values_list("country", flat=True)) == ["GB", "FR"]


def test_plays_of_then_are_known_by_the_country_of_then(api: Callable[[Listener], Api], listener: Listener) -> None:
    began = Residence.objects.get().since
    api(listener).patch("me", {"country": "FR"})
    moved = Residence.objects.latest("since").since

    def country(instant: datetime) -> str:
        return country_at(listener_id=listener.pk, instant=instant)

    tick = timedelta(microseconds=1)
    assert [country(began - tick), country(began), country(moved - tick), country(moved)] == ["GB", "GB", "GB", "FR"]


def test_who_moved_a_listener_is_kept(api: Callable[[Listener], Api], boss: Client, listener: Listener) -> None:
    api(listener).patch("me", {"country": "FR"})
    page = f"/admin/accounts/listener/{listener.pk}/change/"
    inline = {f"residences-{name}_FORMS": "0" for name in ("TOTAL", "INITIAL")}

    assert boss.post(page, inline | {"country": "de"}).status_code == 302

    moves = Residence.objects.order_by("since").values_list("country", "changed_by__email")
    own = User.objects.get(listener=listener).email
    assert list(moves) == [("GB", own), ("FR", own), ("DE", "boss@example.org")]
    shown = boss.get(page).content.decode()
    assert all(word in shown for word in ("GB", "FR", own))


@pytest.mark.parametrize("country", ["", "XX", "GBR", "<b"])
def test_staff_cannot_move_anybody_nowhere(boss: Client, listener: Listener, country: str) -> None:
    page = f"/admin/accounts/listener/{listener.pk}/change/"
    inline = {f"residences-{name}_FORMS": "0" for name in ("TOTAL", "INITIAL")}

    assert boss.post(page, inline | {"country": country, "explicit_filter": "on"}).status_code == 200
    listener.refresh_from_db()
    assert (listener.country, listener.explicit_filter, listener.residences.count()) == ("GB", False, 1)


@pytest.mark.django_db(transaction=True)
def test_moves_at_the_same_moment_end_where_the_history_ends(listener: Listener) -> None:
    start, now = Barrier(4), timezone.now()

    def move(country: str) -> None:
        try:
            start.wait(5)
            mine = Listener.objects.get(pk=listener.pk)
            move_listener(listener=mine, country=country, by=None, now=now)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(move, ["FR", "DE", "IE", "US"]))

    listener.refresh_from_db()
    assert listener.residences.count() == 5
    assert listener.country == listener.residences.latest("since").country


@pytest.mark.parametrize(
    "body", [{"country": "fr"}, {"country": 7}, {"country": None}, {"explicit_filter": "maybe"}, [], 7]
)
def test_moving_nowhere_is_refused(api: Callable[[Listener], Api], listener: Listener, body: Any) -> None:
    expect_problem(api(listener).patch("me", body), 400, "invalid_parameter")


FORBIDDEN = {"id": str(uuid4()), "email": "eve@example.org", "platform_id": "x", "is_staff": True, "closed_at": None}


def test_fields_that_are_not_ones_own_to_write_are_ignored(api: Callable[[Listener], Api], listener: Listener) -> None:
    before = json.loads(api(listener).get("me").content)

    assert json.loads(api(listener).patch("me", FORBIDDEN).content) == before


def test_closing_an_account_erases_the_person_and_keeps_the_pseudonym(stranger: Api) -> None:
    meta = signed_up(stranger)["meta"]
    me = Api(stranger.client, token=meta["access_token"])

    assert me.delete("me").status_code == 204

    assert not User.objects.exists()
    listener = Listener.objects.get()
    assert listener.closed_at is not None
    assert listener.user is None
    expect_problem(me.get("me"), 401, "not_authenticated")
    assert stranger.post(REFRESH, {"refresh_token": meta["refresh_token"]}).status_code in {400, 401}


# --- tokens --------------------------------------------------------------------------------------------


def bad_tokens(listener: Listener) -> dict[str, str]:
    now = int(time.time())
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = other.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    public = public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    good = token_for(listener)
    header, payload, signature = good.split(".")
    return {
        "nonsense": "nonsense",
        "none": jwt.encode(jwt.decode(good, options={"verify_signature": False}), None, algorithm="none"),
        "another key": token_for(listener, key=pem),
        "symmetric with the secret": token_for(listener, key=django_settings.SECRET_KEY, algorithm="HS256"),
        "without signature": f"{header}.{payload}.",
        "altered": f"{header}.{payload[:-2]}AA.{signature}",
        "expired": token_for(listener, iat=now - 600, exp=now - 300),
        "no exp": token_for(listener, exp=None),
        "ten years": token_for(listener, exp=now + 10 * 365 * 86400),
        "another audience": token_for(listener, aud="other"),
        "no audience": token_for(listener, aud=None),
        "another issuer": token_for(listener, iss="other"),
        "a refresh token": token_for(listener, token_use="refresh"),
        "not yet": token_for(listener, iat=now + 600, exp=now + 700, nbf=now + 600),
        "listener is no id": token_for(listener, listener="x"),
        "exp is text": token_for(listener, exp="soon"),
        "oversized": token_for(listener, padding="x" * 10_000),
        "public key as secret": jwt.api_jws.encode(b"{}", "k" * 32, algorithm="HS256") + public.hex()[:0],
    }


NAMES = [
    "nonsense", "none", "another key", "symmetric with the secret", "without signature", "altered", "expired", "no exp",
    "ten years", "another audience", "no audience", "another issuer", "a refresh token", "not yet", "listener is no id",
    "exp is text", "oversized", "public key as secret",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_bad_token_opens_nothing(stranger: Api, listener: Listener, name: str) -> None:
    expect_problem(Api(stranger.client, token=bad_tokens(listener)[name]).get("me"), 401, "not_authenticated")


@pytest.mark.parametrize("header", ["Basic x", "bearer", "Bearer", "Bearer  ", "Token x", "\x00", "é"])
def test_a_header_that_is_no_bearer_token_opens_nothing(stranger: Api, header: str) -> None:
    expect_problem(stranger.get("me", Authorization=header), 401, "not_authenticated")


def test_a_token_in_the_query_opens_nothing(stranger: Api, listener: Listener) -> None:
    expect_problem(stranger.get(f"me?access_token={token_for(listener)}"), 401, "not_authenticated")


def test_staff_without_a_listener_is_no_listener(stranger: Api, listener: Listener) -> None:
    expect_problem(Api(stranger.client, token=token_for(listener, listener=None)).get("me"), 403, "permission_denied")


def test_a_checked_token_costs_no_more_than_whether_its_account_is_open(
    api: Callable[[Listener], Api], listener: Listener, django_assert_num_queries: Callable[..., Any]
) -> None:
    with django_assert_num_queries(2):  # whether it is open, and the account itself
        assert api(listener).get("me").status_code == 200


# --- allauth's own doors, as we have set them up -----------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_a_double_tap_signs_up_once_and_nobody_gets_an_error_of_ours() -> None:
    start = Barrier(4)

    def tap(_: int) -> int:
        try:
            start.wait(5)
            form = {"email": "twice@example.org", "password": "correct horse", "country": "GB"}
            return Api(Client(), token=None).post(SIGNUP, form).status_code
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as threads:
        answers = sorted(threads.map(tap, range(4)))

    assert answers == [200, 400, 400, 400]
    assert Listener.objects.count() == 1


@pytest.mark.parametrize("email", ["ada@example.org", "nobody@example.org"])
def test_a_forgotten_password_is_asked_for_without_telling_who_is_known(
    stranger: Api, email: str, settings: Settings
) -> None:
    signed_up(stranger)
    answer = stranger.post("/_allauth/app/v1/auth/password/request", {"email": email})

    assert answer.status_code == 200, answer.content
    [message] = mail.outbox
    assert message.to == [email]
    assert (f"{settings.APP_URL}/reset-password/" in message.body) == (email == "ada@example.org")


def test_sign_in_limits_go_by_the_address_behind_the_proxy(stranger: Api, settings: Settings) -> None:
    settings.TRUSTED_PROXIES = 1
    signed_up(stranger)
    for number in range(70):  # more than one address may try in a minute
        wrong = {"email": f"x{number}@example.org", "password": "wrong horse"}
        assert stranger.post(LOGIN, wrong, X_Forwarded_For=f"198.51.100.{number}").status_code == 400

    right = {"email": "ada@example.org", "password": "correct horse"}
    assert stranger.post(LOGIN, right, X_Forwarded_For="203.0.113.7").status_code == 200
