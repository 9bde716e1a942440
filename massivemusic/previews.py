"""Previews: clips for those who have not bought or subscribed, and the report of each that was played."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from massivemusic import instants
from massivemusic.client import Client
from massivemusic.usage import PlayMode, counted, one_line

MOST: Final = 500  # previews in a report

PreviewUsage = Literal["view", "creation"]


@dataclass(frozen=True, kw_only=True)
class PreviewReport:
    """One clip that a listener played in `country` (ISO alpha-2). `played_at` is aware, `seconds_played` whole."""

    user_id: str
    country: str
    track_id: int
    mode: PlayMode
    played_at: datetime
    seconds_played: int
    user_agent: str
    usage: PreviewUsage = "view"


def preview_url(client: Client, *, track_id: int, country: str) -> str:
    """A signed URL of a clip of about 30 seconds; no call is made. Every play of it must be reported."""
    return client.signed_url(client.platform.previews_url, f"/clip/{track_id}", {"country": country})


def log_previews(client: Client, *, country: str, previews: Sequence[PreviewReport]) -> int:
    """Report previews; the count the platform says it took ("Report a preview stream").

    `country` is one that the key is licensed for, theirs may be others. As with `log_plays`, what was sent twice
    counts twice, and a count that is missing is an error in doubt. All are taken or none: BatchFailed names the bad
    ones. Raises ValueError for none, for more than 500, or for a naive instant.
    """
    if not 0 < len(previews) <= MOST:
        raise ValueError(f"a report holds 1 to {MOST} previews")
    items = [_item(preview) for preview in previews]
    return counted(client.call("POST", "/preview/log", query={"country": country}, json={"playLogItem": items}))


def _item(preview: PreviewReport) -> dict[str, str | int]:
    return {
        "userId": preview.user_id,
        "country": preview.country,
        "trackId": preview.track_id,
        "playMode": preview.mode,
        "dateTimePlayed": instants.written(preview.played_at),
        "totalTimePlayed": preview.seconds_played,
        "userAgent": one_line(preview.user_agent),
        "usage": preview.usage,
    }
