"""What the ledger forgets, and when: whole months, once nothing in them is open."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from django.db import connection

from kernel.slices import in_slices
from kernel.values import add_months
from outbox.actions import forget_done
from usage.models import BATCH_OVER, TOPICS
from usage.partitions import drop_partitions, first_of_month

MESSAGE_DAYS: Final = 30  # how long a message stays after a batch has gone out: the batch itself says what came of it
BATCHES_AT_ONCE: Final = 5000  # in one transaction

# Each part along an index of its own, for a month may be tens of gigabytes. A play under way has no index, but a batch
# that is under way with it until one statement settles both (`usage.actions`). LIMIT keeps to asking batch by batch.
OPEN: Final = """
    SELECT EXISTS (SELECT 1 FROM {month} WHERE state IN ('HELD', 'IN_DOUBT'))
        OR EXISTS (SELECT 1 FROM {month} WHERE state = 'WAITING' AND batch_id IS NULL)
        OR EXISTS (SELECT 1 FROM usage_playbatch b,
                          LATERAL (SELECT FROM {month} p
                                    WHERE p.batch_id = b.id AND p.state IN ('WAITING', 'SENDING') LIMIT 1) AS waits
                    WHERE b.state IN ('WAITING', 'SENDING'))
"""
# The oldest first, so that they are read along their index, and nothing else is.
FORGET: Final = f"""
    DELETE FROM usage_playbatch WHERE id = ANY (ARRAY(
        SELECT id FROM usage_playbatch
         WHERE state IN ({", ".join(f"'{state}'" for state in BATCH_OVER)}) AND created_at < %(oldest)s
         ORDER BY created_at LIMIT %(most)s))
"""  # noqa: S608

log = logging.getLogger(__name__)


def forget_old_plays(*, now: datetime, months: int) -> list[str]:
    """Drop the months that ended so many months ago, with their batches; the names of what was dropped.

    A month in which a play is still to be sent, in doubt or held stays. Play ids are never forgotten: one that comes
    back after years is still a duplicate. There may be more batches and messages than there is time for: those go in
    the hours that follow.
    """
    gone = drop_partitions(now=now, table="usage_play", months=months, unless=is_open)
    oldest = add_months(first_of_month(now), -months)
    if not any_older(oldest):
        forget_batches(before=oldest)
    forget_done(topics=TOPICS.values(), before=now - timedelta(days=MESSAGE_DAYS))
    return gone


def is_open(partition: str) -> bool:
    """Whether a month holds plays of which the last word is not spoken."""
    with connection.cursor() as cursor:
        cursor.execute(OPEN.format(month=partition))
        waits = bool(cursor.fetchone()[0])
    if waits:
        log.error("%s is older than is kept, and stays: not all of its plays are settled", partition)
    return waits


def any_older(oldest: datetime) -> bool:
    """Whether a month stayed behind, whose plays then need their batches."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT 1 FROM usage_play WHERE played_at < %s)", [oldest])
        return bool(cursor.fetchone()[0])


def forget_batches(*, before: datetime) -> int:
    """Forget batches that came to their end, of a time of which no play is left; how many.

    Nothing but plays names a batch, and a batch is made after all of its plays were played: so none of those that are
    left is in one of these.
    """
    return in_slices(partial(forget_some, before=before), size=BATCHES_AT_ONCE)


def forget_some(*, before: datetime) -> int:
    with connection.cursor() as cursor:
        cursor.execute(FORGET, {"oldest": before, "most": BATCHES_AT_ONCE})
        return int(cursor.rowcount)
