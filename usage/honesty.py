"""What an honest play can look like. Pure.

Nobody listens longer than time has passed, and nothing is heard that was never handed out. A play against that is not
refused, because the phone cannot know better and may be right; a person looks at it before it is paid.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Collection, Iterable, Iterator
from enum import StrEnum
from typing import Final, NamedTuple
from uuid import UUID

A_DAY: Final = 24 * 3600
PATIENCE: Final = 60  # seconds: clocks differ
FADE: Final = 30  # seconds: tracks may fade into each other
DAY_SLACK: Final = 30 * 60
REWOUND: Final = 2  # times the length of a track: parts of it are heard again


class Flag(StrEnum):
    """Why a person should look at a play."""

    NO_GRANT = "NO_GRANT"  # the track was never handed out to the listener
    LONGER_THAN_TRACK = "LONGER_THAN_TRACK"
    NOT_OVER_YET = "NOT_OVER_YET"  # it was told before it can have ended
    TOO_MANY_AT_ONCE = "TOO_MANY_AT_ONCE"  # more at a time than the plan lets play
    OVER_A_DAY = "OVER_A_DAY"  # more in a day than the plan's devices have hours
    RELEASED = "RELEASED"  # a person has looked at it and let it go
    DISCARDED = "DISCARDED"  # a person has looked at it and kept it back


class Claim(NamedTuple):
    """A play that is about to be reported, and what is known of its track; `duration_seconds` is 0 where unknown.

    Instants are in Unix time: whole files of plays are judged at once, and dates would take ten times as long.
    """

    id: int
    listener_id: UUID
    track_id: int
    played_at: float
    seconds_played: int
    received_at: float
    duration_seconds: int


class Stretch(NamedTuple):
    """A listening as one of many: from when (in Unix time), how long."""

    played_at: float
    id: int
    seconds_played: int


def flags_of(claim: Claim) -> Iterator[Flag]:
    """What is odd about a play by itself."""
    length = claim.seconds_played
    if claim.played_at + length > claim.received_at + PATIENCE:
        yield Flag.NOT_OVER_YET
    if claim.duration_seconds and length > REWOUND * claim.duration_seconds + PATIENCE:
        yield Flag.LONGER_THAN_TRACK


def crowded(plays: Iterable[Stretch], *, judged: Collection[int], places: int) -> Iterator[tuple[int, Flag]]:
    """Which of one listener's plays are too many for devices of which `places` may play at a time.

    One more may: a displaced device finishes its track (Streaming guide §4). `plays` are all there are around those to
    be `judged`, by their ids; a play that is flagged is not counted against the next.
    """
    running: list[float] = []  # when each of those that have begun ends
    lately: deque[Stretch] = deque()
    heard = 0
    for play in sorted(plays):
        begins, play_id, length = play
        while running and running[0] <= begins:
            heapq.heappop(running)
        while lately and lately[0].played_at <= begins - A_DAY:
            heard -= lately.popleft().seconds_played
        if length and play_id in judged:
            if len(running) > places:
                yield play_id, Flag.TOO_MANY_AT_ONCE
                continue
            if heard + length > places * A_DAY + DAY_SLACK:
                yield play_id, Flag.OVER_A_DAY
                continue
        if length > FADE:
            heapq.heappush(running, begins + length - FADE)
        lately.append(play)
        heard += length
