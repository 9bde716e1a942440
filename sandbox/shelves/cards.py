"""A release as it goes onto the shelves, wherever it comes from. Pure."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, kw_only=True)
class Maker:
    """An artist, or a label."""

    id: int
    name: str


@dataclass(frozen=True, kw_only=True)
class TrackCard:
    id: int
    artist: Maker
    title: str
    subtitle: str = ""
    isrc: str = ""
    disc_number: int = 1
    track_number: int
    seconds: float
    explicit: bool = False
    source: str = ""  # a file below MUSIC


@dataclass(frozen=True, kw_only=True)
class ReleaseCard:
    """One release with its tracks. None as a start means: not for this use."""

    id: int
    artist: Maker
    label: Maker
    licensor: Maker
    title: str
    subtitle: str = ""
    kind: str
    genre: str
    upc: str
    released_at: datetime
    territories: tuple[str, ...]
    streams_from: datetime | None
    downloads_from: datetime | None
    cover: str = ""
    taken_down: bool = False
    tracks: tuple[TrackCard, ...] = field(default=())

    def digest(self) -> str:
        """Changes when anything on the card does."""
        return hashlib.sha256(repr(self).encode()).hexdigest()


def check_digit(digits: str) -> str:
    """The last digit of a UPC or EAN over the digits before it."""
    weighted = sum(int(digit) * (3 if place % 2 == 0 else 1) for place, digit in enumerate(reversed(digits)))
    return str(-weighted % 10)
