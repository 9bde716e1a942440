"""From a heap of tagged audio files to releases. Pure: tags in, cards out.

Tags are other people's text and may be missing, wrong or hostile. Ids come from names and paths,
so the same folder gives the same ids on every machine and after every rescan.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import PurePosixPath
from typing import Final

from sandbox.countries import WORLD
from sandbox.shelves.cards import Maker, ReleaseCard, TrackCard, check_digit

LONGEST: Final = 200  # characters of any name
VARIOUS: Final = "Various Artists"
ALWAYS: Final = datetime(2000, 1, 1, tzinfo=UTC)
LABEL: Final = Maker(id=3_001, name="Private Collection")
LICENSOR: Final = Maker(id=31, name="Private Collection")


@dataclass(frozen=True, kw_only=True)
class Tagged:
    """One audio file as it was found. `path` is relative to the folder; empty text and 0 mean that a tag is missing.

    `cover` is the path of an image beside the file, or of the file itself where it carries one.
    """

    path: str
    seconds: float
    title: str = ""
    artist: str = ""
    album: str = ""
    album_artist: str = ""
    genre: str = ""
    year: str = ""
    disc: int = 0
    track: int = 0
    isrc: str = ""
    cover: str = ""


def cards(files: Iterable[Tagged], *, folder: str) -> list[ReleaseCard]:
    """Group files into releases. `folder` is the name of the folder they were found in."""
    groups: dict[tuple[str, str, str], list[Tagged]] = {}
    for file in sorted(files, key=lambda file: (file.disc, file.track, file.path)):
        groups.setdefault(release_key(file, folder=folder), []).append(file)
    ids, makers = Ids(), Ids()
    return [release_card(key, members, ids=ids, makers=makers) for key, members in sorted(groups.items())]


def release_key(file: Tagged, *, folder: str) -> tuple[str, str, str]:
    """What files of one release share: album artist, album, and the folder where no album artist binds them."""
    place = str(PurePosixPath(file.path).parent)
    album = clean(file.album) or clean(PurePosixPath(place).name) or clean(folder) or "Untitled"
    album_artist = clean(file.album_artist)
    return album_artist, album, "" if album_artist and clean(file.album) else place


def release_card(key: tuple[str, str, str], files: Sequence[Tagged], *, ids: Ids, makers: Ids) -> ReleaseCard:
    album_artist, album, _ = key
    artists = {clean(file.artist) for file in files} - {""}
    name = album_artist or (artists.pop() if len(artists) == 1 else VARIOUS if artists else "Unknown Artist")
    artist = Maker(id=makers.artist(name), name=name)
    release_id = ids.release("\n".join(key))
    return ReleaseCard(
        id=release_id,
        artist=artist,
        label=LABEL,
        licensor=LICENSOR,
        title=album,
        kind="Single" if len(files) <= 2 else "EP" if len(files) <= 6 else "Album",
        genre=next((clean(file.genre)[:64] for file in files if clean(file.genre)), "Other"),
        upc=f"2{release_id:011}" + check_digit(f"2{release_id:011}"),  # EAN-13 from 2: numbers for use inside a house
        released_at=next(filter(None, (release_date(file.year) for file in files)), ALWAYS),
        territories=WORLD,
        streams_from=ALWAYS,
        downloads_from=ALWAYS,
        cover=next((file.cover for file in files if file.cover), ""),
        tracks=tuple(track_cards(files, artist=artist, ids=ids, makers=makers)),
    )


def track_cards(files: Sequence[Tagged], *, artist: Maker, ids: Ids, makers: Ids) -> Iterator[TrackCard]:
    for position, file in enumerate(files, start=1):
        name = clean(file.artist) or artist.name
        isrc = file.isrc.replace("-", "").upper()
        yield TrackCard(
            id=ids.track(file.path),
            artist=Maker(id=makers.artist(name), name=name),
            title=clean(file.title) or title_from(file.path),
            isrc=isrc if re.fullmatch(r"[A-Z]{2}[A-Z0-9]{3}[0-9]{7}", isrc) else "",
            disc_number=file.disc if 0 < file.disc < 100 else 1,
            track_number=file.track if 0 < file.track < 10_000 else position,
            seconds=file.seconds,
            source=file.path,
        )


class Ids:
    """Deals out positive int32 ids made from text; a second text that would get the same id gets another."""

    def __init__(self) -> None:
        self._given: dict[int, str] = {}

    def release(self, text: str) -> int:
        """Eight digits, as the platform's are."""
        return self._deal("release", text, lowest=10_000_000, highest=99_999_999)

    def track(self, text: str) -> int:
        return self._deal("track", text, lowest=100_000_000, highest=2**31 - 1)

    def artist(self, text: str) -> int:
        return self._deal("artist", text, lowest=1_000_000, highest=9_999_999)

    def _deal(self, kind: str, text: str, *, lowest: int, highest: int) -> int:
        attempt = 0
        while True:
            source = f"{kind}\n{attempt}\n{text}".encode(errors="surrogatepass")
            number = lowest + int.from_bytes(hashlib.sha256(source).digest()[:8], "big") % (highest - lowest + 1)
            if self._given.setdefault(number, f"{kind}\n{text}") == f"{kind}\n{text}":
                return number
            attempt += 1


def clean(text: str) -> str:
    """One line of printable text of at most LONGEST characters."""
    printable = "".join(" " if unicodedata.category(mark)[0] in "CZ" else mark for mark in text[: 4 * LONGEST])
    return " ".join(printable.split())[:LONGEST].strip()


def title_from(path: str) -> str:
    """A title out of a file's name: `03 - blue_umbrella.ogg` → `blue umbrella`."""
    stem = PurePosixPath(path).stem.replace("_", " ")
    return clean(re.sub(r"^\s*\d{1,3}\s*[-. ]\s*(?=\S)", "", stem)) or clean(stem) or "Untitled"


def release_date(text: str) -> datetime | None:
    """The day in a year tag: `2019`, `2019-05` or `2019-05-01`, perhaps with more behind it."""
    match = re.match(r"\s*(\d{4})(?:-(\d\d))?(?:-(\d\d))?", text)
    try:
        day = date(int(match[1]), int(match[2] or 1), int(match[3] or 1)) if match else None
    except ValueError:
        return None
    return datetime(day.year, day.month, day.day, tzinfo=UTC) if day and 1900 <= day.year <= 2100 else None
