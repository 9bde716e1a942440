"""The public shapes of artists, releases and tracks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

import msgspec
from django.conf import settings
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from catalogue.licensors import is_licensed
from catalogue.models import Artist, Release
from catalogue.reading import TrackRow, tracks_on
from catalogue.rules import TOLD, Use, Verdict, Window, judge, window
from massivemusic.images import cover_template

read_windows = msgspec.json.Decoder(list[tuple[str, bool, float, float | None]]).decode


@dataclass(frozen=True, kw_only=True)
class Ear:
    """For whom and when something is shown: decides `playable` on every track."""

    country: str
    explicit_filter: bool
    at: datetime


def windows_of(told: str | None, *, use: Use) -> list[Window]:
    """The offers for one use, as the rules read them, from what `reading.WINDOWS` told of a track."""
    return [window(here, starts, ends) for for_use, here, starts, ends in read_windows(told or "[]") if for_use == use]


def verdict_on(track: TrackRow, ear: Ear, *, use: Use = Use.STREAM) -> Verdict:
    """Judge a track that was read for the ear's country."""
    licensed, explicit = is_licensed(track.licensor_id), track.explicit and ear.explicit_filter
    return judged(track.windows, use=use, ear=ear, gone=track.gone, licensed=licensed, explicit=explicit)


@lru_cache(maxsize=256)
def judged(told: str | None, *, use: Use, ear: Ear, gone: bool, licensed: bool, explicit: bool) -> Verdict:
    """Most tracks of a page have the rights of another: they are judged together. An ear is of one instant."""
    return judge(
        windows=windows_of(told, use=use),
        use=use,
        country=ear.country,
        at=ear.at,
        taken_down=gone,
        licensed=licensed,
        explicit=explicit,
        explicit_filter=ear.explicit_filter,
    )


class ArtistRef(serializers.ModelSerializer[Artist]):
    class Meta:
        model = Artist
        fields = ["id", "name"]
        read_only_fields = fields


class ReleaseRef(serializers.ModelSerializer[Release]):
    class Meta:
        model = Release
        fields = ["id", "title"]
        read_only_fields = fields


class TrackShape(serializers.Serializer[TrackRow]):
    """A track as every endpoint shows it. Needs an Ear in the context."""

    id = serializers.IntegerField(read_only=True)
    title = serializers.CharField(read_only=True)
    version = serializers.CharField(help_text="e.g. Live, Remastered; may be empty")
    artist = ArtistRef()
    release = ReleaseRef()
    isrc = serializers.CharField(read_only=True)
    duration_seconds = serializers.IntegerField(read_only=True)
    explicit = serializers.BooleanField(read_only=True)
    track_number = serializers.IntegerField(read_only=True)
    disc_number = serializers.IntegerField(read_only=True)
    image_url = serializers.CharField(read_only=True, help_text="a template: replace {size} by a number of pixels")
    playable = serializers.BooleanField(read_only=True)
    unplayable_reason = serializers.ChoiceField(
        choices=[reason.value for reason in TOLD], allow_null=True, read_only=True
    )

    class Meta:
        ref_name = "Track"

    def to_representation(self, track: TrackRow) -> dict[str, Any]:
        """Written out, because pages of fifty tracks are common."""
        reason = verdict_on(track, self.context["ear"]).reason
        return {
            "id": track.id,
            "title": track.title,
            "version": track.subtitle,
            "artist": {"id": track.artist_id, "name": track.artist_name},
            "release": {"id": track.release_id, "title": track.release_title},
            "isrc": track.isrc,
            "duration_seconds": track.duration_seconds,
            "explicit": track.explicit,
            "track_number": track.track_number,
            "disc_number": track.disc_number,
            "image_url": cover_template(settings.MASSIVEMUSIC["image_url"], track.release_id),
            "playable": reason is None,
            "unplayable_reason": reason,
        }


def tracks_shown(tracks: Iterable[TrackRow], ear: Ear) -> list[dict[str, Any]]:
    """The tracks as `ear` is shown them."""
    shape = TrackShape(context={"ear": ear})
    return [shape.to_representation(track) for track in tracks]


class ReleaseShape(serializers.ModelSerializer[Release]):
    """A release without its tracks."""

    version = serializers.CharField(source="subtitle")
    artist = ArtistRef()
    image_url = serializers.SerializerMethodField(help_text="a template: replace {size} by a number of pixels")

    class Meta:
        model = Release
        fields = [
            "id", "title", "version", "artist", "type", "label", "upc", "genres", "explicit",
            "release_date", "duration_seconds", "image_url",
        ]  # fmt: skip
        read_only_fields = fields
        ref_name = "Release"

    def get_image_url(self, release: Release) -> str:
        return cover_template(settings.MASSIVEMUSIC["image_url"], release.pk)


class ReleaseWithTracks(ReleaseShape):
    """A release with its tracks in playing order."""

    tracks = serializers.SerializerMethodField()

    class Meta(ReleaseShape.Meta):
        fields = [*ReleaseShape.Meta.fields, "tracks"]
        read_only_fields = fields
        ref_name = "ReleaseWithTracks"

    @extend_schema_field(TrackShape(many=True))
    def get_tracks(self, release: Release) -> Any:
        ear: Ear = self.context["ear"]
        return tracks_shown(tracks_on(release.pk, country=ear.country), ear)


@extend_schema_field({"oneOf": [{"type": "integer"}, {"type": "string"}]})
class Asked(serializers.Field[Any, Any, Any, Any]):
    """What was asked for: an id, or a code such as an ISRC."""
