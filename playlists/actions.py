"""What listeners do with their playlists. Every change names the version it was made upon."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db import connection, transaction

from accounts.models import Listener
from catalogue.models import Track
from catalogue.rules import TrackNotFound
from kernel.errors import InvalidParameter
from outbox.actions import Draft, send
from playlists.models import Item, Playlist
from playlists.ordering import GAP, places
from playlists.rules import (
    ITEMS_LIMIT,
    PLAYLISTS_LIMIT,
    ItemNotFound,
    PlaylistChanged,
    PlaylistFull,
    PlaylistNotFound,
    TooManyPlaylists,
)

SPREAD: Final = """
    UPDATE playlists_item i SET position = spread.place * %(gap)s
      FROM (SELECT id, row_number() OVER (ORDER BY position) AS place
              FROM playlists_item WHERE playlist_id = %(playlist)s) spread
     WHERE i.id = spread.id
"""
PLACE: Final = """
    UPDATE playlists_item i SET position = p.position
      FROM unnest(%(items)s::uuid[], %(positions)s::bigint[]) AS p (id, position)
     WHERE i.id = p.id
"""


@transaction.atomic
def create_playlist(*, listener_id: UUID, facts: Mapping[str, Any], now: datetime) -> Playlist:
    """A new, empty playlist of the listener's. Raises TooManyPlaylists."""
    Listener.objects.select_for_update().get(pk=listener_id)
    if Playlist.objects.standing().filter(owner=listener_id).count() >= PLAYLISTS_LIMIT:
        raise TooManyPlaylists(f"there may be {PLAYLISTS_LIMIT:,} playlists", limit=PLAYLISTS_LIMIT)
    playlist = Playlist.objects.create(owner_id=listener_id, created_at=now, updated_at=now, **facts)
    tell(playlist)
    return playlist


@transaction.atomic
def change_playlist(
    *, listener_id: UUID, playlist_id: UUID, version: int | None, facts: Mapping[str, Any], now: datetime
) -> Playlist:
    """Rename, describe, show or hide a playlist; what is so already is no change, and makes no version.

    Raises PlaylistNotFound or PlaylistChanged.
    """
    playlist = held(listener_id=listener_id, playlist_id=playlist_id, version=version)
    news = {name: value for name, value in facts.items() if getattr(playlist, name) != value}
    for name, value in news.items():
        setattr(playlist, name, value)
    if news:
        changed(playlist, now=now, fields=news)
    return playlist


@transaction.atomic
def remove_playlist(*, listener_id: UUID, playlist_id: UUID, version: int | None, now: datetime) -> None:
    """Remove a playlist with everything on it. Raises PlaylistNotFound or PlaylistChanged."""
    playlist = held(listener_id=listener_id, playlist_id=playlist_id, version=version)
    take_away(playlist, now=now)


@transaction.atomic
def add_tracks(
    *,
    listener_id: UUID,
    playlist_id: UUID,
    version: int | None,
    track_ids: Sequence[int],
    before: UUID | None = None,
    now: datetime,
) -> tuple[Playlist, list[Item]]:
    """Put tracks onto a playlist, in their order, in front of an item or at the end; the new items.

    A track that cannot be played is added all the same. Raises PlaylistNotFound, PlaylistChanged, PlaylistFull,
    ItemNotFound for `before`, and TrackNotFound with the `missing` ones, in which case none is added.
    """
    playlist = held(listener_id=listener_id, playlist_id=playlist_id, version=version)
    items = put(playlist, track_ids, before=before, now=now)
    changed(playlist, now=now, fields=["track_count"])
    return playlist, items


@transaction.atomic
def move_items(
    *,
    listener_id: UUID,
    playlist_id: UUID,
    version: int | None,
    item_ids: Sequence[UUID],
    before: UUID | None,
    now: datetime,
) -> Playlist:
    """Put items, in the order given, in front of another item or at the end.

    Raises PlaylistNotFound, PlaylistChanged, ItemNotFound, and InvalidParameter where an item is to stand in front
    of itself or is named twice.
    """
    playlist = held(listener_id=listener_id, playlist_id=playlist_id, version=version)
    place(playlist, item_ids, before=before)
    changed(playlist, now=now)
    return playlist


@transaction.atomic
def remove_item(*, listener_id: UUID, playlist_id: UUID, version: int | None, item_id: UUID, now: datetime) -> Playlist:
    """Take one item off a playlist. Raises PlaylistNotFound, PlaylistChanged or ItemNotFound."""
    playlist = held(listener_id=listener_id, playlist_id=playlist_id, version=version)
    if not Item.objects.filter(playlist=playlist, pk=item_id).delete()[0]:
        raise ItemNotFound("there is no such item on the playlist")
    playlist.track_count -= 1
    changed(playlist, now=now, fields=["track_count"])
    return playlist


# --- What these have in common ---------------------------------------------------------------------------


def held(*, listener_id: UUID, playlist_id: UUID, version: int | None) -> Playlist:
    """The listener's own playlist, for this transaction alone to change. `version` is the one the caller has read.

    None for any: the caller asked for no more than that it exists. Raises PlaylistNotFound or PlaylistChanged.
    """
    own = Playlist.objects.standing().filter(owner=listener_id).select_for_update()
    playlist = own.filter(pk=playlist_id).first()
    if playlist is None:
        raise PlaylistNotFound("there is no such playlist")
    if version is not None and version != playlist.version:
        raise PlaylistChanged("the playlist has been changed in the meantime")
    return playlist


def put(playlist: Playlist, track_ids: Sequence[int], *, before: UUID | None, now: datetime) -> list[Item]:
    """Tracks onto a playlist that the caller holds, and will save: see `add_tracks`."""
    if playlist.track_count + len(track_ids) > ITEMS_LIMIT:
        raise PlaylistFull(f"a playlist holds {ITEMS_LIMIT:,} tracks", limit=ITEMS_LIMIT)
    check_tracks(track_ids)
    positions = room_for(playlist, count=len(track_ids), before=before)
    items = Item.objects.bulk_create(
        Item(playlist=playlist, track_id=track_id, position=position, added_at=now)
        for track_id, position in zip(track_ids, positions, strict=True)
    )
    playlist.track_count += len(items)
    return items


def place(playlist: Playlist, item_ids: Sequence[UUID], *, before: UUID | None) -> None:
    """Items of a playlist that the caller holds, and will save, to their new places: see `move_items`."""
    if len(set(item_ids)) != len(item_ids):
        raise InvalidParameter("an item is named twice", field="item_ids")
    if before in item_ids:
        raise InvalidParameter("the item is itself to be moved", field="before")
    check_items(playlist, item_ids)
    positions = room_for(playlist, count=len(item_ids), before=before, leaving=item_ids)
    with connection.cursor() as cursor:
        cursor.execute(PLACE, {"items": list(item_ids), "positions": positions})


def changed(playlist: Playlist, *, now: datetime, fields: Iterable[str] = ()) -> None:
    """Save a change, under a version of its own, and queue it for the platform."""
    playlist.version += 1
    playlist.updated_at, playlist.sync = now, Playlist.Sync.PENDING
    playlist.save(update_fields=["version", "updated_at", "sync", *fields])
    tell(playlist)


def take_away(playlist: Playlist, *, now: datetime) -> None:
    """Remove a playlist; its row stays, bare, until the platform has removed it as well."""
    Item.objects.filter(playlist=playlist).delete()
    playlist.removed_at, playlist.track_count = now, 0
    playlist.name, playlist.description = "removed", ""
    changed(playlist, now=now, fields=["removed_at", "track_count", "name", "description"])


def tell(playlist: Playlist) -> None:
    """Queue the playlist as it now stands. What is overtaken by a later change costs no call."""
    send(draft_of(playlist, key=f"{playlist.pk}:{playlist.version}"))


def go_on(playlist: Playlist, *, after: int) -> None:
    """Queue the playlist as it now stands once more, after a message that did not tell all of it."""
    send(draft_of(playlist, key=f"{playlist.pk}:{playlist.version}:{after}"))


def draft_of(playlist: Playlist, *, key: str) -> Draft:
    body = {"playlist_id": str(playlist.pk), "version": playlist.version}
    return Draft(topic="playlist.keep", key=key, lane=f"playlist {playlist.pk}", body=body)


def check_tracks(track_ids: Collection[int]) -> None:
    """Raises TrackNotFound with those we do not know."""
    known = set(Track.objects.filter(pk__in=set(track_ids)).values_list("pk", flat=True))
    if missing := sorted(set(track_ids) - known):
        raise TrackNotFound("there are no such tracks", missing=missing)


def check_items(playlist: Playlist, item_ids: Collection[UUID]) -> None:
    """Raises ItemNotFound with those that are not on the playlist."""
    there = set(Item.objects.filter(playlist=playlist, pk__in=item_ids).values_list("pk", flat=True))
    if missing := [str(item_id) for item_id in item_ids if item_id not in there]:
        raise ItemNotFound("there are no such items on the playlist", item_ids=missing)


def room_for(playlist: Playlist, *, count: int, before: UUID | None, leaving: Collection[UUID] = ()) -> list[int]:
    """Positions for `count` items in front of `before`, or at the end; those that are `leaving` do not count.

    Where neighbours have moved too close to each other, all items are spread out again. Raises ItemNotFound.
    """
    positions = places_there(playlist, count=count, before=before, leaving=leaving)
    if positions is None:
        with connection.cursor() as cursor:
            cursor.execute(SPREAD, {"playlist": playlist.pk, "gap": GAP})
        positions = places_there(playlist, count=count, before=before, leaving=leaving)
    assert positions is not None  # noqa: S101  a gap holds more than a call may bring
    return positions


def places_there(playlist: Playlist, *, count: int, before: UUID | None, leaving: Collection[UUID]) -> list[int] | None:
    staying = Item.objects.filter(playlist=playlist).exclude(pk__in=leaving)
    behind = None
    if before is not None:
        behind = staying.filter(pk=before).values_list("position", flat=True).first()
        if behind is None:
            raise ItemNotFound("before: there is no such item on the playlist", item_ids=[str(before)])
    ahead = staying if behind is None else staying.filter(position__lt=behind)
    last = ahead.order_by("-position").values_list("position", flat=True).first()
    return places(after=last, before=behind, count=count)
