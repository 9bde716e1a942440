"""Reading MUSIC, a folder of real audio files. A file that cannot be read is reported and skipped, never fatal."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tinytag import TinyTag

from sandbox.audio.library import CONTENT_TYPES
from sandbox.shelves import grouping
from sandbox.shelves.cards import ReleaseCard
from sandbox.shelves.grouping import Tagged

COVERS: Final = ("cover.jpg", "folder.jpg", "cover.jpeg", "cover.png", "folder.png")


@dataclass(kw_only=True)
class Found:
    """What a folder holds: releases, and a line for each file that could not be read."""

    cards: list[ReleaseCard]
    complaints: list[str] = field(default_factory=list)


def fingerprint(folder: Path) -> str:
    """Changes when a file is added, removed, or written to."""
    digest = hashlib.sha256(os.fsencode(folder))
    for path in audio_files(folder):
        status = path.stat()
        digest.update(os.fsencode(path) + f"\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def read(folder: Path) -> Found:
    """Read every audio file's tags."""
    found = Found(cards=[])
    tagged = []
    for path in audio_files(folder):
        name = path.relative_to(folder).as_posix()
        try:
            tagged.append(tags_of(path, name=name))
        except Exception as error:  # noqa: BLE001  broken files break a parser in any way they like
            reason = grouping.clean(str(error))[:120] or type(error).__name__
            found.complaints.append(f"skipped {name!a}: {reason}")
    found.cards = grouping.cards(tagged, folder=folder.name)
    return found


def audio_files(folder: Path) -> Iterator[Path]:
    """All audio files below `folder` in a fixed order; hidden folders are left alone."""
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = Path(place) / name
            if path.suffix.lower() in CONTENT_TYPES and not name.startswith(".") and path.is_file():
                yield path


def tags_of(path: Path, *, name: str) -> Tagged:
    """One file's tags. Raises whatever the parser raises, and ValueError where there is no sound in it."""
    name.encode()  # a name that is not UTF-8 has no place in the database
    tag = TinyTag.get(path, image=True)
    seconds = float(tag.duration or 0)
    if not (math.isfinite(seconds) and 0 < seconds < 86_400):
        raise ValueError("it has no playing time")
    isrc = tag.other.get("isrc") or [""]
    return Tagged(
        path=name,
        seconds=round(seconds, 3),
        title=tag.title or "",
        artist=tag.artist or "",
        album=tag.album or "",
        album_artist=tag.albumartist or "",
        genre=tag.genre or "",
        year=tag.year or "",
        disc=tag.disc or 0,
        track=tag.track or 0,
        isrc=isrc[0],
        cover=name if tag.images.any else cover_beside(path, name=name),
    )


def cover_beside(path: Path, *, name: str) -> str:
    """The path of an image in the file's folder that is plainly meant as its cover; empty when there is none."""
    for candidate in COVERS:
        if (path.parent / candidate).is_file():
            return str(Path(name).parent / candidate)
    return ""
