"""Monthly partitions of the ledger and of its like, made ahead of time."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from datetime import UTC, datetime
from typing import Any, Final

from django.db import connection

from kernel.values import add_months

BACK, AHEAD = 3, 2  # months: 61 days of late plays, and some notice if nobody looks
CREATE: Final = (
    "CREATE TABLE IF NOT EXISTS {table}_{name} PARTITION OF {table} FOR VALUES FROM ('{start}') TO ('{end}')"
)
MONTHS: Final = """
    SELECT relid::regclass::text FROM pg_partition_tree(%s)
     WHERE isleaf AND relid::regclass::text ~ '_[0-9]{4}_[0-9]{2}$'
"""


def ensure_partitions(*, now: datetime, table: str = "usage_play", cursor: Any = None) -> list[str]:
    """Make a table's partitions from three months back to two ahead; their names. Safe to repeat."""
    month = first_of_month(now)
    starts = [add_months(month, step) for step in range(-BACK, AHEAD + 1)]
    names = [f"{start:%Y_%m}" for start in starts]
    with nullcontext(cursor) if cursor else connection.cursor() as hand:
        for name, start in zip(names, starts, strict=True):
            end = add_months(start, 1)
            hand.execute(CREATE.format(table=table, name=name, start=start.isoformat(), end=end.isoformat()))
    return names


def drop_partitions(
    *, now: datetime, table: str, months: int, unless: Callable[[str], bool] = lambda _: False
) -> list[str]:
    """Drop a table's partitions of months that ended so many months ago, `unless` one may not go; their names."""
    oldest = f"{table}_{add_months(first_of_month(now), -months):%Y_%m}"
    with connection.cursor() as hand:
        hand.execute(MONTHS, [table])
        gone = sorted(name for (name,) in hand.fetchall() if name < oldest and not unless(name))
        for name in gone:
            hand.execute(f"DROP TABLE {name}")
    return gone


def first_of_month(now: datetime) -> datetime:
    return now.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
