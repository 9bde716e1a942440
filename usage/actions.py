"""From waiting plays to batches, and what became of each batch."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone

from outbox.actions import Draft, send_all
from usage.files import cut_file
from usage.judging import JUDGED, Judged, judge_waiting
from usage.models import Play, PlayBatch, PlayState, ReportRow
from usage.rules import REPORTABLE, SETTLED

AT_ONCE: Final = 10_000  # plays made into batches in one transaction
LONGEST_SECONDS: Final = 30.0  # to go on batching what has piled up

log = logging.getLogger(__name__)

# One batcher at a time; a second one finds the lock taken and leaves.
LOCK: Final = "SELECT pg_try_advisory_xact_lock(hashtext('usage.batch'))"
# Oldest first, cut into batches of one listener in one country.
CHOOSE: Final = f"""
    WITH waiting AS (
        SELECT id, played_at, listener_id, country,
               (row_number() OVER (PARTITION BY listener_id, country ORDER BY played_at, id) - 1) / %(size)s AS part
          FROM usage_play WHERE {JUDGED}
    )
    SELECT w.listener_id, l.platform_id, w.country, array_agg(w.id ORDER BY w.played_at, w.id),
           array_agg(w.played_at ORDER BY w.played_at, w.id)
      FROM waiting w JOIN accounts_listener l ON l.id = w.listener_id
     GROUP BY w.listener_id, l.platform_id, w.country, w.part
     ORDER BY min(w.played_at)
"""  # noqa: S608
ASSIGN: Final = """
    UPDATE usage_play p SET batch_id = a.batch_id
      FROM unnest(%(batches)s::bigint[], %(listeners)s::uuid[], %(instants)s::timestamptz[], %(plays)s::bigint[])
           AS a (batch_id, listener_id, played_at, id)
     WHERE p.listener_id = a.listener_id AND p.played_at = a.played_at AND p.id = a.id
"""
# A batch and the plays in it, before its call and after; every call is both.
SENDING: Final = """
    WITH batch AS (
        UPDATE usage_playbatch SET state = 'SENDING', called_at = statement_timestamp(), answered_at = NULL,
                                   platform_code = NULL, detail = ''
         WHERE id = %(batch)s
    )
    UPDATE usage_play SET state = 'SENDING', platform_code = NULL WHERE batch_id = %(batch)s
"""
SETTLED_AS: Final = """
    WITH batch AS (
        UPDATE usage_playbatch
           SET state = %(state)s::text, counted = %(counted)s::int, platform_code = %(code)s::int, detail = %(detail)s,
               answered_at = CASE WHEN %(state)s::text <> 'WAITING' THEN statement_timestamp() END
         WHERE id = %(batch)s
    )
    UPDATE usage_play SET state = %(plays)s, platform_code = %(code)s::int WHERE batch_id = %(batch)s
"""


@dataclass(frozen=True, kw_only=True)
class Group:
    """Plays that can go out in one call, before they are a batch."""

    listener_id: Any
    platform_id: str
    country: str
    plays: list[int]
    instants: list[datetime]


def batch_all_waiting_plays(*, at_once: int | None = None, seconds: float = LONGEST_SECONDS) -> int:
    """Batch again and again until nothing waits, or the time is over; how many plays wait no more."""
    at_once = most_at_once(at_once)
    end, done, count = time.monotonic() + seconds, 0, at_once
    # Fewer were all there were: what comes meanwhile is no reason for another little file.
    while count >= at_once and time.monotonic() < end:
        done += (count := batch_waiting_plays(now=timezone.now(), at_once=at_once))
    return done


def most_at_once(wish: int | None = None) -> int:
    """Plays in one transaction: those of a file or of many calls, or fewer if so wished."""
    most = int(settings.USAGE_FILE_PLAYS) if settings.USAGE_CHANNEL == "bucket" else AT_ONCE
    return min(wish or most, most)


@transaction.atomic
def batch_waiting_plays(*, now: datetime, at_once: int | None = None) -> int:
    """Cut the oldest waiting plays into batches and queue each for the platform; how many wait no more.

    Batches and messages commit together. Runs as often as anybody likes, one at a time.
    """
    at_once = most_at_once(at_once)
    with connection.cursor() as cursor:
        cursor.execute(LOCK)
        if not cursor.fetchone()[0]:
            return 0
    expire_the_late(now=now)
    judged = judge_waiting(settled=now - SETTLED, limit=at_once)
    cut = cut_file if settings.USAGE_CHANNEL == "bucket" else cut_calls
    return judged.held + cut(judged)


def cut_calls(judged: Judged) -> int:
    """Batches for calls, each of one listener in one country, oldest plays first; how many plays."""
    with connection.cursor() as cursor:
        cursor.execute(CHOOSE, judged._asdict() | {"size": settings.USAGE_BATCH_SIZE})
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
                "listeners": [batch.listener_id for batch in batches for _ in range(batch.size)],
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


def send_batch(batch_id: int) -> None:
    """Write down that a batch is about to go out."""
    mark(SENDING, batch=batch_id)


def settle_batch(
    batch_id: int,
    state: PlayBatch.State,
    plays: PlayState,
    *,
    counted: int | None = None,
    platform_code: int | None = None,
    detail: str = "",
) -> None:
    """Write down where a batch stands after its call, and every play in it. `counted` is the platform's own count."""
    facts = {"state": state, "plays": plays, "counted": counted, "code": platform_code, "detail": detail[:2000]}
    mark(SETTLED_AS, batch=batch_id, **facts)


def mark(statement: str, **facts: Any) -> None:
    with connection.prepared() as cursor:  # type: ignore[attr-defined]
        cursor.execute(statement, facts)


def doubt_batch(body: Mapping[str, Any]) -> None:
    """Nobody knows whether the platform took the batch: hold it for the usage report, or send it again if so set."""
    batch_id = body["batch_id"]
    if settings.USAGE_DOUBT == "resend":
        settle_batch(batch_id, PlayBatch.State.IN_DOUBT, PlayState.WAITING, detail="no answer; sent again by policy")
        release_plays(batch_id)
    else:
        settle_batch(batch_id, PlayBatch.State.IN_DOUBT, PlayState.IN_DOUBT, detail="no answer was heard")


@transaction.atomic
def decide_doubt(batch_id: int, *, taken: bool) -> bool:
    """A person has found out whether the platform took a batch in doubt; False when it is in doubt no more.

    What it did not take waits for another batch.
    """
    batch = PlayBatch.objects.select_for_update().get(pk=batch_id)
    if batch.state != PlayBatch.State.IN_DOUBT:
        return False
    if taken:
        settle_batch(batch_id, PlayBatch.State.SENT, PlayState.SENT, detail="a person found out that it was taken")
    else:
        settle_batch(batch_id, PlayBatch.State.RETURNED, PlayState.WAITING, detail="a person found out that it was not")
        release_plays(batch_id)
    return True


def wait_with_batch(body: Mapping[str, Any]) -> None:
    """The call failed and nothing was done: the batch waits for its next try."""
    settle_batch(body["batch_id"], PlayBatch.State.WAITING, PlayState.WAITING)


def drop_batch(body: Mapping[str, Any]) -> None:
    """The batch's oldest play has become too old unsent: that one is, the others wait for another batch."""
    settle_batch(body["batch_id"], PlayBatch.State.EXPIRED, PlayState.WAITING, detail="not sent within 61 days")
    release_plays(body["batch_id"])
    expire_the_late(now=timezone.now())


def drop_file(body: Mapping[str, Any]) -> None:
    """As `drop_batch`; but a file that may be in the bucket is not taken apart: its plays would be there twice."""
    if PlayBatch.objects.filter(pk=body["batch_id"], called_at=None).exists():
        drop_batch(body)
    else:
        detail = "not known to be in the bucket within 61 days, nor not to be"
        settle_batch(body["batch_id"], PlayBatch.State.HELD, PlayState.HELD, detail=detail)


def hold_batch(body: Mapping[str, Any]) -> None:
    """A person gave the batch up: its plays are kept for a person."""
    settle_batch(body["batch_id"], PlayBatch.State.HELD, PlayState.HELD, detail="given up by a person")


def release_plays(batch_id: int, *, but: Collection[int] = ()) -> None:
    """Let a batch's plays, but for some and for those that a usage report has, wait for another batch."""
    plays = Play.objects.filter(batch_id=batch_id).exclude(pk__in=but)
    reported = Exists(ReportRow.objects.filter(play=OuterRef("pk")))
    plays.exclude(reported).update(state=PlayState.WAITING, batch=None)
    plays.update(state=PlayState.SENT)  # those are left that were reported, whatever became of the batch


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
                platform_id=batch.user_id,
                country=batch.country,
                plays=[play.pk for play in half],
                instants=[play.played_at for play in half],
            )
            for half in (plays[:middle], plays[middle:])
        ]
    )
