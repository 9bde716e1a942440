"""What streaming holds about a listener."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from accounts.registry import Rows, forgets, tells
from streaming.models import StreamHolder


@tells("streams")
def streams(listener_id: UUID) -> Rows:
    own = StreamHolder.objects.filter(listener=listener_id)
    return own.values("client_id", "stream_id", "track_id", "since", "plays_until", "blocks")


@forgets
def forget_devices(listener_ids: Sequence[UUID]) -> None:
    StreamHolder.objects.filter(listener__in=listener_ids).delete()
