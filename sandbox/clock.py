"""The platform's clock, as its date rules see it: real time, plus what the control door shifted it by.

Signatures, the journal and the one-device rule always run on real time.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import connection
from django.utils import timezone

from sandbox.models import Note


def now() -> datetime:
    with connection.cursor() as cursor:
        cursor.execute("SELECT value FROM sandbox_note WHERE name = 'clock'")
        row = cursor.fetchone()
    return timezone.now() + timedelta(seconds=float(row[0]) if row else 0)


def shift(*, offset_seconds: float) -> None:
    """Let the clock be ahead of real time by `offset_seconds`, or behind it."""
    Note.objects.update_or_create(name="clock", defaults={"value": offset_seconds})
