"""ID3v2.4 tags: the names in an MP3 file, and the clock at the head of an HLS segment. Pure."""

from __future__ import annotations

HLS_CLOCK = b"com.apple.streaming.transportStreamTimestamp\0"


def names(*, title: str, artist: str, album: str, number: int) -> bytes:
    """A tag with the four names players show."""
    texts = {"TIT2": title, "TPE1": artist, "TALB": album, "TRCK": str(number)}
    return tag(*[frame(name, b"\3" + text.encode()) for name, text in texts.items()])  # 3: UTF-8


def timestamp(seconds: float) -> bytes:
    """The tag that opens a segment of packed audio: where it lies in the track, on a 90 kHz clock of 33 bits."""
    ticks = round(seconds * 90_000) % 2**33
    return tag(frame("PRIV", HLS_CLOCK + ticks.to_bytes(8, "big")))


def tag(*frames: bytes) -> bytes:
    body = b"".join(frames)
    return b"ID3\4\0\0" + _seven_bits(len(body)) + body


def frame(name: str, content: bytes) -> bytes:
    return name.encode() + _seven_bits(len(content)) + b"\0\0" + content


def _seven_bits(number: int) -> bytes:
    """A length in four bytes of seven bits, so that it never looks like the start of a sound frame."""
    return bytes(number >> shift & 127 for shift in (21, 14, 7, 0))
