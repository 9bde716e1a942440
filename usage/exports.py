"""What was reported, as the platform's reporting team wants to compare it with their own books.

The columns are those of a partner's compliance test (platform documentation, "Testing logs").
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Final

from massivemusic import instants
from massivemusic.usage import one_line
from usage.models import Play, PlayState

COLUMNS: Final = (
    "USERID", "COUNTRY", "TRACKID", "RELEASEID", "FORMATID", "USERAGENT", "DATETIMEPLAYED", "TOTALTIMEPLAYED",
    "PLAYMODE",
)  # fmt: skip
FACTS: Final = (
    "listener__platform_id", "country", "track_id", "release_id", "format_id", "user_agent", "played_at",
    "seconds_played", "mode",
)  # fmt: skip


def logged(
    start: datetime, end: datetime, *, states: Collection[str] = (PlayState.SENT,)
) -> Iterator[tuple[str | int, ...]]:
    """The plays of `[start, end)` (UTC) in these states, oldest first, just as they were sent, in constant memory."""
    plays = Play.objects.filter(played_at__gte=start, played_at__lt=end, state__in=states)
    for play in plays.order_by("played_at", "id").values_list(*FACTS).iterator():
        who, country, track, release, format_, agent, played_at, seconds, mode = play
        yield who, country, track, release, format_, one_line(agent), instants.written(played_at), seconds, mode
