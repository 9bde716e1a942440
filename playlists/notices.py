"""What an editor ought to know before a draft is published. Pure: lines in, warnings out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from playlists.sheet import Line


class Kind(StrEnum):
    """What there is to know; GONE alone keeps a draft from being published."""

    GONE = "GONE"
    UNPLAYABLE = "UNPLAYABLE"
    SAME_TRACK = "SAME_TRACK"
    SAME_RECORDING = "SAME_RECORDING"
    EXPLICIT = "EXPLICIT"


@dataclass(frozen=True, kw_only=True)
class Notice:
    """A sentence, and the items it is about; `market` where it is about one."""

    kind: Kind
    detail: str
    item_ids: list[UUID]
    market: str | None = None


def warnings(lines: Sequence[Line], markets: Collection[str]) -> list[Notice]:
    """Everything there is to know, the gravest first."""
    return [*gone(lines), *unplayable(lines, markets), *twice(lines), *explicit(lines)]


def gone(lines: Sequence[Line]) -> Iterator[Notice]:
    if ids := ids_of(lines, lambda line: line.gone):
        yield Notice(kind=Kind.GONE, detail=f"{tracks(ids)} taken down", item_ids=ids)


def unplayable(lines: Sequence[Line], markets: Collection[str]) -> Iterator[Notice]:
    for market in sorted(markets):
        closed = ids_of(lines, lambda line, market=market: not line.gone and market not in line.open_in)  # type: ignore[misc]
        if closed:
            detail = f"{tracks(closed)} not playable in {market}"
            yield Notice(kind=Kind.UNPLAYABLE, detail=detail, item_ids=closed, market=market)


def twice(lines: Sequence[Line]) -> Iterator[Notice]:
    """The same track, and other tracks of the same recording: each but its first."""
    seen: set[int] = set()
    recordings: dict[str, int] = {}
    again: dict[Kind, list[UUID]] = defaultdict(list)
    for line in lines:
        assert line.item_id is not None  # noqa: S101  it is on a draft
        if line.track_id in seen:
            again[Kind.SAME_TRACK].append(line.item_id)
        elif line.isrc and line.isrc in recordings:
            again[Kind.SAME_RECORDING].append(line.item_id)
        seen.add(line.track_id)
        recordings.setdefault(line.isrc, line.track_id)
    said = {Kind.SAME_TRACK: "on it already", Kind.SAME_RECORDING: "on it already as another release’s (same ISRC)"}
    for kind, words in said.items():
        if ids := again[kind]:
            yield Notice(kind=kind, detail=f"{tracks(ids)} {words}", item_ids=ids)


def explicit(lines: Sequence[Line]) -> Iterator[Notice]:
    if ids := ids_of(lines, lambda line: line.explicit):
        yield Notice(kind=Kind.EXPLICIT, detail=f"{tracks(ids)} explicit: some listeners hide them", item_ids=ids)


def ids_of(lines: Sequence[Line], which: Callable[[Line], bool]) -> list[UUID]:
    return [line.item_id for line in lines if line.item_id is not None and which(line)]


def tracks(ids: Sequence[UUID]) -> str:
    """`3 tracks are`, as a sentence begins."""
    return "1 track is" if len(ids) == 1 else f"{len(ids):,} tracks are"
