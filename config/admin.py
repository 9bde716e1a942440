"""The admin's frame."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest


def environment_label(request: HttpRequest) -> list[str]:
    """The badge in the admin's corner, so that nobody mistakes production for a playground."""
    return [settings.ENVIRONMENT.capitalize(), "danger" if settings.PRODUCTION else "info"]
