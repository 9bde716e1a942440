"""Sessions end when their listener, or we, say so, and a refresh token is good for one hand only."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.db import connections
from django.test import Client
from pytest_django import Settings

from accounts.actions import close_account
from accounts.models import Listener, User
from catalogue.models import Track
from tests.helpers import Api, expect_problem

pytestmark = pytest.mark.django_db
AUTH = "/_allauth/app/v1/auth"
REFRESH = "/_allauth/app/v1/tokens/refresh"
ADA = {"email": "ada@example.org", "password": "correct horse"}


@pytest.fixture
def ada(stranger: Api) -> dict[str, str]:
    """The tokens of somebody who has just signed up."""
    return meta(stranger.post(f"{AUTH}/signup", ADA | {"country": "GB"}))


def meta(response: Any) -> dict[str, str]:
    assert response.status_code == 200, response.content
    tokens: dict[str, str] = json.loads(response.content)["meta"]
    return tokens


def signed_in(stranger: Api, **headers: str) -> dict[str, str]:
    return meta(stranger.post(f"{AUTH}/login", ADA, **headers))


def refresh(stranger: Api, token: str) -> Any:
    return stranger.post(REFRESH, {"refresh_token": token})


def sessions_of(stranger: Api, tokens: dict[str, str]) -> list[dict[str, Any]]:
    response = Api(stranger.client, token=tokens["access_token"]).get(f"{AUTH}/sessions")
    assert response.status_code == 200, response.content
    listed: list[dict[str, Any]] = json.loads(response.content)["data"]
    return listed


def test_a_listener_sees_where_they_are_signed_in(stranger: Api, ada: dict[str, str]) -> None:
    tablet = signed_in(stranger, User_Agent="Tablet " + "x" * 500)
    seen = {session["id"]: session["last_seen_at"] for session in sessions_of(stranger, tablet)}
    refresh(stranger, ada["refresh_token"])

    phone, other = sorted(sessions_of(stranger, tablet), key=lambda session: session["is_current"])

    assert (phone["is_current"], other["is_current"]) == (False, True)
    assert other["user_agent"].startswith("Tablet")
    assert other["ip"] == "127.0.0.1"
    assert phone["last_seen_at"] > seen[phone["id"]]
    assert other["last_seen_at"] == seen[other["id"]]


def test_one_session_is_ended_and_the_others_go_on(stranger: Api, ada: dict[str, str]) -> None:
    tablet = signed_in(stranger)
    [mine] = [session["id"] for session in sessions_of(stranger, tablet) if session["is_current"]]
    here = Api(stranger.client, token=ada["access_token"])

    assert here.delete(f"{AUTH}/sessions", {"sessions": [mine]}).status_code == 200

    assert refresh(stranger, tablet["refresh_token"]).status_code == 400
    assert refresh(stranger, ada["refresh_token"]).status_code == 200


def test_all_sessions_are_ended_at_once(stranger: Api, ada: dict[str, str]) -> None:
    tablet = signed_in(stranger)
    everywhere = [session["id"] for session in sessions_of(stranger, ada)]

    answer = Api(stranger.client, token=ada["access_token"]).delete(f"{AUTH}/sessions", {"sessions": everywhere})

    assert answer.status_code == 401
    assert {refresh(stranger, each["refresh_token"]).status_code for each in (ada, tablet)} == {400}
    assert not Session.objects.exists()


def test_signing_out_ends_this_session_alone(stranger: Api, ada: dict[str, str]) -> None:
    tablet = signed_in(stranger)

    Api(stranger.client, token=ada["access_token"]).delete(f"{AUTH}/session")

    assert refresh(stranger, ada["refresh_token"]).status_code == 400
    assert refresh(stranger, tablet["refresh_token"]).status_code == 200
    assert len(sessions_of(stranger, tablet)) == 1


@pytest.mark.parametrize("ids", [[10**30], ["x"], [-1], "7", 7, None, {}, [None], [[1]], [True], [0.5]])
def test_sessions_of_others_or_of_nobody_cannot_be_ended(stranger: Api, ada: dict[str, str], ids: Any) -> None:
    stranger.post(f"{AUTH}/signup", {"email": "eve@example.org", "password": "correct horse", "country": "GB"})
    theirs = UserSession.objects.get(user__email="eve@example.org")
    here = Api(stranger.client, token=ada["access_token"])

    assert here.delete(f"{AUTH}/sessions", {"sessions": [theirs.pk]}).status_code == 400
    assert here.delete(f"{AUTH}/sessions", {"sessions": ids}).status_code == 400

    assert Session.objects.count() == 2


@pytest.mark.parametrize("address", ["unknown", "203.0.113.7:5555", "", "x" * 300, "fe80::1%eth0", "::ffff:1.2.3.4"])
def test_a_proxy_that_names_an_odd_address_or_none_keeps_nobody_out(
    stranger: Api, settings: Settings, address: str
) -> None:
    settings.TRUSTED_PROXIES = 1

    assert stranger.post(f"{AUTH}/signup", ADA | {"country": "GB"}, X_Forwarded_For=address).status_code == 200


# --- refreshing -----------------------------------------------------------------------------------------


def test_a_refresh_token_seen_twice_ends_the_whole_family(stranger: Api, ada: dict[str, str]) -> None:
    tablet = signed_in(stranger)
    second = json.loads(refresh(stranger, ada["refresh_token"]).content)["data"]["refresh_token"]

    assert refresh(stranger, ada["refresh_token"]).status_code == 400

    assert refresh(stranger, second).status_code == 400
    assert refresh(stranger, tablet["refresh_token"]).status_code == 200


@pytest.mark.django_db(transaction=True)
def test_of_two_refreshes_at_once_one_is_a_second_use(stranger: Api) -> None:
    tokens = meta(stranger.post(f"{AUTH}/signup", ADA | {"country": "GB"}))
    start = Barrier(4)

    def tap(_: int) -> Any:
        try:
            start.wait(5)
            return refresh(Api(Client(), token=None), tokens["refresh_token"])
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(tap, range(4)))

    assert sorted(answer.status_code for answer in answers) == [200, 400, 400, 400]
    [won] = [json.loads(answer.content)["data"] for answer in answers if answer.status_code == 200]
    assert refresh(stranger, won["refresh_token"]).status_code == 400


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "x" * 5000, None, 7, [], {}])
def test_what_is_no_refresh_token_is_refused(stranger: Api, ada: dict[str, str], token: Any) -> None:
    assert stranger.post(REFRESH, {"refresh_token": token}).status_code == 400
    assert stranger.post(REFRESH, {"refresh_token": ada["access_token"]}).status_code == 400
    assert refresh(stranger, ada["refresh_token"]).status_code == 200


def test_a_new_password_ends_every_session(stranger: Api, ada: dict[str, str]) -> None:
    tablet = signed_in(stranger)
    words = {"current_password": ADA["password"], "new_password": "a better horse"}

    answer = Api(stranger.client, token=tablet["access_token"]).post("/_allauth/app/v1/account/password/change", words)

    assert answer.status_code == 401
    assert {refresh(stranger, each["refresh_token"]).status_code for each in (ada, tablet)} == {400}
    assert stranger.post(f"{AUTH}/login", ADA).status_code == 400
    assert stranger.post(f"{AUTH}/login", ADA | {"password": "a better horse"}).status_code == 200


# --- bans -----------------------------------------------------------------------------------------------


def ban(**who: Any) -> None:
    User.objects.filter(**who).update(is_active=False)


def test_the_banned_can_neither_refresh_nor_sign_in_nor_change_anything(stranger: Api, ada: dict[str, str]) -> None:
    here = Api(stranger.client, token=ada["access_token"])
    ban(email=ADA["email"])

    assert stranger.post(f"{AUTH}/login", ADA).status_code in {400, 401, 403}
    expect_problem(here.get("me"), 401, "not_authenticated")
    expect_problem(here.patch("me", {"country": "FR"}), 401, "not_authenticated")
    expect_problem(here.delete("me"), 401, "not_authenticated")
    assert here.get(f"{AUTH}/sessions").status_code == 401
    assert refresh(stranger, ada["refresh_token"]).status_code == 400
    assert Listener.objects.get().country == "GB"


def test_a_ban_that_is_lifted_lets_its_listener_sign_in_again(stranger: Api, ada: dict[str, str]) -> None:
    ban(email=ADA["email"])
    User.objects.update(is_active=True)

    assert Api(stranger.client, token=signed_in(stranger)["access_token"]).get("me").status_code == 200


@pytest.mark.parametrize("end", ["ban", "close"])
def test_streams_end_at_once(
    api: Callable[[Listener], Api], subscriber: Listener, track: Track, end: str, django_assert_num_queries: Any
) -> None:
    phone = api(subscriber)
    wish = {"track_id": track.pk, "format_id": 26, "client_id": "phone"}
    assert phone.post("streams", wish).status_code == 201
    if end == "ban":
        ban(listener=subscriber)
    else:
        close_account(listener=subscriber, now=subscriber.created_at)

    with django_assert_num_queries(2):  # the claim, then why not
        expect_problem(phone.post("streams", wish), 401, "not_authenticated")


# --- guessing -------------------------------------------------------------------------------------------


def test_whoever_guesses_is_stopped_and_locks_nobody_out(stranger: Api, settings: Settings) -> None:
    settings.TRUSTED_PROXIES, settings.ACCOUNT_RATE_LIMITS = 1, {}
    stranger.post(f"{AUTH}/signup", ADA | {"country": "GB"}, X_Forwarded_For="203.0.113.7")

    def tried(number: int) -> str:
        wrong = ADA | {"password": "wrong horse"}
        answer = stranger.post(f"{AUTH}/login", wrong, X_Forwarded_For=f"198.51.100.{number}")
        return str(json.loads(answer.content)["errors"][0]["code"])

    assert [tried(number) for number in range(40)].count("email_password_mismatch") == 5

    assert stranger.post(f"{AUTH}/login", ADA, X_Forwarded_For="198.51.100.99").status_code == 400
    assert stranger.post(f"{AUTH}/login", ADA, X_Forwarded_For="203.0.113.7").status_code == 200


def test_nobody_guesses_without_end_at_the_listeners_own_address(
    stranger: Api, ada: dict[str, str], settings: Settings
) -> None:
    settings.ACCOUNT_RATE_LIMITS = {}
    wrong = [stranger.post(f"{AUTH}/login", ADA | {"password": "wrong horse"}) for _ in range(8)]

    codes = [json.loads(answer.content)["errors"][0]["code"] for answer in wrong]
    assert codes == ["email_password_mismatch"] * 5 + ["too_many_login_attempts"] * 3
