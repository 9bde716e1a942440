"""What is on a listener's playlist, a page at a time: prepared statements, because lists are opened all day."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from django.db import connection

from playlists.rules import PlaylistNotFound

FIRST: Final = -(2**63)  # no position lies before it
READABLE: Final = """
    SELECT id, version FROM playlists_playlist
     WHERE id = %(playlist)s AND removed_at IS NULL
       AND (owner_id = %(listener)s OR owner_id IS NOT NULL AND visibility = 'PUBLIC')
"""
PAGE: Final = f"""
    SELECT list.version, item.id, item.track_id, item.position, item.added_at
      FROM ({READABLE}) list
      LEFT JOIN LATERAL (
           SELECT id, track_id, position, added_at FROM playlists_item
            WHERE playlist_id = list.id AND position > %(after)s ORDER BY position LIMIT %(limit)s) item ON true
     ORDER BY item.position
"""  # noqa: S608


class Placed(NamedTuple):
    """An item as a row."""

    pk: UUID
    track_id: int
    position: int
    added_at: datetime


def readable_version(playlist_id: UUID, *, listener_id: UUID) -> int:
    """Of the listener's own playlist, or one that its owner shows to whoever has the link. Raises PlaylistNotFound."""
    ((_, version),) = rows_of(READABLE, playlist=playlist_id, listener=listener_id)
    return int(version)


def readable_page(playlist_id: UUID, *, listener_id: UUID, after: int, limit: int) -> tuple[int, list[Placed]]:
    """The version of such a playlist, and its items behind a position, which no two of a list share, in their order.

    Raises PlaylistNotFound.
    """
    rows = rows_of(PAGE, playlist=playlist_id, listener=listener_id, after=after, limit=limit)
    return rows[0][0], [Placed(*row[1:]) for row in rows if row[1] is not None]


def rows_of(statement: str, **facts: Any) -> list[tuple[Any, ...]]:
    """One at least. Raises PlaylistNotFound where the listener may read no such playlist."""
    with connection.prepared() as cursor:  # type: ignore[attr-defined]
        cursor.execute(statement, facts)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    if not rows:
        raise PlaylistNotFound("there is no such playlist")
    return rows
