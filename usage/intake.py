"""Taking plays in: durable and deduplicated before the answer, at the speed of a COPY.

The rows go by binary COPY into a temporary table of the connection, and from there by one
statement into the ledger. Which play ids are new is decided by `usage_playkey`'s primary key.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID
from weakref import WeakSet

from django.db import connection, transaction

from accounts.actions import AccountClosed
from accounts.models import Listener
from kernel.errors import Kind, Refusal
from usage.rules import Fault, Reported, fault_in

STAGE: Final = """
    CREATE TEMPORARY TABLE IF NOT EXISTS usage_incoming (
        index int, play_id uuid, fingerprint bigint, track_id int, release_id int, format_id int,
        played_at timestamptz, seconds_played int, mode text, user_agent text, source text, source_id text
    ) ON COMMIT DELETE ROWS
"""
COPY: Final = "COPY usage_incoming FROM STDIN (FORMAT BINARY)"
TYPES: Final = ["int4", "uuid", "int8", "int4", "int4", "int4", "timestamptz", "int4", "text", "text", "text", "text"]

# Every key that is new brings its play along. Keys are inserted in their own order, so that two
# requests with the same plays wait for each other instead of deadlocking.
TAKE: Final = """
    WITH fresh AS (
        INSERT INTO usage_playkey AS k (listener_id, play_id, fingerprint)
        SELECT %(listener)s::uuid, i.play_id, i.fingerprint
          FROM usage_incoming i JOIN catalogue_track t ON t.id = i.track_id
         ORDER BY i.play_id
        ON CONFLICT DO NOTHING
        RETURNING k.play_id
    ), taken AS (
        INSERT INTO usage_play (listener_id, country, play_id, track_id, release_id, format_id,
                                played_at, seconds_played, mode, user_agent, source, source_id)
        SELECT %(listener)s::uuid, %(country)s, i.play_id, i.track_id, i.release_id, i.format_id,
               i.played_at, i.seconds_played, i.mode, i.user_agent, i.source, i.source_id
          FROM usage_incoming i JOIN fresh USING (play_id)
         ORDER BY i.index
    )
    SELECT i.index FROM usage_incoming i LEFT JOIN fresh f USING (play_id) WHERE f.play_id IS NULL
"""
# What was not new: known already with the same content, known with another, or of an unknown track.
LEFT: Final = """
    SELECT i.index, k.fingerprint = i.fingerprint
      FROM usage_incoming i
      LEFT JOIN usage_playkey k ON k.listener_id = %(listener)s::uuid AND k.play_id = i.play_id
     WHERE i.index = ANY (%(left)s)
"""

_staged: WeakSet[Any] = WeakSet()


class NeverSubscribed(Refusal):
    """The platform takes no plays of a listener who never had a subscription (its code 1003)."""

    code, kind, platform_code = "no_subscription", Kind.DENIED, 1003


@dataclass(frozen=True, kw_only=True)
class Intake:
    """What became of a request's plays; every index is counted exactly once."""

    accepted: int
    duplicates: int
    rejected: tuple[Fault, ...]


def take_plays(
    *, listener_id: UUID, plays: Sequence[Reported], malformed: Sequence[Fault] = (), now: datetime
) -> Intake:
    """Put plays into the ledger, each once for ever by (listener, play_id).

    A bad play never costs a good one. Sent again, a play is a duplicate and harmless; the same id
    with other content is refused as `play_id_conflict` and the first stands. `malformed` are faults
    found earlier, to be told with the rest. Raises NeverSubscribed or AccountClosed.
    """
    country = reportable_country(listener_id)
    faults = list(malformed)
    duplicates = 0
    good: dict[UUID, Reported] = {}
    for play in plays:
        if fault := fault_in(play, now=now):
            faults.append(fault)
        elif (twin := good.setdefault(play.play_id, play)) is not play:
            if twin.fingerprint() == play.fingerprint():
                duplicates += 1
            else:
                faults.append(conflict(play))
    left = store(listener_id, country, list(good.values())) if good else []
    for play, was_known in left:
        if was_known is None:
            faults.append(unknown_track(play))
        elif was_known:
            duplicates += 1
        else:
            faults.append(conflict(play))
    faults.sort(key=lambda fault: fault.index)
    return Intake(accepted=len(good) - len(left), duplicates=duplicates, rejected=tuple(faults))


def reportable_country(listener_id: UUID) -> str:
    """The country the listener lives in. Raises NeverSubscribed or AccountClosed."""
    row = Listener.objects.filter(pk=listener_id).values_list("country", "subscribed_since", "closed_at").first()
    if row is None or row[2] is not None:
        raise AccountClosed("this account is closed")
    country, subscribed_since, _ = row
    if subscribed_since is None:
        raise NeverSubscribed("plays are taken from listeners who have, or had, a subscription")
    return country


def store(listener_id: UUID, country: str, plays: Sequence[Reported]) -> list[tuple[Reported, bool | None]]:
    """Write what is new, in one transaction.

    The plays that were not, each with True when it is known with the same content, False when with
    another, None when its track is unknown.
    """
    by_index = {play.index: play for play in plays}
    ensure_stage()
    with transaction.atomic(), connection.cursor() as cursor:
        with cursor.copy(COPY) as copy:
            copy.set_types(TYPES)
            for play in plays:
                copy.write_row(row_of(play))
        cursor.execute(TAKE, {"listener": listener_id, "country": country})
        left = [index for (index,) in cursor.fetchall()]
        if not left:
            return []
        cursor.execute(LEFT, {"listener": listener_id, "left": left})
        return [(by_index[index], same) for index, same in cursor.fetchall()]


def ensure_stage() -> None:
    """The connection's own empty staging table, made once per connection.

    Within somebody's transaction (a test's) it may have been rolled away, or still hold rows.
    """
    connection.ensure_connection()
    raw = connection.connection
    if raw not in _staged or connection.in_atomic_block:
        with connection.cursor() as cursor:
            cursor.execute(STAGE)
            cursor.execute("TRUNCATE usage_incoming")
        if not connection.in_atomic_block:
            _staged.add(raw)


def row_of(play: Reported) -> tuple[Any, ...]:
    """The play in the staging table's columns."""
    return (
        play.index,
        play.play_id,
        play.fingerprint(),
        play.track_id,
        play.release_id,
        play.format_id,
        play.played_at,
        play.seconds_played,
        play.mode.value,
        play.user_agent,
        play.source,
        play.source_id,
    )


def conflict(play: Reported) -> Fault:
    detail = "this play_id has been reported with other content"
    return Fault(index=play.index, play_id=str(play.play_id), code="play_id_conflict", detail=detail)


def unknown_track(play: Reported) -> Fault:
    detail = "there is no such track"
    return Fault(index=play.index, play_id=str(play.play_id), code="track_not_found", detail=detail)
