"""The audio file behind a track and a formatId: found on disk, or composed and encoded on first request."""

from __future__ import annotations

import mmap
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Final

from django.conf import settings

from sandbox.audio import hls
from sandbox.audio.encoders import ENCODERS, CannotMake, Encoder, Names, ffmpeg
from sandbox.audio.frames import adts_frames, between, mp3_frames
from sandbox.files import made_once
from sandbox.models import Track

CLIP_FORMAT: Final = 26
CLIP_SECONDS: Final = 30
EDITION: Final = "1"  # new sounds, new folder: what was cached before is not touched

STYLE_OF_GENRE: Final = {
    "Folk": "fireside", "Traditional": "fireside", "Singer-Songwriter": "fireside", "Americana": "fireside",
    "Electronic": "club", "House": "club", "Pop": "night", "Chanson": "patio", "Latin": "patio", "Jazz": "trio",
    "Ambient": "drift", "Classical": "drift", "Hip-Hop": "night",
}  # fmt: skip

CONTENT_TYPES: Final = {
    ".mp3": "audio/mpeg", ".flac": "audio/flac", ".ogg": "audio/ogg", ".oga": "audio/ogg", ".opus": "audio/ogg",
    ".m4a": "audio/mp4", ".wav": "audio/wav", ".aac": "audio/aac",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Audio:
    """A file ready to be sent."""

    path: Path
    content_type: str


def progressive(track: Track, format_id: int) -> Audio:
    """The file a progressive stream sends. Raises CannotMake.

    A track from MUSIC is sent as it lies on disk, whatever streamable format is asked for (our choice).
    """
    encoder = _encoder(format_id)
    if track.source:
        path = source(track)
        return Audio(path=path, content_type=CONTENT_TYPES[path.suffix.lower()])
    if not encoder.able:
        raise CannotMake(f"no encoder for {encoder.codec} at hand")
    path = Path(settings.HOME) / "audio" / EDITION / str(track.pk) / f"{track.pk}.{encoder.suffix}"
    return Audio(path=made_once(path, partial(_compose, track, encoder)), content_type=encoder.content_type)


def can_make(track: Track, format_id: int) -> bool:
    """Whether there is, or could be, a file of this track in this format."""
    return format_id in ENCODERS and (bool(track.source) or ENCODERS[format_id].able)


def packable(track: Track, format_id: int) -> Audio:
    """A file that HLS can cut: MP3 or ADTS AAC. Real music in any other form goes through ffmpeg. Raises CannotMake."""
    audio = progressive(track, format_id)
    if not track.source and format_id in (33, 45):
        raise CannotMake("neither FLAC nor MP4 can be packed")
    if not track.source or audio.content_type == "audio/mpeg":
        return audio
    status = audio.path.stat()
    name = f"{track.pk}-{status.st_size:x}-{status.st_mtime_ns:x}.mp3"
    path = made_once(Path(settings.HOME) / "audio" / "music" / name, partial(_transcode, audio.path))
    return Audio(path=path, content_type="audio/mpeg")


def clip(track: Track) -> Audio:
    """Thirty seconds of it, or what there is, as MP3. Raises CannotMake."""
    audio = packable(track, CLIP_FORMAT)
    status = audio.path.stat()
    name = f"{track.pk}-{status.st_size:x}-{status.st_mtime_ns:x}.mp3"
    path = made_once(
        Path(settings.HOME) / "audio" / "clips" / name, partial(_excerpt, audio.path, track.clip_starts_at)
    )
    return Audio(path=path, content_type="audio/mpeg")


def segments(audio: Audio) -> list[hls.Segment]:
    """Where to cut a packable file. Raises CannotMake where it holds no frames."""
    found = _segments(audio, audio.path.stat().st_mtime_ns)
    if not found:
        raise CannotMake("no audio frames found")
    return found


def source(track: Track) -> Path:
    """The file in MUSIC. Raises CannotMake when it is gone."""
    path = Path(settings.MUSIC or "/nowhere") / track.source
    if not path.is_file():
        raise CannotMake("the source file is gone")
    return path


def _encoder(format_id: int) -> Encoder:
    if format_id not in ENCODERS:
        raise CannotMake("no such format")
    return ENCODERS[format_id]


@lru_cache(maxsize=256)
def _segments(audio: Audio, modified: int) -> list[hls.Segment]:
    """`modified` is only there so that a changed file is cut anew."""
    walk = adts_frames if audio.content_type == "audio/aac" else mp3_frames
    with audio.path.open("rb") as handle, mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return hls.cut(walk(data))


def _compose(track: Track, encoder: Encoder, path: Path) -> None:
    from sandbox.audio.mix import record  # numpy: not for processes that never play
    from sandbox.audio.score import compose

    release = track.release
    piece = compose(
        seconds=round(track.seconds),
        style=STYLE_OF_GENRE.get(release.genre, "fireside"),
        release_seed=release.pk,
        track_seed=track.pk,
    )
    names = Names(title=track.title, artist=track.artist.name, album=release.title, number=track.track_number)
    encoder.write(record(piece), names, path)


def _excerpt(path: Path, begins_at: int, draft: Path) -> None:
    with path.open("rb") as handle, mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ) as data:
        frames = between(mp3_frames(data), begins_at, begins_at + CLIP_SECONDS)
        sound = b"".join(data[frame.offset : frame.offset + frame.length] for frame in frames)
    if not sound:
        raise CannotMake("no audio frames found")
    draft.write_bytes(sound)


def _transcode(path: Path, draft: Path) -> None:
    ffmpeg("-i", str(path), "-vn", "-c:a", "libmp3lame", "-b:a", "128k", "-f", "mp3", str(draft))
