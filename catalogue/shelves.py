"""Browsing the mirror: releases, artists, and what has changed since."""

from __future__ import annotations

from typing import Any, Final

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

from catalogue.lookup import CatalogueView, codes_from, ear_of, ids_from, in_order
from catalogue.models import Artist, Release, ReleaseQuerySet
from catalogue.shapes import ArtistRef, Asked, ReleaseShape, ReleaseWithTracks
from kernel.errors import InvalidParameter, Kind, Refusal
from kernel.values import INT32
from web.callers import ListenerRequest
from web.pages import PAGE_PARAMETERS, Pages, cursor_of, limit_from, number_in, page_of

ORDERS: Final = {"-release_date": ("-shelf_date", "-id"), "release_date": ("shelf_date", "id")}
MAX_WORD: Final = 512


class ReleaseNotFound(Refusal):
    """We have never heard of this release, or it has been taken down."""

    code, kind, platform_code = "release_not_found", Kind.NOT_FOUND, 2001


class ArtistNotFound(Refusal):
    """We have never heard of this artist."""

    code, kind, platform_code = "artist_not_found", Kind.NOT_FOUND, 2001


class ReleasePages(Pages):
    """Newest first, unless `order` says otherwise."""

    def get_ordering(self, request: Any, queryset: Any, view: Any) -> Any:
        order = request.query_params.get("order", "-release_date")
        if order not in ORDERS:
            raise InvalidParameter(f"must be one of {', '.join(ORDERS)}", field="order")
        return ORDERS[order]


def page(view: CatalogueView, request: ListenerRequest, releases: ReleaseQuerySet) -> Response:
    """One page of releases."""
    pages = ReleasePages()
    rows = pages.paginate_queryset(releases.told(), request, view=view)
    return pages.get_paginated_response(ReleaseShape(rows, many=True).data)


ORDER: Final = OpenApiParameter("order", str, enum=list(ORDERS), default="-release_date")

MISSING: Final = serializers.ListField(child=Asked(), required=False, help_text="of the ids or UPCs asked for")


class Releases(CatalogueView):
    @extend_schema(
        operation_id="catalogue_releases",
        parameters=[
            ORDER,
            OpenApiParameter("genre", str),
            OpenApiParameter("label", str),
            OpenApiParameter(
                "ids", str, description="instead: up to 50 release ids; `missing` says which are not there"
            ),
            OpenApiParameter("upc", str, description="instead: up to 50 UPCs"),
            *PAGE_PARAMETERS,
        ],
        responses=page_of(ReleaseShape(many=True), name="Release", missing=MISSING),
    )
    def get(self, request: ListenerRequest) -> Response:
        """Releases by date, of a genre, of a label; or those with given ids or UPCs, in their order."""
        params = request.query_params
        shelf = Release.objects.standing()
        if "ids" in params or "upc" in params:
            return self.asked_for(shelf.told(), ids=params.get("ids"), upcs=params.get("upc", ""))
        for name in ("genre", "label"):
            if len(params.get(name, "")) > MAX_WORD or "\x00" in params.get(name, ""):
                raise InvalidParameter(f"may have {MAX_WORD} characters", field=name)
        if genre := params.get("genre"):
            shelf = shelf.filter(genres__contains=[genre])
        if label := params.get("label"):
            shelf = shelf.filter(label=label)
        return page(self, request, shelf)

    def asked_for(self, shelf: ReleaseQuerySet, *, ids: str | None, upcs: str) -> Response:
        if ids is not None:
            wanted = ids_from(ids)
            releases, missing = in_order(wanted, shelf.filter(pk__in=wanted), by="pk")
        else:
            codes = codes_from(upcs, name="upc")
            releases, missing = in_order(codes, shelf.filter(upc__in=codes).order_by("pk"), by="upc")
        return Response({"results": ReleaseShape(releases, many=True).data, "next": None, "missing": missing})


class OneRelease(CatalogueView):
    @extend_schema(operation_id="catalogue_release", responses=ReleaseWithTracks)
    def get(self, request: ListenerRequest, release_id: int) -> Response:
        """One release and its tracks in playing order."""
        shelf = Release.objects.standing().told()
        release = shelf.filter(pk=release_id).first() if 0 < release_id <= INT32 else None
        if release is None:
            raise ReleaseNotFound("there is no such release")
        return Response(ReleaseWithTracks(release, context={"ear": ear_of(request)}).data)


class OneArtist(CatalogueView):
    @extend_schema(operation_id="catalogue_artist", responses=ArtistRef)
    def get(self, request: ListenerRequest, artist_id: int) -> Response:
        """One artist."""
        return Response(ArtistRef(artist_of(artist_id)).data)


class ArtistReleases(CatalogueView):
    @extend_schema(
        operation_id="catalogue_artist_releases",
        parameters=[ORDER, *PAGE_PARAMETERS],
        responses=page_of(ReleaseShape(many=True), name="ArtistRelease"),
    )
    def get(self, request: ListenerRequest, artist_id: int) -> Response:
        """The releases that carry the artist's name, newest first."""
        return page(self, request, Release.objects.standing().filter(artist=artist_of(artist_id)))


def artist_of(artist_id: int) -> Artist:
    """A known artist. Raises ArtistNotFound."""
    artist = Artist.objects.filter(pk=artist_id).first() if 0 <= artist_id <= INT32 else None
    if artist is None:
        raise ArtistNotFound("there is no such artist")
    return artist


class Changes(CatalogueView):
    """For apps that keep a part of the catalogue themselves."""

    class Output(serializers.Serializer[Any]):
        class Change(serializers.Serializer[Any]):
            release_id = serializers.IntegerField()
            change = serializers.ChoiceField(choices=["added", "changed", "gone"])
            release = ReleaseShape(allow_null=True)

            class Meta:
                ref_name = "CatalogueChange"

        results = Change(many=True)
        next = serializers.URLField(allow_null=True, help_text="more that has happened already")
        cursor = serializers.CharField(help_text="`since` of the next time, when there is no more")

        class Meta:
            ref_name = "CatalogueChangePage"

    @extend_schema(
        operation_id="catalogue_changes",
        parameters=[
            OpenApiParameter("since", str, description="the last answer's `cursor`; from the beginning without"),
            OpenApiParameter("limit", int),
        ],
        responses=Output,
    )
    def get(self, request: ListenerRequest) -> Response:
        """Releases added, changed and gone since a cursor, each once, as they stand now."""
        since = number_in(request.query_params.get("since", ""), mark="c", name="since")
        limit = limit_from(request)
        changed = Release.objects.filter(change__gt=since).told().order_by("change")
        rows = list(changed[: limit + 1])
        shown = [self.told(release, since) for release in rows[:limit]]
        last = rows[:limit][-1].change if rows else since
        cursor = cursor_of(last or 0, mark="c")
        here = request.build_absolute_uri()
        following = replace_query_param(here, "since", cursor) if len(rows) > limit else None
        return Response({"results": shown, "next": following, "cursor": cursor})

    def told(self, release: Release, since: int) -> dict[str, Any]:
        if release.taken_down_at is not None or release.artist is None:
            return {"release_id": release.pk, "change": "gone", "release": None}
        new = release.arrival is not None and release.arrival > since
        change = "added" if new else "changed"
        return {"release_id": release.pk, "change": change, "release": ReleaseShape(release).data}
