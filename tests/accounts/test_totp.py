"""Codes of authenticator apps, as RFC 6238 has them."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import pytest

from accounts.totp import address_of, code_at, new_secret, step_at, step_of

RFC = base64.b32encode(b"12345678901234567890").decode()
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("second", "code"),
    [
        (59, "287082"), (1111111109, "081804"), (1111111111, "050471"), (1234567890, "005924"),
        (2000000000, "279037"), (20000000000, "353130"),
    ],
)  # fmt: skip
def test_the_codes_are_those_of_the_standard(second: int, code: str) -> None:
    assert code_at(RFC, step_at(datetime.fromtimestamp(second, UTC))) == code


@pytest.mark.parametrize(("seconds", "good"), [(-60, False), (-30, True), (0, True), (30, True), (60, False)])
def test_a_clock_may_be_half_a_minute_off(seconds: int, good: bool) -> None:
    then = step_at(NOW + timedelta(seconds=seconds))

    assert step_of(RFC, code_at(RFC, then), now=NOW) == (then if good else None)


@pytest.mark.parametrize("text", ["", "00000", "１２３４５６", "\ud800", "-12345"])
def test_what_is_no_code_is_of_no_step(text: str) -> None:
    assert step_of(RFC, text, now=NOW) is None


def test_a_secret_has_160_bits_and_is_never_the_same() -> None:
    assert len(base64.b32decode(new_secret())) == 20
    assert new_secret() != new_secret()


def test_an_app_is_told_whose_code_it_is() -> None:
    said = address_of("ABC", account="ada+x@example.org", issuer="Tonearm")

    assert said == "otpauth://totp/Tonearm%3Aada%2Bx%40example.org?secret=ABC&issuer=Tonearm"
