"""Deleting a curated playlist: it is gone for listeners, editors and the platform; its revisions stay on record."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from playlists.actions import tell
from playlists.curation import Edit, opened
from playlists.models import Aside, Featured, Item, Playlist, Presence, Revision


@dataclass(frozen=True, kw_only=True)
class Stake:
    """What somebody outside has of a curated playlist, or was to have."""

    live: Revision | None
    waiting: Revision | None
    was_live: bool
    on_platform: bool
    shelves: list[str]

    @property
    def is_public(self) -> bool:
        """Whether it has ever left the editors' hands; then it takes who may publish to delete it."""
        return bool(self.live or self.waiting or self.was_live or self.on_platform)


def stake_in(playlist: Playlist, *, at: datetime) -> Stake:
    """What deleting it would take, and from whom."""
    revisions = Revision.objects.filter(playlist=playlist).defer("item_ids", "track_ids")
    return Stake(
        live=revisions.live(at).first(),
        waiting=revisions.waiting(at).first(),
        was_live=revisions.begun(at).exists(),
        on_platform=bool(playlist.platform_id) or playlist.asked,
        shelves=list(Featured.objects.filter(playlist=playlist).values_list("shelf__name", flat=True)),
    )


@transaction.atomic
def remove_curated(edit: Edit) -> Playlist:
    """Delete a curated playlist, and have the platform delete it. Its name, revisions and covers are kept.

    Raises PlaylistNotFound or PlaylistChanged.
    """
    playlist = opened(edit)
    revisions = Revision.objects.filter(playlist=playlist)
    revisions.waiting(edit.now).update(live_from=None)
    revisions.live(edit.now).update(live_until=edit.now)
    for model in (Item, Featured, Aside, Presence):
        model.objects.filter(playlist=playlist).delete()
    playlist.version += 1
    playlist.removed_at = playlist.updated_at = edit.now
    playlist.track_count, playlist.sync = 0, Playlist.Sync.PENDING
    playlist.save(update_fields=["version", "removed_at", "updated_at", "track_count", "sync"])
    tell(playlist)
    return playlist
