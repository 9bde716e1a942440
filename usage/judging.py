"""Looking at plays before they are reported: those that cannot be honest are flagged, and held where so set."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from django.conf import settings
from django.db import connection

from usage.honesty import A_DAY, Claim, Flag, Stretch, crowded, flags_of
from usage.models import PlayState
from usage.registry import granted, places

OLDEST: Final = """
    SELECT * FROM usage_play
     WHERE state = 'WAITING' AND batch_id IS NULL AND played_at <= %(settled)s
     ORDER BY played_at, id LIMIT %(limit)s
"""
# What of them may go out: others came meanwhile, and nobody has looked at those. The times only name the partitions.
JUDGED: Final = """
    state = 'WAITING' AND batch_id IS NULL AND id = ANY (%(plays)s)
    AND played_at BETWEEN to_timestamp(%(since)s) AND to_timestamp(%(until)s)
"""
CLAIMS: Final = f"""
    SELECT p.flags && ARRAY['RELEASED']::varchar[],
           p.id, p.listener_id, p.track_id, extract(epoch FROM p.played_at)::float8, p.seconds_played,
           extract(epoch FROM p.received_at)::float8, coalesce(t.duration_seconds, 0)
      FROM ({OLDEST}) p
      LEFT JOIN catalogue_track t ON t.id = p.track_id
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


class Judged(NamedTuple):
    """The plays that may go out, the times (Unix) between which they were played, and how many others are held."""

    plays: list[int]
    since: float
    until: float
    held: int


def judge_waiting(*, settled: datetime, limit: int) -> Judged:
    """Flag those of the oldest waiting plays that cannot be honest. In the batcher's transaction.

    With settings.USAGE_HONESTY at hold they wait for a person (`usage.held`), else they go on flagged.
    A play that a person has let go is not looked at again.
    """
    with connection.cursor() as cursor:
        cursor.execute(CLAIMS, {"settled": settled, "limit": limit})
        oldest = [(released, Claim(*claim)) for released, *claim in cursor.fetchall()]
    claims = [claim for released, claim in oldest if not released]
    flags: dict[int, set[Flag]] = defaultdict(set)
    for claim_id, flag in testimony(claims):
        flags[claim_id].add(flag)
    hold = settings.USAGE_HONESTY == "hold"
    if flags:
        write_down(
            [claim for claim in claims if claim.id in flags], flags, PlayState.HELD if hold else PlayState.WAITING
        )
    held = flags.keys() if hold else set()
    instants = [claim.played_at for _, claim in oldest]
    return Judged(
        plays=[claim.id for _, claim in oldest if claim.id not in held],
        since=min(instants, default=0) - 1,
        until=max(instants, default=0) + 1,
        held=len(held),
    )


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
