"""What streaming holds about a listener."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from accounts.registry import Rows, forgets, tells
from streaming.models import Device, OfflineCopy, StreamGrant, StreamHolder


@tells("streams")
def streams(listener_id: UUID) -> Rows:
    own = StreamHolder.objects.filter(listener=listener_id)
    return own.values("client_id", "stream_id", "track_id", "since", "plays_until", "blocks", "others")


@tells("streams_issued")
def streams_issued(listener_id: UUID) -> Rows:
    own = StreamGrant.objects.filter(listener_id=listener_id).order_by("issued_at")
    return own.values(
        "issued_at", "stream_id", "track_id", "release_id", "format_id", "client_id", "country", "offline"
    ).iterator()


@tells("devices")
def devices(listener_id: UUID) -> Rows:
    own = Device.objects.filter(listener=listener_id).order_by("created_at")
    return own.values(
        "client_id", "name", "model", "app_version", "created_at", "last_seen_at", "removed_at", "offline",
        "switched_at", "max_tracks",
    )  # fmt: skip


@tells("offline_copies")
def offline_copies(listener_id: UUID) -> Rows:
    own = OfflineCopy.objects.filter(device__listener=listener_id).order_by("device", "track_id")
    return own.values("device__client_id", "track_id", "release_id", "format_id", "lease_ends_at").iterator()


@forgets
def forget_devices(listener_ids: Sequence[UUID]) -> None:
    """What was issued stays, without the device, as long as plays may still be held against it."""
    Device.objects.filter(listener__in=listener_ids).delete()
    StreamHolder.objects.filter(listener__in=listener_ids).delete()
    StreamGrant.objects.filter(listener_id__in=listener_ids).exclude(client_id="").update(client_id="")
