"""What makes a play reportable. Pure.

The platform takes a play for 61 days and none from the future (reference page "Report a
subscriber stream"); a play counted twice is somebody else's money.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

REPORTABLE: Final = timedelta(days=61)
FUTURE_TOLERANCE: Final = timedelta(seconds=60)  # a phone's clock may run ahead by so much
SETTLED: Final = timedelta(seconds=5)  # plays are sent when they lie so far in the past: clocks differ
DAY_SECONDS: Final = 24 * 3600
USER_AGENT_LIMIT: Final = 256
SOURCE_LIMIT: Final = 128


class Mode(StrEnum):
    """How a play reached the ear, in the guide's words."""

    ONLINE = "online"
    OFFLINE = "offline"
    ONLINE_CACHED = "online-cached"


@dataclass(frozen=True, kw_only=True, slots=True)
class Reported:
    """One play as its device reported it: well-formed, not judged yet. `played_at` is UTC."""

    index: int
    play_id: UUID
    track_id: int
    release_id: int
    format_id: int
    played_at: datetime
    seconds_played: int
    mode: Mode
    user_agent: str
    source: str
    source_id: str

    def fingerprint(self) -> int:
        """A 63-bit digest of what must not change when a play is sent again under its id."""
        facts = (
            self.track_id,
            self.release_id,
            self.format_id,
            self.played_at.astimezone(UTC).isoformat(),
            self.seconds_played,
            self.mode.value,
        )
        return int.from_bytes(hashlib.blake2b(repr(facts).encode(), digest_size=8).digest()) >> 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """Why one play of many was not taken."""

    index: int
    play_id: str | None
    code: str
    detail: str


def fault_in(play: Reported, *, now: datetime) -> Fault | None:
    """What keeps a well-formed play from ever being reported; None when nothing does."""
    if play.played_at > now + FUTURE_TOLERANCE:
        detail = "played_at lies in the future"
    elif play.played_at <= now - REPORTABLE:
        detail = "played_at lies more than 61 days ago"
    elif play.seconds_played > DAY_SECONDS:
        detail = "seconds_played is more than a day"
    else:
        return None
    return Fault(index=play.index, play_id=str(play.play_id), code="invalid_parameter", detail=detail)
