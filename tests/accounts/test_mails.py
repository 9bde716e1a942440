"""Confirming an address and choosing a new password, by links that an app can use."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import unquote

import pytest
from allauth.account.models import EmailAddress
from django.core import mail
from pytest_django import Settings

from accounts.models import Listener, User
from tests.helpers import Api

pytestmark = pytest.mark.django_db
APP = "/_allauth/app/v1"
ADA = {"email": "ada@example.org", "password": "correct horse"}
NEW = "a better horse"


@pytest.fixture
def mandatory(settings: Settings) -> None:
    settings.ACCOUNT_EMAIL_VERIFICATION = "mandatory"


@pytest.fixture
def ada(stranger: Api) -> dict[str, Any]:
    return body(stranger.post(f"{APP}/auth/signup", ADA | {"country": "GB"}))["meta"]


def body(response: Any) -> Any:
    return json.loads(response.content)


def key_in(message: mail.EmailMessage, page: str) -> str:
    """The key at the end of the one link in an e-mail, which leads to the app."""
    [link] = re.findall(r"http\S+", str(message.body))
    start = f"http://127.0.0.1:8000/{page}/"
    assert link.startswith(start)
    return unquote(link.removeprefix(start))


def confirm(stranger: Api, key: str, **headers: str) -> Any:
    return stranger.post(f"{APP}/auth/email/verify", {"key": key}, **headers)


# --- confirming an address ------------------------------------------------------------------------------


def test_nobody_is_asked_where_addresses_are_believed(stranger: Api, ada: Any) -> None:
    assert mail.outbox == []
    assert ada["is_authenticated"]


def test_where_confirming_is_optional_one_is_asked_and_may_go_on(stranger: Api, settings: Settings) -> None:
    settings.ACCOUNT_EMAIL_VERIFICATION = "optional"
    meta = body(stranger.post(f"{APP}/auth/signup", ADA | {"country": "GB"}))["meta"]
    assert Api(stranger.client, token=meta["access_token"]).get("me").status_code == 200

    confirm(stranger, key_in(mail.outbox[0], "confirm-email"))

    assert EmailAddress.objects.get().verified


@pytest.mark.usefixtures("mandatory")
def test_where_it_is_mandatory_nobody_signs_in_before(stranger: Api) -> None:
    first = stranger.post(f"{APP}/auth/signup", ADA | {"country": "GB"})
    assert first.status_code == 401
    assert {"id": "verify_email", "is_pending": True} in body(first)["data"]["flows"]
    assert "access_token" not in body(first)["meta"]
    assert stranger.post(f"{APP}/auth/login", ADA).status_code == 401

    key = key_in(mail.outbox[0], "confirm-email")
    done = confirm(stranger, key, X_Session_Token=body(first)["meta"]["session_token"])

    assert done.status_code == 200
    me = Api(stranger.client, token=body(done)["meta"]["access_token"])
    assert body(me.get("me"))["id"] == str(Listener.objects.get().pk)
    assert stranger.post(f"{APP}/auth/login", ADA).status_code == 200


@pytest.mark.usefixtures("mandatory")
def test_a_link_opened_elsewhere_confirms_and_signs_nobody_in(stranger: Api) -> None:
    stranger.post(f"{APP}/auth/signup", ADA | {"country": "GB"})
    key = key_in(mail.outbox[0], "confirm-email")

    assert confirm(stranger, key).status_code == 401

    assert confirm(stranger, key).status_code == 400  # used
    assert stranger.post(f"{APP}/auth/login", ADA).status_code == 200


@pytest.mark.usefixtures("mandatory")
def test_signing_up_with_a_known_address_answers_as_with_any_other(stranger: Api, settings: Settings) -> None:
    answers = [stranger.post(f"{APP}/auth/signup", ADA | {"country": "GB"})]
    answers.append(stranger.post(f"{APP}/auth/signup", ADA | {"country": "FR", "email": "eve@example.org"}))
    settings.ACCOUNT_RATE_LIMITS = {"confirm_email": "100/m/key"}
    answers.append(stranger.post(f"{APP}/auth/signup", ADA | {"country": "DE"}))

    assert {answer.status_code for answer in answers} == {401}
    shapes = [body(answer) | {"meta": sorted(body(answer)["meta"])} for answer in answers]
    assert shapes[0] == shapes[1] == shapes[2]
    assert "account already" in mail.outbox[-1].subject
    assert User.objects.count() == 2


BAD_KEYS = ["", "x", "a:b:c", "x" * 3000, None, 7, [], {}, "é", "-", "1-2-3", "zzz-abc", f"{'z' * 40}-x", "٣-x"]


@pytest.mark.parametrize("key", BAD_KEYS)
def test_a_key_of_nobodys_confirms_nothing(stranger: Api, ada: Any, key: Any) -> None:
    assert stranger.post(f"{APP}/auth/email/verify", {"key": key}).status_code == 400
    assert stranger.post(f"{APP}/auth/email/verify", {}).status_code == 400


def test_a_new_address_replaces_the_old_one_once_it_is_confirmed(stranger: Api, ada: Any) -> None:
    me, new = Api(stranger.client, token=ada["access_token"]), {"email": "lovelace@example.org"}
    assert me.post(f"{APP}/account/email", new).status_code == 200
    assert me.post(f"{APP}/account/email", {"email": "third@example.org"}).status_code == 400

    confirm(stranger, key_in(mail.outbox[0], "confirm-email"))
    assert body(me.get("me"))["email"] == ADA["email"]
    assert me.patch(f"{APP}/account/email", new | {"primary": True}).status_code == 200
    assert me.delete(f"{APP}/account/email", {"email": ADA["email"]}).status_code == 200

    assert body(me.get("me"))["email"] == "lovelace@example.org"
    assert stranger.post(f"{APP}/auth/login", ADA).status_code == 400
    assert stranger.post(f"{APP}/auth/login", ADA | new).status_code == 200


def test_an_address_that_somebody_took_meanwhile_is_not_confirmed(stranger: Api, ada: Any) -> None:
    me = Api(stranger.client, token=ada["access_token"])
    me.post(f"{APP}/account/email", {"email": "eve@example.org"})
    User.objects.create_user("eve@example.org", "correct horse")

    answer = confirm(stranger, key_in(mail.outbox[0], "confirm-email"))

    assert answer.status_code == 400
    assert body(answer)["errors"][0]["code"] == "email_taken"
    assert body(me.get("me"))["email"] == ADA["email"]


def test_a_mail_server_that_is_away_keeps_nobody_out(stranger: Api, settings: Settings) -> None:
    settings.ACCOUNT_EMAIL_VERIFICATION = "optional"
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9

    assert stranger.post(f"{APP}/auth/signup", ADA | {"country": "GB"}).status_code == 200
    assert stranger.post(f"{APP}/auth/password/request", {"email": ADA["email"]}).status_code == 200


# --- a new password -------------------------------------------------------------------------------------


def test_a_new_password_is_chosen_by_link_and_signs_in(stranger: Api, ada: Any) -> None:
    stranger.post(f"{APP}/auth/password/request", {"email": "ADA@example.org"})
    key = key_in(mail.outbox[0], "reset-password")
    assert stranger.get(f"{APP}/auth/password/reset", X_Password_Reset_Key=key).status_code == 200

    done = stranger.post(f"{APP}/auth/password/reset", {"key": key, "password": NEW})

    assert done.status_code == 200
    assert Api(stranger.client, token=body(done)["meta"]["access_token"]).get("me").status_code == 200
    assert stranger.post(f"{APP}/auth/login", ADA).status_code == 400
    assert stranger.post(f"{APP}/auth/login", ADA | {"password": NEW}).status_code == 200
    assert stranger.post(f"{APP}/tokens/refresh", {"refresh_token": ada["refresh_token"]}).status_code == 400
    assert stranger.post(f"{APP}/auth/password/reset", {"key": key, "password": "yet another"}).status_code == 400


def test_an_unknown_address_is_answered_as_a_known_one(stranger: Api, ada: Any) -> None:
    known, unknown = (
        stranger.post(f"{APP}/auth/password/request", {"email": email})
        for email in (ADA["email"], "nobody@example.org")
    )

    assert (known.status_code, known.content) == (unknown.status_code, unknown.content)
    assert [message.to for message in mail.outbox] == [[ADA["email"]], ["nobody@example.org"]]
    assert "/reset-password/" not in mail.outbox[1].body


def test_the_banned_get_no_link(stranger: Api, ada: Any) -> None:
    User.objects.update(is_active=False)

    assert stranger.post(f"{APP}/auth/password/request", {"email": ADA["email"]}).status_code == 200
    assert "/reset-password/" not in mail.outbox[0].body


def test_a_link_is_good_for_an_hour(stranger: Api, ada: Any, settings: Settings) -> None:
    stranger.post(f"{APP}/auth/password/request", {"email": ADA["email"]})
    settings.PASSWORD_RESET_TIMEOUT = -1

    reset = {"key": key_in(mail.outbox[0], "reset-password"), "password": NEW}
    assert stranger.post(f"{APP}/auth/password/reset", reset).status_code == 400


@pytest.mark.parametrize("key", BAD_KEYS)
def test_a_key_of_nobodys_opens_nothing(stranger: Api, ada: Any, key: Any) -> None:
    assert stranger.post(f"{APP}/auth/password/reset", {"key": key, "password": NEW}).status_code == 400
    if isinstance(key, str):
        header = key.encode("ascii", "ignore").decode()
        assert stranger.get(f"{APP}/auth/password/reset", X_Password_Reset_Key=header).status_code == 400


@pytest.mark.parametrize("password", ["short", "password", "", None, 7, []])
def test_a_poor_password_is_refused(stranger: Api, ada: Any, password: Any) -> None:
    stranger.post(f"{APP}/auth/password/request", {"email": ADA["email"]})
    reset = {"key": key_in(mail.outbox[0], "reset-password"), "password": password}

    answer = stranger.post(f"{APP}/auth/password/reset", reset)

    assert answer.status_code == 400
    assert {error["param"] for error in body(answer)["errors"]} == {"password"}
    assert stranger.post(f"{APP}/auth/login", ADA).status_code == 200


def test_nobody_is_buried_in_mails(stranger: Api, ada: Any) -> None:
    answers = [stranger.post(f"{APP}/auth/password/request", {"email": ADA["email"]}).status_code for _ in range(8)]

    assert answers == [200] * 5 + [429] * 3
    assert len(mail.outbox) == 5


@pytest.mark.parametrize("email", ["", "nobody", None, 7, [], "a@" + "x" * 300 + ".org", "a\r\nBcc: b@example.org"])
def test_what_is_no_address_gets_no_mail(stranger: Api, email: Any) -> None:
    assert stranger.post(f"{APP}/auth/password/request", {"email": email}).status_code == 400
    assert mail.outbox == []
