"""Playlists as apps see them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import OuterRef, QuerySet, Subquery
from rest_framework import serializers

from catalogue.models import Track
from catalogue.reading import tracks_by_id
from catalogue.shapes import Ear, TrackShape, tracks_shown
from kernel.values import rfc3339
from massivemusic.images import cover_template
from playlists.models import Item, Playlist, Revision

PUBLISHED = "published"


class PlaylistShape(serializers.Serializer[Playlist]):
    """A playlist without what is on it."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    description = serializers.CharField()
    visibility = serializers.ChoiceField(choices=["private", "public"])
    status = serializers.ChoiceField(choices=[PUBLISHED])
    image_url = serializers.CharField(allow_null=True, help_text="a template: replace {size} by a number of pixels")
    track_count = serializers.IntegerField()
    updated_at = serializers.DateTimeField()

    class Meta:
        ref_name = "Playlist"

    def to_representation(self, playlist: Playlist) -> dict[str, Any]:
        return told(playlist)


class ItemShape(serializers.Serializer[Item]):
    """One place on a playlist, with its track as the caller may hear it now."""

    id = serializers.UUIDField()
    added_at = serializers.DateTimeField()
    track = TrackShape()

    class Meta:
        ref_name = "PlaylistItem"


def with_cover(playlists: QuerySet[Playlist]) -> QuerySet[Playlist]:
    """Playlists with the release of their first track, whose cover stands for them."""
    first = Item.objects.filter(playlist=OuterRef("pk")).order_by("position")
    return playlists.annotate(cover=Subquery(first.values("track__release_id")[:1]))


def told(playlist: Playlist) -> dict[str, Any]:
    """A playlist of `with_cover`, as plain JSON values."""
    cover: int | None = getattr(playlist, "cover", None)
    return {
        "id": str(playlist.pk),
        "name": playlist.name,
        "description": playlist.description,
        "visibility": playlist.visibility.lower(),
        "status": PUBLISHED,
        "image_url": cover and cover_template(settings.MASSIVEMUSIC["image_url"], cover),
        "track_count": playlist.track_count,
        "updated_at": rfc3339(playlist.updated_at),
    }


def picture_path(playlist_id: UUID, digest: str) -> str:
    """Where a cover of our own is served, with the literal `{size}` in it."""
    return f"/covers/{playlist_id}/{digest}/{{size}}.jpg"


def published(revisions: Sequence[Revision], *, host: str) -> list[dict[str, Any]]:
    """Live revisions with their `first` track, as the playlists they are; `host` is where our own covers are served."""
    firsts = {revision.first for revision in revisions if not revision.picture}  # type: ignore[attr-defined]
    releases = dict(Track.objects.filter(pk__in=firsts).values_list("pk", "release_id")) if firsts else {}

    def image(revision: Revision) -> str:
        if revision.picture:
            return host + picture_path(revision.playlist_id, revision.picture)
        return cover_template(settings.MASSIVEMUSIC["image_url"], releases[revision.first])  # type: ignore[attr-defined]

    return [
        {
            "id": str(revision.playlist_id),
            "name": revision.name,
            "description": revision.description,
            "visibility": "public",
            "status": PUBLISHED,
            "image_url": image(revision),
            "track_count": revision.track_count,
            "updated_at": rfc3339(revision.live_from),  # type: ignore[arg-type]
        }
        for revision in revisions
    ]


def items_shown(items: Iterable[Any], ear: Ear) -> list[dict[str, Any]]:
    """Items with their tracks, playable or not: one that is not says why."""
    rows = list(items)
    tracks = tracks_by_id(list({item.track_id for item in rows}), country=ear.country)
    shown = {track["id"]: track for track in tracks_shown(tracks.values(), ear)}
    return [{"id": item.pk, "added_at": item.added_at, "track": shown[item.track_id]} for item in rows]
