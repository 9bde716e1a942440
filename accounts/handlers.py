"""Accounts' calls to the platform."""

from __future__ import annotations

from django.db.models.functions import Now

from accounts.introducing import introduce
from accounts.models import Listener
from outbox.platform import platform
from outbox.registry import Delivery, Record, handles


@handles("listener.create")
def create_on_platform(delivery: Delivery) -> Record:
    """Create the listener's platform user (Streaming guide §2.1)."""
    listener = Listener.objects.get(platform_id=delivery.key)
    introduce(platform(), listener)

    def record() -> None:
        Listener.objects.filter(pk=listener.pk).update(on_platform_since=Now())

    return record
