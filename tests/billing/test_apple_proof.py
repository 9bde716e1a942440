"""The App Store's door: who is believed, and which certificates make one so."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

import jwt
import pytest
from appstoreserverlibrary.models.Environment import Environment
from appstoreserverlibrary.signed_data_verifier import SignedDataVerifier, VerificationException, VerificationStatus
from pytest_django import Settings

from billing.models import BillingEvent
from billing.providers.apple import Unreachable, certificate_in, prove
from billing.simulators.apple import sign, signer
from tests.billing.apple import APP_ID, PATH, Authority, body_of, new_key, notification, sealed
from tests.helpers import Api, expect_problem, statuses_at_once

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def in_the_store(settings: Settings) -> None:
    settings.APPLE_APP_ID = APP_ID


def payload_of(body: bytes) -> str:
    text: str = json.loads(body)["signedPayload"]
    return text


def carrying(payload: Any) -> bytes:
    return json.dumps({"signedPayload": payload}).encode()


def with_header(**header: Any) -> bytes:
    """A genuine notification signed by the genuine key, with another header."""
    key, chain = signer()
    headers = {"x5c": list(chain)} | header
    return carrying(
        jwt.encode(signed_inside(), key, algorithm="ES256", headers={k: v for k, v in headers.items() if v is not ...})
    )


def signed_inside() -> dict[str, Any]:
    head = notification("subscribed")
    sealed(head)
    return head


def spliced(part: int, text: str) -> bytes:
    """A genuine notification with one of its three parts replaced."""
    parts = payload_of(body_of("subscribed")).split(".")
    parts[part] = text
    return carrying(".".join(parts))


def encoded(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def unsigned(environment: str) -> bytes:
    """What Xcode makes: nobody signs it."""
    head = notification("subscribed", data={"environment": environment})
    return sealed(head, sign=lambda payload: jwt.encode(payload, None, algorithm="none"))


def by_shared_secret() -> bytes:
    """HS256 with what everybody knows, the certificate, as the secret."""
    _, chain = signer()
    return carrying(jwt.encode(signed_inside(), chain[0], algorithm="HS256", headers={"x5c": list(chain)}))


def by_another_key() -> bytes:
    _, chain = signer()
    headers = {"x5c": list(chain)}
    return sealed(
        notification("subscribed"), sign=lambda payload: jwt.encode(payload, new_key(), "ES256", headers=headers)
    )


def under_our_root_in_name_alone() -> bytes:
    """A stranger's signer and issuer, with the genuine root behind them."""
    stranger, (_, chain) = Authority(), signer()
    x5c = [*stranger.x5c[:2], chain[2]]
    return sealed(
        notification("subscribed"),
        sign=lambda payload: jwt.encode(payload, stranger.key, "ES256", headers={"x5c": x5c}),
    )


def inside(member: str, sign_it: Callable[..., str]) -> bytes:
    return sealed(notification("subscribed"), inside={member: sign_it})


FORGERIES: dict[str, Callable[[], bytes]] = {
    "nothing": lambda: b"",
    "no JSON": lambda: b"{",
    "an array": lambda: b"[]",
    "no payload": lambda: b"{}",
    "a null": lambda: carrying(None),
    "a number": lambda: carrying(1),
    "an object": lambda: carrying(notification("subscribed")),
    "an empty payload": lambda: carrying(""),
    "two dots": lambda: carrying(".."),
    "no signature": lambda: spliced(2, ""),
    "a signature cut off": lambda: carrying(payload_of(body_of("subscribed"))[:-4]),
    "a signature of zeros": lambda: spliced(2, "A" * 86),
    "a signature in hex": lambda: spliced(2, "00" * 64),
    "another payload": lambda: spliced(1, encoded(notification("expired"))),
    "no algorithm": lambda: spliced(0, encoded({"alg": "none", "x5c": list(signer()[1])})),
    "unsigned": lambda: unsigned("Production"),
    "unsigned by Xcode": lambda: unsigned("Xcode"),
    "unsigned by a test": lambda: unsigned("LocalTesting"),
    "a shared secret": by_shared_secret,
    "another key": by_another_key,
    "no certificates": lambda: with_header(x5c=...),
    "an empty chain": lambda: with_header(x5c=[]),
    "a text for a chain": lambda: with_header(x5c="AAAA"),
    "numbers for a chain": lambda: with_header(x5c=[1, 2, 3]),
    "no base64": lambda: with_header(x5c=["é", "é", "é"]),
    "no certificate": lambda: with_header(x5c=["AAAA", "AAAA", "AAAA"]),
    "a chain of two": lambda: with_header(x5c=list(signer()[1][:2])),
    "a chain of four": lambda: with_header(x5c=[*signer()[1], signer()[1][2]]),
    "the chain backwards": lambda: with_header(x5c=list(reversed(signer()[1]))),
    "the signer alone": lambda: with_header(x5c=[signer()[1][0]] * 3),
    "another root": lambda: sealed(notification("subscribed"), sign=Authority().sign),
    "our root in name alone": under_our_root_in_name_alone,
    "another app": lambda: body_of("subscribed", data={"bundleId": "org.example.other"}),
    "another app's number": lambda: body_of("subscribed", data={"appAppleId": APP_ID + 1}),
    "no app": lambda: body_of("subscribed", data={"bundleId": ...}),
    "no environment": lambda: body_of("subscribed", data={"environment": ...}),
    "another environment inside": lambda: body_of("subscribed", transaction={"environment": "Sandbox"}),
    "another app inside": lambda: body_of("subscribed", transaction={"bundleId": "org.example.other"}),
    "a transaction instead": lambda: carrying(sign(notification("subscribed")["data"]["signedTransactionInfo"])),
    "a stranger's transaction": lambda: inside("signedTransactionInfo", Authority().sign),
    "a stranger's renewal": lambda: inside("signedRenewalInfo", Authority().sign),
    "a transaction that is none": lambda: body_of("subscribed", data={"signedTransactionInfo": "a.b.c"}),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_keeps_forgeries_out(stranger: Api, name: str) -> None:
    expect_problem(stranger.post(PATH, FORGERIES[name]()), 401, "not_authenticated")
    assert not BillingEvent.objects.exists()


def test_keeps_a_proven_event_as_it_came(stranger: Api) -> None:
    body = body_of("subscribed")

    response = stranger.post(PATH, body)

    assert response.status_code == 202, response.content
    event = BillingEvent.objects.get()
    assert json.loads(response.content) == {"event_id": event.event_id, "state": "WAITING"}
    assert bytes(event.body) == body
    assert (event.provider, event.type, event.subject) == ("apple", "subscription.updated", "2000000900000001")
    assert event.occurred_at == datetime(2026, 8, 1, 12, 0, 2, tzinfo=UTC)


def test_keeps_the_same_event_once_however_it_is_signed(stranger: Api) -> None:
    for _ in range(3):
        assert stranger.post(PATH, body_of("subscribed")).status_code == 202
    assert stranger.post(PATH, body_of("subscribed", transaction={"price": 1000})).status_code == 202

    assert BillingEvent.objects.get().data["recurring_fee"] == 999


@pytest.mark.django_db(transaction=True)
def test_a_hundred_at_once_are_one() -> None:
    body = body_of("subscribed")

    assert statuses_at_once(lambda api: api.post(PATH, body)) == [202] * 100
    assert BillingEvent.objects.count() == 1


# --- certificates --------------------------------------------------------------------------------------

MARKS = {"signer without Apple's mark": {"signs": ""}, "issuer without Apple's mark": {"issues": ""}}
SHORT = {
    "signer of before": (datetime(2020, 1, 1, tzinfo=UTC), datetime(2026, 7, 1, tzinfo=UTC)),
    "signer of later": (datetime(2026, 9, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)),
}
WRONG: dict[str, dict[str, Any]] = {
    **MARKS,
    **{name: {"life": life} for name, life in SHORT.items()},
    "issuer that may not": {"issuer_may": False},
}


@pytest.mark.parametrize("name", WRONG)
def test_takes_no_certificate_that_is_not_made_for_it(
    stranger: Api, settings: Settings, tmp_path: Path, name: str
) -> None:
    authority = Authority(**WRONG[name])
    settings.APPLE_ROOTS = authority.trusted(tmp_path)

    body = sealed(notification("subscribed"), sign=authority.sign)

    expect_problem(stranger.post(PATH, body), 401, "not_authenticated")


def test_a_certificate_need_hold_only_when_it_signed(stranger: Api, settings: Settings, tmp_path: Path) -> None:
    authority = Authority(life=(datetime(2026, 7, 1, tzinfo=UTC), datetime(2026, 8, 2, tzinfo=UTC)))
    settings.APPLE_ROOTS = authority.trusted(tmp_path)

    assert stranger.post(PATH, sealed(notification("subscribed"), sign=authority.sign)).status_code == 202


def test_takes_two_roots_during_rotation(stranger: Api, settings: Settings, tmp_path: Path) -> None:
    old, new = Authority(), Authority()
    (tmp_path / "old").mkdir()
    (tmp_path / "new").mkdir()
    roots = [old.trusted(tmp_path / "old"), new.trusted(tmp_path / "new")]
    phases = [(roots[0], 202, 401), (roots[0] + roots[1], 202, 202), (roots[1], 401, 202)]

    for trusted, with_old, with_new in phases:
        settings.APPLE_ROOTS = trusted
        assert stranger.post(PATH, sealed(notification("subscribed"), sign=old.sign)).status_code == with_old
        assert stranger.post(PATH, sealed(notification("subscribed"), sign=new.sign)).status_code == with_new


def test_without_roots_nobody_passes(stranger: Api, settings: Settings) -> None:
    settings.APPLE_ROOTS = []

    expect_problem(stranger.post(PATH, body_of("subscribed")), 401, "not_authenticated")


def test_without_the_apps_number_only_test_purchases_pass(stranger: Api, settings: Settings) -> None:
    settings.APPLE_APP_ID = None
    sandbox = {"environment": "Sandbox"}

    expect_problem(stranger.post(PATH, body_of("subscribed")), 401, "not_authenticated")
    assert (
        stranger.post(PATH, body_of("subscribed", data=sandbox, transaction=sandbox, renewal=sandbox)).status_code
        == 202
    )


class OutOfReach(SignedDataVerifier):
    """What the library does when Apple's own servers do not answer it."""

    def verify_and_decode_notification(self, signed_payload: str) -> NoReturn:
        raise VerificationException(VerificationStatus.RETRYABLE_VERIFICATION_FAILURE)


def test_an_event_comes_again_when_apple_cannot_be_asked() -> None:
    verifier = OutOfReach([], enable_online_checks=True, environment=Environment.SANDBOX, bundle_id="x")

    with pytest.raises(Unreachable):
        prove(body=body_of("subscribed"), verifiers=[verifier])


def test_a_root_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "root.pem").write_text("-----BEGIN CERTIFICATE-----")

    for path in (tmp_path / "root.pem", tmp_path / "nothing"):
        with pytest.raises(ValueError, match=path.name):
            certificate_in(path)


def test_a_door_without_an_app_does_not_exist(stranger: Api, settings: Settings) -> None:
    settings.APPLE_BUNDLE_ID = ""

    expect_problem(stranger.post(PATH, body_of("subscribed")), 404, "not_found")


def test_takes_large_bodies_and_refuses_larger_ones_unread(stranger: Api) -> None:
    large = json.loads(body_of("subscribed")) | {"padding": "x" * 100_000}

    assert stranger.post(PATH, large).status_code == 202
    expect_problem(stranger.post(PATH, b" " * (256 * 1024 + 1)), 413, "body_too_large")
