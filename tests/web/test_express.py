"""The short way through DRF answers as the long one does."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings
from rest_framework.views import APIView

from accounts.models import Listener, User
from catalogue.models import Track
from streaming.api import Streams
from tests.helpers import Api, expect_problem, token_for

pytestmark = pytest.mark.django_db
HEADERS = {"Cache-Control", "Content-Type", "X-Request-Id", "Retry-After", "WWW-Authenticate", "Referrer-Policy"}
BODIES: dict[str, Any] = {
    "good": {"track_id": 0, "format_id": 26, "client_id": "phone"},
    "unknown track": {"track_id": 9, "format_id": 26, "client_id": "phone"},
    "bad format": {"track_id": 0, "format_id": 17, "client_id": "phone"},
    "missing": {"format_id": 26},
    "no JSON": b"{",
    "too large": b" " * 70_000,
}


def wish(body: Any, track: Track) -> Any:
    return body | {"track_id": track.pk} if isinstance(body, dict) and body.get("track_id") == 0 else body


def told(response: Any) -> tuple[Any, ...]:
    """Status, headers by name, and the members of the body by name."""
    body = json.loads(response.content)
    return response.status_code, {name for name in response.headers if name in HEADERS}, set(body), body.get("code")


@pytest.fixture
def long_way(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Have every request go DRF's way from now on."""
    return lambda: monkeypatch.setattr(Streams, "dispatch", APIView.dispatch)


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize("who", ["subscriber", "stranger", "forger", "staff"])
def test_both_ways_say_the_same(
    subscriber: Listener, track: Track, long_way: Callable[[], None], name: str, who: str
) -> None:
    tokens = {
        "subscriber": lambda: token_for(subscriber),
        "stranger": lambda: None,
        "forger": lambda: token_for(subscriber)[:-6] + "AAAAAA",
        "staff": lambda: token_for(subscriber, listener=None),
    }
    phone = Api(Client(), token=tokens[who]())
    short = told(phone.post("streams", wish(BODIES[name], track)))
    long_way()

    assert told(phone.post("streams", wish(BODIES[name], track))) == short


def test_the_short_way_is_counted_too(api: Any, subscriber: Listener, track: Track, settings: Settings) -> None:
    settings.LIMITS = settings.LIMITS | {"streams": (2, 60)}
    phone, body = api(subscriber), wish(BODIES["good"], track)

    statuses = [phone.post("streams", body).status_code for _ in range(3)]

    assert statuses == [201, 201, 429]
    expect_problem(phone.post("streams", body), 429, "rate_limited")


def test_a_banned_login_takes_no_short_way(api: Any, subscriber: Listener, track: Track) -> None:
    User.objects.update(is_active=False)

    expect_problem(api(subscriber).post("streams", wish(BODIES["good"], track)), 401, "not_authenticated")
