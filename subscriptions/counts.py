"""How many subscribers there were, by day, plan and country: out of the ledger, and so the same whenever asked."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from typing import Final, NamedTuple

from django.db import connection

DAYS_AT_MOST: Final = 400

# A day is one of UTC. Whoever changes plans in the course of it had both, and has one at its end.
COUNT: Final = """
    SELECT day::date, p.plan_id, p.country, count(DISTINCT p.listener_id),
           count(DISTINCT p.listener_id) FILTER (WHERE p.ends_at >= day + interval '1 day'),
           count(DISTINCT p.listener_id) FILTER (WHERE p.status = 'TRIALING')
      FROM generate_series(%(first)s::timestamp, %(last)s::timestamp, interval '1 day') AS days (naive),
           LATERAL (SELECT naive AT TIME ZONE 'UTC' AS day) AS d
      JOIN subscriptions_period p ON p.starts_at < day + interval '1 day' AND p.ends_at > day
     WHERE p.recorded_at <= %(known_at)s AND (p.withdrawn_at IS NULL OR p.withdrawn_at > %(known_at)s)
     GROUP BY day, p.plan_id, p.country ORDER BY day, p.plan_id, p.country
"""


class TooManyDays(ValueError):
    """The report would have no end."""


class Count(NamedTuple):
    """Listeners with a right to stream: at any time of the day, still at its end, and on a trial during it."""

    day: date
    plan: str
    country: str
    during: int
    at_end: int
    on_trial: int


def subscribers(first: date, last: date, *, known_at: datetime) -> Iterator[Count]:
    """A row for each day, plan and country with anybody, both days included, as was known at `known_at`.

    Raises TooManyDays beyond DAYS_AT_MOST.
    """
    if (last - first).days >= DAYS_AT_MOST:
        raise TooManyDays(f"at most {DAYS_AT_MOST} days at once")
    with connection.cursor() as cursor:
        cursor.execute(COUNT, {"first": first, "last": last, "known_at": known_at})
        yield from map(Count._make, cursor.fetchall())
