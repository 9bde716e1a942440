"""What editors do with the drafts of curated playlists. Listeners hear nothing of it until a draft is published."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db import connection, transaction

from accounts.models import User
from kernel.errors import InvalidParameter
from playlists.actions import check_items, check_tracks, place, put
from playlists.models import Curation, Item, Playlist
from playlists.ordering import places
from playlists.rules import ITEMS_LIMIT, PlaylistChanged, PlaylistFull, PlaylistNotFound

OF_PLAYLIST: Final = ("name", "description")
LAY: Final = """
    UPDATE playlists_item i SET position = p.position, track_id = p.track_id
      FROM unnest(%(items)s::uuid[], %(tracks)s::int[], %(positions)s::bigint[]) AS p (id, track_id, position)
     WHERE i.id = p.id
"""


@dataclass(frozen=True, kw_only=True)
class Edit:
    """Who changes which draft, and the version they have read; None for any."""

    playlist_id: UUID
    version: int | None
    by: User
    now: datetime


@transaction.atomic
def create_curated(*, name: str, by: User, now: datetime) -> Playlist:
    """A new, empty draft."""
    playlist = Playlist.objects.create(
        name=name, visibility=Playlist.Visibility.PUBLIC, created_at=now, updated_at=now, sync=Playlist.Sync.SYNCED
    )
    Curation.objects.create(playlist=playlist, changed_by=by)
    return playlist


@transaction.atomic
def describe(edit: Edit, facts: Mapping[str, Any]) -> Playlist:
    """Change the name, the description, or whom it is meant for. Raises PlaylistNotFound or PlaylistChanged."""
    playlist = opened(edit)
    for name, value in facts.items():
        setattr(playlist if name in OF_PLAYLIST else playlist.curation, name, value)
    kept(playlist, edit)
    return playlist


@transaction.atomic
def put_tracks(edit: Edit, track_ids: Sequence[int], *, before: UUID | None = None) -> tuple[Playlist, list[Item]]:
    """Put tracks onto the draft, in front of an item or at the end; the new items. Raises as `add_tracks` does."""
    playlist = opened(edit)
    items = put(playlist, track_ids, before=before, now=edit.now)
    kept(playlist, edit)
    return playlist, items


@transaction.atomic
def move(edit: Edit, item_ids: Sequence[UUID], *, before: UUID | None) -> Playlist:
    """Put items, in the order given, in front of another or at the end. Raises as `move_items` does."""
    playlist = opened(edit)
    place(playlist, item_ids, before=before)
    kept(playlist, edit)
    return playlist


@transaction.atomic
def take_off(edit: Edit, item_ids: Sequence[UUID]) -> Playlist:
    """Take items off the draft, all of them or none. Raises PlaylistNotFound, PlaylistChanged or ItemNotFound."""
    playlist = opened(edit)
    check_items(playlist, item_ids)
    playlist.track_count -= Item.objects.filter(playlist=playlist, pk__in=item_ids).delete()[0]
    kept(playlist, edit)
    return playlist


@transaction.atomic
def arrange(edit: Edit, wanted: Mapping[UUID, int]) -> Playlist:
    """Make the draft hold exactly these items (id → track) in this order: what undoes anything.

    Items that are there stay, with the track given, others come (back) under the id given. Raises PlaylistNotFound,
    PlaylistChanged, PlaylistFull, TrackNotFound, and InvalidParameter for an item of another playlist.
    """
    playlist = opened(edit)
    lay_out(playlist, wanted, now=edit.now)
    kept(playlist, edit)
    return playlist


# --- What these have in common ---------------------------------------------------------------------------


def opened(edit: Edit) -> Playlist:
    """The draft, for this transaction alone to change. Raises PlaylistNotFound, or PlaylistChanged with who did it."""
    drafts = Playlist.objects.curated().standing().filter(curation__isnull=False).select_for_update(of=("self",))
    playlist = drafts.filter(pk=edit.playlist_id).first()
    if playlist is None:
        raise PlaylistNotFound("there is no such playlist")
    if edit.version is not None and edit.version != playlist.version:
        who = called(playlist.curation.changed_by)
        raise PlaylistChanged(f"{who} has changed this list", version=playlist.version, changed_by=who)
    return playlist


def kept(playlist: Playlist, edit: Edit) -> None:
    """Save a change of the draft under a version of its own."""
    playlist.version += 1
    playlist.updated_at, playlist.curation.changed_by = edit.now, edit.by
    playlist.save(update_fields=["version", "updated_at", "track_count", *OF_PLAYLIST])
    playlist.curation.save()


def called(user: User | None) -> str:
    """What colleagues call somebody."""
    return "Somebody who has left" if user is None else user.get_full_name() or user.email


def lay_out(playlist: Playlist, wanted: Mapping[UUID, int], *, now: datetime) -> None:
    """Let a draft that the caller holds, and will save, hold these items and no others: see `arrange`."""
    if len(wanted) > ITEMS_LIMIT:
        raise PlaylistFull(f"a playlist holds {ITEMS_LIMIT:,} tracks", limit=ITEMS_LIMIT)
    there = dict(Item.objects.filter(playlist=playlist).values_list("pk", "track_id"))
    coming = [item_id for item_id in wanted if item_id not in there]
    if Item.objects.filter(pk__in=coming).exists():
        raise InvalidParameter("an item is another playlist’s", field="items")
    check_tracks({track for item_id, track in wanted.items() if there.get(item_id) != track})
    Item.objects.filter(playlist=playlist, pk__in=there.keys() - wanted.keys()).delete()
    positions = dict(zip(wanted, places(after=None, before=None, count=len(wanted)) or [], strict=True))
    staying = [item_id for item_id in wanted if item_id in there]
    with connection.cursor() as cursor:
        tracks, there_now = [wanted[pk] for pk in staying], [positions[pk] for pk in staying]
        cursor.execute(LAY, {"items": staying, "tracks": tracks, "positions": there_now})
    Item.objects.bulk_create(
        Item(pk=item_id, playlist=playlist, track_id=wanted[item_id], position=positions[item_id], added_at=now)
        for item_id in coming
    )
    playlist.track_count = len(wanted)
