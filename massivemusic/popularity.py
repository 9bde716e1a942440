"""The platform's popularity files: what is looked for most, twice a week, as JSON (guide: Popularity Reports)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any, Final, TypeGuard

import ijson  # type: ignore[import-untyped]

KINDS: Final = {"trackId": "track", "masterArtistId": "artist", "productId": "release"}


class NotAPopularityFile(ValueError):
    """The file is not JSON, or not of items, or ends within one; the message says where."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Popularity:
    """How much one track, artist or release is looked for: its rank, and what the platform multiplies that with."""

    kind: str
    id: int
    rank: float
    modifier: float


@dataclass(frozen=True, kw_only=True, slots=True)
class OddItem:
    """An item that cannot be understood, by its place in the file, from 0."""

    index: int
    reason: str


def read_popularity(file: IO[bytes]) -> Iterator[Popularity | OddItem]:
    """The items of a file, which may be larger than memory: an array, alone or as `items` of an object.

    Raises NotAPopularityFile as soon as the file turns out to be none.
    """
    start = file.read(1)
    while start.isspace():
        start = file.read(1)
    prefix = {b"[": "item", b"{": "items.item"}.get(start)
    if prefix is None:
        raise NotAPopularityFile("a popularity file is a JSON array, or an object with one as its items")
    index = -1
    try:
        for index, item in enumerate(ijson.items(Rest(start, file), prefix, use_float=True)):
            yield read_item(index, item)
    except ijson.JSONError as error:
        what = error.args[0].decode(errors="replace") if isinstance(error.args[0], bytes) else str(error)
        raise NotAPopularityFile(f"item {index + 1}: {what.strip().splitlines()[0]}") from error
    if index < 0 and start == b"{":
        raise NotAPopularityFile("the object has no items")


class Rest:
    """A file whose first bytes have been read already."""

    def __init__(self, start: bytes, file: IO[bytes]) -> None:
        self.start, self.file = start, file

    def read(self, size: int = -1) -> bytes:
        if size == 0:
            return b""
        start, self.start = self.start, b""
        return start or self.file.read(size)


def read_item(index: int, item: Any) -> Popularity | OddItem:
    """One item, tolerant of members that mean nothing to us."""
    if not isinstance(item, dict):
        return OddItem(index=index, reason="not an object")
    named = [name for name in KINDS if item.get(name) is not None]
    if len(named) != 1:
        return OddItem(index=index, reason=f"must name one of {', '.join(KINDS)}")
    id_, rank, modifier = item[named[0]], item.get("searchRank"), item.get("searchModifier")
    modifier = 1.0 if modifier is None else modifier
    if not isinstance(id_, int) or not 0 < id_ < 2**31:
        return OddItem(index=index, reason=f"{named[0]}: not an id")
    if not is_number(rank):
        return OddItem(index=index, reason="searchRank: must be a number, 0 or more")
    if not is_number(modifier):
        return OddItem(index=index, reason="searchModifier: must be a number, 0 or more")
    return Popularity(kind=KINDS[named[0]], id=id_, rank=rank, modifier=modifier)


def is_number(value: Any) -> TypeGuard[float]:
    return type(value) in {int, float} and math.isfinite(value) and value >= 0
