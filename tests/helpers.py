"""Small tools of the tests: a phone, tokens, catalogue events, signed webhooks."""

from __future__ import annotations

import base64
import gzip
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any
from uuid import uuid4

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from django.conf import settings
from django.db import OperationalError, connection, transaction
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone

from accounts.models import Listener
from catalogue import mirror
from catalogue.actions import judge, read_members
from catalogue.keeping import store_event
from catalogue.models import CatalogueEvent
from tests.sandbox.platform import eventually

EUROPE = ["GB", "IE", "DE", "FR"]


@dataclass(frozen=True)
class Api:
    """Calls the API in-process; answers are Django responses."""

    client: Client
    token: str | None

    def get(self, path: str, **headers: str) -> HttpResponse:
        return self._call("get", path, headers=headers)

    def post(self, path: str, body: Any = None, **headers: str) -> HttpResponse:
        return self._call("post", path, body=body, headers=headers)

    def put(self, path: str, body: Any, **headers: str) -> HttpResponse:
        return self._call("put", path, body=body, headers=headers)

    def patch(self, path: str, body: Any, **headers: str) -> HttpResponse:
        return self._call("patch", path, body=body, headers=headers)

    def delete(self, path: str, body: Any = None, **headers: str) -> HttpResponse:
        return self._call("delete", path, body=body, headers=headers)

    def _call(self, method: str, path: str, *, body: Any = None, headers: Mapping[str, str]) -> HttpResponse:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.token:
            given.setdefault("Authorization", f"Bearer {self.token}")
        data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        send = getattr(self.client, method)
        extra = {} if method == "get" else {"data": data, "content_type": given.pop("Content-Type", "application/json")}
        response: HttpResponse = send(path if path.startswith("/") else f"/api/v1/{path}", headers=given, **extra)
        return response


def token_for(listener: Listener, /, *, key: str | None = None, algorithm: str = "RS256", **changes: Any) -> str:
    """An access token as sign-in would issue it, or one with something changed (None removes a claim)."""
    now = int(time.time())
    claims: dict[str, Any] = {
        "sub": str(listener.user_id),
        "listener": str(listener.pk),
        "aud": settings.TOKEN_AUDIENCE,
        "iss": settings.TOKEN_ISSUER,
        "iat": now,
        "exp": now + 300,
        "jti": str(uuid4()),
        "sid": "-",
        "token_use": "access",
    }
    claims |= changes
    claims = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(claims, key or signing_key(), algorithm=algorithm)


@cache
def signing_key() -> RSAPrivateKey:
    """The service's own signing key, loaded once: that takes longer than many signatures."""
    key = load_pem_private_key(settings.HEADLESS_JWT_PRIVATE_KEY.encode(), password=None)
    assert isinstance(key, RSAPrivateKey)
    return key


def expect_problem(response: HttpResponse, status: int, code: str) -> dict[str, Any]:
    """The problem document of a response, once it is the one expected."""
    assert response.status_code == status, response.content
    assert response.headers["Content-Type"] == "application/problem+json"
    body: dict[str, Any] = json.loads(response.content)
    assert body["code"] == code, body
    assert body["status"] == status
    assert body["trace_id"] == response.headers["X-Request-Id"]
    return body


def offer(territories: list[str] | None = None, start: str = "2020-01-01T00:00:00Z", end: str | None = None) -> Any:
    return {"start": start, "end": end, "territories": EUROPE if territories is None else territories}


def track_member(id_: int, *, title: str = "Tide", number: int = 1, offers: Any = None, **changes: Any) -> Any:
    """A track as it stands inside a release event."""
    return {
        "id": id_,
        "isrc": f"GBQQQ25{id_ % 100000:05}",
        "title": title,
        "subtitle": None,
        "discNumber": 1,
        "trackNumber": number,
        "duration": 204,
        "explicitContent": False,
        "artist": {"id": 501, "name": "The Lamplighters", "normalisedName": "lamplighters"},
        "subscriptionStreamingAvailability": [offer()] if offers is None else offers,
        "downloadAvailability": [],
        "adSupportedStreamingAvailability": [],
    } | changes


def release_event(id_: int = 7001001, *, version: int = 1, tracks: Any = None, **changes: Any) -> Any:
    """A release member of a catalogue event."""
    first = id_ % 1_000_000 * 100
    default = [track_member(first + 1, title="Tide"), track_member(first + 2, title="Lantern Street", number=2)]
    return {
        "version": version,
        "id": id_,
        "upc": "5050000000017",
        "title": "Harbour Lights",
        "subtitle": None,
        "genres": ["Pop"],
        "type": "Album",
        "explicitContent": False,
        "releaseDate": "2025-03-07T00:00:00Z",
        "duration": 408,
        "artist": {"id": 501, "name": "The Lamplighters", "normalisedName": "lamplighters"},
        "label": {"id": 31, "name": "Quay", "licensor": {"id": 4, "name": "Quay Group"}},
        "downloadAvailability": [],
        "subscriptionStreamingAvailability": [offer()],
        "adSupportedStreamingAvailability": [],
        "tracks": default if tracks is None else tracks,
    } | changes


def apply_members(members: Iterable[object]) -> dict[str, Any]:
    """Apply members that no stored body holds; how many were applied, stale or tests, and which were refused."""
    with transaction.atomic():
        mirror.prepare()
        reading = read_members(members, event_id=None)
        judge([reading], now=timezone.now())
    return reading.outcome


def stored_event(**what: Any) -> CatalogueEvent:
    """A body as the door keeps it."""
    return CatalogueEvent.objects.get(pk=store_event(**what))


def apply_member(member: Any) -> str:
    """Apply one member of a catalogue event; what became of it."""
    outcome = apply_members([member])
    assert not outcome["refused"], outcome
    return "conflict" if "conflicts" in outcome else next(what for what in outcome if what != "refused")


def play(track_id: int, *, played_at: str, **changes: Any) -> dict[str, Any]:
    """A play as a phone reports it."""
    return {
        "play_id": str(uuid4()),
        "track_id": track_id,
        "release_id": 7001001,
        "format_id": 26,
        "played_at": played_at,
        "seconds_played": 120,
        "mode": "online",
        "user_agent": "Pixel 9; Tonearm 1.0",
    } | changes


def webhook_headers(
    body: bytes, *, event_id: str = "evt_1", at: int | None = None, secret: str | None = None
) -> dict[str, str]:
    """The three headers of a Standard Webhooks event, signed by our own hand."""
    timestamp = str(int(time.time()) if at is None else at)
    key = base64.b64decode((secret or settings.BILLING_STANDARD_SECRETS[0]).removeprefix("whsec_"))
    signed = f"{event_id}.{timestamp}.".encode() + body
    signature = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return {"webhook-id": event_id, "webhook-timestamp": timestamp, "webhook-signature": f"v1,{signature}"}


@contextmanager
def statements_noted() -> Iterator[list[tuple[str, Any]]]:
    """What PostgreSQL is asked meanwhile, and with which values; prepared statements too."""
    asked: list[tuple[str, Any]] = []

    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        asked.append((sql, params))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        yield asked


@contextmanager
def no_more_deletes(*, after: int) -> Iterator[None]:
    """A PostgreSQL that carries out so many more deletes, and then has no time for another."""
    seen = 0

    def refuse(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        nonlocal seen
        seen += "DELETE" in sql
        if seen > after:
            raise OperationalError("canceling statement due to statement timeout")
        return execute(sql, params, many, context)

    with connection.execute_wrapper(refuse):
        yield


def statuses_at_once(ask: Callable[[Api], Any]) -> list[int]:
    """How a hundred requests from eight threads are answered, each with a client and a connection of its own."""

    def one(_: int) -> int:
        try:
            return int(ask(Api(Client(), token=None)).status_code)
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(one, range(100)))


def eventually_blocked() -> None:
    """Until somebody waits for a lock that somebody else holds in this test's database."""
    eventually(somebody_waits, seconds=30)


def somebody_waits() -> bool:
    waiting = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot()")  # else a transaction sees what it saw first
        cursor.execute(waiting)
        return cursor.fetchone() is not None


def zipped(value: Any) -> bytes:
    return gzip.compress(value if isinstance(value, bytes) else json.dumps(value).encode(), mtime=0)
