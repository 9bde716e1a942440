"""Taking plays in: durable and deduplicated before the answer, at the speed of a COPY.

The rows go by binary COPY into a temporary table of the connection, and from there by one
statement into the ledger. Which play ids are new is decided by `usage_playkey`'s primary key.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias
from uuid import UUID

from django.db import connection, transaction
from msgspec import structs

from accounts.actions import AccountClosed
from accounts.models import Listener
from kernel.errors import Kind, Refusal
from usage.rules import (
    USER_AGENT_LIMIT,
    Fault,
    Intake,
    Reported,
    conflict,
    fault_in,
    set_right,
    skew_of,
    unknown_track,
    wrong,
)

STAGE: Final = """
    CREATE TEMPORARY TABLE IF NOT EXISTS usage_incoming (
        index int, play_id uuid, fingerprint bigint, track_id int, release_id int, format_id int,
        played_at timestamptz, seconds_played int, mode text, user_agent text, source text, source_id text
    ) ON COMMIT DELETE ROWS
"""
COPY: Final = "COPY usage_incoming FROM STDIN (FORMAT BINARY)"
TYPES: Final = ["int4", "uuid", "int8", "int4", "int4", "int4", "timestamptz", "int4", "text", "text", "text", "text"]

# Every key that is new brings its play along. Keys are inserted in their own order, so that two
# requests with the same plays wait for each other instead of deadlocking. A listener whose plays
# nobody would take brings nothing, nor does a track of no release: of several plays with one id, the
# first that the catalogue knows has it. A play's country is where they lived when it was played;
# before their first residence, where they lived first.
TAKE: Final = """
    WITH teller AS (
        SELECT id, country, (SELECT count(*) > 1 FROM accounts_residence r WHERE r.listener_id = l.id) AS moved
          FROM accounts_listener l
         WHERE id = %(listener)s AND closed_at IS NULL AND subscribed_since IS NOT NULL
    ), fresh AS (
        INSERT INTO usage_playkey AS k (listener_id, play_id, fingerprint)
        SELECT l.id, i.play_id, i.fingerprint
          FROM usage_incoming i JOIN catalogue_track t ON t.id = i.track_id AND t.release_id = i.release_id, teller l
         ORDER BY i.play_id, i.index
        ON CONFLICT DO NOTHING
        RETURNING k.play_id, k.fingerprint
    ), taken AS (
        INSERT INTO usage_play (listener_id, country, play_id, track_id, release_id, format_id,
                                played_at, seconds_played, mode, user_agent, source, source_id, skew_seconds)
        SELECT l.id,
               CASE WHEN NOT l.moved THEN l.country ELSE (
                   SELECT r.country FROM accounts_residence r WHERE r.listener_id = l.id
                    ORDER BY r.since <= i.played_at DESC, abs(extract(epoch FROM r.since - i.played_at)) LIMIT 1
               ) END,
               i.play_id, i.track_id, i.release_id, i.format_id, i.played_at,
               i.seconds_played, i.mode, i.user_agent, i.source, i.source_id, %(skew)s
          FROM usage_incoming i JOIN fresh USING (play_id, fingerprint), teller l
         ORDER BY i.index
    )
    SELECT i.index FROM usage_incoming i LEFT JOIN fresh f USING (play_id, fingerprint) WHERE f.play_id IS NULL
"""
# What was not new: the fingerprint under which it is known, if it is, and the release its track is on.
LEFT: Final = """
    SELECT i.index, k.fingerprint, t.release_id
      FROM usage_incoming i
      LEFT JOIN usage_playkey k ON k.listener_id = %(listener)s AND k.play_id = i.play_id
      LEFT JOIN catalogue_track t ON t.id = i.track_id
     WHERE i.index = ANY (%(left)s)
"""

Name: TypeAlias = tuple[UUID, int]
"""A play's id, and the fingerprint of what it says: of those that share both, only the first is looked at."""


class NeverSubscribed(Refusal):
    """The platform takes no plays of a listener who never had a subscription."""

    code, kind, platform_code = "no_subscription", Kind.DENIED, 2002


def take_plays(
    *,
    listener_id: UUID,
    plays: Sequence[tuple[int, Reported]],
    malformed: Sequence[Fault] = (),
    sent_at: datetime | None = None,
    now: datetime,
) -> Intake:
    """Put plays into the ledger, each once for ever by (listener, play_id).

    A bad play never costs a good one. Sent again, a play is a duplicate and harmless; the same id
    with other content is refused as `play_id_conflict` and the first stands. `plays` come with their
    positions in the request; `malformed` are faults found earlier, to be told with the rest. `sent_at` is what the
    device's clock showed as it sent them: where it is off by more than a minute, every `played_at` is set right by it.
    Raises NeverSubscribed or AccountClosed.
    """
    faults, skew = list(malformed), skew_of(sent_at, now=now)
    good: dict[Name, tuple[int, Reported]] = {}
    repeats: list[tuple[int, int]] = []
    for index, play in plays:
        if detail := fault_in(play, played_at=set_right(play.played_at, skew), now=now):
            faults.append(wrong(index, play.play_id, detail))
        elif (first := good.setdefault((play.play_id, play.fingerprint()), (index, play))[0]) != index:
            repeats.append((index, first))
    left = store(listener_id, good, skew=skew) if good else []
    if len(left) == len(good):
        check_teller(listener_id)  # nothing was taken: perhaps because of who tells it
    refused = {not_taken.index: no for not_taken in left if (no := not_taken.fault()) is not None}
    refused |= {index: structs.replace(refused[first], index=index) for index, first in repeats if first in refused}
    accepted = len(good) - len(left)
    return Intake(
        accepted=accepted,
        duplicates=len(good) + len(repeats) - accepted - len(refused),
        rejected=tuple(sorted([*faults, *refused.values()], key=lambda fault: fault.index)),
    )


@dataclass(frozen=True, kw_only=True)
class NotTaken:
    """A play that was not new, and what the ledger and the mirror know of it.

    `known_as` is the fingerprint of the play that has its id, unless that one came after it.
    """

    index: int
    play: Reported
    known_as: int | None
    release_id: int | None

    def fault(self) -> Fault | None:
        """Why it was refused; None for one that has been taken before."""
        if self.known_as is not None:
            return None if self.known_as == self.play.fingerprint() else conflict(self.index, self.play.play_id)
        if self.release_id is None:
            return unknown_track(self.index, self.play.play_id)
        return wrong(self.index, self.play.play_id, "release_id: the track is not on this release")


def check_teller(listener_id: UUID) -> None:
    """Raise NeverSubscribed or AccountClosed where nothing this listener tells can be taken."""
    row = Listener.objects.filter(pk=listener_id).values_list("subscribed_since", "closed_at").first()
    if row is None or row[1] is not None:
        raise AccountClosed("this account is closed")
    if row[0] is None:
        raise NeverSubscribed("plays are taken from listeners who have, or had, a subscription")


def store(listener_id: UUID, plays: Mapping[Name, tuple[int, Reported]], *, skew: timedelta) -> list[NotTaken]:
    """Write what is new, in one transaction; the plays that were not."""
    connection.stage("usage_incoming", STAGE)  # type: ignore[attr-defined]
    with transaction.atomic(), connection.prepared() as cursor:  # type: ignore[attr-defined]
        with cursor.copy(COPY) as copy:
            copy.set_types(TYPES)
            for (_, fingerprint), (index, play) in plays.items():
                copy.write_row(row_of(index, play, fingerprint, skew))
        cursor.execute(TAKE, {"listener": listener_id, "skew": int(skew.total_seconds())})
        left = [index for (index,) in cursor.fetchall()]
        if not left:
            return []
        cursor.execute(LEFT, {"listener": listener_id, "left": left})
        by_index = dict(plays.values())
        taken = {by_index[index].play_id: index for index in by_index.keys() - set(left)}
        return [
            NotTaken(
                index=index,
                play=by_index[index],
                known_as=known_as if taken.get(by_index[index].play_id, -1) < index else None,
                release_id=release_id,
            )
            for index, known_as, release_id in cursor.fetchall()
        ]


def row_of(index: int, play: Reported, fingerprint: int, skew: timedelta) -> tuple[Any, ...]:
    """The play in the staging table's columns."""
    return (
        index,
        play.play_id,
        fingerprint,
        play.track_id,
        play.release_id,
        play.format_id,
        play.played_at + skew,
        play.seconds_played,
        play.mode,
        play.user_agent[:USER_AGENT_LIMIT],
        play.source or "",
        play.source_id or "",
    )
