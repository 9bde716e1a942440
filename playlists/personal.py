"""What playlists hold about a listener."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from django.utils import timezone

from accounts.registry import Rows, forgets, tells
from playlists.actions import take_away
from playlists.models import Item, Playlist


@tells("playlists")
def playlists(listener_id: UUID) -> Rows:
    own = Playlist.objects.standing().filter(owner=listener_id).order_by("created_at")
    return own.values("id", "name", "description", "visibility", "track_count", "created_at", "updated_at")


@tells("playlist_items")
def items(listener_id: UUID) -> Rows:
    own = Item.objects.filter(playlist__owner=listener_id).order_by("playlist", "position")
    return own.values("playlist_id", "id", "track_id", "added_at").iterator()


@forgets
def remove_playlists(listener_ids: Sequence[UUID]) -> None:
    """A listener's playlists go, here and on the platform."""
    now = timezone.now()
    for playlist in Playlist.objects.standing().filter(owner__in=listener_ids).select_for_update():
        take_away(playlist, now=now)
