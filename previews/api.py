"""Clips for listeners, and for editors at work; and what was heard of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from django.contrib import admin
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.authentication import SessionAuthentication
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.models import Listener
from catalogue.lookup import ear_of
from catalogue.shapes import Ear
from desk.rows import may_view
from kernel.errors import InvalidParameter
from kernel.values import INT32, is_country
from massivemusic.previews import MOST
from previews.clips import issue_clip
from previews.models import PreviewPlay
from previews.reporting import Heard, Played, take_previews
from usage.rules import FUTURE_TOLERANCE, REPORTABLE
from web.bodies import expect_object
from web.callers import IsListener, ListenerRequest, listener_id_of
from web.fields import Instant
from web.params import uuid_of

LONGEST: Final = 600  # seconds; a clip has about thirty


class ClipShape(serializers.Serializer[Any]):
    track_id = serializers.IntegerField()
    url = serializers.URLField(help_text="a secret: fetch it, do not store or show it")
    expires_at = serializers.DateTimeField()

    class Meta:
        ref_name = "Clip"


class PlayedInput(serializers.Serializer[Any]):
    """One clip that was played. `play_id` is the device's own UUID: sent again with it, a play counts once."""

    play_id = serializers.UUIDField()
    track_id = serializers.IntegerField(min_value=1, max_value=INT32)
    played_at = Instant(help_text="with offset, at most 61 days ago")
    seconds_played = serializers.IntegerField(min_value=0, max_value=LONGEST)
    user_agent = serializers.CharField(help_text="device model and app version")

    class Meta:
        ref_name = "PreviewPlay"

    def validate_played_at(self, played_at: datetime) -> datetime:
        now = timezone.now()
        if not now - REPORTABLE < played_at <= now + FUTURE_TOLERANCE:
            raise serializers.ValidationError("must lie within the last 61 days")
        return played_at


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

    class Input(serializers.Serializer[Any]):
        plays = serializers.ListField(child=serializers.DictField(), min_length=1, max_length=MOST)

        class Meta:
            ref_name = "PreviewReport"

    class Output(serializers.Serializer[Any]):
        class Rejected(serializers.Serializer[Any]):
            index = serializers.IntegerField()
            play_id = serializers.CharField(allow_null=True)
            code = serializers.CharField()
            detail = serializers.CharField()

            class Meta:
                ref_name = "RejectedPreview"

        accepted = serializers.IntegerField()
        duplicates = serializers.IntegerField()
        rejected = Rejected(many=True)

        class Meta:
            ref_name = "PreviewVerdicts"

    @extend_schema(operation_id="previews_report", request=Input, responses=Output)
    def post(self, request: ListenerRequest) -> Response:
        """Report 1 to 500 clips that were played; durable before the answer. A bad one never costs a good one."""
        letter = self.Input(data=request.data)
        letter.is_valid(raise_exception=True)
        listener = Listener.objects.get(pk=listener_id_of(request))
        by = Heard(user_id=listener.platform_id, country=listener.country, listener_id=listener.pk)
        good, rejected = sorted_out(letter.validated_data["plays"])
        accepted = take_previews(by, good)
        return Response({"accepted": accepted, "duplicates": len(good) - accepted, "rejected": rejected})


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
        shape = PlayedInput(data=told | {"track_id": track_id, "user_agent": agent_of(request)})
        shape.is_valid(raise_exception=True)
        by = Heard(user_id=f"staff-{request.user.pk}", country=country_in(request), usage=PreviewPlay.Usage.CREATION)
        return Response({"accepted": take_previews(by, [Played(**shape.validated_data)])})


def clip(track_id: int, ear: Ear) -> Response:
    issued = issue_clip(track_id=track_id, ear=ear)
    return Response(ClipShape(issued).data, headers={"Cache-Control": "no-store"})


def sorted_out(told: Sequence[Any]) -> tuple[list[Played], list[dict[str, Any]]]:
    """What can be reported, and a verdict on each of the others."""
    good: list[Played] = []
    rejected: list[dict[str, Any]] = []
    for index, each in enumerate(told):
        shape = PlayedInput(data=each)
        if shape.is_valid():
            good.append(Played(**shape.validated_data))
            continue
        fault = "; ".join(f"{name}: {' '.join(map(str, faults))}" for name, faults in shape.errors.items())
        play_id = each.get("play_id")
        rejected.append({
            "index": index, "play_id": play_id if uuid_of(play_id) else None, "code": "invalid_play", "detail": fault,
        })  # fmt: skip
    return good, rejected


def country_in(request: Request) -> str:
    country = request.query_params.get("country", "")
    if not is_country(country):
        raise InvalidParameter("country must be an ISO 3166-1 alpha-2 code in upper case")
    return country


def agent_of(request: Request) -> str:
    """The editor's browser, or a word where it does not say."""
    return request.headers.get("User-Agent", "").strip() or "browser"
