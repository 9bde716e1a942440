"""Plays: phones report them, and may look at what became of them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import msgspec
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from usage.intake import take_plays
from usage.models import Play
from usage.reading import MOST, letter_in
from usage.rules import DAY_SECONDS, SOURCE_LIMIT, USER_AGENT_LIMIT, Mode
from usage.shapes import Report, Verdicts
from web.bodies import json_bytes
from web.callers import ListenerRequest, listener_id_of
from web.express import ExpressView
from web.fields import CatalogueId
from web.pages import PAGE_PARAMETERS, Pages, page_of
from web.params import instant_in


class PlayInput(serializers.Serializer[Any]):
    """One play. `play_id` is the device's own UUID: sent again with it, a play counts once."""

    play_id = serializers.UUIDField()
    track_id = CatalogueId()
    release_id = CatalogueId()
    format_id = CatalogueId()
    played_at = serializers.DateTimeField(help_text="with offset, at most 61 days ago")
    seconds_played = serializers.IntegerField(
        min_value=0, max_value=DAY_SECONDS, help_text="0 for a pre-fetched track never played"
    )
    mode = serializers.ChoiceField(choices=[mode.value for mode in Mode])
    user_agent = serializers.CharField(
        allow_blank=True, help_text=f"device model and app version; cut at {USER_AGENT_LIMIT} characters"
    )
    source = serializers.CharField(  # type: ignore[assignment]
        required=False, allow_null=True, allow_blank=True, max_length=SOURCE_LIMIT
    )
    source_id = serializers.CharField(required=False, allow_null=True, allow_blank=True, max_length=SOURCE_LIMIT)


class PlayShape(serializers.ModelSerializer[Play]):
    class Meta:
        model = Play
        fields = [
            "play_id", "track_id", "release_id", "format_id", "played_at", "seconds_played", "mode",
            "source", "source_id", "state",
        ]  # fmt: skip
        read_only_fields = fields
        ref_name = "Play"


class PlayPages(Pages):
    ordering = ("-played_at", "-id")


class Plays(ExpressView):
    limit_scope = "plays"

    class Input(Report):
        plays = serializers.ListField(child=PlayInput(), min_length=1, max_length=MOST)

        class Meta:
            ref_name = "PlayReport"

    @extend_schema(operation_id="plays_report", request=Input, responses=Verdicts)
    def post(self, request: ListenerRequest) -> HttpResponse:
        """Report 1 to 500 plays, gzipped or not; durable before the answer. A bad play never costs a good one."""
        return self.express(request._request, listener_id_of(request))

    def express(self, request: HttpRequest, listener_id: UUID) -> HttpResponse:
        letter = letter_in(json_bytes(request, gzip_allowed=True))
        taken = take_plays(
            listener_id=listener_id,
            plays=letter.plays,
            malformed=letter.faults,
            sent_at=letter.sent_at,
            now=timezone.now(),
        )
        return HttpResponse(msgspec.json.encode(taken), content_type="application/json")

    @extend_schema(
        operation_id="plays_history",
        parameters=[
            OpenApiParameter("from", OpenApiTypes.DATETIME),
            OpenApiParameter("to", OpenApiTypes.DATETIME),
            *PAGE_PARAMETERS,
        ],
        responses=page_of(PlayShape(many=True), name="Play"),
    )
    def get(self, request: ListenerRequest) -> Response:
        """The caller's plays, newest first, each with where it stands on its way to the rightsholders."""
        plays = Play.objects.filter(listener_id=listener_id_of(request))
        if (start := instant_in(request, "from")) is not None:
            plays = plays.filter(played_at__gte=start)
        if (end := instant_in(request, "to")) is not None:
            plays = plays.filter(played_at__lt=end)
        pages = PlayPages()
        page = pages.paginate_queryset(plays, request, view=self)
        return pages.get_paginated_response(PlayShape(page, many=True).data)
