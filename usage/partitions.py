"""Monthly partitions of the ledger, made ahead of time."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import UTC, datetime
from typing import Any, Final

from django.db import connection

from kernel.values import add_months

BACK, AHEAD = 3, 2  # months: 61 days of late plays, and some notice if nobody looks
CREATE: Final = (
    "CREATE TABLE IF NOT EXISTS usage_play_{name} PARTITION OF usage_play FOR VALUES FROM ('{start}') TO ('{end}')"
)


def ensure_partitions(*, now: datetime, cursor: Any = None) -> list[str]:
    """Make the partitions from three months back to two ahead; their names. Safe to repeat."""
    month = now.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    starts = [add_months(month, step) for step in range(-BACK, AHEAD + 1)]
    names = [f"{start:%Y_%m}" for start in starts]
    with nullcontext(cursor) if cursor else connection.cursor() as hand:
        for name, start in zip(names, starts, strict=True):
            hand.execute(CREATE.format(name=name, start=start.isoformat(), end=add_months(start, 1).isoformat()))
    return names
