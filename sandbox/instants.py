"""Points in time as text: ISO 8601, in and out. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime

SHAPE = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d([.,]\d{1,9})?)?([Zz]|[+-]\d\d:?\d\d)")


def parse(text: str) -> datetime:
    """An ISO 8601 date and time with its offset, as UTC. Raises ValueError; a naive time is one (our choice)."""
    if not SHAPE.fullmatch(text.strip()):
        raise ValueError("not an ISO 8601 date-time with an offset")
    try:
        return datetime.fromisoformat(text.strip().upper().replace(",", ".")).astimezone(UTC)
    except OverflowError as error:
        raise ValueError("outside the calendar") from error


def iso(instant: datetime) -> str:
    """`2026-11-21T12:00:00Z`, with a fraction only where there is one."""
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")
