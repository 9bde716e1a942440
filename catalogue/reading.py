"""Tracks with everything their public shape needs, in one prepared statement each: what every page of tracks reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from django.db import connection

# A track's offers as [use, whether they hold in the country, start, end], in Unix time. The territories stay
# in the database: a world-wide list is long, and only one of them matters.
WINDOWS: Final = """
    (SELECT json_agg(json_build_array(o.use, {country} = ANY (g.territories),
                                      extract(epoch FROM o.starts_at), extract(epoch FROM o.ends_at)))
       FROM catalogue_offer o JOIN catalogue_region g ON g.id = o.region_id
      WHERE o.track_id = {track})::text
"""
READ: Final = """
    SELECT t.id, t.title, t.subtitle, t.isrc, t.disc_number, t.track_number, t.duration_seconds, t.explicit,
           a.id, a.name, r.id, r.title, r.licensor_id, t.gone_at IS NOT NULL OR r.taken_down_at IS NOT NULL, {windows}
      FROM catalogue_track t
      JOIN catalogue_artist a ON a.id = t.artist_id
      JOIN catalogue_release r ON r.id = t.release_id
     WHERE {which}
"""


def reading(which: str) -> str:
    return READ.format(windows=WINDOWS.format(country="%(country)s", track="t.id"), which=which)


BY_ID: Final = reading("t.id = ANY (%(keys)s)")
BY_ISRC: Final = reading("t.isrc = ANY (%(keys)s) ORDER BY t.id")
ON_RELEASE: Final = reading("t.release_id = ANY (%(keys)s) ORDER BY t.disc_number, t.track_number, t.id")


class TrackRow(NamedTuple):
    """A track, its artist and its release; `windows` is for `shapes.windows_of`."""

    id: int
    title: str
    subtitle: str
    isrc: str
    disc_number: int
    track_number: int
    duration_seconds: int
    explicit: bool
    artist_id: int
    artist_name: str
    release_id: int
    release_title: str
    licensor_id: int | None
    gone: bool
    windows: str | None


def tracks_by_id(ids: Sequence[int], *, country: str) -> dict[int, TrackRow]:
    """The tracks that we know of these, gone ones included, for somebody in `country`."""
    return {row.id: row for row in read(BY_ID, ids, country)}


def tracks_by_isrc(isrcs: Sequence[str], *, country: str) -> list[TrackRow]:
    """Every track that carries one of the codes, gone ones included, by id."""
    return read(BY_ISRC, isrcs, country)


def tracks_on(release_id: int, *, country: str) -> list[TrackRow]:
    """The tracks that are on a release, in playing order."""
    return [row for row in read(ON_RELEASE, [release_id], country) if not row.gone]


def read(statement: str, keys: Sequence[Any], country: str) -> list[TrackRow]:
    with connection.prepared() as cursor:  # type: ignore[attr-defined]
        cursor.execute(statement, {"keys": list(keys), "country": country})
        return [TrackRow(*row) for row in cursor.fetchall()]
