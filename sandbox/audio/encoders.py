"""From raw sound to files: MP3 and FLAC with libraries, AAC where ffmpeg is on the PATH."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Final

from sandbox.audio import id3
from sandbox.audio.voices import RATE


class CannotMake(Exception):
    """There is no encoder for this format here, or it failed."""


@dataclass(frozen=True, kw_only=True)
class Names:
    """What goes into a file's tags."""

    title: str
    artist: str
    album: str
    number: int


Write = Callable[[bytes, Names, Path], None]


@dataclass(frozen=True, kw_only=True)
class Encoder:
    """One formatId: how its files end, what they are called on the wire, and who writes them.

    `codec` is what ffmpeg must have on board; empty where a library does the work.
    """

    suffix: str
    content_type: str
    write: Write
    codec: str = ""

    @property
    def able(self) -> bool:
        return not self.codec or self.codec in ffmpeg_codecs()


def write_mp3(pcm: bytes, names: Names, path: Path, *, kilobits: int) -> None:
    import lameenc  # kept out of every other process's start

    encoder = lameenc.Encoder()
    encoder.silence()
    encoder.set_bit_rate(kilobits)
    encoder.set_in_sample_rate(RATE)
    encoder.set_channels(2)
    encoder.set_quality(5)  # 2 sounds no better here and takes three times as long
    sound = bytes(encoder.encode(pcm)) + bytes(encoder.flush())
    path.write_bytes(id3.names(title=names.title, artist=names.artist, album=names.album, number=names.number) + sound)


def write_flac(pcm: bytes, names: Names, path: Path) -> None:
    import soundfile

    with soundfile.SoundFile(path, "w", RATE, 2, "PCM_16", format="FLAC") as file:
        file.title, file.artist, file.album, file.tracknumber = (
            names.title,
            names.artist,
            names.album,
            str(names.number),
        )
        file.buffer_write(pcm, "int16")


def write_aac(pcm: bytes, names: Names, path: Path, *, options: tuple[str, ...], framing: str = "adts") -> None:
    """AAC, by default in ADTS framing, which both a progressive stream and an HLS segment can carry."""
    ffmpeg("-f", "s16le", "-ar", str(RATE), "-ac", "2", "-i", "-", *options, "-f", framing, str(path), given=pcm)


@cache
def ffmpeg_codecs() -> frozenset[str]:
    """The encoders of the ffmpeg on the PATH; none where there is no ffmpeg."""
    if shutil.which("ffmpeg") is None:
        return frozenset()
    listed = subprocess.run(["ffmpeg", "-v", "error", "-encoders"], capture_output=True, text=True, check=False)
    return frozenset(words[1] for words in map(str.split, listed.stdout.splitlines()) if len(words) > 2)


def ffmpeg(*arguments: str, given: bytes = b"") -> None:
    """Run ffmpeg. Raises CannotMake where it is missing, or says no."""
    program = shutil.which("ffmpeg")
    if program is None:
        raise CannotMake("ffmpeg is not on the PATH")
    done = subprocess.run([program, "-v", "error", "-y", *arguments], input=given, capture_output=True, check=False)
    if done.returncode != 0:
        raise CannotMake(done.stderr.decode(errors="replace").strip()[-300:])


ENCODERS: Final = {
    17: Encoder(suffix="320.mp3", content_type="audio/mpeg", write=partial(write_mp3, kilobits=320)),
    26: Encoder(suffix="128.mp3", content_type="audio/mpeg", write=partial(write_mp3, kilobits=128)),
    33: Encoder(
        suffix="320.m4a",
        content_type="audio/mp4",
        write=partial(write_aac, options=("-c:a", "aac", "-b:a", "320k"), framing="ipod"),
        codec="aac",
    ),
    45: Encoder(suffix="flac", content_type="audio/flac", write=write_flac),
    55: Encoder(
        suffix="64.aac",
        content_type="audio/aac",
        write=partial(write_aac, options=("-c:a", "libfdk_aac", "-profile:a", "aac_he", "-b:a", "64k")),
        codec="libfdk_aac",
    ),
    56: Encoder(
        suffix="160.aac",
        content_type="audio/aac",
        write=partial(write_aac, options=("-c:a", "aac", "-b:a", "160k")),
        codec="aac",
    ),
}
