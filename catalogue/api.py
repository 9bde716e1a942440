"""Reading the mirror: search, tracks, and why something cannot be played."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, PolymorphicProxySerializer, extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from catalogue.lookup import INT32, CatalogueView, codes_from, ear_of, ids_from, in_order
from catalogue.models import Artist, Release, Track
from catalogue.rules import Reason, TrackNotFound, Use
from catalogue.search import code_in, found
from catalogue.shapes import ArtistRef, Asked, Ear, ReleaseShape, TrackShape, verdict_on
from kernel.errors import InvalidParameter, MissingParameter
from kernel.values import is_country
from web.callers import ListenerRequest
from web.pages import PAGE_PARAMETERS, RankedPages, page_of
from web.params import instant_in

MAX_QUERY: Final = 200


def track_of(track_id: int, ear: Ear) -> Track:
    """A known track, gone or taken down included. Raises TrackNotFound."""
    told = Track.objects.told(country=ear.country).filter(pk=track_id)
    track = told.first() if 0 < track_id <= INT32 else None
    if track is None:
        raise TrackNotFound("there is no such track")
    return track


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
        pages, ear = RankedPages(), ear_of(request)
        shape, rows = self.shelf(kind, ear)
        for hits in self.ways_to_find(rows, kind, text):
            if page := pages.paginate_queryset(hits, request, self):
                break
        return pages.get_paginated_response(shape(page, many=True, context={"ear": ear}).data)

    def ways_to_find(self, rows: Any, kind: str, text: str) -> Iterator[Any]:
        """By code where one was typed, by the words, and at last by the words it may have been meant to be."""
        code = code_in(text)
        if "isrc" in code and kind == "track":
            yield rows.filter(isrc=code["isrc"]).order_by("pk")
        if "upc" in code and kind != "artist":
            yield (rows.filter(release__upc=code["upc"]) if kind == "track" else rows.filter(**code)).order_by("pk")
        yield found(rows, text=text)
        yield found(rows, text=text, mended=True)

    def shelf(self, kind: str, ear: Ear) -> tuple[type[serializers.ModelSerializer[Any]], Any]:
        if kind == "track":
            return TrackShape, Track.objects.standing().told(country=ear.country)
        if kind == "release":
            return ReleaseShape, Release.objects.standing().told()
        return ArtistRef, Artist.objects.defer("search")


class OneTrack(CatalogueView):
    @extend_schema(operation_id="catalogue_track", responses=TrackShape)
    def get(self, request: ListenerRequest, track_id: int) -> Response:
        """One track, with whether the caller can play it now."""
        ear = ear_of(request)
        return Response(TrackShape(track_of(track_id, ear), context={"ear": ear}).data)


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
            OpenApiParameter("isrc", str, description="up to 50 ISRCs; for each, every track that carries it"),
        ],
        responses=Output,
    )
    def get(self, request: ListenerRequest) -> Response:
        """Several tracks at once, in the order asked for; what we do not know is listed as missing."""
        ear = ear_of(request)
        told = Track.objects.told(country=ear.country)
        if isrcs := request.query_params.get("isrc", ""):
            codes = codes_from(isrcs, name="isrc")
            tracks, missing = in_order(codes, told.filter(isrc__in=codes).order_by("pk"), by="isrc")
        else:
            ids = ids_from(request.query_params.get("ids", ""))
            tracks, missing = in_order(ids, told.filter(pk__in=ids), by="pk")
        shown = TrackShape(tracks, many=True, context={"ear": ear}).data
        return Response({"results": shown, "missing": missing})


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
        at = instant_in(request, "at") or ear.at
        asked_for = Ear(country=country, explicit_filter=ear.explicit_filter, at=at)
        verdict = verdict_on(track_of(track_id, asked_for), asked_for, use=use)
        reasons = [{"rule": a.rule.value, "holds": a.holds, "detail": a.detail} for a in verdict.asked]
        return Response({"available": verdict.playable, "reasons": reasons})
