"""Google Play's real-time notifications, pushed by Pub/Sub: they say that something changed, not what.

The push is proved by a token that Google signs for our address; it does not sign the body. What is true of a
purchase is therefore never read from here: it is looked up afterwards (billing.handlers).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from billing.actions import Letter
from billing.models import BillingEvent
from billing.providers import reading
from billing.providers.reading import box
from billing.providers.standard import AHEAD, Forged
from kernel.values import MILLISECOND, unix_instant
from web.bodies import NotJSON, parse_json

PROVIDER: Final = "google"
NOTIFICATION: Final = "google.notification"

MAX_HEADER: Final = 8 * 1024
LEEWAY_SECONDS: Final = 30
ISSUERS: Final = ["https://accounts.google.com", "accounts.google.com"]
CLAIMS: Final = ["iss", "aud", "exp", "iat", "email"]
# Kinds of voided purchases: 1 is a subscription, 2 something bought once.
SUBSCRIPTION: Final = 1

BEARER: Final = re.compile(r"bearer +([\w-]+\.[\w-]+\.[\w-]+)", re.ASCII | re.IGNORECASE)
TOKEN: Final = re.compile(r"\A[\w.:-]{1,1000}\Z", re.ASCII)
NAME: Final = re.compile(r"\A[!-~]{1,200}\Z")


def prove(*, authorization: str, find_key: Callable[[str], RSAPublicKey | None], audience: str, email: str) -> None:
    """Return if Google signed the token for our address, on behalf of the account that pushes. Raises Forged.

    `find_key` knows Google's keys by their ids; what it raises when it cannot tell is passed on.
    """
    token = BEARER.fullmatch(authorization) if len(authorization) <= MAX_HEADER else None
    if token is None:
        raise Forged("no token")
    try:
        key = find_key(str(jwt.get_unverified_header(token[1]).get("kid", "")))
        if key is None:
            raise Forged("no known key signed the token")
        claims = jwt.decode(
            token[1], key, algorithms=["RS256"], audience=audience, issuer=ISSUERS, leeway=LEEWAY_SECONDS,
            options={"require": CLAIMS, "strict_aud": True},
        )  # fmt: skip
    except (jwt.PyJWTError, ValueError, RecursionError, OverflowError):
        raise Forged("the token does not hold") from None
    if claims["email"] != email or claims.get("email_verified") is not True:
        raise Forged("the token is somebody else's")


def read(*, body: bytes, package: str, now: datetime) -> Letter:
    """The push as a letter; what cannot be understood becomes one in the state REFUSED."""
    event_id = f"sha256:{hashlib.sha256(body).hexdigest()}"
    try:
        message = box(parse_json(body), "message")
        event_id = text(message, "messageId", NAME)
        notification = decoded(message.get("data"))
        if notification.get("packageName") != package:
            raise ValueError("packageName is another app's")
        occurred_at = event_time(notification)
        if occurred_at > now + AHEAD:
            raise ValueError("eventTimeMillis lies in the future")
        data = purchase_in(notification)
    except (NotJSON, ValueError) as error:
        return Letter(
            provider=PROVIDER, event_id=event_id, body=body, data={}, state=BillingEvent.State.REFUSED, error=str(error)
        )
    return Letter(
        provider=PROVIDER,
        event_id=event_id,
        body=body,
        type=NOTIFICATION,
        subject=name_of(data["token"]) if data else "",
        occurred_at=occurred_at,
        data=data,
        state=BillingEvent.State.WAITING if data else BillingEvent.State.IGNORED,
    )


def event_time(notification: dict[str, Any]) -> datetime:
    try:
        return unix_instant(whole(notification, "eventTimeMillis"), unit=MILLISECOND)
    except ValueError:
        raise ValueError("eventTimeMillis must be a time in milliseconds, of the years 2000 to 2100") from None


def name_of(token: str) -> str:
    """What a purchase is called here: its token would open Google's books to whoever reads it."""
    return hashlib.sha256(token.encode()).hexdigest()[:40]


def decoded(data: object) -> dict[str, Any]:
    """The notification inside a Pub/Sub message. Raises ValueError."""
    if not isinstance(data, str):
        raise ValueError("message.data must be base64")
    try:
        document = parse_json(base64.b64decode(data, validate=True))
    except (binascii.Error, ValueError):
        raise ValueError("message.data must be base64") from None
    if not isinstance(document, dict):
        raise ValueError("message.data must hold a JSON object")
    return document


def purchase_in(notification: dict[str, Any]) -> dict[str, Any]:
    """What is to be looked up, and why; nothing for what is about no subscription. Raises ValueError."""
    if "subscriptionNotification" in notification:
        about = box(notification, "subscriptionNotification")
        return {"token": text(about, "purchaseToken", TOKEN), "kind": whole(about, "notificationType"), "voided": False}
    if "voidedPurchaseNotification" in notification:
        about = box(notification, "voidedPurchaseNotification")
        if whole(about, "productType") == SUBSCRIPTION:
            return {"token": text(about, "purchaseToken", TOKEN), "kind": 0, "voided": True}
    return {}


def text(document: Mapping[str, Any], member: str, shape: re.Pattern[str]) -> str:
    value = document.get(member)
    if not isinstance(value, str) or not shape.match(value):
        raise ValueError(f"{member} is missing or malformed")
    return value


def whole(document: Mapping[str, Any], member: str) -> int:
    """A whole number, which Google writes as a text where it may be large."""
    value = document.get(member)
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,18}", value, re.ASCII):
        return int(value)
    return reading.whole(document, member)
