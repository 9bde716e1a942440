"""How reporting gets on, for the people who watch it: what came, how long it took, and what waits for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import connection

from desk.cells import capped
from usage.models import FOR_PEOPLE, PlayState

HOURS: Final = 48
MOST: Final = 10_000  # plays of a state that are counted, batches that are measured

# Found by their place on the disk, where what came lately lies together.
ARRIVALS: Final = """
    SELECT date_trunc('hour', received_at),
           count(*) FILTER (WHERE state = 'SENT'),
           count(*) FILTER (WHERE state IN ('WAITING', 'SENDING')),
           count(*) FILTER (WHERE state NOT IN ('SENT', 'WAITING', 'SENDING'))
      FROM usage_play WHERE received_at >= %(since)s
     GROUP BY 1
"""
DELAYS: Final = """
    SELECT date_trunc('hour', created_at),
           percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM answered_at - created_at)),
           percentile_cont(0.95) WITHIN GROUP (ORDER BY extract(epoch FROM answered_at - created_at))
      FROM (SELECT created_at, answered_at FROM usage_playbatch WHERE state BETWEEN 'SENT' AND 'SENT'
             ORDER BY state, id DESC LIMIT %(most)s) AS newest
     WHERE created_at >= %(since)s AND answered_at IS NOT NULL
     GROUP BY 1
"""
WAITING: Final = """
    SELECT count(*), min(played_at)
      FROM (SELECT played_at FROM usage_play WHERE state = 'WAITING' AND batch_id IS NULL
             ORDER BY played_at LIMIT %(most)s) AS oldest
"""
OF_STATE: Final = """
    SELECT s.state, count(p.played_at), min(p.played_at)
      FROM unnest(%(states)s::text[]) AS s (state)
      LEFT JOIN LATERAL (SELECT played_at FROM usage_play
                          WHERE state = s.state AND state IN ('HELD', 'IN_DOUBT', 'REJECTED', 'EXPIRED')
                          ORDER BY played_at LIMIT %(most)s) AS p ON true
     GROUP BY 1
"""
REASONS: Final = """
    SELECT state, coalesce(platform_code::text, nullif(array_to_string(flags, ' + '), ''), ''), count(*)
      FROM (SELECT state, platform_code, flags FROM usage_play WHERE state IN ('HELD', 'REJECTED') LIMIT %(most)s) AS p
     GROUP BY 1, 2 ORDER BY 3 DESC LIMIT 20
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Hour:
    """The plays that came within an hour, by what has become of them, and how long its batches took to be answered:
    the half of them, and all but a twentieth, in seconds; None where none was answered."""

    starts_at: datetime
    sent: int = 0
    on_the_way: int = 0
    for_people: int = 0
    median_seconds: float | None = None
    slow_seconds: float | None = None

    @property
    def plays(self) -> int:
        return self.sent + self.on_the_way + self.for_people


@dataclass(frozen=True, kw_only=True, slots=True)
class Pile:
    """Plays that stand somewhere: how many, MOST at the most, and when the oldest of them was played."""

    state: PlayState
    count: int
    oldest: datetime | None

    @property
    def counted(self) -> str:
        return capped(self.count, MOST)


def hours(*, now: datetime) -> list[Hour]:
    """The last two days, hour by hour, this one last; those without plays too."""
    this = now.replace(minute=0, second=0, microsecond=0)
    starts = [this - timedelta(hours=ago) for ago in range(HOURS - 1, -1, -1)]
    wish: dict[str, Any] = {"since": starts[0], "most": MOST}
    with connection.cursor() as cursor:
        cursor.execute(ARRIVALS, wish)
        found: dict[datetime, dict[str, Any]] = {
            at: {"sent": sent, "on_the_way": under_way, "for_people": for_people}
            for at, sent, under_way, for_people in cursor.fetchall()
        }
        cursor.execute(DELAYS, wish)
        for at, median, slow in cursor.fetchall():
            found.setdefault(at, {}).update(median_seconds=median, slow_seconds=slow)
    return [Hour(starts_at=at, **found.get(at, {})) for at in starts]


def piles() -> list[Pile]:
    """What waits for a batch, and what waits for a person or is past waiting."""
    with connection.cursor() as cursor:
        cursor.execute(WAITING, {"most": MOST})
        count, oldest = cursor.fetchone()
        cursor.execute(OF_STATE, {"states": [state.value for state in FOR_PEOPLE], "most": MOST})
        others = {state: Pile(state=PlayState(state), count=n, oldest=at) for state, n, at in cursor.fetchall()}
    return [Pile(state=PlayState.WAITING, count=count, oldest=oldest), *(others[state] for state in FOR_PEOPLE)]


def reasons() -> Sequence[tuple[str, str, int]]:
    """Why plays are held or were refused: the state, the platform's code or our flags, and how many."""
    with connection.cursor() as cursor:
        cursor.execute(REASONS, {"most": MOST})
        return [(name, why, count) for name, why, count in cursor.fetchall()]
