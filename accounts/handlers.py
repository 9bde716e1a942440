"""Accounts' calls to the platform."""

from __future__ import annotations

from contextlib import suppress

from django.db.models.functions import Now

from accounts.models import Listener
from massivemusic.errors import AlreadyExists
from massivemusic.users import create_user
from outbox.platform import platform
from outbox.registry import Delivery, Record, handles


@handles("listener.create")
def create_on_platform(delivery: Delivery) -> Record:
    """Create the listener's platform user (Streaming guide §2.1).

    Twice is once: 2003 "already exists" is our own earlier success, since nobody else knows the id.
    """
    listener = Listener.objects.get(platform_id=delivery.key)
    with suppress(AlreadyExists):
        create_user(platform(), user_id=listener.platform_id, country=listener.country)

    def record() -> None:
        Listener.objects.filter(pk=listener.pk).update(on_platform_since=Now())

    return record
