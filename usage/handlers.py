"""Reporting plays to the platform (Streaming guide §5)."""

from __future__ import annotations

from functools import partial

from django.conf import settings

from massivemusic.errors import OutOfRange, PlatformError, Unreadable
from massivemusic.usage import PlayReport, log_plays
from outbox.platform import platform
from outbox.registry import Delivery, Record, handles
from usage.actions import (
    doubt_batch,
    drop_batch,
    halve_batch,
    hold_batch,
    plays_of,
    refuse_plays,
    settle_batch,
    wait_with_batch,
)
from usage.models import Play, PlayBatch, PlayState


@handles("plays.log", doubt=doubt_batch, later=wait_with_batch, late=drop_batch, given_up=hold_batch)
def log_batch(delivery: Delivery) -> Record | None:
    """Report one batch.

    Never twice: there is no key by which the platform would know a play again. Once the call is
    out, an answer that does not come, or counts other than what was sent, leaves the batch in
    doubt. A refusal proves that nothing was taken, so the batch is taken apart and sent on.
    """
    batch = PlayBatch.objects.select_related("listener").get(pk=delivery.body["batch_id"])
    plays = plays_of(batch.pk)
    delivery.commit(partial(settle_batch, batch.pk, PlayBatch.State.SENDING, PlayState.SENDING))
    try:
        count = log_plays(
            platform(),
            user_id=batch.listener.platform_id,
            country=batch.country,
            plays=[report_of(play) for play in plays],
            body=settings.USAGE_BODY,
        )
    except PlatformError as no:
        if no.permanent:
            return refusal(batch, no)
        raise
    if count != len(plays):
        raise Unreadable(f"sent {len(plays)} play(s), the platform counted {count}")
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


def report_of(play: Play) -> PlayReport:
    return PlayReport(
        track_id=play.track_id,
        release_id=play.release_id,
        format_id=play.format_id,
        mode=play.mode,  # type: ignore[arg-type]  # the column holds the guide's own words
        played_at=play.played_at,
        seconds_played=play.seconds_played,
        user_agent=play.user_agent,
    )
