"""Engines that are away, and rows that wait."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db.models.functions import Now
from pytest_django import Settings

from billing.models import BillingEvent
from catalogue.models import CatalogueEvent
from config import checks
from outbox.models import Message

Make = Callable[..., Any]


@pytest.fixture
def no_valkey(settings: Settings) -> Iterator[None]:
    """A Valkey that refuses every connection."""
    settings.REDIS_URL = "redis://127.0.0.1:9/0"
    checks.broker_client.cache_clear()
    yield
    checks.broker_client.cache_clear()


@pytest.fixture
def catalogue_event(db: None) -> Make:
    """Store a catalogue event that came and was due so many seconds ago."""

    def make(seconds: int = 0, *, due: int | None = None, **changes: Any) -> CatalogueEvent:
        at = instants(seconds, due)
        return CatalogueEvent.objects.create(**{"body": b"", "members": 1} | at | changes)

    return make


@pytest.fixture
def billing_event(db: None) -> Make:
    """Store a billing event that came and was due so many seconds ago."""

    def make(seconds: int = 0, *, due: int | None = None, **changes: Any) -> BillingEvent:
        facts = {"provider": "standard", "event_id": f"evt_{BillingEvent.objects.count()}", "body": b""}
        return BillingEvent.objects.create(**facts | instants(seconds, due) | changes)

    return make


@pytest.fixture
def message(db: None) -> Make:
    """Store a message written so many seconds ago."""

    def make(seconds: int = 0, **changes: Any) -> Message:
        facts = {"topic": "test.safe", "key": str(Message.objects.count()), "lane": "lane"}
        return Message.objects.create(**facts | {"created_at": ago(seconds), "due_at": ago(seconds)} | changes)

    return make


def ago(seconds: float) -> Any:
    return Now() - timedelta(seconds=seconds)


def instants(seconds: int, due: int | None) -> dict[str, Any]:
    return {"received_at": ago(seconds), "due_at": ago(seconds if due is None else due)}
