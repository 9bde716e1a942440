"""A breaker per neighbour, kept in PostgreSQL so that all workers share it."""

from __future__ import annotations

from typing import Final

from django.db import connection
from django.db.models.functions import Now

from outbox.models import Circuit

PLATFORM: Final = "platform"
BUCKET: Final = "bucket"
IMAGES: Final = "images"
NOBODY: Final = "nobody"  # of messages that cost no call: they neither wait for a neighbour nor say that one is well
FAILURES_TO_OPEN: Final = 5
REST_SECONDS: Final = 30

TROUBLED: Final = "SELECT name FROM outbox_circuit WHERE failures > 0 OR open_until IS NOT NULL"
ALLOW = """
    UPDATE outbox_circuit SET open_until = statement_timestamp() + %(rest)s * interval '1 second'
     WHERE name = %(name)s AND open_until <= statement_timestamp()
"""
FAILED = """
    INSERT INTO outbox_circuit AS c (name, failures) VALUES (%(name)s, 1)
    ON CONFLICT (name) DO UPDATE SET
        failures = c.failures + 1,
        open_until = CASE WHEN c.failures + 1 >= %(limit)s
                          THEN statement_timestamp() + %(rest)s * interval '1 second' END
"""


def troubled() -> set[str]:
    """The neighbours that failed last, resting or not; usually none."""
    with connection.prepared() as cursor:  # type: ignore[attr-defined]
        cursor.execute(TROUBLED)
        return {name for (name,) in cursor.fetchall()}


def allows(name: str) -> bool:
    """Whether a call may go out now: the circuit is closed, or this caller has won the one probe of this rest."""
    if not Circuit.objects.filter(name=name, open_until__isnull=False).exists():
        return True
    with connection.cursor() as cursor:
        cursor.execute(ALLOW, {"name": name, "rest": REST_SECONDS})
        return int(cursor.rowcount) == 1


def failed(name: str) -> None:
    """Count a failure; the fifth in a row opens the circuit, every later one keeps it open."""
    with connection.cursor() as cursor:
        cursor.execute(FAILED, {"name": name, "rest": REST_SECONDS, "limit": FAILURES_TO_OPEN})


def unasked(name: str) -> None:
    """Give a probe back that has asked nothing: the next caller may make it at once."""
    Circuit.objects.filter(name=name, open_until__isnull=False).update(open_until=Now())


def succeeded(name: str) -> None:
    """Close the circuit; costs nothing while it is closed and clean."""
    Circuit.objects.filter(name=name, failures__gt=0).update(failures=0, open_until=None)
