"""The public shapes of artists, releases and tracks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from django.conf import settings
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from catalogue.licensors import is_licensed
from catalogue.models import Artist, Release, Track
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
    """The offers for one use, as the rules read them, from what `models.WINDOWS` told of a track."""
    return [window(here, starts, ends) for for_use, here, starts, ends in read_windows(told or "[]") if for_use == use]


def verdict_on(track: Track, ear: Ear, *, use: Use = Use.STREAM) -> Verdict:
    """Judge a track that was read with `told()` for the ear's country."""
    return judge(
        windows=windows_of(track.windows, use=use),  # type: ignore[attr-defined]
        use=use,
        country=ear.country,
        at=ear.at,
        taken_down=track.gone_at is not None or track.release.taken_down_at is not None,
        licensed=is_licensed(track.release.licensor_id),
        explicit=track.explicit,
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


class TrackShape(serializers.ModelSerializer[Track]):
    """A track as every endpoint shows it. Needs an Ear in the context."""

    version = serializers.CharField(source="subtitle", help_text="e.g. Live, Remastered; may be empty")
    artist = ArtistRef()
    release = ReleaseRef()
    image_url = serializers.CharField(read_only=True, help_text="a template: replace {size} by a number of pixels")
    playable = serializers.BooleanField(read_only=True)
    unplayable_reason = serializers.ChoiceField(
        choices=[reason.value for reason in TOLD], allow_null=True, read_only=True
    )

    class Meta:
        model = Track
        fields = [
            "id", "title", "version", "artist", "release", "isrc", "duration_seconds", "explicit",
            "track_number", "disc_number", "image_url", "playable", "unplayable_reason",
        ]  # fmt: skip
        read_only_fields = fields
        ref_name = "Track"

    def to_representation(self, track: Track) -> dict[str, Any]:
        """Written out, because pages of fifty tracks are common."""
        reason = verdict_on(track, self.context["ear"]).reason
        return {
            "id": track.pk,
            "title": track.title,
            "version": track.subtitle,
            "artist": {"id": track.artist.pk, "name": track.artist.name},
            "release": {"id": track.release.pk, "title": track.release.title},
            "isrc": track.isrc,
            "duration_seconds": track.duration_seconds,
            "explicit": track.explicit,
            "track_number": track.track_number,
            "disc_number": track.disc_number,
            "image_url": cover_template(settings.MASSIVEMUSIC["image_url"], track.release_id),
            "playable": reason is None,
            "unplayable_reason": reason,
        }


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
        on_it = Track.objects.standing().filter(release=release).told(country=self.context["ear"].country)
        tracks = on_it.order_by("disc_number", "track_number", "pk")
        return TrackShape(tracks, many=True, context=self.context).data


@extend_schema_field({"oneOf": [{"type": "integer"}, {"type": "string"}]})
class Asked(serializers.Field[Any, Any, Any, Any]):
    """What was asked for: an id, or a code such as an ISRC."""
