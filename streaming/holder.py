"""The one-device rule, decided by one statement (Streaming guide §4, "Preventing concurrent playback").

A plays; B starts and takes over. A may finish the track it has, and is then refused until its
block ends; after that A may take over in turn, and B is refused. A holder whose track has ended, or
who gave up, is not displaced but gone, and nobody is refused. Where the plan lets several devices stream,
the one is displaced whose track ends first.

The same statement asks whether the listener may stream the track at all, and writes down what was
granted, so that a stream costs one round trip. It says yes or no; `streaming.entitlement` says why not.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from django.db import connection

from catalogue.licensors import listed_licensors

# clock_timestamp() and not now(): a claim that waited for another's row lock must see the time after it.
# A crash may forget the last claims, and the platform's own rule stands behind this one: so the commit
# does not wait for the disk.
CLAIM: Final = """
    WITH granted AS (
        SELECT l.id, l.platform_id, l.country, t.id AS track_id, t.release_id, t.duration_seconds, paid.streams
          FROM accounts_listener l JOIN accounts_user u ON u.id = l.user_id AND u.is_active
          CROSS JOIN LATERAL (
              SELECT max(p.concurrent_streams) AS streams
                FROM subscriptions_subscription s JOIN subscriptions_plan p ON p.code = s.plan_id
               WHERE s.listener_id = l.id AND s.entitled_from <= %(now)s AND s.entitled_until > %(now)s
          ) paid,
               catalogue_track t JOIN catalogue_release r ON r.id = t.release_id
         WHERE l.id = %(listener)s AND l.closed_at IS NULL AND t.id = %(track)s AND paid.streams IS NOT NULL
           AND t.release_id = coalesce(%(release)s, t.release_id)
           AND (r.licensor_id = ANY (%(licensors)s::int[]) OR %(licensors)s::int[] IS NULL)
           AND t.gone_at IS NULL AND r.taken_down_at IS NULL AND NOT (t.explicit AND l.explicit_filter)
           AND EXISTS (SELECT 1 FROM catalogue_offer o JOIN catalogue_region g ON g.id = o.region_id
                        WHERE o.track_id = t.id AND o.use = 'STREAM' AND l.country = ANY (g.territories)
                          AND o.starts_at <= %(now)s AND (o.ends_at IS NULL OR o.ends_at > %(now)s))
    ), claimed AS (
        INSERT INTO streaming_streamholder AS h
               (listener_id, client_id, stream_id, track_id, since, plays_until, blocks)
        SELECT g.id, %(client)s, %(stream)s, g.track_id, clock_timestamp(),
               clock_timestamp() + g.duration_seconds * interval '1 second', '{}'::jsonb
          FROM granted g, set_config('synchronous_commit', 'off', true)
        ON CONFLICT (listener_id) DO UPDATE SET
            client_id = EXCLUDED.client_id,
            stream_id = EXCLUDED.stream_id,
            track_id = EXCLUDED.track_id,
            since = CASE WHEN h.client_id = EXCLUDED.client_id AND h.plays_until > clock_timestamp()
                         THEN h.since ELSE EXCLUDED.since END,
            plays_until = CASE WHEN h.client_id = EXCLUDED.client_id
                               THEN greatest(h.plays_until, EXCLUDED.plays_until) ELSE EXCLUDED.plays_until END,
            (others, blocks) = (
                SELECT coalesce(jsonb_object_agg(client, until) FILTER (WHERE place < streams), '{}'),
                       (SELECT coalesce(jsonb_object_agg(key, value), '{}') FROM jsonb_each(h.blocks)
                         WHERE value::float8 > extract(epoch FROM clock_timestamp()) AND key <> EXCLUDED.client_id)
                       || coalesce(jsonb_object_agg(client, extract(epoch FROM clock_timestamp()) + %(block)s)
                                   FILTER (WHERE place >= streams), '{}')
                  FROM (SELECT key AS client, value::float8 AS until,
                               row_number() OVER (ORDER BY value::float8 DESC) AS place
                          FROM jsonb_each(h.others
                                          || jsonb_build_object(h.client_id, extract(epoch FROM h.plays_until)))
                         WHERE key <> EXCLUDED.client_id
                           AND value::float8 > extract(epoch FROM clock_timestamp())) playing,
                       (SELECT streams FROM granted) allowed
            )
        WHERE coalesce((h.blocks ->> EXCLUDED.client_id)::float8, 0) <= extract(epoch FROM clock_timestamp())
        RETURNING h.listener_id
    ), noted AS (
        INSERT INTO streaming_grant
               (listener_id, issued_at, stream_id, track_id, release_id, format_id, client_id, country, offline)
        SELECT g.id, clock_timestamp(), %(stream)s, g.track_id, g.release_id, %(format)s, %(client)s, g.country, false
          FROM granted g, claimed
    )
    SELECT g.platform_id, g.country, g.release_id FROM granted g, claimed
"""
BLOCKED: Final = """
    SELECT coalesce(nullif(d.name, ''), h.client_id), to_timestamp((h.blocks ->> %(client)s)::float8), clock_timestamp()
      FROM streaming_streamholder h LEFT JOIN streaming_device d USING (listener_id, client_id)
     WHERE listener_id = %(listener)s
"""
RELEASE: Final = """
    UPDATE streaming_streamholder SET
           plays_until = CASE WHEN client_id = %(client)s THEN greatest(since, clock_timestamp()) ELSE plays_until END,
           others = others - %(client)s::text
     WHERE listener_id = %(listener)s
       AND ((client_id = %(client)s AND plays_until > clock_timestamp()) OR jsonb_exists(others, %(client)s::text))
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Grant:
    """What a signed URL needs to know of a listener and a track."""

    platform_id: str
    country: str
    release_id: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Blocked:
    """This device was displaced: by which one (its name, or else its id), until when, and how many seconds that is."""

    holder: str
    until: datetime
    seconds: float


def claim_stream(
    *,
    listener_id: UUID,
    client_id: str,
    stream_id: UUID,
    track_id: int,
    format_id: int,
    now: datetime,
    block_seconds: int,
    release_id: int | None = None,
) -> Grant | None:
    """Let `client_id` hold the listener's stream for this track; None when that may not be.

    A `release_id`, where given, must be the track's.
    `now` decides about subscription and offers, PostgreSQL's own clock about devices.
    """
    wish = {"listener": listener_id, "client": client_id, "stream": stream_id, "track": track_id}
    wish |= {"format": format_id, "release": release_id, "licensors": listed_licensors()}
    with connection.prepared() as cursor:  # type: ignore[attr-defined]
        cursor.execute(CLAIM, wish | {"now": now, "block": block_seconds})
        row = cursor.fetchone()
    return row and Grant(platform_id=row[0], country=row[1], release_id=row[2])


def blocked(*, listener_id: UUID, client_id: str) -> Blocked | None:
    """The block of a displaced device; None when it has none that still runs."""
    with connection.prepared() as cursor:  # type: ignore[attr-defined]
        cursor.execute(BLOCKED, {"listener": listener_id, "client": client_id})
        row = cursor.fetchone()
    if row is None or row[1] is None or row[1] <= row[2]:
        return None
    holder, until, now = row
    return Blocked(holder=holder, until=until.astimezone(UTC), seconds=(until - now).total_seconds())


def release_stream(*, listener_id: UUID, client_id: str) -> bool:
    """Give the stream up, so that another device displaces nobody; False when this device did not hold it."""
    with connection.prepared() as cursor:  # type: ignore[attr-defined]
        cursor.execute(RELEASE, {"listener": listener_id, "client": client_id})
        return int(cursor.rowcount) == 1
