"""Streaming's calls to the platform."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any
from uuid import UUID

from massivemusic.errors import PlatformError
from outbox.platform import platform
from outbox.registry import Delivery, Record, handles
from streaming.models import Device
from streaming.offline import settle_off, switch_of, tell


def give_up(body: Mapping[str, Any]) -> None:
    """A person has dropped the message: the place is free here, whatever the platform believes."""
    settle_off(UUID(body["device_id"]), body["generation"])


@handles("device.disable", given_up=give_up)
def disable_device(delivery: Delivery) -> Record | None:
    """Tell the platform that a device keeps nothing any more (Streaming guide §2.3).

    Twice is once. A device that has been switched again since, or forgotten, is nobody's business here. A refusal
    means that the platform has no such device enabled.
    """
    device = Device.objects.select_related("listener").filter(pk=delivery.body["device_id"]).first()
    generation = delivery.body["generation"]
    if device is None or (device.generation, device.offline) != (generation, Device.Offline.DISABLING):
        return None
    try:
        tell(platform(), switch_of(device, device.listener), enabled=False)
    except PlatformError as no:
        if not no.permanent:
            raise
    return partial(settle_off, device.pk, generation)
