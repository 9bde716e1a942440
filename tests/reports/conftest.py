"""Plays as the ledger holds them, and rights to stream."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from accounts.models import Listener
from subscriptions.models import Period, Subscription
from usage.models import Play, PlayState

NOVEMBER = {"start": datetime(2026, 11, 1, tzinfo=UTC), "end": datetime(2026, 12, 1, tzinfo=UTC)}


def at(text: str) -> datetime:
    """`11-01 00:00` of 2026, in UTC."""
    return datetime.fromisoformat(f"2026-{text}").replace(tzinfo=UTC)


def a_play(**facts: Any) -> Play:
    """A play that the platform has, not stored yet."""
    usual = {
        "play_id": uuid4(), "track_id": 7001, "release_id": 70, "format_id": 26, "country": "GB",
        "played_at": at("11-10 12:00"), "seconds_played": 120, "mode": "online", "user_agent": "Pixel 9",
        "state": PlayState.SENT,
    }  # fmt: skip
    return Play(**usual | facts)


@pytest.fixture
def played(listener: Listener) -> Callable[..., Play]:
    """Keep a play; of one listener unless another is named."""

    def keep(**facts: Any) -> Play:
        play = a_play(**{"listener": listener} | facts)
        play.save(force_insert=True)
        return play

    return keep


@pytest.fixture
def right(subscribe: Callable[..., Subscription]) -> Callable[..., Period]:
    """Give a listener a right to stream for some time; each by a subscription of its own."""

    def give(listener: Listener, start: datetime, end: datetime, **terms: Any) -> Period:
        usual = {
            "plan_id": "premium-unlimited-streaming", "status": "ACTIVE", "recurring_fee": 999, "currency": "GBP",
            "country": listener.country,
        }  # fmt: skip
        subscription = subscribe(listener, external_id=str(uuid4()))
        return Period.objects.create(
            subscription=subscription, listener=listener, starts_at=start, ends_at=end, **usual | terms
        )

    return give
