"""What devices keep offline: one track at a time, and all of it at a check-in."""

from __future__ import annotations

import base64
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.response import Response
from rest_framework.views import APIView

from streaming.api import Streams
from streaming.copies import IssuedCopy, Manifest, check_in, drop_copy, issue_copy
from streaming.device_api import CLIENT_ID_ASKED, client_id_in
from streaming.keys import key_id
from streaming.models import Device
from streaming.refusals import StreamWish
from streaming.rules import REASONS
from web.bodies import json_bytes
from web.callers import IsListener, ListenerRequest, listener_id_of
from web.idempotency import keyed


class Copies(Streams):
    """POST /api/v1/offline/copies: the body of POST /streams, and its answer with what keeping takes."""

    limit_scope = "offline"

    class Output(Streams.Output):
        release_id = serializers.IntegerField()
        lease_ends_at = serializers.DateTimeField(help_text="until when it may be played without another check-in")
        key_id = serializers.CharField(help_text="changes whenever the key does")
        key = serializers.CharField(help_text="AES-256, in base64; a secret: keep it where the phone keeps secrets")

        class Meta:
            ref_name = "OfflineCopy"

    @extend_schema(operation_id="offline_copy", request=Streams.Input, responses={201: Output})
    @keyed(fresh=True)
    def post(self, request: ListenerRequest) -> HttpResponse:
        """A signed URL for a track that an enabled device may keep, and the key to keep it under. Again renews it.

        What POST /streams refuses, and 403 offline_not_in_plan · 409 device_not_authorised, the device is not
        enabled · 409 offline_tracks_full with the `limit`. It is no play, and takes no stream from another device.
        """
        return self.express(request._request, listener_id_of(request))

    def express(self, request: HttpRequest, listener_id: UUID) -> HttpResponse:
        wish = self.wish_from(json_bytes(request))
        return issued_answer(wish, issue_copy(listener_id=listener_id, wish=wish, now=timezone.now()))


def issued_answer(wish: StreamWish, issued: IssuedCopy) -> HttpResponse:
    content = msgspec.json.encode(
        {
            "stream_id": issued.copy_id,
            "url": issued.url,
            "expires_at": issued.expires_at,
            "mime_type": issued.mime_type,
            "track_id": wish.track_id,
            "release_id": issued.release_id,
            "format_id": issued.format_id,
            "client_id": wish.client_id,
            "lease_ends_at": issued.lease_ends_at,
            "key_id": issued.key_id,
            "key": base64.b64encode(issued.key).decode(),
        }
    )
    return HttpResponse(content, status=201, content_type="application/json")


class OneCopy(APIView):
    permission_classes = [IsListener]
    limit_scope = "offline"

    @extend_schema(operation_id="offline_copy_drop", parameters=[CLIENT_ID_ASKED], responses={204: None})
    def delete(self, request: ListenerRequest, track_id: int) -> Response:
        """The device has deleted the track: it counts no longer. Harmless when it did not keep it."""
        drop_copy(listener_id=listener_id_of(request), client_id=client_id_in(request), track_id=track_id)
        return Response(status=status.HTTP_204_NO_CONTENT)


class CheckIn(APIView):
    permission_classes = [IsListener]
    limit_scope = "offline"

    class Output(serializers.Serializer[Any]):
        class Copy(serializers.Serializer[Any]):
            track_id = serializers.IntegerField()
            release_id = serializers.IntegerField()
            format_id = serializers.IntegerField()
            lease_ends_at = serializers.DateTimeField()
            key_id = serializers.CharField()

            class Meta:
                ref_name = "KeptCopy"

        class Removal(serializers.Serializer[Any]):
            track_id = serializers.IntegerField()
            reason = serializers.ChoiceField(choices=REASONS)

            class Meta:
                ref_name = "RemovedCopy"

        client_id = serializers.CharField()
        offline_enabled = serializers.BooleanField()
        max_tracks = serializers.IntegerField(allow_null=True)
        server_time = serializers.DateTimeField()
        copies = Copy(many=True)
        removals = Removal(many=True)

        class Meta:
            ref_name = "OfflineManifest"

    @extend_schema(operation_id="offline_manifest", parameters=[CLIENT_ID_ASKED], responses=Output)
    def get(self, request: ListenerRequest) -> HttpResponse:
        """Check in: what the device may keep, its leases renewed, and what it must remove, each with its reason.

        404 device_not_found. A removed device is told so by its removals.
        """
        now = timezone.now()
        manifest = check_in(listener_id=listener_id_of(request), client_id=client_id_in(request), now=now)
        content = msgspec.json.encode(told(manifest, now=now))
        return HttpResponse(content, content_type="application/json", headers={"Cache-Control": "no-store"})


def told(manifest: Manifest, *, now: datetime) -> dict[str, Any]:
    """The manifest without a serializer: it may have thousands of tracks."""
    device = manifest.device
    key = key_id(device_id=device.pk, number=device.generation)
    return {
        "client_id": device.client_id,
        "offline_enabled": device.offline == Device.Offline.ON,
        "max_tracks": device.max_tracks,
        "server_time": now,
        "copies": [
            {
                "track_id": copy.track_id,
                "release_id": copy.release_id,
                "format_id": copy.format_id,
                "lease_ends_at": copy.lease_ends_at,
                "key_id": key,
            }
            for copy in manifest.copies
        ],
        "removals": [{"track_id": track_id, "reason": reason} for track_id, reason in manifest.removals],
    }
