"""Reading the mirror: search, tracks, and why something cannot be played."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from django.db.models import Model, QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, PolymorphicProxySerializer, extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from catalogue.lookup import CatalogueView, codes_from, ear_of, ids_from, in_order
from catalogue.models import Artist, Release, Track
from catalogue.reading import TrackRow, tracks_by_id, tracks_by_isrc
from catalogue.rules import Reason, TrackNotFound, Use
from catalogue.search import code_in, found
from catalogue.shapes import ArtistRef, Asked, Ear, ReleaseShape, TrackShape, tracks_shown, verdict_on
from kernel.errors import InvalidParameter, MissingParameter
from kernel.values import INT32, check_country
from web.callers import ListenerRequest
from web.pages import PAGE_PARAMETERS, RankedPages, page_of
from web.params import instant_in

MAX_QUERY: Final = 200
USES: Final = {use.value.lower(): use for use in Use}
KINDS: Final[dict[str, type[Model]]] = {"track": Track, "release": Release, "artist": Artist}


def track_of(track_id: int, ear: Ear) -> TrackRow:
    """A known track, gone or taken down included. Raises TrackNotFound."""
    known = tracks_by_id([track_id], country=ear.country) if 0 < track_id <= INT32 else {}
    if track_id not in known:
        raise TrackNotFound("there is no such track")
    return known[track_id]


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
            OpenApiParameter("type", str, enum=list(KINDS), default="track"),
            *PAGE_PARAMETERS,
        ],
        responses=page_of(FOUND, name="Search"),
    )
    def get(self, request: ListenerRequest) -> Response:
        """Tracks, releases or artists that hold every word, without regard to case and accents."""
        text = request.query_params.get("q", "").strip()
        if not text:
            raise MissingParameter("say what to look for", field="q")
        if len(text) > MAX_QUERY or "\x00" in text:
            raise InvalidParameter(f"may have {MAX_QUERY} characters, and no NUL among them", field="q")
        kind = request.query_params.get("type", "track")
        if kind not in KINDS:
            raise InvalidParameter(f"must be one of {', '.join(KINDS)}", field="type")
        pages = RankedPages()
        for hits in self.ways_to_find(KINDS[kind], text):
            if ids := pages.paginate_queryset(hits, request, self):
                break
        return pages.get_paginated_response(self.shown(kind, ids, ear_of(request)))

    def ways_to_find(self, model: type[Model], text: str) -> Iterator[Any]:
        """By code where one was typed, and by the words."""
        code = code_in(text)
        if "isrc" in code and model is Track:
            yield ids_of(Track.objects.standing().filter(**code))
        if "upc" in code and model is Track:
            yield ids_of(Track.objects.standing().filter(release__upc=code["upc"]))
        if "upc" in code and model is Release:
            yield ids_of(Release.objects.standing().filter(**code))
        yield found(model, text=text)

    def shown(self, kind: str, ids: Sequence[int], ear: Ear) -> Any:
        """What was found, in its order, without what has been taken down in the meantime."""
        if kind == "track":
            known = tracks_by_id(ids, country=ear.country)
            tracks = [known[id_] for id_ in ids if id_ in known and not known[id_].gone]
            return tracks_shown(tracks, ear)
        if kind == "release":
            releases = Release.objects.standing().told().in_bulk(ids)
            return ReleaseShape([releases[id_] for id_ in ids if id_ in releases], many=True).data
        artists = Artist.objects.defer("search").in_bulk(ids)
        return ArtistRef([artists[id_] for id_ in ids if id_ in artists], many=True).data


def ids_of(rows: QuerySet[Any]) -> QuerySet[Any, int]:
    return rows.order_by("pk").values_list("pk", flat=True)


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
        if isrcs := request.query_params.get("isrc", ""):
            codes = codes_from(isrcs, name="isrc")
            tracks, missing = in_order(codes, tracks_by_isrc(codes, country=ear.country), by="isrc")
        else:
            ids = ids_from(request.query_params.get("ids", ""))
            tracks, missing = in_order(ids, tracks_by_id(ids, country=ear.country).values(), by="id")
        return Response({"results": tracks_shown(tracks, ear), "missing": missing})


class Availability(CatalogueView):
    """Why a track can or cannot be played: every rule that was asked."""

    class Output(serializers.Serializer[Any]):
        class Rule(serializers.Serializer[Any]):
            rule = serializers.ChoiceField(choices=[reason.value for reason in Reason])
            holds = serializers.BooleanField()
            detail = serializers.CharField()

            class Meta:
                ref_name = "AvailabilityRule"

        available = serializers.BooleanField()
        reasons = Rule(many=True)

        class Meta:
            ref_name = "Availability"

    @extend_schema(
        operation_id="catalogue_availability",
        parameters=[
            OpenApiParameter("use", str, enum=list(USES), default="stream"),
            OpenApiParameter("at", OpenApiTypes.DATETIME, description="an instant; now when absent"),
            OpenApiParameter("country", str, description="the caller's own when absent"),
        ],
        responses=Output,
    )
    def get(self, request: ListenerRequest, track_id: int) -> Response:
        """Ask every rule of availability about one track, one country, one instant and one use."""
        ear = ear_of(request)
        params = request.query_params
        use = USES.get(params.get("use", "stream"))
        country = params.get("country", ear.country)
        if use is None:
            raise InvalidParameter(f"must be one of {', '.join(USES)}", field="use")
        check_country(country)
        at = instant_in(request, "at") or ear.at
        asked_for = Ear(country=country, explicit_filter=ear.explicit_filter, at=at)
        verdict = verdict_on(track_of(track_id, asked_for), asked_for, use=use)
        reasons = [{"rule": a.rule.value, "holds": a.holds, "detail": a.detail} for a in verdict.asked]
        return Response({"available": verdict.playable, "reasons": reasons})
