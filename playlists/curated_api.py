"""Curated playlists for apps: what is featured, and the covers that editors gave them."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from catalogue.lookup import CatalogueView
from playlists.audience import audience_of
from playlists.finding import featured
from playlists.models import Picture
from playlists.rules import ITEMS_LIMIT
from playlists.shapes import PlaylistShape, published
from web.callers import ListenerRequest
from web.pages import PAGE_PARAMETERS, RankedPages, page_of

LOCALE: Final = OpenApiParameter("locale", str, description="such as en or pt-BR; as Accept-Language says unless told")
FOR_EVER: Final = "public, max-age=31536000, immutable"


class FeaturedShape(PlaylistShape):
    """A curated playlist where it stands."""

    shelf = serializers.CharField(allow_null=True, help_text="what it stands on; one on several comes several times")

    class Meta:
        ref_name = "FeaturedPlaylist"


class SnapshotPages(RankedPages):
    """Pages of a revision, to its end."""

    deepest = ITEMS_LIMIT


class FeaturedPlaylists(CatalogueView):
    @extend_schema(
        operation_id="playlists_featured",
        parameters=[*PAGE_PARAMETERS, LOCALE],
        responses=page_of(FeaturedShape(many=True), name="FeaturedPlaylist"),
    )
    def get(self, request: ListenerRequest) -> Response:
        """Curated playlists, live for the caller's country, plans and locale, shelf by shelf."""
        pages = RankedPages()
        rows = pages.paginate_queryset(featured(audience_of(request)), request)
        shown: list[dict[str, Any]] = published(rows, host=host_of(request))
        answer = pages.get_paginated_response(
            [each | {"shelf": revision.shelf} for each, revision in zip(shown, rows, strict=True)]
        )
        answer.headers["Vary"] = "Accept-Language"
        return answer


def host_of(request: ListenerRequest) -> str:
    """Where the caller reached us: `https://music.example`."""
    return request.build_absolute_uri("/").rstrip("/")


@require_safe
def cover(request: HttpRequest, playlist_id: UUID, digest: str, size: int) -> HttpResponse:
    """GET /covers/{playlist}/{digest}/{size}.jpg: for whoever has the address, which nobody can guess."""
    picture = Picture.objects.filter(playlist=playlist_id, digest=digest, size=min(size, 2**15 - 1)).first()
    if picture is None:
        raise Http404
    return HttpResponse(bytes(picture.jpeg), content_type="image/jpeg", headers={"Cache-Control": FOR_EVER})
