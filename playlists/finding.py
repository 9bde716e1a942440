"""Which playlists somebody may read."""

from __future__ import annotations

from uuid import UUID

from django.db.models import F, QuerySet

from playlists.audience import Audience
from playlists.models import Item, Playlist, Revision
from playlists.reading import readable_version
from playlists.rules import PlaylistNotFound
from playlists.shapes import with_cover


def readable(playlist_id: UUID, *, listener_id: UUID) -> Playlist:
    """The listener's own playlist, or one that its owner shows to whoever has the link. Raises PlaylistNotFound."""
    readable_version(playlist_id, listener_id=listener_id)
    return with_cover(Playlist.objects.all()).get(pk=playlist_id)  # it may have been removed since, but is not gone


def live_for(audience: Audience) -> QuerySet[Revision]:
    """The live revisions of curated playlists that are meant for somebody, without their tracks."""
    meant = Revision.objects.live(audience.at).meant_for(
        country=audience.country, plans=audience.plans, locales=audience.locales
    )
    return meant.annotate(first=F("track_ids__0")).defer("item_ids", "track_ids")


def curated(playlist_id: UUID, *, audience: Audience) -> Revision:
    """A curated playlist as it is live for somebody. Raises PlaylistNotFound."""
    revision = live_for(audience).filter(playlist=playlist_id).first()
    if revision is None:
        raise PlaylistNotFound("there is no such playlist")
    return revision


def featured(audience: Audience) -> QuerySet[Revision]:
    """What is live for somebody, shelf by shelf, with its `shelf`; what stands on none comes last, the newest first."""
    shelf = "playlist__featured__shelf"
    return live_for(audience).annotate(shelf=F(f"{shelf}__name")).order_by(
        F(f"{shelf}__place").asc(nulls_last=True), shelf, "playlist__featured__place", "playlist__featured",
        "-live_from", "playlist",
    )  # fmt: skip


class Snapshot:
    """What is on a revision, a slice at a time as pages ask for it; none of it is a row."""

    def __init__(self, revision: Revision) -> None:
        self.revision = revision

    def __getitem__(self, page: slice) -> list[Item]:
        cut = f"{page.start}_{page.stop}"
        lists = Revision.objects.filter(pk=self.revision.pk).values_list(f"item_ids__{cut}", f"track_ids__{cut}")
        item_ids, track_ids = lists.get()
        added_at = self.revision.published_at
        return [
            Item(pk=item_id, track_id=track_id, added_at=added_at)
            for item_id, track_id in zip(item_ids or [], track_ids or [], strict=True)
        ]
