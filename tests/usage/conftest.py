"""Plays that wait, and a bucket for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone
from pytest_django import Settings

from accounts.models import Listener
from tests.usage.store import PREFIX, Store, open_door, running_store
from usage.bucket import bucket
from usage.models import Play


@pytest.fixture(scope="session")
def stores() -> Iterator[str]:
    """The URL of a store that lasts for the session."""
    with running_store() as url:
        yield url


@pytest.fixture
def store(stores: str, settings: Settings) -> Iterator[Store]:
    """An empty bucket that plays go to, and little patience for silence."""
    with open_door(stores) as door:
        store = Store(stores, door)
        settings.USAGE_CHANNEL, settings.USAGE_BUCKET_PREFIX = "bucket", PREFIX
        settings.USAGE_BUCKET = store.settings() | {"silent_seconds": 2.5}
        bucket.cache_clear()
        yield store
        bucket.cache_clear()


@pytest.fixture
def played(make_listener: Callable[..., Listener]) -> Callable[..., list[Play]]:
    """Let plays wait: `count` of them, a minute apart, the last one a minute ago."""

    def make(count: int, *, listener: Listener | None = None, **changes: Any) -> list[Play]:
        listener, now = listener or make_listener(), timezone.now()
        facts: dict[str, Any] = {
            "listener": listener,
            "country": listener.country,
            "track_id": 700100101,
            "release_id": 7001001,
            "format_id": 26,
            "seconds_played": 120,
            "mode": "online",
        }
        plays = []
        for number in range(count):
            facts["play_id"], facts["played_at"] = uuid4(), now - timedelta(minutes=count - number)
            plays.append(Play(**facts | {"user_agent": f"phone of {facts['play_id']}"} | changes))
        return Play.objects.bulk_create(plays)

    return make
