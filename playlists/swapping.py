"""Putting another track in the place of one that cannot be heard, and back. The place itself stays what it is."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet

from accounts.models import User
from catalogue.models import Track
from playlists.actions import check_tracks
from playlists.curation import Edit, kept, opened
from playlists.harms import Harm
from playlists.models import Aside, Item, Playlist, Revision, Swap
from playlists.publishing import Swaps, mend
from playlists.rules import PlaceChanged, TracksGone

KEPT: Final = timedelta(days=30)  # for which a swap can be undone on the desk


class Done(NamedTuple):
    """A list on which something was swapped, and the revisions that listeners get by it."""

    playlist: Playlist
    revisions: list[Revision]


@transaction.atomic
def swap(edit: Edit, item_ids: Collection[UUID], *, was: int, becomes: int, public: bool = False) -> Done:
    """Let these items of a draft, which all hold one track, hold another.

    With `public`, what listeners have or will have of these items is swapped too, and nothing else of it. Raises
    PlaylistNotFound, PlaylistChanged, PlaceChanged, TrackNotFound, and TracksGone for one that was taken down.
    """
    playlist = opened(edit)
    check_standing(becomes)
    put_in_place(playlist, item_ids, was=was, becomes=becomes)
    kept(playlist, edit)
    Swap.objects.bulk_create(
        Swap(
            playlist=playlist, item_id=pk, was_id=was, became_id=becomes, swapped_at=edit.now, swapped_by=edit.by
        )
        for pk in sorted(item_ids)
    )  # fmt: skip
    return done(playlist, edit, dict.fromkeys(item_ids, (was, becomes)), public=public)


@transaction.atomic
def make_public(edit: Edit, item_ids: Collection[UUID], *, was: int, becomes: int) -> Done:
    """Swap for listeners what has been swapped on the draft. Raises as `swap` does."""
    playlist = opened(edit)
    if holding(playlist, item_ids, becomes).count() != len(set(item_ids)):
        raise PlaceChanged(f"{playlist.name}: the draft has another track in that place by now")
    kept(playlist, edit)
    return done(playlist, edit, dict.fromkeys(item_ids, (was, becomes)), public=True)


@transaction.atomic
def undo(edit: Edit, swap_ids: Collection[int], *, public: bool = False) -> Done:
    """Bring back what stood in these places of a list, also if it was taken down. Raises as `swap` does."""
    playlist = opened(edit)
    swaps = list(Swap.objects.filter(playlist=playlist, pk__in=swap_ids, undone_at=None).order_by("pk"))
    if len(swaps) != len(set(swap_ids)):
        raise PlaceChanged(f"{playlist.name}: it has been undone already")
    for each in swaps:
        put_in_place(playlist, [each.item_id], was=each.became_id, becomes=each.was_id)
    kept(playlist, edit)
    Swap.objects.filter(pk__in=swap_ids).update(undone_at=edit.now)
    back = {each.item_id: (each.became_id, each.was_id) for each in swaps}
    return done(playlist, edit, back, public=public)


@transaction.atomic
def leave(harm: Harm, *, by: User, now: datetime) -> list[Playlist]:
    """Put a harm aside, on all its lists, until something else happens to the track; the lists."""
    said = harm.by_list
    rows = [
        Aside(
            playlist_id=playlist_id, track_id=harm.track_id, release_version=harm.release_version, harm=words,
            left_at=now, left_by=by,
        )
        for playlist_id, words in said.items()
    ]  # fmt: skip
    Aside.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["playlist", "track"],
        update_fields=["release_version", "harm", "left_at", "left_by"],
    )
    return list(Playlist.objects.filter(pk__in=said))


def lately(*, now: datetime, limit: int) -> QuerySet[Swap]:
    """Swaps that can be undone, the latest first."""
    there = Item.objects.filter(pk=OuterRef("item_id"), playlist=OuterRef("playlist"), track=OuterRef("became"))
    rows = Swap.objects.filter(Exists(there), undone_at=None, swapped_at__gt=now - KEPT, playlist__removed_at=None)
    return rows.select_related("playlist", "swapped_by").order_by("-swapped_at", "pk")[:limit]


# --- What these have in common ---------------------------------------------------------------------------


def done(playlist: Playlist, edit: Edit, swaps: Swaps, *, public: bool) -> Done:
    return Done(playlist, mend(playlist, edit, swaps) if public else [])


def put_in_place(playlist: Playlist, item_ids: Collection[UUID], *, was: int, becomes: int) -> None:
    """Raises PlaceChanged where one of the items does not hold what it is said to."""
    if holding(playlist, item_ids, was).update(track=becomes) != len(set(item_ids)):
        raise PlaceChanged(f"{playlist.name}: the draft has another track in that place by now")


def holding(playlist: Playlist, item_ids: Collection[UUID], track_id: int) -> QuerySet[Item]:
    return Item.objects.filter(playlist=playlist, pk__in=item_ids, track=track_id)


def check_standing(track_id: int) -> None:
    """Raises TrackNotFound or TracksGone."""
    check_tracks([track_id])
    if not Track.objects.standing().filter(pk=track_id).exists():
        raise TracksGone("what was to stand in its place has been taken down itself")
