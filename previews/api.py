"""Clips for listeners, and for editors at work; and what was heard of them."""

from __future__ import annotations

from typing import Any

import msgspec
from django.contrib import admin
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.authentication import SessionAuthentication
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.http import listener_of
from catalogue.lookup import ear_of
from catalogue.shapes import Ear
from desk.rows import may_view
from kernel.errors import InvalidParameter
from kernel.values import check_country
from previews.clips import issue_clip
from previews.intake import Heard, take_previews
from previews.models import PreviewPlay
from previews.rules import LONGEST, Played
from usage.reading import MOST, Reader
from usage.rules import USER_AGENT_LIMIT
from usage.shapes import Report, Verdicts
from web.bodies import expect_object, json_bytes
from web.callers import IsListener, ListenerRequest
from web.fields import CatalogueId, Instant, Text, Uuid, WholeNumber

letter_in = Reader(Played).letter_in


class ClipShape(serializers.Serializer[Any]):
    track_id = serializers.IntegerField()
    url = serializers.URLField(help_text="a secret: fetch it, do not store or show it")
    expires_at = serializers.DateTimeField()

    class Meta:
        ref_name = "Clip"


class PlayedInput(serializers.Serializer[Any]):
    """One clip that was played. `play_id` is the device's own UUID: sent again with it, a play counts once."""

    play_id = Uuid()
    track_id = CatalogueId()
    played_at = Instant(help_text="with offset, at most 61 days ago")
    seconds_played = WholeNumber(min_value=0, max_value=LONGEST)
    user_agent = Text(help_text=f"device model and app version; cut at {USER_AGENT_LIMIT} characters")

    class Meta:
        ref_name = "PreviewPlay"


class OneClip(APIView):
    permission_classes = [IsListener]
    limit_scope = "streams"

    @extend_schema(operation_id="track_preview", responses=ClipShape)
    def get(self, request: ListenerRequest, track_id: int) -> Response:
        """A signed URL of about half a minute of a track. Whoever plays it reports that to /previews.

        403 track_unavailable · 404 track_not_found.
        """
        return clip(track_id, ear_of(request))


class Previews(APIView):
    permission_classes = [IsListener]
    limit_scope = "plays"

    class Input(Report):
        plays = serializers.ListField(child=PlayedInput(), min_length=1, max_length=MOST)

        class Meta:
            ref_name = "PreviewReport"

    @extend_schema(operation_id="previews_report", request=Input, responses=Verdicts)
    def post(self, request: ListenerRequest) -> Response:
        """Report 1 to 500 clips that were played, gzipped or not; durable before the answer.

        A bad one never costs a good one.
        """
        letter = letter_in(json_bytes(request._request, gzip_allowed=True))
        listener = listener_of(request)
        taken = take_previews(
            Heard(user_id=listener.platform_id, country=listener.country, listener_id=listener.pk),
            letter.plays,
            malformed=letter.faults,
            sent_at=letter.sent_at,
            now=timezone.now(),
        )
        return Response(msgspec.to_builtins(taken))


class IsStaffWithTracks(BasePermission):
    """Staff who may look at the catalogue, as the admin itself lets them in."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        return admin.site.has_permission(request._request) and may_view(request.user, "catalogue.Track")


class DeskClip(APIView):
    """For editors at work, in their session: a clip, and what was heard of it."""

    authentication_classes = [SessionAuthentication]
    permission_classes = [IsStaffWithTracks]
    schema = None

    def get(self, request: Request, track_id: int) -> Response:
        """The clip as somebody in `country` hears it."""
        return clip(track_id, Ear(country=country_in(request), explicit_filter=False, at=timezone.now()))

    def post(self, request: Request, track_id: int) -> Response:
        """It was played: told to the platform as heard while a playlist was made."""
        expect_object(request.data)
        told: dict[str, Any] = dict(request.data)
        try:
            play = msgspec.convert(told | {"track_id": track_id, "user_agent": agent_of(request)}, Played)
        except msgspec.ValidationError as error:
            raise InvalidParameter(str(error)) from None
        by = Heard(user_id=f"staff-{request.user.pk}", country=country_in(request), usage=PreviewPlay.Usage.CREATION)
        taken = take_previews(by, [(0, play)], now=timezone.now())
        if taken.rejected:
            raise InvalidParameter(taken.rejected[0].detail)
        return Response({"accepted": taken.accepted})


def clip(track_id: int, ear: Ear) -> Response:
    issued = issue_clip(track_id=track_id, ear=ear)
    return Response(ClipShape(issued).data, headers={"Cache-Control": "no-store"})


def country_in(request: Request) -> str:
    return check_country(request.query_params.get("country", ""))


def agent_of(request: Request) -> str:
    """The editor's browser, or a word where it does not say."""
    return request.headers.get("User-Agent", "").strip() or "browser"
