"""Codes that change every half minute, as authenticator apps show them (RFC 6238, of HMAC-SHA-1 and six digits)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from datetime import datetime
from typing import Final
from urllib.parse import quote, urlencode

SECONDS: Final = 30
DIGITS: Final = 6
DRIFT: Final = 1  # steps that a phone's clock may be off, either way


def new_secret() -> str:
    """160 random bits in base32, which is how apps want to be told them."""
    return base64.b32encode(secrets.token_bytes(20)).decode()


def code_at(secret: str, step: int) -> str:
    """The code of a step, which is the number of half minutes since 1970."""
    digest = hmac.new(base64.b32decode(secret), step.to_bytes(8, "big"), hashlib.sha1).digest()
    start = digest[-1] & 0x0F
    number = int.from_bytes(digest[start : start + 4], "big") & 0x7FFFFFFF
    return f"{number % 10**DIGITS:0{DIGITS}}"


def step_at(instant: datetime) -> int:
    return int(instant.timestamp()) // SECONDS


def step_of(secret: str, code: str, *, now: datetime) -> int | None:
    """The step about now that the code is of; None where it is of none."""
    if not code.isascii():
        return None
    here = step_at(now)
    near = range(here - DRIFT, here + DRIFT + 1)
    same = [step for step in near if hmac.compare_digest(code_at(secret, step), code)]
    return same[-1] if same else None


def address_of(secret: str, *, account: str, issuer: str) -> str:
    """What the picture says that apps scan."""
    return f"otpauth://totp/{quote(f'{issuer}:{account}')}?{urlencode({'secret': secret, 'issuer': issuer})}"
