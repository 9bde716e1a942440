"""Signing in with an OpenID provider's token. Run by test_social.py, in a process where one is configured."""

from __future__ import annotations

import json
import os
import time
from typing import Any

import jwt
import pytest
from allauth.socialaccount.models import SocialAccount
from cryptography.hazmat.primitives.asymmetric import rsa

from accounts.exports import make_exports
from accounts.models import Listener, User
from accounts.registry import tellers
from tests.helpers import Api

pytestmark = pytest.mark.django_db
AUTH = "/_allauth/app/v1/auth"
URL, KEY = os.environ["SOCIAL_OPENID_URL"], os.environ["STORY_KEY"]


def id_token(*, key: Any = KEY, algorithm: str = "RS256", headers: Any = None, **changes: Any) -> str:
    now = int(time.time())
    claims = {
        "iss": URL, "aud": "phone", "sub": "ada-there", "iat": now, "exp": now + 300,
        "email": "ada@example.org", "email_verified": True, "name": "Ada L.",
    } | changes  # fmt: skip
    return jwt.encode(claims, key, algorithm=algorithm, headers={"kid": "1"} if headers is None else headers)


def come(stranger: Api, token: Any, /, *, client_id: str = "phone", **changes: Any) -> Any:
    wish = {"provider": "openid", "process": "login", "token": {"client_id": client_id, "id_token": token}}
    return stranger.post(f"{AUTH}/provider/token", wish | changes)


def sign_up(stranger: Api, **changes: str) -> Any:
    first = come(stranger, id_token())
    assert first.status_code == 401, first.content
    [pending] = [flow for flow in json.loads(first.content)["data"]["flows"] if flow.get("is_pending")]
    assert pending["id"] == "provider_signup"
    session = json.loads(first.content)["meta"]["session_token"]
    form = {"email": "ada@example.org", "country": "GB"} | changes
    return stranger.post(f"{AUTH}/provider/signup", form, X_Session_Token=session)


def me(stranger: Api, response: Any) -> Api:
    assert response.status_code == 200, response.content
    return Api(stranger.client, token=json.loads(response.content)["meta"]["access_token"])


def test_says_with_whom_one_may_sign_in(stranger: Api) -> None:
    told = json.loads(stranger.get("/_allauth/app/v1/config").content)["data"]["socialaccount"]["providers"]

    assert [(each["id"], each["client_id"]) for each in told] == [("openid", "phone"), ("openid", "tablet")]


def test_the_first_time_one_is_asked_for_a_country(stranger: Api) -> None:
    assert sign_up(stranger, country="XX").status_code == 400
    assert not User.objects.exists()

    body = json.loads(me(stranger, sign_up(stranger)).get("me").content)

    assert (body["email"], body["country"]) == ("ada@example.org", "GB")
    assert Listener.objects.get().residences.get().country == "GB"


def test_after_that_the_token_is_enough(stranger: Api) -> None:
    sign_up(stranger)

    for client_id in ("phone", "tablet"):
        again = come(stranger, id_token(aud=client_id), client_id=client_id)
        assert me(stranger, again).get("me").status_code == 200
    assert Listener.objects.count() == 1


def test_the_banned_do_not_come_in(stranger: Api) -> None:
    sign_up(stranger)
    User.objects.update(is_active=False)

    assert come(stranger, id_token()).status_code in {401, 403}


def test_nobody_gets_into_an_account_that_has_their_address(stranger: Api) -> None:
    form = {"email": "ada@example.org", "password": "correct horse", "country": "GB"}
    stranger.post(f"{AUTH}/signup", form)

    assert sign_up(stranger).status_code in {400, 401, 409}

    assert not SocialAccount.objects.exists()
    assert Listener.objects.count() == 1


def test_somebody_who_is_signed_in_connects_the_two(stranger: Api) -> None:
    form = {"email": "ada@example.org", "password": "correct horse", "country": "GB"}
    ada = me(stranger, stranger.post(f"{AUTH}/signup", form))

    assert come(ada, id_token(), process="connect").status_code == 200

    assert me(stranger, come(stranger, id_token())).get("me").content == ada.get("me").content


FOREIGN = rsa.generate_private_key(public_exponent=65537, key_size=2048)
BAD: dict[str, Any] = {
    "garbage": "x.y.z",
    "nothing": "",
    "a number": 7,
    "without a key id": id_token(headers={}),
    "an unknown key": id_token(headers={"kid": "2"}),
    "a foreign key": id_token(key=FOREIGN),
    "a secret": id_token(key="k" * 32, algorithm="HS256"),
    "unsigned": id_token(key=None, algorithm="none"),
    "for another app": id_token(aud="other"),
    "of another issuer": id_token(iss="https://elsewhere.example.org"),
    "run out": id_token(exp=int(time.time()) - 60),
    "of nobody": id_token(sub=None),
}


@pytest.mark.parametrize("name", BAD)
def test_a_token_that_is_not_good_opens_nothing(stranger: Api, name: str) -> None:
    assert come(stranger, BAD[name]).status_code == 400
    assert not User.objects.exists()


@pytest.mark.parametrize(
    "change",
    [{"provider": "google"}, {"provider": "x"}, {"provider": None}, {"process": "x"}, {"token": None}, {"token": "x"},
     {"token": {}}, {"token": {"client_id": "other", "id_token": "x"}}, {"token": {"client_id": 7, "id_token": "x"}}],
)  # fmt: skip
def test_a_wish_that_makes_no_sense_is_refused(stranger: Api, change: dict[str, Any]) -> None:
    assert come(stranger, id_token(), **change).status_code == 400


def test_it_is_told_and_forgotten_with_the_rest(stranger: Api) -> None:
    ada = me(stranger, sign_up(stranger))
    [told] = tellers()["accounts_elsewhere"](Listener.objects.get().pk)
    assert (told["provider"], told["uid"]) == ("openid", "ada-there")
    ada.post("me/exports")
    assert make_exports() == 1

    assert ada.delete("me").status_code == 204

    assert not SocialAccount.objects.exists()
