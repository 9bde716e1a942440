"""Reporting plays to the platform, by calls (Streaming guide §5) or by files ("S3 bucket logger")."""

from __future__ import annotations

from functools import partial
from typing import Final

from django.conf import settings
from django.db import connection
from django.utils import timezone

from massivemusic.errors import OutOfRange, PlatformError, Unreadable
from massivemusic.usage import PlayReport, log_plays
from outbox.circuit import BUCKET
from outbox.platform import platform
from outbox.registry import Delivery, Record, handles
from usage.actions import (
    doubt_batch,
    drop_batch,
    drop_file,
    halve_batch,
    hold_batch,
    refuse_plays,
    send_batch,
    settle_batch,
    wait_with_batch,
)
from usage.bucket import bucket
from usage.files import file_of, send_file, unsend_file, wait_with_file
from usage.models import PlayBatch, PlayState

FACTS: Final = ("track_id", "release_id", "format_id", "mode", "played_at", "seconds_played", "user_agent")
READ: Final = f"""
    SELECT l.platform_id, b.country, {", ".join(f"p.{name}" for name in FACTS)}
      FROM usage_playbatch b JOIN accounts_listener l ON l.id = b.listener_id JOIN usage_play p ON p.batch_id = b.id
     WHERE b.id = %(batch)s ORDER BY p.played_at, p.id
"""  # noqa: S608


@handles("plays.log", doubt=doubt_batch, later=wait_with_batch, late=drop_batch, given_up=hold_batch)
def log_batch(delivery: Delivery) -> Record | None:
    """Report one batch.

    Never twice: there is no key by which the platform would know a play again. Once the call is
    out, an answer that does not come, or counts other than what was sent, leaves the batch in
    doubt. A refusal proves that nothing was taken, so the batch is taken apart and sent on.
    """
    batch_id: int = delivery.body["batch_id"]
    user_id, country, plays = reports_in(batch_id)
    delivery.commit(partial(send_batch, batch_id))
    try:
        count = log_plays(platform(), user_id=user_id, country=country, plays=plays, body=settings.USAGE_BODY)
    except PlatformError as no:
        if no.permanent:
            return refusal(PlayBatch.objects.select_related("listener").get(pk=batch_id), no)
        raise
    if count != len(plays):
        raise Unreadable(f"sent {len(plays)} play(s), the platform counted {count}")
    return partial(settle_batch, batch_id, PlayBatch.State.SENT, PlayState.SENT, counted=count)


@handles("plays.deposit", neighbour=BUCKET, later=wait_with_file, late=drop_file, given_up=hold_batch)
def deposit_file(delivery: Delivery) -> Record | None:
    """Put one file into the platform's bucket.

    Twice is once: the file's name is fixed with its plays, and the bucket keeps the first of a name.
    """
    batch, now = PlayBatch.objects.get(pk=delivery.body["batch_id"]), timezone.now()
    if not send_file(batch.pk, at=now):
        return None
    try:
        bucket().put(batch.object_name, file_of(batch))
    except PlatformError as no:
        if not no.in_doubt:
            unsend_file(batch, at=now)
        raise
    return partial(settle_batch, batch.pk, PlayBatch.State.SENT, PlayState.SENT)


def refusal(batch: PlayBatch, no: PlatformError) -> Record:
    """What a refusal means for the batch: named plays, the listener, the only play, or one of several."""
    named = {failure.index: failure.code for failure in no.failures if 0 <= failure.index < batch.size}
    if named:
        return partial(refuse_plays, batch, named, detail=str(no))
    if isinstance(no, OutOfRange) or batch.size == 1:
        return partial(
            settle_batch,
            batch.pk,
            PlayBatch.State.REJECTED,
            PlayState.REJECTED,
            platform_code=no.code,
            detail=str(no),
        )
    if settings.USAGE_PARTIAL == "keep":
        return partial(doubt_batch, {"batch_id": batch.pk})
    return partial(halve_batch, batch, detail=str(no))


def reports_in(batch_id: int) -> tuple[str, str, list[PlayReport]]:
    """What a call says: whose plays, where, and the plays in the order they were played.

    Raises ValueError for a batch without any.
    """
    with connection.prepared() as cursor:  # type: ignore[attr-defined]
        cursor.execute(READ, {"batch": batch_id})
        rows = cursor.fetchall()
    if not rows:
        raise ValueError(f"batch {batch_id} holds no plays")
    return rows[0][0], rows[0][1], [PlayReport(**dict(zip(FACTS, row[2:], strict=True))) for row in rows]
