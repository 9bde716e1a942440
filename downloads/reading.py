"""A page of a locker with what stands in it: one prepared statement, however long the locker is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from typing import Any, Final
from uuid import UUID

from django.db import connection

RELEASE: Final = ("release_id", "title", "version", "artist_name", "purchased_at")
TRACK: Final = (
    "track_id", "title", "version", "artist_name", "disc_number", "track_number", "isrc", "duration_seconds",
    "whole_release", "purchase_id", "purchased_at", "remaining_downloads", "formats",
)  # fmt: skip
# The places of a page are found along the index of their order alone, and only what stands there is read, place by
# place: OFFSET 0 keeps PostgreSQL from reading all lockers' tracks where it expects long pages.
PAGE: Final = """
    WITH mine AS NOT MATERIALIZED (
        SELECT r.id, r.{column} FROM downloads_lockerrelease r WHERE r.listener_id = %(listener)s {releases}),
    page AS MATERIALIZED (
        SELECT id FROM mine ORDER BY {column} {order}, id {order} LIMIT %(size)s OFFSET %(start)s)
    SELECT c.total, r.id, {release}, {track}
      FROM (SELECT count(*) AS total FROM mine) AS c
      LEFT JOIN (page CROSS JOIN LATERAL (
                    SELECT * FROM downloads_lockerrelease WHERE id = page.id OFFSET 0) AS r
                 LEFT JOIN LATERAL (
                    SELECT * FROM downloads_lockertrack t WHERE t.release_id = r.id {tracks} OFFSET 0) AS t ON true
                ) ON true
     ORDER BY r.{column} {order}, r.id {order}, t.disc_number, t.track_number, t.track_id, t.purchased_at
"""
HOLDS: Final = " AND EXISTS (SELECT 1 FROM downloads_lockertrack t WHERE t.release_id = r.id {tracks})"


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What of a listener's locker is asked for; all that is given must hold for a track."""

    listener: UUID
    release: int | None = None
    track: int | None = None
    purchase: UUID | None = None

    @property
    def given(self) -> tuple[str, ...]:
        return tuple(name for name in ("release", "track", "purchase") if getattr(self, name) is not None)


@dataclass(frozen=True, kw_only=True)
class Order:
    """By which column of a release, and whether the last comes first; those alike by their ids."""

    column: str
    descending: bool = False


def locker_page(wanted: Wanted, order: Order, *, start: int, size: int) -> tuple[int, list[dict[str, Any]]]:
    """How many releases fit, and those of one page as RELEASE, each with its `tracks` as TRACK."""
    values = {name: getattr(wanted, name) for name in ("listener", *wanted.given)} | {"start": start, "size": size}
    with connection.prepared() as cursor:  # type: ignore[attr-defined]
        cursor.execute(statement(order, wanted.given), values)
        rows = cursor.fetchall()
    return rows[0][0], [
        dict(zip(RELEASE, alike[0][2:], strict=False)) | {"tracks": tracks_in(alike)}
        for pk, alike in ((pk, list(some)) for pk, some in groupby(rows, lambda row: row[1]))
        if pk is not None
    ]


def tracks_in(rows: Iterable[Sequence[Any]]) -> list[dict[str, Any]]:
    """Of one release; none where nothing of it stands there any more."""
    places = (row[2 + len(RELEASE) :] for row in rows)
    return [dict(zip(TRACK, place, strict=True)) for place in places if place[0] is not None]


@cache
def statement(order: Order, given: tuple[str, ...]) -> str:
    """One of few dozens, so that each is planned once on a connection."""
    of_track = "".join(f" AND t.{name}_id = %({name})s" for name in given if name != "release")
    of_release = " AND r.release_id = %(release)s" if "release" in given else ""
    return PAGE.format(
        column=order.column,
        order="DESC" if order.descending else "ASC",
        releases=of_release + (HOLDS.format(tracks=of_track) if of_track else ""),
        tracks=of_track,
        release=", ".join(f"r.{name}" for name in RELEASE),
        track=", ".join(f"t.{name}" for name in TRACK),
    )
