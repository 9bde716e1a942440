"""What a phone tells of a clip that was played. Pure."""

from __future__ import annotations

import struct
from typing import Annotated, Final
from uuid import UUID

import msgspec

from usage.rules import Id, Instant, digest

LONGEST: Final = 600  # seconds; a clip has about thirty
FACTS: Final = struct.Struct(">iqi")


class Played(msgspec.Struct, frozen=True, kw_only=True):
    """One clip as its device reported it: well-formed, not judged yet. `played_at` is the device's own idea of the
    time."""

    play_id: UUID
    track_id: Id
    played_at: Instant
    seconds_played: Annotated[int, msgspec.Meta(ge=0, le=LONGEST)]
    user_agent: str

    def fingerprint(self) -> int:
        """A digest of what must not change when a clip is told of again under its id."""
        instant = round(self.played_at.timestamp() * 1_000_000)
        return digest(FACTS.pack(self.track_id, instant, self.seconds_played))
