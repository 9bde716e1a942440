"""Looking at plays before they are reported: those that cannot be honest are flagged, and held where so set."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.db import connection

from usage.honesty import A_DAY, Claim, Flag, Stretch, crowded, flags_of
from usage.models import PlayState
from usage.registry import granted, places

# What is about to go out. Whoever judges and whoever cuts must mean the same plays.
OLDEST: Final = """
    SELECT * FROM usage_play
     WHERE state = 'WAITING' AND batch_id IS NULL AND played_at <= %(settled)s
     ORDER BY played_at, id LIMIT %(limit)s
"""
CLAIMS: Final = f"""
    SELECT p.id, p.listener_id, p.track_id, extract(epoch FROM p.played_at)::float8, p.seconds_played,
           extract(epoch FROM p.received_at)::float8, coalesce(t.duration_seconds, 0)
      FROM ({OLDEST}) p
      LEFT JOIN catalogue_track t ON t.id = p.track_id
     WHERE NOT p.flags && ARRAY['RELEASED']::varchar[]
"""  # noqa: S608
# All that the same listeners listened to around those plays, but for what is not believed.
AROUND: Final = """
    SELECT p.listener_id, extract(epoch FROM p.played_at)::float8, p.id, p.seconds_played
      FROM unnest(%(listeners)s::uuid[], %(starts)s::float8[], %(ends)s::float8[]) AS a (who, start, stop)
      JOIN usage_play p ON p.listener_id = a.who AND p.played_at BETWEEN to_timestamp(a.start) AND to_timestamp(a.stop)
     WHERE p.state NOT IN ('HELD', 'REJECTED')
"""
FLAG: Final = """
    UPDATE usage_play p SET flags = string_to_array(f.flags, ' '), state = %(state)s
      FROM unnest(%(listeners)s::uuid[], %(plays)s::bigint[], %(flags)s::text[]) AS f (listener_id, id, flags)
     WHERE p.listener_id = f.listener_id AND p.id = f.id AND p.state = 'WAITING'
"""


def judge_waiting(*, settled: datetime, limit: int) -> int:
    """Flag those of the oldest waiting plays that cannot be honest; how many are held. In the batcher's transaction.

    With settings.USAGE_HONESTY at hold they wait for a person (`usage.held`), else they go on flagged.
    A play that a person has let go is not looked at again.
    """
    with connection.cursor() as cursor:
        cursor.execute(CLAIMS, {"settled": settled, "limit": limit})
        claims = [Claim(*row) for row in cursor.fetchall()]
    flags: dict[int, set[Flag]] = defaultdict(set)
    for claim_id, flag in testimony(claims):
        flags[claim_id].add(flag)
    hold = settings.USAGE_HONESTY == "hold"
    if flags:
        write_down(
            [claim for claim in claims if claim.id in flags], flags, PlayState.HELD if hold else PlayState.WAITING
        )
    return len(flags) if hold else 0


def testimony(claims: Sequence[Claim]) -> Iterator[tuple[int, Flag]]:
    """Everything odd about these plays."""
    vouched = granted(claims)
    for claim in claims:
        yield from ((claim.id, flag) for flag in flags_of(claim))
        if claim.id not in vouched:
            yield claim.id, Flag.NO_GRANT
    judged = {claim.id for claim in claims}
    around = plays_around(claims)
    for listener, devices in places(around).items():
        yield from crowded(around[listener], judged=judged, places=devices)


def plays_around(claims: Sequence[Claim]) -> dict[UUID, list[Stretch]]:
    """Each listener's plays from a day before the first of these to the last."""
    times: dict[UUID, list[float]] = defaultdict(list)
    for claim in claims:
        times[claim.listener_id].append(claim.played_at)
    wish: dict[str, Any] = {
        "listeners": list(times),
        "starts": [min(instants) - A_DAY for instants in times.values()],
        "ends": [max(instants) + 1 for instants in times.values()],
    }
    around: dict[UUID, list[Stretch]] = defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(AROUND, wish)
        for listener, *stretch in cursor.fetchall():
            around[listener].append(Stretch(*stretch))
    return around


def write_down(claims: Sequence[Claim], flags: dict[int, set[Flag]], state: PlayState) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            FLAG,
            {
                "state": state,
                "listeners": [claim.listener_id for claim in claims],
                "plays": [claim.id for claim in claims],
                "flags": [" ".join(sorted(flags[claim.id])) for claim in claims],
            },
        )
