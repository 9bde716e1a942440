"""Devices that claim a listener's stream in the same instant: one holds it, and every other is blocked."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any
from uuid import uuid4

import pytest
from django.db import connections
from django.utils import timezone

from accounts.models import Listener
from catalogue.models import Track
from streaming.holder import blocked, claim_stream
from streaming.models import StreamHolder

pytestmark = pytest.mark.django_db(transaction=True)

DEVICES = 6
ROUNDS = 10
Claim = Callable[[Listener, Track, str], bool]


def claim(listener: Listener, track: Track, device: str) -> bool:
    """As POST /streams does it."""
    return bool(
        claim_stream(
            listener_id=listener.pk,
            client_id=device,
            stream_id=uuid4(),
            track_id=track.pk,
            format_id=26,
            now=timezone.now(),
            block_seconds=300,
        )
    )


def read_then_write(meeting: Barrier) -> Claim:
    """The same rule the naive way: look who holds, decide here, write back."""

    def naive(listener: Listener, track: Track, device: str) -> bool:
        now = timezone.now()
        fresh = {"client_id": device, "track_id": track.pk, "since": now, "plays_until": now + timedelta(minutes=3)}
        holder = StreamHolder.objects.filter(listener=listener).first() or StreamHolder(listener=listener, **fresh)
        meeting.wait(5)
        if holder.blocks.get(device, 0) > now.timestamp():
            return False
        if holder.client_id != device:
            holder.blocks[holder.client_id] = (now + timedelta(minutes=5)).timestamp()
        for name, value in fresh.items():
            setattr(holder, name, value)
        holder.save()
        return True

    return naive


def rush(claim: Claim, listener: Listener, track: Track) -> list[str]:
    """Every device claims at once; those it was granted to."""
    start = Barrier(DEVICES)

    def device(name: str) -> str | None:
        try:
            start.wait(5)
            return name if claim(listener, track, name) else None
        finally:
            connections.close_all()

    with ThreadPoolExecutor(DEVICES) as threads:
        answers = list(threads.map(device, [f"device-{number}" for number in range(DEVICES)]))
    return [name for name in answers if name]


def expect_one_holder(listener: Listener, granted: list[str]) -> None:
    """Who was granted and does not hold the stream has been displaced, and so must be blocked."""
    holder = StreamHolder.objects.get(listener=listener).client_id
    refused = {name for name in granted if blocked(listener_id=listener.pk, client_id=name)}
    assert refused == set(granted) - {holder}
    assert holder in granted


def test_one_device_holds_and_the_displaced_are_blocked(subscriber: Listener, track: Track) -> None:
    for _ in range(ROUNDS):
        StreamHolder.objects.all().delete()
        granted = rush(claim, subscriber, track)
        assert len(granted) == DEVICES  # each was new, so each might take over
        expect_one_holder(subscriber, granted)


def test_the_displaced_cannot_take_over_together(subscriber: Listener, track: Track) -> None:
    rush(claim, subscriber, track)
    holder = StreamHolder.objects.get(listener=subscriber).client_id

    assert rush(claim, subscriber, track) == [holder]


def test_reading_before_writing_would_not_do(subscriber: Listener, track: Track, make_listener: Any) -> None:
    claim(subscriber, track, "device-0")
    granted = rush(read_then_write(Barrier(DEVICES)), subscriber, track)

    with pytest.raises(AssertionError):
        expect_one_holder(subscriber, granted)
