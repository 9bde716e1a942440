"""Signed URLs of clips: made for one request, stored and logged nowhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings

from catalogue.reading import tracks_by_id
from catalogue.rules import Reason, TrackNotFound, TrackUnavailable, Use, Verdict
from catalogue.shapes import Ear, verdict_on
from kernel.values import rfc3339
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
        raise unavailable(verdicts)
    return Clip(
        track_id=track_id,
        url=preview_url(platform(), track_id=track_id, country=ear.country),
        expires_at=ear.at + timedelta(seconds=settings.STREAM_URL_SECONDS),
    )


def unavailable(verdicts: Sequence[Verdict]) -> TrackUnavailable:
    """The refusal that both uses give: by what keeps it from one for which it is offered, and from when one may be."""
    reason = next((each.reason for each in verdicts if each.reason is not Reason.USE), Reason.USE)
    starts = [each.available_from for each in verdicts if each.reason is Reason.NOT_YET and each.available_from]
    members: dict[str, Any] = {"reason": reason}
    if reason is Reason.NOT_YET and starts:
        members["available_from"] = rfc3339(min(starts))
    return TrackUnavailable("nothing of the track can be heard there and then", **members)
