"""What devices keep offline: issued a track at a time, renewed all at once when a device checks in."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from django.conf import settings
from django.db import transaction

from accounts.actions import AccountClosed
from catalogue.reading import TrackRow, tracks_by_id
from catalogue.rules import Reason
from catalogue.shapes import Ear, verdict_on
from kernel.errors import Kind, Refusal
from massivemusic.streaming import HLS_MIME_TYPE, offline_stream_url
from outbox.platform import platform
from streaming.devices import note_seen
from streaming.entitlement import standing
from streaming.keys import copy_key, key_id
from streaming.models import Device, OfflineCopy, StreamGrant
from streaming.offline import DeviceNotFound, OfflineNotInPlan, offline_right
from streaming.refusals import NoSubscription, StreamWish, format_wanted, refusal_by
from streaming.rules import LATE, NAMED, Ended, is_lapsed, lease_end, renewed


class DeviceNotAuthorised(Refusal):
    """The device is not one that may keep tracks: unknown, removed, or not enabled."""

    code, kind, platform_code = "device_not_authorised", Kind.CONFLICT, 2002


class OfflineTracksFull(Refusal):
    """The device keeps as many tracks as it may; `limit` says how many those are."""

    code, kind = "offline_tracks_full", Kind.CONFLICT


@dataclass(frozen=True, kw_only=True, slots=True)
class IssuedCopy:
    """A right to fetch one track and keep it. `url` and `key` are secrets, and kept nowhere."""

    copy_id: UUID
    url: str
    expires_at: datetime
    mime_type: str
    release_id: int
    format_id: int
    lease_ends_at: datetime
    key_id: str
    key: bytes


class Kept(NamedTuple):
    """A copy as the manifest reads it."""

    track_id: int
    release_id: int
    format_id: int
    key_number: int
    lease_ends_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Manifest:
    """What a device may keep, and what it must remove, each with its reason."""

    device: Device
    copies: Sequence[Kept]
    removals: Sequence[tuple[int, str]]


# --- One track ----------------------------------------------------------------------------------


def issue_copy(*, listener_id: UUID, wish: StreamWish, now: datetime) -> IssuedCopy:
    """Let the device keep the track, and sign the URL it fetches it from (Streaming guide §4.2). No play, no stream.

    Asking again renews. Raises what a stream does, and OfflineNotInPlan, DeviceNotAuthorised, OfflineTracksFull.
    """
    format_ = format_wanted(wish)
    who = standing(listener_id=listener_id, track_id=wish.track_id, now=now)
    if (no := refusal_by(who, wish)) is not None:
        raise no
    right = offline_right(listener_id=listener_id, now=now)
    assert who is not None  # noqa: S101  refusal_by has seen to it
    assert who.release_id is not None  # noqa: S101
    lease = lease_end(entitled_until=right.entitled_until, days=settings.OFFLINE_LEASE_DAYS, now=now)
    device, copy = hold_copy(listener_id, wish, release_id=who.release_id, format_id=format_.id, lease=lease, now=now)
    url = offline_stream_url(
        platform(),
        user_id=device.listener.platform_id,
        track_id=wish.track_id,
        format_id=format_.id,
        client_id=wish.client_id,
        country=device.listener.country,
        release_id=who.release_id,
        hls=wish.hls,
    )
    number = device.generation
    return IssuedCopy(
        copy_id=copy.pk,
        url=url,
        expires_at=now + timedelta(seconds=settings.STREAM_URL_SECONDS),
        mime_type=HLS_MIME_TYPE if wish.hls else format_.mime_type,
        release_id=who.release_id,
        format_id=format_.id,
        lease_ends_at=lease,
        key_id=key_id(device_id=device.pk, number=number),
        key=copy_key(listener_id=listener_id, device_id=device.pk, track_id=wish.track_id, number=number),
    )


@transaction.atomic
def hold_copy(
    listener_id: UUID, wish: StreamWish, *, release_id: int, format_id: int, lease: datetime, now: datetime
) -> tuple[Device, OfflineCopy]:
    """Write down that the device keeps the track; its row is the lock under which its copies are counted."""
    enabled = Device.objects.known().filter(offline=Device.Offline.ON, listener=listener_id, client_id=wish.client_id)
    device = enabled.select_for_update(no_key=True, of=("self",)).select_related("listener").first()
    if device is None:
        raise DeviceNotAuthorised("the device is not enabled for offline listening")
    note_seen(device, now=now)
    others = OfflineCopy.objects.filter(device=device, key_number=device.generation, lease_ends_at__gt=now - LATE)
    if device.max_tracks is not None and others.exclude(track_id=wish.track_id).count() >= device.max_tracks:
        raise OfflineTracksFull("the device keeps as many tracks as it may", limit=device.max_tracks)
    facts = {"release_id": release_id, "format_id": format_id, "key_number": device.generation}
    copy, _ = OfflineCopy.objects.update_or_create(
        device=device, track_id=wish.track_id, defaults=facts | {"lease_ends_at": lease}
    )
    StreamGrant.objects.create(
        listener_id=listener_id,
        issued_at=now,
        stream_id=copy.pk,
        track_id=wish.track_id,
        release_id=release_id,
        format_id=format_id,
        client_id=wish.client_id,
        country=device.listener.country,
        offline=True,
    )
    return device, copy


def drop_copy(*, listener_id: UUID, client_id: str, track_id: int) -> None:
    """The device keeps the track no longer. Harmless when it did not."""
    own = OfflineCopy.objects.filter(device__listener=listener_id, device__client_id=client_id)
    own.filter(track_id=track_id).delete()


# --- All of them --------------------------------------------------------------------------------


def check_in(*, listener_id: UUID, client_id: str, now: datetime) -> Manifest:
    """Renew every lease that may be renewed, and say what must go and why.

    A constant number of statements, whatever the device keeps. Raises DeviceNotFound, AccountClosed.
    """
    device = Device.objects.select_related("listener__user").filter(listener=listener_id, client_id=client_id).first()
    if device is None:
        raise DeviceNotFound("there is no such device")
    user = device.listener.user
    if user is None or not user.is_active:
        raise AccountClosed("this account is closed")
    note_seen(device, now=now)
    copies = copies_of(device)
    try:
        right = offline_right(listener_id=listener_id, now=now)
    except (NoSubscription, OfflineNotInPlan):
        right = None
    if (reason := ended(device, entitled=right is not None)) is not None or right is None:
        gone = [(copy.track_id, str(reason)) for copy in copies]
        return Manifest(device=device, copies=[], removals=gone)
    reasons = reasons_against(copies, device, now=now)
    lease = lease_end(entitled_until=right.entitled_until, days=settings.OFFLINE_LEASE_DAYS, now=now)
    kept = renew(device, [copy for copy in copies if copy.track_id not in reasons], to=lease)
    return Manifest(device=device, copies=kept, removals=list(reasons.items()))


def copies_of(device: Device) -> list[Kept]:
    rows = OfflineCopy.objects.filter(device=device).order_by("track_id").values_list(*Kept._fields)
    return [Kept(*row) for row in rows]


def ended(device: Device, *, entitled: bool) -> Ended | None:
    """Why the device may keep nothing at all; None where it may."""
    if device.removed_at is not None:
        return Ended.DEVICE_REMOVED
    if device.offline != Device.Offline.ON:
        return Ended.OFFLINE_OFF
    return None if entitled else Ended.SUBSCRIPTION_ENDED


def reasons_against(copies: Collection[Kept], device: Device, *, now: datetime) -> dict[int, str]:
    """The tracks that must go, and why. What was fetched before the device was last switched on has lost its key."""
    listener = device.listener
    ear = Ear(country=listener.country, explicit_filter=listener.explicit_filter, at=now)
    tracks = tracks_by_id([copy.track_id for copy in copies], country=listener.country)
    reasons = ((copy.track_id, reason_against(copy, tracks.get(copy.track_id), device, ear)) for copy in copies)
    return {track_id: str(reason) for track_id, reason in reasons if reason is not None}


def reason_against(copy: Kept, track: TrackRow | None, device: Device, ear: Ear) -> Ended | Reason | None:
    if copy.key_number != device.generation:
        return Ended.OFFLINE_OFF
    if track is None:
        return Reason.TAKEN_DOWN
    if (reason := verdict_on(track, ear).reason) is not None:
        return reason
    return Ended.LEASE_ENDED if is_lapsed(copy.lease_ends_at, now=ear.at) else None


def renew(device: Device, copies: Sequence[Kept], *, to: datetime) -> list[Kept]:
    """The copies with the leases they have now; written down in one statement, where anything changed."""
    after = [copy._replace(lease_ends_at=renewed(copy.lease_ends_at, to=to)) for copy in copies]
    changed = [new.track_id for old, new in zip(copies, after, strict=True) if old != new]
    if changed:
        OfflineCopy.objects.filter(device=device, track_id__in=changed).update(lease_ends_at=to)
    return after


def prune_copies(*, now: datetime) -> int:
    """Forget copies that their devices have had every chance to remove; how many."""
    return OfflineCopy.objects.filter(lease_ends_at__lte=now - LATE - NAMED).delete()[0]
