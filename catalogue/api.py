"""Reading the mirror: search, tracks, releases, artists, and why something cannot be played."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any, Final

from django.utils import timezone
from django.utils.dateparse import parse_datetime
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, PolymorphicProxySerializer, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.response import Response
from rest_framework.views import APIView

from catalogue.models import Artist, Release, Track
from catalogue.rules import Reason, TrackNotFound, Use
from catalogue.search import found
from catalogue.shapes import ArtistRef, Ear, ReleaseShape, ReleaseWithTracks, TrackShape, verdict_on
from kernel.errors import InvalidParameter, Kind, MissingParameter, Refusal
from kernel.values import is_country
from web.callers import IsListener, ListenerRequest, hearing_of
from web.pages import PAGE_PARAMETERS, RankedPages, page_of

MAX_IDS: Final = 50
MAX_QUERY: Final = 200
INT32: Final = 2**31 - 1
ISRC: Final = re.compile(r"[A-Za-z0-9-]{1,32}")


class ReleaseNotFound(Refusal):
    """We have never heard of this release, or it has been taken down."""

    code, kind, platform_code = "release_not_found", Kind.NOT_FOUND, 2001


class ArtistNotFound(Refusal):
    """We have never heard of this artist."""

    code, kind, platform_code = "artist_not_found", Kind.NOT_FOUND, 2001


def ear_of(request: ListenerRequest) -> Ear:
    """The caller's country and filter, now."""
    hearing = hearing_of(request)
    return Ear(country=hearing.country, explicit_filter=hearing.explicit_filter, at=timezone.now())


def track_of(track_id: int) -> Track:
    """A known track, gone or taken down included. Raises TrackNotFound."""
    track = Track.objects.told().filter(pk=track_id).first() if 0 < track_id <= INT32 else None
    if track is None:
        raise TrackNotFound("there is no such track")
    return track


class CatalogueView(APIView):
    """For listeners; answers depend on their country, so they are cached by nobody else."""

    permission_classes = [IsListener]

    def finalize_response(self, request: Any, response: Any, *args: Any, **kwargs: Any) -> Any:
        response = super().finalize_response(request, response, *args, **kwargs)
        response.headers.setdefault("Cache-Control", "private, no-cache")
        return response


FOUND: Final = PolymorphicProxySerializer(
    component_name="Found",
    serializers=[TrackShape, ReleaseShape, ArtistRef],
    resource_type_field_name=None,
    many=True,
)


class Search(CatalogueView):
    """One ranked search over titles, versions, artists and release titles together."""

    @extend_schema(
        operation_id="catalogue_search",
        parameters=[
            OpenApiParameter("q", str, required=True, description="words; the last may be unfinished"),
            OpenApiParameter("type", str, enum=["track", "release", "artist"], default="track"),
            *PAGE_PARAMETERS,
        ],
        responses=page_of(FOUND, name="Search"),
    )
    def get(self, request: ListenerRequest) -> Response:
        """Tracks, releases or artists that hold every word, without regard to case and accents."""
        text = request.query_params.get("q", "").strip()
        if not text:
            raise MissingParameter("q: say what to look for")
        if len(text) > MAX_QUERY or "\x00" in text:
            raise InvalidParameter(f"q may have {MAX_QUERY} characters, and no NUL among them")
        kind = request.query_params.get("type", "track")
        if kind not in {"track", "release", "artist"}:
            raise InvalidParameter("type must be track, release or artist")
        pages = RankedPages()
        shape, rows = self.shelf(kind)
        page = pages.paginate_queryset(found(rows, text=text), request, self)
        return pages.get_paginated_response(shape(page, many=True, context={"ear": ear_of(request)}).data)

    def shelf(self, kind: str) -> tuple[type[serializers.ModelSerializer[Any]], Any]:
        if kind == "track":
            return TrackShape, Track.objects.standing().told()
        if kind == "release":
            return ReleaseShape, Release.objects.filter(taken_down_at=None).select_related("artist")
        return ArtistRef, Artist.objects.all()


class OneTrack(CatalogueView):
    @extend_schema(operation_id="catalogue_track", responses=TrackShape)
    def get(self, request: ListenerRequest, track_id: int) -> Response:
        """One track, with whether the caller can play it now."""
        return Response(TrackShape(track_of(track_id), context={"ear": ear_of(request)}).data)


@extend_schema_field({"oneOf": [{"type": "integer"}, {"type": "string"}]})
class Asked(serializers.Field[Any, Any, Any, Any]):
    """What was asked for: a track id, or an ISRC."""


class Tracks(CatalogueView):
    class Output(serializers.Serializer[Any]):
        results = TrackShape(many=True)
        missing = serializers.ListField(child=Asked())

        class Meta:
            ref_name = "TrackBatch"

    @extend_schema(
        operation_id="catalogue_tracks",
        parameters=[
            OpenApiParameter("ids", str, description="up to 50 track ids, separated by commas"),
            OpenApiParameter("isrc", str, description="one ISRC; every recording that carries it"),
        ],
        responses=Output,
    )
    def get(self, request: ListenerRequest) -> Response:
        """Several tracks at once, in the order asked for; what we do not know is listed as missing."""
        if isrc := request.query_params.get("isrc", ""):
            if not ISRC.fullmatch(isrc):
                raise InvalidParameter("isrc: must be letters, digits and hyphens, 32 at most")
            tracks = list(Track.objects.told().filter(isrc=isrc.replace("-", "").upper()[:32]).order_by("pk")[:MAX_IDS])
            missing: list[int | str] = [] if tracks else [isrc]
        else:
            wanted = ids_from(request.query_params.get("ids", ""))
            known = {track.pk: track for track in Track.objects.told().filter(pk__in=wanted)}
            tracks = [known[pk] for pk in wanted if pk in known]
            missing = [pk for pk in wanted if pk not in known]
        shown = TrackShape(tracks, many=True, context={"ear": ear_of(request)}).data
        return Response({"results": shown, "missing": missing})


def ids_from(text: str) -> list[int]:
    """Up to 50 distinct positive ids, in order. Raises MissingParameter or InvalidParameter."""
    if not text:
        raise MissingParameter("ids: name the tracks, or use isrc")
    parts = text.split(",")
    if not all(part.isascii() and part.isdigit() and 0 < int(part) <= INT32 for part in parts if len(part) < 11):
        raise InvalidParameter("ids must be whole numbers separated by commas")
    if len(parts) > MAX_IDS or any(len(part) >= 11 for part in parts):
        raise InvalidParameter(f"ids: at most {MAX_IDS} whole numbers")
    return list(dict.fromkeys(int(part) for part in parts))


class OneRelease(CatalogueView):
    @extend_schema(operation_id="catalogue_release", responses=ReleaseWithTracks)
    def get(self, request: ListenerRequest, release_id: int) -> Response:
        """One release and its tracks in playing order."""
        known = Release.objects.filter(taken_down_at=None, artist__isnull=False).select_related("artist")
        release = known.filter(pk=release_id).first() if 0 < release_id <= INT32 else None
        if release is None:
            raise ReleaseNotFound("there is no such release")
        return Response(ReleaseWithTracks(release, context={"ear": ear_of(request)}).data)


class OneArtist(CatalogueView):
    @extend_schema(operation_id="catalogue_artist", responses=ArtistRef)
    def get(self, request: ListenerRequest, artist_id: int) -> Response:
        """One artist."""
        artist = Artist.objects.filter(pk=artist_id).first() if 0 <= artist_id <= INT32 else None
        if artist is None:
            raise ArtistNotFound("there is no such artist")
        return Response(ArtistRef(artist).data)


class Availability(CatalogueView):
    """Why a track can or cannot be played: every rule that was asked."""

    class Asked(serializers.Serializer[Any]):
        rule = serializers.ChoiceField(choices=[reason.value for reason in Reason])
        holds = serializers.BooleanField()
        detail = serializers.CharField()

        class Meta:
            ref_name = "AvailabilityRule"

    class Output(serializers.Serializer[Any]):
        available = serializers.BooleanField()
        reasons = serializers.ListField(child=serializers.DictField())

        class Meta:
            ref_name = "Availability"

    @extend_schema(
        operation_id="catalogue_availability",
        parameters=[
            OpenApiParameter("use", str, enum=["stream", "download"], default="stream"),
            OpenApiParameter("at", OpenApiTypes.DATETIME, description="an instant; now when absent"),
            OpenApiParameter("country", str, description="the caller's own when absent"),
        ],
        responses=Output,
    )
    def get(self, request: ListenerRequest, track_id: int) -> Response:
        """Ask every rule of availability about one track, one country, one instant and one use."""
        ear = ear_of(request)
        params = request.query_params
        use = {"stream": Use.STREAM, "download": Use.DOWNLOAD}.get(params.get("use", "stream"))
        country = params.get("country", ear.country)
        if use is None or not is_country(country):
            raise InvalidParameter("use must be stream or download, country an ISO 3166-1 alpha-2 code")
        at = instant_from(params["at"]) if "at" in params else ear.at
        asked_for = Ear(country=country, explicit_filter=ear.explicit_filter, at=at)
        verdict = verdict_on(track_of(track_id), asked_for, use=use)
        reasons = [{"rule": a.rule.value, "holds": a.holds, "detail": a.detail} for a in verdict.asked]
        return Response({"available": verdict.playable, "reasons": reasons})


def instant_from(text: str) -> datetime:
    """An aware RFC 3339 time. Raises InvalidParameter for a naive or impossible one."""
    try:
        moment = parse_datetime(text.replace(" ", "+"))
        if moment is not None and moment.tzinfo is not None:
            return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise InvalidParameter("at must be an RFC 3339 time with its offset")
