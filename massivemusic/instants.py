"""Instants as the platform writes and reads them: ISO 8601, UTC, `Z`, whole seconds."""

from __future__ import annotations

from datetime import UTC, datetime

from kernel.values import rfc3339


def written(instant: datetime) -> str:
    """`2026-11-21T12:00:00Z`; what is below a second is dropped. Raises ValueError when naive."""
    return rfc3339(instant.replace(microsecond=0))


def read(text: object) -> datetime:
    """The instant in an answer, in UTC. Without an offset it is taken for UTC, as the guides promise.

    Raises ValueError for anything else.
    """
    if not isinstance(text, str):
        raise ValueError("not an instant")
    instant = datetime.fromisoformat(text)
    try:
        return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
    except OverflowError:
        raise ValueError("outside the calendar") from None
