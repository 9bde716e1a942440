"""From waiting plays to batches, and what became of each batch."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.conf import settings
from django.db import connection, transaction
from django.db.models.functions import Now
from django.utils import timezone

from outbox.actions import Draft, send_all
from usage.models import Play, PlayBatch, PlayState
from usage.rules import REPORTABLE, SETTLED

AT_ONCE: Final = 10_000  # plays made into batches in one transaction
LONGEST_SECONDS: Final = 30.0  # to go on batching what has piled up

log = logging.getLogger(__name__)

# One batcher at a time; a second one finds the lock taken and leaves.
LOCK: Final = "SELECT pg_try_advisory_xact_lock(hashtext('usage.batch'))"
# Oldest first, cut into batches of one listener in one country.
CHOOSE: Final = """
    WITH waiting AS (
        SELECT id, played_at, listener_id, country,
               (row_number() OVER (PARTITION BY listener_id, country ORDER BY played_at, id) - 1) / %(size)s AS part
          FROM (SELECT id, played_at, listener_id, country FROM usage_play
                 WHERE state = 'WAITING' AND batch_id IS NULL AND played_at <= %(settled)s
                 ORDER BY played_at LIMIT %(limit)s) AS oldest
    )
    SELECT w.listener_id, l.platform_id, w.country, array_agg(w.id ORDER BY w.played_at, w.id),
           array_agg(w.played_at ORDER BY w.played_at, w.id)
      FROM waiting w JOIN accounts_listener l ON l.id = w.listener_id
     GROUP BY w.listener_id, l.platform_id, w.country, w.part
     ORDER BY min(w.played_at)
"""
ASSIGN: Final = """
    UPDATE usage_play p SET batch_id = b.id
      FROM unnest(%(batches)s::bigint[], %(instants)s::timestamptz[], %(plays)s::bigint[])
           AS a (batch_id, played_at, id)
      JOIN usage_playbatch b ON b.id = a.batch_id
     WHERE p.listener_id = b.listener_id AND p.played_at = a.played_at AND p.id = a.id
"""


@dataclass(frozen=True, kw_only=True)
class Group:
    """Plays that can go out in one call, before they are a batch."""

    listener_id: Any
    platform_id: str
    country: str
    plays: list[int]
    instants: list[datetime]


def batch_all_waiting_plays(*, at_once: int = AT_ONCE, seconds: float = LONGEST_SECONDS) -> int:
    """Batch again and again until nothing waits, or the time is over; how many plays were batched."""
    end, done = time.monotonic() + seconds, 0
    while time.monotonic() < end and (count := batch_waiting_plays(now=timezone.now(), at_once=at_once)):
        done += count
    return done


@transaction.atomic
def batch_waiting_plays(*, now: datetime, at_once: int = AT_ONCE) -> int:
    """Cut waiting plays into batches and queue each for the platform; how many plays were batched.

    Batches and messages commit together. Runs as often as anybody likes, one at a time.
    """
    with connection.cursor() as cursor:
        cursor.execute(LOCK)
        if not cursor.fetchone()[0]:
            return 0
        expire_the_late(now=now)
        wish = {"size": settings.USAGE_BATCH_SIZE, "settled": now - SETTLED, "limit": at_once}
        cursor.execute(CHOOSE, wish)
        names = ("listener_id", "platform_id", "country", "plays", "instants")
        groups = [Group(**dict(zip(names, row, strict=True))) for row in cursor.fetchall()]
    make_batches(groups)
    return sum(len(group.plays) for group in groups)


def make_batches(groups: Sequence[Group]) -> None:
    """One batch and one message for each group. A batch's deadline is its oldest play's 61st day."""
    if not groups:
        return
    batches = PlayBatch.objects.bulk_create(
        PlayBatch(listener_id=group.listener_id, country=group.country, size=len(group.plays)) for group in groups
    )
    with connection.cursor() as cursor:
        cursor.execute(
            ASSIGN,
            {
                "batches": [batch.pk for batch in batches for _ in range(batch.size)],
                "instants": [instant for group in groups for instant in group.instants],
                "plays": [play for group in groups for play in group.plays],
            },
        )
    send_all(
        Draft(
            topic="plays.log",
            key=str(batch.pk),
            lane=group.platform_id,
            body={"batch_id": batch.pk},
            deadline=min(group.instants) + REPORTABLE,
        )
        for batch, group in zip(batches, groups, strict=True)
    )


def expire_the_late(*, now: datetime) -> int:
    """Plays the platform would refuse as too old are set aside, visible and counted."""
    late = Play.objects.filter(state=PlayState.WAITING, batch=None, played_at__lte=now - REPORTABLE)
    if expired := late.update(state=PlayState.EXPIRED):
        log.error("%s play(s) became too old to be reported", expired)
    return expired


def plays_of(batch_id: int) -> list[Play]:
    """A batch's plays in the order they were played, which is the order they are sent in."""
    return list(Play.objects.filter(batch_id=batch_id).order_by("played_at", "pk"))


def settle_batch(
    batch_id: int, state: PlayBatch.State, plays: PlayState, *, platform_code: int | None = None, detail: str = ""
) -> None:
    """Write down where a batch stands, and every play in it."""
    unanswered = {PlayBatch.State.WAITING, PlayBatch.State.SENDING}
    PlayBatch.objects.filter(pk=batch_id).update(
        state=state,
        answered_at=None if state in unanswered else Now(),
        platform_code=platform_code,
        detail=detail[:2000],
    )
    Play.objects.filter(batch_id=batch_id).update(state=plays, platform_code=platform_code)


def doubt_batch(body: Mapping[str, Any]) -> None:
    """Nobody knows whether the platform took the batch: hold it for the usage report, or send it again if so set."""
    batch_id = body["batch_id"]
    if settings.USAGE_DOUBT == "resend":
        settle_batch(batch_id, PlayBatch.State.IN_DOUBT, PlayState.WAITING, detail="no answer; sent again by policy")
        release_plays(batch_id)
    else:
        settle_batch(batch_id, PlayBatch.State.IN_DOUBT, PlayState.IN_DOUBT, detail="no answer was heard")


def wait_with_batch(body: Mapping[str, Any]) -> None:
    """The call failed and nothing was done: the batch waits for its next try."""
    settle_batch(body["batch_id"], PlayBatch.State.WAITING, PlayState.WAITING)


def drop_batch(body: Mapping[str, Any]) -> None:
    """The batch's oldest play has become too old unsent: that one is, the others wait for another batch."""
    settle_batch(body["batch_id"], PlayBatch.State.EXPIRED, PlayState.WAITING, detail="not sent within 61 days")
    release_plays(body["batch_id"])
    expire_the_late(now=timezone.now())


def hold_batch(body: Mapping[str, Any]) -> None:
    """A person gave the batch up: its plays are kept for a person."""
    settle_batch(body["batch_id"], PlayBatch.State.HELD, PlayState.HELD, detail="given up by a person")


def release_plays(batch_id: int, *, but: Iterable[int] = ()) -> None:
    """Let a batch's plays, but for some, wait for another batch."""
    plays = Play.objects.filter(batch_id=batch_id).exclude(pk__in=list(but))
    plays.update(state=PlayState.WAITING, batch=None)


def refuse_plays(batch: PlayBatch, bad: Mapping[int, int | None], *, detail: str) -> None:
    """The platform named the bad plays of a batch (position → its code); the good ones wait for another batch,
    or count as sent where the platform keeps them (settings.USAGE_PARTIAL)."""
    plays = plays_of(batch.pk)
    settle_batch(batch.pk, PlayBatch.State.SPLIT, PlayState.SENT, detail=detail)
    for position, code in bad.items():
        refused = Play.objects.filter(batch_id=batch.pk, pk=plays[position].pk)
        refused.update(state=PlayState.REJECTED, platform_code=code)
    if settings.USAGE_PARTIAL == "reject":
        release_plays(batch.pk, but=[plays[position].pk for position in bad])


def halve_batch(batch: PlayBatch, *, detail: str) -> None:
    """The platform refused a batch without naming the bad play: send its halves, so that one costs no other."""
    plays = plays_of(batch.pk)
    settle_batch(batch.pk, PlayBatch.State.SPLIT, PlayState.WAITING, detail=detail)
    middle = len(plays) // 2
    make_batches(
        [
            Group(
                listener_id=batch.listener_id,
                platform_id=batch.listener.platform_id,
                country=batch.country,
                plays=[play.pk for play in half],
                instants=[play.played_at for play in half],
            )
            for half in (plays[:middle], plays[middle:])
        ]
    )
