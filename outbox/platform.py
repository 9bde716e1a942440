"""The one client through which this process reaches the platform, made from the settings."""

from __future__ import annotations

from functools import cache

from django.conf import settings

from massivemusic.client import Client, Platform


@cache
def platform() -> Client:
    """The platform's client, as settings.MASSIVEMUSIC describes it."""
    return Client(Platform(**settings.MASSIVEMUSIC))
