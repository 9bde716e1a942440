"""Reporting clips to the platform ("Report a preview stream")."""

from __future__ import annotations

from functools import partial
from typing import get_args

from django.conf import settings

from massivemusic.errors import PlatformError, Unreadable
from massivemusic.previews import PreviewReport, PreviewUsage, log_previews
from outbox.platform import platform
from outbox.registry import Delivery, Record, handles
from previews.models import PreviewPlay
from previews.reporting import doubt, halve, mark, of_batch, refuse_all, refuse_some, wait


@handles("previews.log", doubt=doubt, later=wait, given_up=refuse_all)
def log_batch(delivery: Delivery) -> Record | None:
    """Report one batch. Never twice: a lost answer, or another count than ours, leaves it in doubt."""
    batch: str = delivery.body["batch"]
    plays = of_batch(batch)
    if not plays:
        return None
    delivery.commit(partial(mark, batch, PreviewPlay.State.SENDING))
    try:
        count = log_previews(platform(), country=settings.MASSIVEMUSIC_COUNTRY, previews=[told(play) for play in plays])
    except PlatformError as no:
        if not no.permanent:
            raise
        named = {failure.index: failure.code for failure in no.failures if 0 <= failure.index < len(plays)}
        return partial(refuse_some, batch, named) if named else partial(halve, batch, code=no.code)
    if count != len(plays):
        raise Unreadable(f"sent {len(plays)} preview(s), the platform counted {count}")
    return partial(mark, batch, PreviewPlay.State.SENT)


def told(play: PreviewPlay) -> PreviewReport:
    usage: PreviewUsage = next(word for word in get_args(PreviewUsage) if word == play.usage)
    return PreviewReport(
        user_id=play.user_id,
        country=play.country,
        track_id=play.track_id,
        mode="online",
        played_at=play.played_at,
        seconds_played=play.seconds_played,
        user_agent=play.user_agent,
        usage=usage,
    )
