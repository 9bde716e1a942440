"""HTTP Live Streaming from a plain MP3 or AAC file: cut between frames, list the pieces (RFC 8216). Pure.

A segment is "packed audio": a timestamp, then a slice of the file as it lies there. Nothing is
stored: the cuts are found by walking the frames once.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sandbox.audio.frames import Frame

TARGET_SECONDS = 6.0


@dataclass(frozen=True, kw_only=True)
class Segment:
    """Bytes `first` to `end` (not included) of the file, playing `seconds` from `begins_at` on."""

    first: int
    end: int
    begins_at: float
    seconds: float


def cut(frames: Iterable[Frame], *, target: float = TARGET_SECONDS) -> list[Segment]:
    """Gather frames into segments of at most `target` seconds; a rest shorter than a third joins its neighbour."""
    segments: list[Segment] = []
    first = end = 0
    begins_at = clock = 0.0
    for frame in frames:
        if clock == begins_at:
            first = frame.offset
        elif clock + frame.seconds - begins_at > target:
            segments.append(Segment(first=first, end=end, begins_at=begins_at, seconds=clock - begins_at))
            first, begins_at = frame.offset, clock
        end, clock = frame.offset + frame.length, clock + frame.seconds
    if segments and clock - begins_at < target / 3:
        last = segments.pop()
        first, begins_at = last.first, last.begins_at
    if clock > begins_at:
        segments.append(Segment(first=first, end=end, begins_at=begins_at, seconds=clock - begins_at))
    return segments


def playlist(segments: Sequence[Segment], *, urls: Iterable[str]) -> str:
    """The media playlist of a finished recording."""
    longest = max(segment.seconds for segment in segments)
    lines = ["#EXTM3U", "#EXT-X-VERSION:3", f"#EXT-X-TARGETDURATION:{math.ceil(longest)}"]
    lines += ["#EXT-X-MEDIA-SEQUENCE:0", "#EXT-X-PLAYLIST-TYPE:VOD"]
    for segment, url in zip(segments, urls, strict=True):
        lines += [f"#EXTINF:{segment.seconds:.5f},", url]
    return "\n".join([*lines, "#EXT-X-ENDLIST", ""])
