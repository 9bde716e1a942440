"""A draft as its editor sees it: every track with the markets in which it can be heard, in one statement."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from django.db import connection

from catalogue.licensors import listed_licensors
from catalogue.rules import Use

# The markets of each region are looked up once: many tracks share one.
SHEET: Final = """
    WITH listed AS MATERIALIZED ({listed}),
    rights AS MATERIALIZED (
        SELECT DISTINCT o.track_id, o.region_id FROM catalogue_offer o
         WHERE o.track_id IN (SELECT track_id FROM listed) AND o.use = %(use)s
           AND o.starts_at <= %(at)s AND (o.ends_at IS NULL OR o.ends_at > %(at)s)),
    regions AS MATERIALIZED (
        SELECT g.id, m.market FROM catalogue_region g, unnest(%(markets)s::text[]) AS m (market)
         WHERE g.id IN (SELECT region_id FROM rights) AND m.market = ANY (g.territories)),
    open AS (
        SELECT r.track_id, array_agg(DISTINCT g.market) AS markets
          FROM rights r JOIN regions g ON g.id = r.region_id GROUP BY r.track_id)
    SELECT l.item_id, t.id, t.title, t.subtitle, a.name, t.isrc, t.duration_seconds, t.explicit, t.release_id,
           t.gone_at IS NOT NULL OR r.taken_down_at IS NOT NULL,
           CASE WHEN t.gone_at IS NULL AND r.taken_down_at IS NULL
                     AND (%(licensors)s::int[] IS NULL OR r.licensor_id = ANY (%(licensors)s::int[]))
                THEN coalesce(o.markets, '{{}}') ELSE '{{}}' END
      FROM listed l JOIN catalogue_track t ON t.id = l.track_id
      JOIN catalogue_artist a ON a.id = t.artist_id
      JOIN catalogue_release r ON r.id = t.release_id
      LEFT JOIN open o ON o.track_id = t.id
     ORDER BY l.place
"""
OF_PLAYLIST: Final = SHEET.format(
    listed="SELECT id AS item_id, track_id, position AS place FROM playlists_item WHERE playlist_id = %(playlist)s"
)
OF_TRACKS: Final = SHEET.format(
    listed="SELECT NULL::uuid AS item_id, track_id, place "
    "FROM unnest(%(tracks)s::int[]) WITH ORDINALITY AS w (track_id, place)"
)


class Line(NamedTuple):
    """A track on a draft, or one that might come onto it; `open_in` are those of the markets where it can be heard."""

    item_id: UUID | None
    track_id: int
    title: str
    version: str
    artist: str
    isrc: str
    seconds: int
    explicit: bool
    release_id: int
    gone: bool
    open_in: list[str]


def lines_of(playlist_id: UUID, *, markets: Collection[str], at: datetime) -> list[Line]:
    """What is on the draft, in order, by the rights of an instant."""
    return read(OF_PLAYLIST, markets=markets, at=at, playlist=playlist_id)


def lines_for(track_ids: Sequence[int], *, markets: Collection[str], at: datetime) -> list[Line]:
    """Tracks in the order given, without those that we do not know."""
    return read(OF_TRACKS, markets=markets, at=at, tracks=list(track_ids))


def read(statement: str, *, markets: Collection[str], at: datetime, **which: Any) -> list[Line]:
    values: dict[str, Any] = {
        "markets": sorted(markets),
        "at": at,
        "use": Use.STREAM.value,
        "licensors": listed_licensors(),
    }
    with connection.cursor() as cursor:
        cursor.execute(statement, values | which)
        return [Line(*row) for row in cursor.fetchall()]
