"""Tracks by what editors paste: ids, ISRCs and UPCs, one a line or in the columns of a table, with whatever else."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from catalogue.models import Track
from catalogue.search import ISRC
from kernel.errors import InvalidParameter
from kernel.values import INT32

MOST_LINES: Final = 10_000
MOST_CELLS: Final = 40  # of a line that are looked at
SEPARATORS: Final = re.compile(r"[,;\t|]")
AROUND: Final = " \"'“”‘’\ufeff\u00a0"  # what spreadsheets and mails put around a cell
ID: Final = re.compile(r"[0-9]{1,10}")
UPC: Final = re.compile(r"[0-9]{11,14}")
SHOWN: Final = 80  # characters of a line that are told again


class Found(StrEnum):
    """What became of a line."""

    FOUND = "FOUND"
    AMBIGUOUS = "AMBIGUOUS"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True, kw_only=True, slots=True)
class Wish:
    """A line, by its number from 1, and what it asks for: an `isrc`, a `upc`, an `id`, or nothing we can tell."""

    number: int
    text: str
    kind: str
    code: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Match:
    """A line and its tracks: those of a release in playing order, or, where it is ambiguous, the likeliest first."""

    wish: Wish
    found: Found
    detail: str = ""
    track_ids: Sequence[int] = field(default=())


def matched(text: str) -> list[Match]:
    """Every line that is not blank, in order, in three statements. Raises InvalidParameter for too many lines."""
    wishes = list(wishes_in(text))
    find = {"id": by_id, "isrc": by_isrc, "upc": by_upc}
    hits = {kind: look({wish.code for wish in wishes if wish.kind == kind}) for kind, look in find.items()}
    return [match(wish, hits.get(wish.kind, {}).get(wish.code, [])) for wish in wishes]


def match(wish: Wish, track_ids: Sequence[int]) -> Match:
    if not wish.kind:
        return Match(wish=wish, found=Found.UNKNOWN, detail="no ISRC or UPC in it, nor one number alone")
    if not track_ids:
        return Match(wish=wish, found=Found.UNKNOWN, detail="nothing on the shelves has it")
    if wish.kind == "isrc" and len(track_ids) > 1:
        return Match(wish=wish, found=Found.AMBIGUOUS, detail=f"on {len(track_ids)} releases", track_ids=track_ids)
    return Match(wish=wish, found=Found.FOUND, track_ids=track_ids)


def wishes_in(text: str) -> Iterator[Wish]:
    """Raises InvalidParameter."""
    lines = [(number, line.strip()) for number, line in enumerate(re.split(r"\r\n|\r|\n", text), 1)]
    filled = [(number, line) for number, line in lines if line]
    if len(filled) > MOST_LINES:
        raise InvalidParameter(f"at most {MOST_LINES:,} lines at a time; these are {len(filled):,}")
    for number, line in filled:
        kind, code = code_of(line)
        yield Wish(number=number, text=line[:SHOWN], kind=kind, code=code)


def code_of(line: str) -> tuple[str, str]:
    """What a line asks for: an ISRC anywhere in it, or else a UPC, or else the only whole number."""
    cells = [cell.strip(AROUND) for cell in SEPARATORS.split(line, maxsplit=MOST_CELLS)[:MOST_CELLS]]
    isrcs = [re.sub(r"[\s-]", "", cell).upper() for cell in cells]
    for kind, shape, codes in (("isrc", ISRC, isrcs), ("upc", UPC, cells)):
        for code in codes:
            if code.isascii() and shape.fullmatch(code):
                return kind, code
    numbers = [cell for cell in cells if ID.fullmatch(cell)]
    return ("id", numbers[0]) if len(numbers) == 1 else ("", "")


# --- Looking up ----------------------------------------------------------------------------------------------


def by_id(codes: Iterable[str]) -> dict[str, list[int]]:
    """Under each id as it was written, zeros in front included."""
    ids = {code: int(code) for code in codes if 0 < int(code) <= INT32}
    there = set(Track.objects.standing().filter(pk__in=set(ids.values())).values_list("pk", flat=True))
    return {code: [pk] for code, pk in ids.items() if pk in there}


def by_isrc(codes: Iterable[str]) -> dict[str, list[int]]:
    """The most popular first."""
    rows = Track.objects.standing().filter(isrc__in=set(codes)).order_by("-popularity", "pk")
    return grouped(rows.values_list("isrc", "pk"), key=str)


def by_upc(codes: Iterable[str]) -> dict[str, list[int]]:
    """In playing order. A UPC is the same with and without zeros in front (UPC-A, EAN-13, GTIN-14)."""
    asked = {code: code.lstrip("0") for code in codes}
    written = {bare.zfill(length) for bare in asked.values() for length in range(len(bare), 15)}
    rows = Track.objects.standing().filter(release__upc__in=written)
    ordered = rows.order_by("release", "disc_number", "track_number", "pk").values_list("release__upc", "pk")
    found = grouped(ordered, key=lambda upc: upc.lstrip("0"))
    return {code: found[bare] for code, bare in asked.items() if bare in found}


def grouped(rows: Iterable[tuple[str, int]], *, key: Callable[[str], str]) -> dict[str, list[int]]:
    groups: dict[str, list[int]] = defaultdict(list)
    for code, pk in rows:
        groups[key(code)].append(pk)
    return dict(groups)
