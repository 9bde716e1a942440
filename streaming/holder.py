"""The one-device rule, decided by one statement (Streaming guide §4, "Preventing concurrent playback").

A plays; B starts and takes over. A may finish the track it has, and is then refused until its
block ends; after that A may take over in turn, and B is refused. A holder whose track has ended, or
who gave up, is not displaced but gone, and nobody is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from django.db import connection

# clock_timestamp() and not now(): a claim that waited for another's row lock must see the time after it.
# A crash may forget the last claims, and the platform's own rule stands behind this one: so the commit
# does not wait for the disk.
CLAIM: Final = """
    INSERT INTO streaming_streamholder AS h (listener_id, client_id, stream_id, track_id, since, plays_until, blocks)
    SELECT %(listener)s, %(client)s, %(stream)s, %(track)s, clock_timestamp(),
           clock_timestamp() + %(seconds)s * interval '1 second', '{}'::jsonb
      FROM set_config('synchronous_commit', 'off', true)
    ON CONFLICT (listener_id) DO UPDATE SET
        client_id = EXCLUDED.client_id,
        stream_id = EXCLUDED.stream_id,
        track_id = EXCLUDED.track_id,
        since = CASE WHEN h.client_id = EXCLUDED.client_id AND h.plays_until > clock_timestamp()
                     THEN h.since ELSE EXCLUDED.since END,
        plays_until = CASE WHEN h.client_id = EXCLUDED.client_id
                           THEN greatest(h.plays_until, EXCLUDED.plays_until) ELSE EXCLUDED.plays_until END,
        blocks = CASE
            WHEN h.client_id <> EXCLUDED.client_id AND h.plays_until > clock_timestamp()
            THEN (SELECT coalesce(jsonb_object_agg(key, value), '{}'::jsonb) FROM jsonb_each(h.blocks)
                   WHERE value::float8 > extract(epoch FROM clock_timestamp()) AND key <> EXCLUDED.client_id)
                 || jsonb_build_object(h.client_id, extract(epoch FROM clock_timestamp()) + %(block)s)
            ELSE h.blocks - EXCLUDED.client_id END
    WHERE coalesce((h.blocks ->> EXCLUDED.client_id)::float8, 0) <= extract(epoch FROM clock_timestamp())
    RETURNING 1
"""
BLOCKED: Final = """
    SELECT client_id, to_timestamp((blocks ->> %(client)s)::float8), clock_timestamp()
      FROM streaming_streamholder WHERE listener_id = %(listener)s
"""
RELEASE: Final = """
    UPDATE streaming_streamholder SET plays_until = greatest(since, clock_timestamp())
     WHERE listener_id = %(listener)s AND client_id = %(client)s AND plays_until > clock_timestamp()
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Blocked:
    """This device was displaced: by whom, until when, and how many seconds that is."""

    holder: str
    until: datetime
    seconds: float


def claim_stream(
    *, listener_id: UUID, client_id: str, stream_id: UUID, track_id: int, seconds: int, block_seconds: int
) -> Blocked | None:
    """Let `client_id` hold the listener's stream for a track of `seconds`; Blocked when it must wait."""
    wish = {"listener": listener_id, "client": client_id, "stream": stream_id, "track": track_id}
    with connection.prepared() as cursor:  # type: ignore[attr-defined]
        cursor.execute(CLAIM, wish | {"seconds": seconds, "block": block_seconds})
        if cursor.rowcount == 1:
            return None
        cursor.execute(BLOCKED, {"listener": listener_id, "client": client_id})
        holder, until, now = cursor.fetchone() or (client_id, None, None)
    if until is None or now is None or until <= now:  # the block ended between the two statements
        return Blocked(holder=holder, until=now or datetime.now(UTC), seconds=0)
    return Blocked(holder=holder, until=until, seconds=(until - now).total_seconds())


def release_stream(*, listener_id: UUID, client_id: str) -> bool:
    """Give the stream up, so that another device displaces nobody; False when this device did not hold it."""
    with connection.prepared() as cursor:  # type: ignore[attr-defined]
        cursor.execute(RELEASE, {"listener": listener_id, "client": client_id})
        return int(cursor.rowcount) == 1
