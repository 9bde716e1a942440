"""ZIP archives that exist only while they are sent: their length is known before the first byte.

Audio is stored as it is: deflating it again gains nothing, and only what is stored has a known length.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from zipstream import ZipStream

LONGEST: Final = 120  # letters of a name; four bytes each at the most, and file systems take 255 to 1024 of these
UNSAFE: Final = re.compile(r'[\x00-\x1f\x7f-\x9f"*/:<>?\\|\u200b-\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff]+')


@dataclass(frozen=True, kw_only=True)
class Member:
    """A file, and what it and its folder are to be called: any text, without the suffix that the file has."""

    path: Path
    folder: str
    name: str


def archive(members: Iterable[Member]) -> ZipStream:
    """An archive of these files. `len` is its length in bytes; iterating it makes it, once."""
    zipped = ZipStream(sized=True)
    members = list(members)
    stems = distinct(f"{safe(member.folder)}/{safe(member.name)}" for member in members)
    for member, stem in zip(members, stems, strict=True):
        zipped.add_path(member.path, stem + member.path.suffix.lower())
    return zipped


def safe(name: str) -> str:
    """A name that every file system takes and that goes nowhere: no path, no control or direction marks."""
    plain = UNSAFE.sub("_", unicodedata.normalize("NFC", name))[:LONGEST].strip(" .")
    return plain or "_"


def distinct(names: Iterable[str]) -> Iterator[str]:
    """The names, later ones numbered where file systems could not tell them from earlier ones."""
    taken: set[str] = set()
    for name in names:
        number, candidate = 1, name
        while candidate.casefold() in taken:
            number += 1
            candidate = f"{name} ({number})"
        taken.add(candidate.casefold())
        yield candidate
