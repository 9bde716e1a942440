"""A listener's devices: registered, renamed, seen and removed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.conf import settings
from django.db import transaction

from kernel.errors import Kind, Refusal
from streaming.holder import release_stream
from streaming.models import Device
from streaming.offline import Switch, begin, known_device, lock_listener, switch_of, tell_off

DAY: Final = timedelta(days=1)
SEEN_AGAIN: Final = timedelta(minutes=1)  # a device that is seen more often is not written down each time
FORGOTTEN: Final = timedelta(days=30)  # after a device was removed


class TooManyNewDevices(Refusal):
    """The listener has brought too many new devices since this time yesterday."""

    code, kind = "too_many_new_devices", Kind.TOO_MANY


@transaction.atomic
def register_device(
    *, listener_id: UUID, client_id: str, facts: Mapping[str, str], now: datetime
) -> tuple[Device, bool]:
    """Make a device known, or known by other `facts` (name, model, app_version); whether it is new or back again.

    What the facts leave out stays as it was. Raises AccountClosed, TooManyNewDevices.
    """
    listener = lock_listener(listener_id)
    device = Device.objects.select_for_update(no_key=True).filter(listener=listener, client_id=client_id).first()
    if device is None:
        check_quota(listener_id, now=now)
        device = Device(listener=listener, client_id=client_id, created_at=now, removed_at=now)
    was_away = device.removed_at is not None
    for name, text in facts.items():
        setattr(device, name, text)
    device.last_seen_at, device.removed_at = now, None
    device.save()
    return device, was_away


def make_known(*, listener_id: UUID, client_id: str, now: datetime) -> None:
    """Register a device that calls before it has said anything about itself; one that was removed stays so.

    Raises as `register_device` does.
    """
    if not Device.objects.filter(listener=listener_id, client_id=client_id).exists():
        register_device(listener_id=listener_id, client_id=client_id, facts={}, now=now)


def check_quota(listener_id: UUID, *, now: datetime) -> None:
    """Raises TooManyNewDevices, saying when there will be room. Devices that were removed since count too."""
    most: int = settings.NEW_DEVICES_PER_DAY
    recent = Device.objects.filter(listener=listener_id, created_at__gt=now - DAY).order_by("-created_at")
    times = list(recent.values_list("created_at", flat=True)[:most])
    if len(times) >= most:
        wait = (times[-1] + DAY - now).total_seconds()
        detail = f"at most {most} new devices a day"
        raise TooManyNewDevices(detail, limit=most, retry_after=max(1, math.ceil(wait)))


def note_seen(device: Device, *, now: datetime) -> None:
    """Write down that the device has called, once a minute at the most."""
    if device.last_seen_at <= now - SEEN_AGAIN:
        Device.objects.filter(pk=device.pk).update(last_seen_at=now)


def remove_device(*, listener_id: UUID, client_id: str, now: datetime) -> None:
    """Take a device from the listener: what it keeps ends, the stream it may hold is free, the platform is told.

    Raises DeviceNotFound, AccountClosed.
    """
    switch = strike_off(listener_id=listener_id, client_id=client_id, now=now)
    if switch is not None:
        tell_off(switch)


@transaction.atomic
def strike_off(*, listener_id: UUID, client_id: str, now: datetime) -> Switch | None:
    """Remove the device in our rows; what is to be told to the platform, if anything is."""
    listener = lock_listener(listener_id)
    device = known_device(listener_id=listener_id, client_id=client_id, lock=True)
    was_off = device.offline == Device.Offline.OFF
    device.removed_at = now
    begin(device, Device.Offline.OFF if was_off else Device.Offline.DISABLING, now=now)
    release_stream(listener_id=listener_id, client_id=client_id)
    return None if was_off else switch_of(device, listener)


def prune_devices(*, now: datetime) -> int:
    """Forget devices that were removed long ago, with what they kept; how many."""
    gone = Device.objects.filter(removed_at__lte=now - FORGOTTEN, offline=Device.Offline.OFF)
    _, rows = gone.delete()
    return rows.get(Device._meta.label, 0)
