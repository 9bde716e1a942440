"""The locker, in the pages, filters and sorts of the guide (Download guide §4.1)."""

from __future__ import annotations

from functools import cache
from typing import Any, Final
from uuid import UUID

import msgspec
from django.conf import settings
from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.utils.urls import replace_query_param
from rest_framework.views import APIView

from downloads.fetching import formats_in, own_purchase
from downloads.models import LockerRelease, LockerTrack
from downloads.reading import TRACK, Order, Wanted, locker_page
from kernel.errors import InvalidParameter
from kernel.values import INT32
from massivemusic.images import cover_template
from massivemusic.streaming import Format
from web.callers import IsListener, ListenerRequest, listener_id_of
from web.params import uuid_of, whole_in

PAGE_SIZE: Final = 10
LARGEST: Final = 50
DEEPEST: Final = 1_000_000
COLUMNS: Final = {"releaseTitle": "title", "purchaseDate": "purchased_at", "artistName": "artist_name"}
SORTS: Final = {
    f"{name} {order}": Order(column=column, descending=order == "desc")
    for name, column in COLUMNS.items()
    for order in ("asc", "desc")
}


class FormatShape(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    codec = serializers.CharField()
    bitrate = serializers.IntegerField(allow_null=True, help_text="kbit/s, null where it varies")
    mime_type = serializers.CharField()

    class Meta:
        ref_name = "DownloadFormat"


class LockerTrackShape(serializers.ModelSerializer[LockerTrack]):
    """As the OpenAPI document shows it; `release_told` writes it out."""

    formats = FormatShape(many=True)

    class Meta:
        model = LockerTrack
        fields = TRACK
        read_only_fields = fields
        ref_name = "LockerTrack"


class LockerReleaseShape(serializers.ModelSerializer[LockerRelease]):
    id = serializers.IntegerField()
    image_url = serializers.CharField(help_text="a template: replace {size} by a number of pixels")
    tracks = LockerTrackShape(many=True)

    class Meta:
        model = LockerRelease
        fields = ["id", "title", "version", "artist_name", "image_url", "purchased_at", "tracks"]
        read_only_fields = fields
        ref_name = "LockerRelease"


class Locker(APIView):
    permission_classes = [IsListener]

    class Output(serializers.Serializer[Any]):
        results = LockerReleaseShape(many=True)
        next = serializers.URLField(allow_null=True)
        page = serializers.IntegerField()
        page_size = serializers.IntegerField()
        total_items = serializers.IntegerField(help_text="releases on all pages")

        class Meta:
            ref_name = "LockerPage"

    @extend_schema(
        operation_id="locker",
        parameters=[
            OpenApiParameter("page", int, description="from 1"),
            OpenApiParameter("page_size", int, description=f"releases, 1 to {LARGEST}; {PAGE_SIZE} unless told"),
            OpenApiParameter("sort", str, enum=list(SORTS), description="releaseTitle asc unless told"),
            OpenApiParameter("release_id", int),
            OpenApiParameter("track_id", int),
            OpenApiParameter("purchase_id", UUID, description="one of /purchases, else 404"),
        ],
        responses=Output,
    )
    def get(self, request: ListenerRequest) -> HttpResponse:
        """What the caller has bought and may download, release by release."""
        page = whole_in(request, "page", otherwise=1, most=DEEPEST)
        size = whole_in(request, "page_size", otherwise=PAGE_SIZE, most=LARGEST)
        wanted, start = wanted_in(request), (page - 1) * size
        total, rows = locker_page(wanted, order_in(request), start=start, size=size)
        if not total and wanted.purchase:
            own_purchase(wanted.listener, wanted.purchase)  # or it is nobody's, or somebody else's
        more = replace_query_param(request.build_absolute_uri(), "page", page + 1) if start + size < total else None
        shown = [release_told(release) for release in rows]
        answer = {"results": shown, "next": more, "page": page, "page_size": size, "total_items": total}
        headers = {"Cache-Control": "private, no-cache"}
        return HttpResponse(msgspec.json.encode(answer), content_type="application/json", headers=headers)


def release_told(release: dict[str, Any]) -> dict[str, Any]:
    """A release with what is held of it, written out: half of a page's time went into serializers."""
    release["id"] = pk = release.pop("release_id")
    release["image_url"] = cover_template(settings.MASSIVEMUSIC["image_url"], pk)
    for track in release["tracks"]:
        track["formats"] = [format_told(each) for each in formats_in(track["formats"])]
    return release


@cache
def format_told(known: Format) -> dict[str, Any]:
    return dict(FormatShape(known).data)


def order_in(request: ListenerRequest) -> Order:
    """Raises InvalidParameter."""
    text = " ".join(request.query_params.get("sort", "releaseTitle asc").split())
    if text not in SORTS:
        raise InvalidParameter(f"one of {', '.join(SORTS)}", field="sort")
    return SORTS[text]


def wanted_in(request: ListenerRequest) -> Wanted:
    """Raises InvalidParameter."""
    given = request.query_params
    numbers = {
        name: whole_in(request, f"{name}_id", most=INT32) for name in ("release", "track") if f"{name}_id" in given
    }
    purchase = uuid_of(given["purchase_id"]) if "purchase_id" in given else None
    if purchase is None and "purchase_id" in given:
        raise InvalidParameter("must be the id of one of /purchases", field="purchase_id")
    return Wanted(listener=listener_id_of(request), purchase=purchase, **numbers)
