"""What makes a play reportable. Pure.

The platform takes a play for 61 days and none from the future (reference page "Report a
subscriber stream"); a play counted twice is somebody else's money.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Final, Literal
from uuid import UUID

import msgspec

from kernel.values import INT32
from massivemusic.streaming import FORMATS

REPORTABLE: Final = timedelta(days=61)
ALARM: Final = timedelta(days=45)  # sixteen days before the platform takes a play no more
FUTURE_TOLERANCE: Final = timedelta(seconds=60)  # a phone's clock may run ahead by so much
STEADY: Final = timedelta(seconds=60)  # a device's clock that is off by no more is left alone: a letter takes its time
SETTLED: Final = timedelta(seconds=5)  # plays are sent when they lie so far in the past: clocks differ
DAY_SECONDS: Final = 24 * 3600
USER_AGENT_LIMIT: Final = 256
SOURCE_LIMIT: Final = 128


class Mode(StrEnum):
    """How a play reached the ear, in the guide's words."""

    ONLINE = "online"
    OFFLINE = "offline"
    ONLINE_CACHED = "online-cached"


MODES: Final = {mode.value: number for number, mode in enumerate(Mode)}
ModeWord = Literal["online", "offline", "online-cached"]
Id = Annotated[int, msgspec.Meta(ge=1, le=INT32)]
Instant = Annotated[datetime, msgspec.Meta(tz=True)]
Source = Annotated[str, msgspec.Meta(max_length=SOURCE_LIMIT)]


class Reported(msgspec.Struct, frozen=True, kw_only=True):
    """One play as its device reported it: well-formed, not judged yet. `played_at` carries an offset, and is the
    device's own idea of the time."""

    play_id: UUID
    track_id: Id
    release_id: Id
    format_id: Id
    played_at: Instant
    seconds_played: Annotated[int, msgspec.Meta(ge=0, le=INT32)]
    mode: ModeWord
    user_agent: str
    source: Source | None = None
    source_id: Source | None = None

    def fingerprint(self) -> int:
        """A 63-bit digest of what must not change when a play is sent again under its id."""
        instant = round(self.played_at.timestamp() * 1_000_000)
        facts = FACTS.pack(
            self.track_id, self.release_id, self.format_id, instant, self.seconds_played, MODES[self.mode]
        )
        return digest(facts)


FACTS: Final = struct.Struct(">iiiqiB")


def digest(facts: bytes) -> int:
    """63 bits by which facts are known again."""
    return int.from_bytes(hashlib.blake2b(facts, digest_size=8).digest(), "big") >> 1


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """Why one play of many was not taken."""

    index: int
    play_id: str | None
    code: str
    detail: str


@dataclass(frozen=True, kw_only=True)
class Intake:
    """What became of a request's plays; every one is counted exactly once."""

    accepted: int
    duplicates: int
    rejected: tuple[Fault, ...]


def wrong(index: int, play_id: UUID, detail: str) -> Fault:
    return Fault(index=index, play_id=str(play_id), code="invalid_parameter", detail=detail)


def unknown_track(index: int, play_id: UUID) -> Fault:
    return Fault(index=index, play_id=str(play_id), code="track_not_found", detail="there is no such track")


def conflict(index: int, play_id: UUID) -> Fault:
    detail = "this play_id has been reported with other content"
    return Fault(index=index, play_id=str(play_id), code="play_id_conflict", detail=detail)


def skew_of(sent_at: datetime | None, *, now: datetime) -> timedelta:
    """By how much a device's clock is behind ours, in whole seconds, from what it showed when it sent its plays.

    Nothing where the device does not say, or where the difference may as well be the way here.
    """
    if sent_at is None or abs(now - sent_at) <= STEADY:
        return timedelta()
    return timedelta(seconds=round((now - sent_at).total_seconds()))


def set_right(played_at: datetime, skew: timedelta) -> datetime | None:
    """When it was by our clock; None for a time that no calendar holds."""
    try:
        return played_at + skew if skew else played_at
    except OverflowError:
        return None


def fault_in(play: Reported, *, played_at: datetime | None, now: datetime) -> str | None:
    """What keeps a well-formed play from ever being reported; None when nothing does. `played_at` is by our clock."""
    if detail := untimely(played_at, now=now):
        return detail
    if play.seconds_played > DAY_SECONDS:
        return "seconds_played is more than a day"
    if play.format_id not in FORMATS:
        return "format_id: the platform has no such format"
    return None


def untimely(played_at: datetime | None, *, now: datetime) -> str | None:
    """Why the platform would not take a play of that time, by our clock; None when it would."""
    if played_at is None:
        return "played_at lies beyond every calendar"
    if played_at > now + FUTURE_TOLERANCE:
        return "played_at lies in the future"
    if played_at <= now - REPORTABLE:
        return "played_at lies more than 61 days ago"
    return None
