"""No request writes more than it is for: members of no meaning, however well they guess our columns, change nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.forms.models import model_to_dict
from django.utils import timezone

from accounts.models import Listener, Residence, User
from catalogue.models import Track
from kernel.values import rfc3339
from streaming.models import StreamHolder
from subscriptions.models import Period, Plan, PlatformWindow, Subscription
from tests.helpers import Api, play
from usage.models import Play

pytestmark = pytest.mark.django_db

EXTRA: dict[str, Any] = {
    "id": str(uuid4()), "pk": str(uuid4()), "user": 1, "user_id": 1, "listener": str(uuid4()),
    "listener_id": str(uuid4()), "account_id": str(uuid4()), "platform_id": "eve", "email_verified": True,
    "is_staff": True, "is_superuser": True, "is_active": False, "groups": [1], "user_permissions": [1],
    "created_at": "2020-01-01T00:00:00Z", "closed_at": None, "on_platform_since": None,
    "subscribed_since": "2020-01-01T00:00:00Z", "plan": "premium-unlimited-streaming", "status": "ACTIVE",
    "entitled_until": "2099-01-01T00:00:00Z", "told_until": "2099-01-01T00:00:00Z", "state": "SENT", "batch": 1,
    "batch_id": 1, "platform_code": 1, "received_at": "2020-01-01T00:00:00Z", "stream_id": str(uuid4()),
    "plays_until": "2099-01-01T00:00:00Z", "errorUrl": "https://eve.example/", "__proto__": {"is_staff": True},
}  # fmt: skip
MODELS = (User, Listener, Residence, Plan, Subscription, Period, PlatformWindow)
COLUMNS = ("listener_id", "track_id", "country", "state", "batch_id", "platform_code", "seconds_played", "mode")


def rows() -> dict[str, Any]:
    """Everything that no listener writes directly."""
    return {model.__name__: [model_to_dict(row) for row in model._default_manager.order_by("pk")] for model in MODELS}


def stream(track: Track) -> dict[str, Any]:
    return {"track_id": track.pk, "format_id": 26, "client_id": "phone"}


def check(track: Track) -> dict[str, Any]:
    now = timezone.now()
    dates = {"activated_at": now, "current_period_start": now, "expires_at": now + timedelta(days=20)}
    return {"plan_code": "premium-unlimited-streaming"} | {name: rfc3339(at) for name, at in dates.items()}


WRITES: list[tuple[str, str, Callable[[Track], dict[str, Any]], int]] = [
    ("patch", "me", lambda track: {}, 200),
    ("post", "me/exports", lambda track: {}, 202),
    ("post", "streams", stream, 201),
    ("delete", "streams/current?client_id=phone", lambda track: {}, 204),
    ("post", "subscriptions/check", check, 200),
    ("post", "/_allauth/app/v1/auth/password/request", lambda track: {"email": "nobody@example.org"}, 200),
]


@pytest.mark.parametrize(("method", "path", "body", "status"), WRITES, ids=[path for _, path, _, _ in WRITES])
def test_extra_members_change_nothing(
    api: Callable[[Listener], Api], subscriber: Listener, track: Track, method: str, path: str, body: Any, status: int
) -> None:
    before = rows()

    response = getattr(api(subscriber), method)(path, EXTRA | body(track))

    assert response.status_code == status, response.content
    assert rows() == before


def test_a_stream_is_ones_own_whatever_else_is_said(
    api: Callable[[Listener], Api], subscriber: Listener, track: Track
) -> None:
    answer = json.loads(api(subscriber).post("streams", EXTRA | stream(track)).content)

    holder = StreamHolder.objects.get()
    assert (holder.listener_id, holder.client_id, holder.track_id) == (subscriber.pk, "phone", track.pk)
    assert answer["stream_id"] != EXTRA["stream_id"]
    assert "eve.example" not in answer["url"]


def test_a_play_is_ones_own_whatever_else_is_said(
    api: Callable[[Listener], Api], subscriber: Listener, track: Track
) -> None:
    before, phone = rows(), api(subscriber)
    for extra in ({}, EXTRA):
        sent = play(track.pk, played_at=rfc3339(timezone.now() - timedelta(minutes=5)))
        assert phone.post("plays", extra | {"plays": [extra | sent]}).status_code == 200

    plain, odd = Play.objects.order_by("id").values(*COLUMNS)

    assert odd == plain
    assert odd["listener_id"] == subscriber.pk
    assert rows() == before


def test_nobody_signs_up_as_more_than_a_listener(stranger: Api) -> None:
    form = {"email": "eve@example.org", "password": "correct horse", "country": "GB"}

    assert stranger.post("/_allauth/app/v1/auth/signup", EXTRA | form).status_code == 200

    listener = Listener.objects.select_related("user").get()
    user = listener.user
    assert user is not None
    assert (user.is_staff, user.is_superuser, user.is_active) == (False, False, True)
    assert not user.groups.exists()
    assert EXTRA["id"] not in {str(listener.pk), str(user.pk)}
    assert listener.platform_id != EXTRA["platform_id"]
    assert (listener.subscribed_since, listener.on_platform_since) == (None, None)
    assert not Subscription.objects.exists()
