"""The frames of an MP3 or ADTS AAC stream: where each begins, how long it plays. Pure.

Real files carry tags, covers, padding and broken bytes between their frames; all of that is
stepped over, and whatever is thrown at the walkers, they come to an end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from mmap import mmap
from typing import Final

Data = bytes | mmap

BITRATES: Final = {  # kbit/s by index, for MPEG-1 and for the half-rate MPEG-2 and 2.5, layer III
    1: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    2: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
MP3_RATES: Final = (44100, 48000, 32000)
AAC_RATES: Final = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350)


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame: its first byte, its length in bytes, and how many seconds it plays."""

    offset: int
    length: int
    seconds: float


def mp3_frames(data: Data) -> Iterator[Frame]:
    """The audio frames of an MP3 file, without the silent first one in which encoders leave notes."""
    for number, frame in enumerate(_walk(data, _mp3_at, start=_after_id3(data))):
        if number > 0 or not _is_info(data[frame.offset : frame.offset + 64]):
            yield frame


def adts_frames(data: Data) -> Iterator[Frame]:
    """The frames of an AAC stream in ADTS framing."""
    return _walk(data, _adts_at, start=_after_id3(data))


def between(frames: Iterable[Frame], begins_at: float, ends_at: float) -> Iterator[Frame]:
    """The frames that begin within these seconds."""
    clock = 0.0
    for frame in frames:
        if begins_at <= clock < ends_at:
            yield frame
        clock += frame.seconds


def _walk(data: Data, frame_at: Callable[[Data, int], Frame | None], *, start: int) -> Iterator[Frame]:
    """Step from frame to frame. After a gap, two in a row must fit: sync bits also occur by chance."""
    position, end, in_step = start, len(data), False
    while position < end:
        frame = frame_at(data, position)
        after = position + frame.length if frame else end + 1
        if frame and after <= end and (in_step or after == end or frame_at(data, after)):
            yield frame
            position, in_step = after, True
        else:
            position, in_step = data.find(b"\xff", position + 1), False
            if position < 0:
                return


def _mp3_at(data: Data, position: int) -> Frame | None:
    head = data[position : position + 4]
    if len(head) < 4 or head[0] != 0xFF:
        return None
    shape = _mp3_shape(head[1], head[2])
    return Frame(position, *shape) if shape else None


@cache
def _mp3_shape(second: int, third: int) -> tuple[int, float] | None:
    """Length and seconds of a layer III frame, from the second and third byte of its header."""
    version, layer = second >> 3 & 3, second >> 1 & 3  # 3: MPEG-1, 2: MPEG-2, 0: MPEG-2.5; 1: layer III
    bitrate, rate = third >> 4, third >> 2 & 3
    if second < 0xE0 or version == 1 or layer != 1 or bitrate in (0, 15) or rate == 3:
        return None
    half = version != 3
    hertz = MP3_RATES[rate] >> {3: 0, 2: 1, 0: 2}[version]
    samples = 576 if half else 1152
    length = samples // 8 * BITRATES[2 if half else 1][bitrate] * 1000 // hertz + (third >> 1 & 1)
    return length, samples / hertz


def _adts_at(data: Data, position: int) -> Frame | None:
    head = data[position : position + 7]
    if len(head) < 7 or head[0] != 0xFF or head[1] & 0xF6 != 0xF0:
        return None
    rate = head[2] >> 2 & 15
    length = (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5
    if rate >= len(AAC_RATES) or length < 7:
        return None
    return Frame(position, length, 1024 * ((head[6] & 3) + 1) / AAC_RATES[rate])


def _after_id3(data: Data) -> int:
    """Where the sound begins: behind any ID3v2 tags at the front."""
    position = 0
    while data[position : position + 3] == b"ID3" and len(data) >= position + 10:
        size = 0
        for byte in data[position + 6 : position + 10]:
            size = size << 7 | byte & 127
        position += 10 + size
    return min(position, len(data))


def _is_info(frame: bytes) -> bool:
    return b"Xing" in frame or b"Info" in frame or b"VBRI" in frame
