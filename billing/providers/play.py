"""Asking Google: for the keys it signs pushes with, and for what is true of a purchase.

Nothing that is raised here repeats an address: they hold purchase tokens.
"""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass, field
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import jwt
import requests
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from kernel.errors import Kind, Refusal
from web.bodies import NotJSON, parse_json

PATIENCE_SECONDS: Final = (3.05, 5.0)  # to connect, to answer
SCOPE: Final = "https://www.googleapis.com/auth/androidpublisher"
GRANT: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
KEYS_LAST_SECONDS: Final = 3600.0
KEYS_REST_SECONDS: Final = 60.0  # strangers may name keys nobody has; they must not make us ask each time
FAILURE_REST_SECONDS: Final = 5.0
TOKEN_MARGIN_SECONDS: Final = 60.0


class Unreachable(Refusal):
    """Google does not tell its keys at the moment; the push may come again."""

    code, kind = "unavailable", Kind.UNAVAILABLE


class Unanswered(Exception):
    """Google did not say what is true of a purchase."""


@dataclass
class Keys:
    """The keys Google signs pushes with, by their ids: read anew every hour, and when an unknown one turns up."""

    url: str
    known: dict[str, RSAPublicKey] = field(default_factory=dict)
    fresh_until: float = 0.0
    rest_until: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def find(self, key_id: str) -> RSAPublicKey | None:
        """The key, None when Google has none of this id. Raises Unreachable."""
        with self.lock:
            now = time.monotonic()
            if now >= self.fresh_until or (key_id not in self.known and now >= self.rest_until):
                self.refresh(now)
            if not self.known:
                raise Unreachable("the keys of Google's pushes cannot be read")
            return self.known.get(key_id)

    def refresh(self, now: float) -> None:
        """Read the keys; the ones known before stand when that fails."""
        try:
            found = jwt.PyJWKSet.from_dict(fetched("GET", self.url))
        except (Unanswered, jwt.PyJWTError):
            self.fresh_until = self.rest_until = now + FAILURE_REST_SECONDS
            return
        self.known = {str(key.key_id): key.key for key in found.keys if isinstance(key.key, RSAPublicKey)}
        self.fresh_until, self.rest_until = now + KEYS_LAST_SECONDS, now + KEYS_REST_SECONDS


@dataclass
class Play:
    """The Android Publisher API, on behalf of a service account (its key file, JSON)."""

    url: str
    token_url: str
    account: Path
    token: str = ""
    token_until: float = 0.0

    def purchase(self, *, package: str, token: str) -> dict[str, Any]:
        """What is true of a subscription's purchase (purchases.subscriptionsv2.get). Raises Unanswered."""
        path = f"androidpublisher/v3/applications/{quote(package, safe='')}/purchases/subscriptionsv2/tokens"
        authorization = {"Authorization": f"Bearer {self.access_token()}"}
        try:
            return fetched("GET", f"{self.url}/{path}/{quote(token, safe='')}", headers=authorization)
        except Unanswered:
            self.token = ""  # perhaps it was withdrawn; the next try takes a fresh one
            raise

    def access_token(self) -> str:
        """A token for the API, for as long as it lasts. Raises Unanswered."""
        if not self.token or time.monotonic() >= self.token_until:
            answer = fetched("POST", self.token_url, data={"grant_type": GRANT, "assertion": self.assertion()})
            token, seconds = answer.get("access_token"), answer.get("expires_in")
            if not isinstance(token, str) or not isinstance(seconds, int):
                raise Unanswered("Google gave no access token")
            self.token, self.token_until = token, time.monotonic() + seconds - TOKEN_MARGIN_SECONDS
        return self.token

    def assertion(self) -> str:
        """That we are the service account, signed with its key. Raises Unanswered."""
        try:
            account = json.loads(self.account.read_text())
            now = int(time.time())
            claims = {
                "iss": account["client_email"], "scope": SCOPE, "aud": self.token_url, "iat": now, "exp": now + 3600,
            }  # fmt: skip
            headers = {"kid": account["private_key_id"]}
            return str(jwt.encode(claims, account["private_key"], algorithm="RS256", headers=headers))
        except (OSError, ValueError, KeyError, TypeError, jwt.PyJWTError) as problem:
            raise Unanswered(f"the service account's file is of no use ({type(problem).__name__})") from None


def fetched(method: str, url: str, **what: Any) -> dict[str, Any]:
    """The JSON object that Google answers with. Raises Unanswered."""
    try:
        answer = requests.request(method, url, timeout=PATIENCE_SECONDS, allow_redirects=False, **what)
    except requests.RequestException as problem:
        raise Unanswered(f"Google cannot be reached ({type(problem).__name__})") from None
    if answer.status_code != HTTPStatus.OK:
        raise Unanswered(f"Google answered {answer.status_code}")
    try:
        document = parse_json(answer.content)
    except NotJSON:
        document = None
    if not isinstance(document, dict):
        raise Unanswered("Google answered with something else than a JSON object")
    return document


@cache
def keys_at(url: str) -> Keys:
    return Keys(url)


@cache
def play_at(*, url: str, token_url: str, account: str) -> Play:
    return Play(url=url, token_url=token_url, account=Path(account))
