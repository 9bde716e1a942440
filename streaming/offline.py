"""Which devices may keep tracks: places, and what the platform is told (Streaming guide §2.3).

A device holds one of its listener's places from before the platform is asked, so that of many that ask at
once no more get through than there are places. The listener's row is the lock: a count in one statement would be as
old as the statement, and not see who was given a place while it waited.

    OFF ──▶ ENABLING ──▶ ON ──▶ DISABLING ──▶ OFF

Where nobody knows what the platform believes (a lost answer, a crash), the device is DISABLING and the outbox tells
the platform so, until it has heard. Until then the place is held; asking again takes the device on from there.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db import transaction

from accounts.actions import AccountClosed
from accounts.models import Listener
from kernel.errors import InvalidParameter, Kind, Refusal
from massivemusic.client import Client
from massivemusic.devices import NotInPlan, OfflineStatus, PlacesTaken, read_offline, set_offline
from massivemusic.errors import InputRefused, PlatformError, Unreadable
from outbox.actions import Draft, send_all
from outbox.asking import PlatformUnavailable, asking
from outbox.models import Message
from streaming.models import Device
from streaming.refusals import NoSubscription
from subscriptions.models import Subscription

STUCK: Final = timedelta(minutes=2)  # longer than any request lives
FIRST_TOLD: Final = ["listener.create", "subscription.tell"]  # before which the platform allows nothing


class DeviceNotFound(Refusal):
    """The listener has no such device."""

    code, kind = "device_not_found", Kind.NOT_FOUND


class OfflineNotInPlan(Refusal):
    """The listener's plan has no offline right."""

    code, kind, platform_code = "offline_not_in_plan", Kind.DENIED, 1003


class DeviceLimitReached(Refusal):
    """Every place of the plan is held by another device; `limit` says how many there are."""

    code, kind, platform_code = "device_limit_reached", Kind.CONFLICT, 1003

    def __init__(self, limit: int) -> None:
        super().__init__("as many devices as the plan allows are offline already", limit=limit)


@dataclass(frozen=True, kw_only=True, slots=True)
class Switch:
    """A device that is being switched, what it `was`, and what the platform knows it and its listener by."""

    device_id: UUID
    generation: int
    was: str
    client_id: str
    platform_id: str
    country: str


def offline_right(*, listener_id: UUID, now: datetime) -> Subscription:
    """The subscription that lets the listener go offline now. Raises NoSubscription or OfflineNotInPlan."""
    covering = Subscription.objects.covering(now).filter(listener=listener_id).select_related("plan")
    best = covering.order_by("-plan__offline", "-entitled_until").first()
    if best is None:
        raise NoSubscription("no subscription covers this moment")
    if not best.plan.offline:
        raise OfflineNotInPlan("the plan has no offline right")
    return best


def lock_listener(listener_id: UUID) -> Listener:
    """The listener, locked: what changes their devices goes one at a time. Raises AccountClosed, bans included."""
    rows = Listener.objects.select_for_update(no_key=True, of=("self",))
    listener = rows.filter(pk=listener_id, closed_at=None, user__is_active=True).first()
    if listener is None:
        raise AccountClosed("this account is closed")
    return listener


def known_device(*, listener_id: UUID, client_id: str, lock: bool = False) -> Device:
    """The listener's device, locked where its state is to change. Raises DeviceNotFound, also for a removed one."""
    rows = Device.objects.select_for_update(no_key=True) if lock else Device.objects.all()
    device = rows.known().filter(listener=listener_id, client_id=client_id).first()
    if device is None:
        raise DeviceNotFound("there is no such device")
    return device


# --- On -----------------------------------------------------------------------------------------


def turn_on(*, listener_id: UUID, client_id: str, now: datetime) -> None:
    """Let a device keep tracks, here and at the platform. Twice is once: one that is on is told again.

    Raises DeviceNotFound, NoSubscription, OfflineNotInPlan, DeviceLimitReached, PlatformUnavailable.
    """
    switch, limit = take_place(listener_id=listener_id, client_id=client_id, now=now)
    try:
        with asking() as client:
            status = tell(client, switch, enabled=True)
            if not status.enabled:
                raise Unreadable("the platform enabled nothing")
    except PlatformUnavailable:
        turn_back(switch, now=now)
        raise
    except PlatformError as error:
        turn_back(switch, now=now, in_doubt=error.in_doubt, forbidden=error.permanent)
        raise refusal_of(error, switch, limit=limit) from error
    if not confirm(switch, status):
        take_back([switch.device_id], now=now)


@transaction.atomic
def take_place(*, listener_id: UUID, client_id: str, now: datetime) -> tuple[Switch, int]:
    """Hold a place for the device, if there is one; how many there are in all."""
    listener = lock_listener(listener_id)
    device = known_device(listener_id=listener_id, client_id=client_id, lock=True)
    limit = offline_right(listener_id=listener_id, now=now).plan.offline_devices
    others = Device.objects.filter(listener=listener).with_places().exclude(pk=device.pk)
    if others.count() >= limit:
        raise DeviceLimitReached(limit)
    was = device.offline
    if was != Device.Offline.ON:
        begin(device, Device.Offline.ENABLING, now=now)
    return switch_of(device, listener, was=was), limit


def confirm(switch: Switch, status: OfflineStatus) -> bool:
    """The platform said yes, to whichever request; False where the device is wanted on no longer."""
    wanted = [Device.Offline.ENABLING, Device.Offline.ON]
    device = Device.objects.known().filter(pk=switch.device_id, offline__in=wanted)
    return bool(device.update(offline=Device.Offline.ON, max_tracks=status.max_tracks))


def turn_back(switch: Switch, *, now: datetime, in_doubt: bool = False, forbidden: bool = False) -> None:
    """What becomes of a device that could not be enabled.

    One that was off is off again, where the platform did nothing for certain. One that was on stays so, unless that
    is `forbidden`. Of any other nobody knows what the platform believes.
    """
    if switch.was == Device.Offline.OFF and not in_doubt:
        fresh = Device.objects.filter(pk=switch.device_id, generation=switch.generation)
        fresh.filter(offline=Device.Offline.ENABLING).update(offline=Device.Offline.OFF)
    elif switch.was != Device.Offline.ON or forbidden:
        take_back([switch.device_id], now=now, fence=switch.generation, even_on=forbidden)


def refusal_of(error: PlatformError, switch: Switch, *, limit: int) -> Refusal:
    """The platform's no in our words."""
    match error:
        case PlacesTaken():
            return DeviceLimitReached(limit)
        case NotInPlan() if not is_behind(switch):
            return OfflineNotInPlan("the platform knows of no offline right")
        case InputRefused() if not isinstance(error, NotInPlan):
            return InvalidParameter("the platform does not take it", field="client_id")
        case _ if error.permanent:  # it has not been told yet who the listener is, or what they have paid for
            return PlatformUnavailable()
    return PlatformUnavailable(error)


def is_behind(switch: Switch) -> bool:
    """Whether the platform is still to be told who the listener is, or what they have paid for."""
    return Message.objects.unfinished().filter(lane=switch.platform_id, topic__in=FIRST_TOLD).exists()


# --- Off ----------------------------------------------------------------------------------------


def turn_off(*, listener_id: UUID, client_id: str, now: datetime) -> None:
    """Let a device keep nothing any more, from now on; the place is free once the platform has heard.

    Where the platform is away the outbox tells it later. Twice is once. Raises DeviceNotFound.
    """
    with transaction.atomic():
        listener = lock_listener(listener_id)
        device = known_device(listener_id=listener_id, client_id=client_id, lock=True)
        if device.offline == Device.Offline.OFF:
            return
        begin(device, Device.Offline.DISABLING, now=now)
    tell_off(switch_of(device, listener))


def tell_off(switch: Switch) -> None:
    """Tell the platform that a device keeps nothing any more, now if it can be, else by the outbox."""
    try:
        with asking() as client:
            tell(client, switch, enabled=False)
    except PlatformError as error:
        if not error.permanent:
            tell_later([switch])
            return
    except PlatformUnavailable:
        tell_later([switch])
        return
    settle_off(switch.device_id, switch.generation)


def settle_off(device_id: UUID, generation: int) -> None:
    """The platform knows that the device is off: its place is free."""
    going = Device.objects.filter(pk=device_id, generation=generation, offline=Device.Offline.DISABLING)
    going.update(offline=Device.Offline.OFF)


@transaction.atomic
def take_back(device_ids: Iterable[UUID], *, now: datetime, fence: int | None = None, even_on: bool = False) -> int:
    """Turn devices off that the platform may believe to be on although nobody was told so; how many.

    One that is on by another request stays so, unless `even_on`. With a `fence` only of that generation.
    """
    rows = Device.objects.select_for_update(no_key=True, of=("self",)).select_related("listener")
    found = rows.filter(pk__in=list(device_ids)).order_by("pk")
    loose = [device for device in found if even_on or device.offline != Device.Offline.ON]
    devices = [device for device in loose if fence in {None, device.generation}]
    for device in devices:
        begin(device, Device.Offline.DISABLING, now=now)
    tell_later(switch_of(device, device.listener) for device in devices)
    return len(devices)


def tell_later(switches: Iterable[Switch]) -> None:
    """Have the outbox tell the platform that these devices are off, in a lane of their listener's devices."""
    send_all(
        Draft(
            topic="device.disable",
            key=f"{switch.device_id}/{switch.generation}",
            lane=f"{switch.platform_id}/devices",
            body={"device_id": str(switch.device_id), "generation": switch.generation},
        )
        for switch in switches
    )


def settle_stuck(*, now: datetime) -> int:
    """Every minute: what a crash left half-switched is switched off, and the platform told; how many."""
    stuck = Device.objects.under_way().filter(switched_at__lte=now - STUCK)
    told = Message.objects.filter(topic="device.disable").unfinished().values_list("body__device_id", flat=True)
    return take_back(stuck.exclude(pk__in=[UUID(pk) for pk in told]).values_list("pk", flat=True), now=now)


# --- Either -------------------------------------------------------------------------------------


def begin(device: Device, state: str, *, now: datetime) -> None:
    """Write down what the device, which the caller has locked, is to become."""
    device.offline, device.switched_at, device.generation = state, now, device.generation + 1
    device.save(update_fields=["offline", "switched_at", "generation", "removed_at"])


def switch_of(device: Device, listener: Listener, *, was: str = "") -> Switch:
    return Switch(
        device_id=device.pk,
        generation=device.generation,
        was=was or device.offline,
        client_id=device.client_id,
        platform_id=listener.platform_id,
        country=listener.country,
    )


def tell(client: Client, switch: Switch, *, enabled: bool) -> OfflineStatus:
    """Tell the platform. A lost answer is read back, and only then is the platform told once more."""
    who = {"user_id": switch.platform_id, "client_id": switch.client_id, "country": switch.country}
    try:
        return set_offline(client, **who, enabled=enabled)
    except PlatformError as error:
        if not error.in_doubt:
            raise
    known = read_offline(client, **who)
    return known if known.enabled is enabled else set_offline(client, **who, enabled=enabled)
