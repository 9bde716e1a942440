"""Issuing streams. The claim is ours, the URL is signed here, and the platform judges once more when it is fetched."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from django.conf import settings

from kernel.errors import Kind, Refusal
from kernel.values import rfc3339
from massivemusic.streaming import HLS_MIME_TYPE, online_stream_url
from outbox.platform import platform
from streaming.entitlement import standing
from streaming.holder import Blocked, blocked, claim_stream
from streaming.models import StreamHolder
from streaming.refusals import StreamWish, format_wanted, refusal_by


class PlayingElsewhere(Refusal):
    """Another device took the stream over, and this one's block still runs."""

    code, kind, platform_code = "playing_elsewhere", Kind.CONFLICT, 3201


@dataclass(frozen=True, kw_only=True, slots=True)
class IssuedStream:
    """A right to fetch one track now. `url` is a secret: it is given to the device and kept nowhere."""

    stream_id: UUID
    url: str
    expires_at: datetime
    mime_type: str
    format_id: int


def issue_stream(*, listener_id: UUID, wish: StreamWish, now: datetime) -> IssuedStream:
    """Let the device stream the track and sign the URL it fetches it from (Streaming guide §4.1).

    One round trip to PostgreSQL, none to the platform. Asking again for the same device keeps the
    stream. Raises InvalidParameter, NoSubscription, TrackNotFound, TrackUnavailable, PlayingElsewhere.
    """
    format_ = format_wanted(wish)
    stream_id = uuid4()
    grant = claim_stream(
        listener_id=listener_id,
        client_id=wish.client_id,
        stream_id=stream_id,
        track_id=wish.track_id,
        format_id=format_.id,
        release_id=wish.release_id,
        now=now,
        block_seconds=settings.STREAM_BLOCK_SECONDS,
    )
    if grant is None:
        raise refusal(listener_id=listener_id, wish=wish, now=now)
    url = online_stream_url(
        platform(),
        user_id=grant.platform_id,
        track_id=wish.track_id,
        format_id=format_.id,
        client_id=wish.client_id,
        country=grant.country,
        release_id=grant.release_id,
        hls=wish.hls,
    )
    return IssuedStream(
        stream_id=stream_id,
        url=url,
        expires_at=now + timedelta(seconds=settings.STREAM_URL_SECONDS),
        mime_type=HLS_MIME_TYPE if wish.hls else format_.mime_type,
        format_id=format_.id,
    )


def refusal(*, listener_id: UUID, wish: StreamWish, now: datetime) -> Refusal:
    """Why the claim was refused, found out in the order in which a listener would want to know."""
    who = standing(listener_id=listener_id, track_id=wish.track_id, now=now)
    if (no := refusal_by(who, wish)) is not None:
        return no
    block = blocked(listener_id=listener_id, client_id=wish.client_id)
    return elsewhere(block or Blocked(holder=wish.client_id, until=now, seconds=0))  # it ended just now: try again


def elsewhere(block: Blocked) -> PlayingElsewhere:
    """The refusal of a displaced device, with when it may try again."""
    return PlayingElsewhere(
        "another device of this account took over",
        retry_after=max(1, math.ceil(block.seconds)),
        blocked_until=rfc3339(block.until),
        holder=block.holder,
    )


def current_stream(*, listener_id: UUID, now: datetime) -> StreamHolder | None:
    """Who holds the listener's stream and still plays; None when nobody does."""
    return StreamHolder.objects.filter(listener_id=listener_id, plays_until__gt=now).first()
