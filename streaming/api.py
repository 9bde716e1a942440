"""Streams, for devices.

The hottest path of the service: msgspec reads the bodies, and DRF explains the ones that are wrong.
"""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers, status
from rest_framework.response import Response
from rest_framework.views import APIView

from kernel.errors import InvalidParameter, Kind, MissingParameter, Refusal
from kernel.values import INT32
from streaming.actions import IssuedStream, current_stream, issue_stream
from streaming.holder import release_stream
from streaming.live import changes, holder_of, name_of, told
from streaming.models import StreamHolder
from streaming.refusals import StreamWish
from web.bodies import AlwaysJSON, json_bytes, parse_json
from web.callers import IsListener, ListenerRequest, listener_id_of
from web.express import ExpressView
from web.fields import CatalogueId, Text, WholeNumber
from web.idempotency import keyed
from web.live import event, respond_live

Codec = Annotated[str, msgspec.Meta(min_length=1, max_length=32)]
Codecs = Annotated[list[Codec], msgspec.Meta(min_length=1, max_length=20)]


class WishBody(msgspec.Struct):
    """The body of POST /streams, as strict as the serializer beside the view."""

    track_id: Annotated[int, msgspec.Meta(ge=1, le=INT32)]
    client_id: Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
    format_id: Annotated[int, msgspec.Meta(ge=1, le=INT32)] | None = None
    accept: Codecs | None = None
    max_bitrate: Annotated[int, msgspec.Meta(ge=1, le=INT32)] | None = None
    release_id: Annotated[int, msgspec.Meta(ge=1, le=INT32)] | None = None
    delivery: Literal["progressive", "hls"] = "progressive"


read_wish = msgspec.json.Decoder(WishBody).decode


class StreamsNobody(Refusal):
    """Nothing plays."""

    code, kind = "no_stream", Kind.NOT_FOUND


class Streams(ExpressView):
    """POST /api/v1/streams."""

    limit_scope = "streams"
    takes_keys = True

    class Input(serializers.Serializer[Any]):
        track_id = CatalogueId()
        format_id = CatalogueId(required=False, allow_null=True, help_text="one of /config, or leave it out and")
        accept = serializers.ListField(
            child=Text(max_length=32), min_length=1, max_length=20, required=False, allow_null=True,
            help_text="the codecs that the device plays, such as aac and mp3, of which the best that fits is chosen",
        )  # fmt: skip
        max_bitrate = WholeNumber(
            min_value=1, max_value=INT32, required=False, allow_null=True, help_text="with accept, in kbit/s"
        )
        client_id = Text(max_length=255, trim_whitespace=False, help_text="the device's own id")
        release_id = CatalogueId(required=False, allow_null=True)
        delivery = serializers.ChoiceField(choices=["progressive", "hls"], default="progressive")

        class Meta:
            ref_name = "StreamWish"

        def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
            by_id, by_codec = (attrs.get(name) is not None for name in ("format_id", "accept"))
            if not by_id and not by_codec:
                raise serializers.ValidationError({"format_id": "or accept is required"}, code="required")
            if by_id and by_codec:
                raise serializers.ValidationError({"accept": "may not stand beside format_id"})
            return attrs

    class Output(serializers.Serializer[Any]):
        stream_id = serializers.UUIDField()
        url = serializers.URLField(help_text="a secret: fetch it, do not store or show it")
        expires_at = serializers.DateTimeField()
        mime_type = serializers.CharField()
        track_id = serializers.IntegerField()
        format_id = serializers.IntegerField()
        client_id = serializers.CharField()

        class Meta:
            ref_name = "Stream"

    def finished(self, response: HttpResponseBase) -> HttpResponseBase:
        response.headers["Cache-Control"] = "no-store"
        return response

    @extend_schema(operation_id="stream_issue", request=Input, responses={201: Output})
    @keyed(fresh=True)
    def post(self, request: ListenerRequest) -> HttpResponse:
        """A signed URL that plays one track on one device.

        403 no_subscription or track_unavailable · 404 track_not_found · 409 playing_elsewhere while the
        block of a displaced device runs.
        """
        return self.express(request._request, listener_id_of(request))

    def express(self, request: HttpRequest, listener_id: UUID) -> HttpResponse:
        wish = self.wish_from(json_bytes(request))
        return answer(wish, issue_stream(listener_id=listener_id, wish=wish, now=timezone.now()))

    def wish_from(self, body: bytes) -> StreamWish:
        """The body as a wish. What msgspec refuses, the serializer explains; what it cannot, the parser did."""
        try:
            wish = read_wish(body)
            if "\x00" in wish.client_id or (wish.format_id is None) is (wish.accept is None):
                raise ValueError
        except (msgspec.MsgspecError, ValueError, RecursionError):
            wish = self.explained(body)
        return StreamWish(
            track_id=wish.track_id,
            format_id=wish.format_id,
            accept=wish.accept or (),
            max_bitrate=wish.max_bitrate,
            client_id=wish.client_id,
            release_id=wish.release_id,
            hls=wish.delivery == "hls",
        )

    def explained(self, body: bytes) -> WishBody:
        if not body:
            raise MissingParameter("the body is empty")
        wish = self.Input(data=parse_json(body))
        wish.is_valid(raise_exception=True)
        return WishBody(**wish.validated_data)


def answer(wish: StreamWish, issued: IssuedStream) -> HttpResponse:
    """201, written without a serializer and kept by nobody."""
    content = msgspec.json.encode(
        {
            "stream_id": issued.stream_id,
            "url": issued.url,
            "expires_at": issued.expires_at,
            "mime_type": issued.mime_type,
            "track_id": wish.track_id,
            "format_id": issued.format_id,
            "client_id": wish.client_id,
        }
    )
    return HttpResponse(content, status=201, content_type="application/json")


def device_in(request: ListenerRequest) -> str:
    """The device that a query names. Raises MissingParameter or InvalidParameter."""
    client_id: str = request.query_params.get("client_id", "")
    if not client_id:
        raise MissingParameter("name the device", field="client_id")
    if len(client_id) > 255 or "\x00" in client_id:
        raise InvalidParameter("1 to 255 characters, and no NUL among them", field="client_id")
    return client_id


class StreamEvents(APIView):
    permission_classes = [IsListener]
    content_negotiation_class = AlwaysJSON
    limit_scope = "streams"

    @extend_schema(
        operation_id="stream_events",
        parameters=[OpenApiParameter("client_id", str, required=True)],
        responses={(200, "text/event-stream"): OpenApiTypes.OBJECT},
    )
    def get(self, request: ListenerRequest) -> HttpResponse:
        """Server-sent events: who holds the stream, at once and whenever that changes.

        Each event `stream` has the whole state as this device sees it: `client_id` of the one that plays (null when
        nothing does) with its name as `holder`, `stream_id`, `track_id`, `since` and `expires_at`, and
        `blocked_until`, until when this device is refused. Nothing is lost by coming back. After ten minutes at most
        the answer ends: come back with a token that holds.
        """
        listener_id, client_id = listener_id_of(request), device_in(request)
        state = told(holder_of(listener_id), client_id=client_id, now=timezone.now())
        rest = partial(changes, listener_id, client_id, state)
        return respond_live(request._request, event("stream", state), rest=rest)


class CurrentStream(APIView):
    permission_classes = [IsListener]
    limit_scope = "streams"

    class Output(serializers.ModelSerializer[StreamHolder]):
        expires_at = serializers.DateTimeField(source="plays_until", help_text="when its track will have ended")
        holder = serializers.SerializerMethodField(help_text="the device's name, or its id where it has none")

        class Meta:
            model = StreamHolder
            fields = ["stream_id", "client_id", "holder", "track_id", "since", "expires_at"]
            read_only_fields = fields
            ref_name = "CurrentStream"

        def get_holder(self, stream: StreamHolder) -> str:
            return name_of(stream.listener_id, stream.client_id)

    @extend_schema(operation_id="stream_current", responses=Output)
    def get(self, request: ListenerRequest) -> Response:
        """Which device holds the stream, and until when. 404 no_stream when nothing plays."""
        holder = current_stream(listener_id=listener_id_of(request), now=timezone.now())
        if holder is None:
            raise StreamsNobody("nothing plays")
        return Response(self.Output(holder).data, headers={"Cache-Control": "no-store"})

    @extend_schema(
        operation_id="stream_release",
        parameters=[OpenApiParameter("client_id", str, required=True)],
        responses={204: None},
    )
    def delete(self, request: ListenerRequest) -> Response:
        """Give the stream up, so that the next device displaces nobody. Harmless when it was not held."""
        release_stream(listener_id=listener_id_of(request), client_id=device_in(request))
        return Response(status=status.HTTP_204_NO_CONTENT)
