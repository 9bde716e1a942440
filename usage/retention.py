"""What the ledger forgets, and when: whole months, once nothing in them is open."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Final

from django.db import connection

from kernel.values import add_months
from outbox.actions import forget_done
from usage.models import TOPICS, PlayBatch, PlayState
from usage.partitions import drop_partitions, first_of_month

MESSAGE_DAYS: Final = 30  # how long a message stays after a batch has gone out: the batch itself says what came of it
CLOSED: Final = (PlayState.SENT, PlayState.REJECTED, PlayState.EXPIRED)
DONE: Final = (
    PlayBatch.State.SENT, PlayBatch.State.SPLIT, PlayBatch.State.REJECTED, PlayBatch.State.EXPIRED,
    PlayBatch.State.RETURNED,
)  # fmt: skip

log = logging.getLogger(__name__)


def forget_old_plays(*, now: datetime, months: int) -> list[str]:
    """Drop the months that ended so many months ago, with their batches; the names of what was dropped.

    A month in which a play is still to be sent, in doubt or held stays. Play ids are never forgotten: one that comes
    back after years is still a duplicate.
    """
    gone = drop_partitions(now=now, table="usage_play", months=months, unless=is_open)
    oldest = add_months(first_of_month(now), -months)
    if not any_older(oldest):
        PlayBatch.objects.filter(created_at__lt=oldest, state__in=DONE).delete()
    forget_done(topics=TOPICS.values(), before=now - timedelta(days=MESSAGE_DAYS))
    return gone


def is_open(partition: str) -> bool:
    """Whether a month holds plays of which the last word is not spoken."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT EXISTS (SELECT 1 FROM {partition} WHERE state <> ALL (%s))", [list(CLOSED)])  # noqa: S608
        waits = bool(cursor.fetchone()[0])
    if waits:
        log.error("%s is older than is kept, and stays: not all of its plays are settled", partition)
    return waits


def any_older(oldest: datetime) -> bool:
    """Whether a month stayed behind, whose plays then need their batches."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT 1 FROM usage_play WHERE played_at < %s)", [oldest])
        return bool(cursor.fetchone()[0])
