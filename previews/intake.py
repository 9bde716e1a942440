"""Taking clips in that were played: a verdict each, durable before the answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db import connection, transaction

from catalogue.models import Track
from previews.models import PreviewPlay
from previews.rules import Played
from usage.rules import (
    USER_AGENT_LIMIT,
    Fault,
    Intake,
    conflict,
    set_right,
    skew_of,
    unknown_track,
    untimely,
    wrong,
)

# Of two requests with one id the second is judged by what the first has left.
LOCK: Final = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))"


@dataclass(frozen=True, kw_only=True)
class Heard:
    """Who heard clips, and where."""

    user_id: str
    country: str
    listener_id: UUID | None = None
    usage: str = PreviewPlay.Usage.VIEW


@transaction.atomic
def take_previews(
    by: Heard,
    plays: Sequence[tuple[int, Played]],
    *,
    malformed: Sequence[Fault] = (),
    sent_at: datetime | None = None,
    now: datetime,
) -> Intake:
    """Keep each clip once by its listener's id of it, and say what is wrong with the others, as plays are judged."""
    with connection.cursor() as cursor:
        cursor.execute(LOCK, [f"previews:{by.user_id}"])
    own = PreviewPlay.objects.filter(user_id=by.user_id, play_id__in={play.play_id for _, play in plays})
    known = dict(own.values_list("play_id", "fingerprint"))
    tracks = set(Track.objects.filter(pk__in={play.track_id for _, play in plays}).values_list("pk", flat=True))
    faults, duplicates, fresh, skew = list(malformed), 0, list[PreviewPlay](), skew_of(sent_at, now=now)
    for index, play in plays:
        if detail := untimely(set_right(play.played_at, skew), now=now):
            faults.append(wrong(index, play.play_id, detail))
        elif play.play_id in known:
            if known[play.play_id] == play.fingerprint():
                duplicates += 1
            else:
                faults.append(conflict(index, play.play_id))
        elif play.track_id not in tracks:
            faults.append(unknown_track(index, play.play_id))
        else:
            known[play.play_id] = play.fingerprint()
            fresh.append(row_of(by, play, skew))
    PreviewPlay.objects.bulk_create(fresh)
    faults.sort(key=lambda fault: fault.index)
    return Intake(accepted=len(fresh), duplicates=duplicates, rejected=tuple(faults))


def row_of(by: Heard, play: Played, skew: timedelta) -> PreviewPlay:
    return PreviewPlay(
        **vars(by),
        play_id=play.play_id,
        fingerprint=play.fingerprint(),
        track_id=play.track_id,
        played_at=play.played_at + skew,
        seconds_played=play.seconds_played,
        user_agent=play.user_agent[:USER_AGENT_LIMIT],
    )
