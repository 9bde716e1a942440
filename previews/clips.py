"""Signed URLs of clips: made for one request, stored and logged nowhere."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings

from catalogue.reading import tracks_by_id
from catalogue.rules import Reason, TrackNotFound, TrackUnavailable, Use
from catalogue.shapes import Ear, verdict_on
from massivemusic.previews import preview_url
from outbox.platform import platform


@dataclass(frozen=True, kw_only=True, slots=True)
class Clip:
    """A right to hear about half a minute of a track. `url` is a secret, and every play of it is to be reported."""

    track_id: int
    url: str
    expires_at: datetime


def issue_clip(*, track_id: int, ear: Ear) -> Clip:
    """Sign the URL of a track's clip; a clip may be heard where its track may be streamed or bought.

    Raises TrackNotFound, TrackUnavailable.
    """
    track = tracks_by_id([track_id], country=ear.country).get(track_id)
    if track is None:
        raise TrackNotFound("there is no such track")
    verdicts = [verdict_on(track, ear, use=use) for use in (Use.STREAM, Use.DOWNLOAD)]
    if not any(verdict.playable for verdict in verdicts):
        reason = next((each.reason for each in verdicts if each.reason not in {None, Reason.USE}), Reason.USE)
        raise TrackUnavailable("nothing of the track can be heard there and then", reason=reason)
    return Clip(
        track_id=track_id,
        url=preview_url(platform(), track_id=track_id, country=ear.country),
        expires_at=ear.at + timedelta(seconds=settings.STREAM_URL_SECONDS),
    )
