"""Devices, and whether they may keep tracks."""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from kernel.errors import InvalidParameter, MissingParameter
from massivemusic.devices import can_be_told
from streaming.devices import make_known, note_seen, register_device, remove_device
from streaming.models import Device
from streaming.offline import known_device, turn_off, turn_on
from web.callers import IsListener, ListenerRequest, listener_id_of
from web.fields import Text, Truth
from web.pages import PAGE_PARAMETERS, Pages, page_of

CLIENT_ID = OpenApiParameter(
    "client_id", str, OpenApiParameter.PATH, description="the device's own id: 1 to 255 characters, percent-encoded"
)
CLIENT_ID_ASKED = OpenApiParameter("client_id", str, required=True, description="the device's own id")


def checked(client_id: str) -> str:
    """Raises InvalidParameter for an id that no device has."""
    if not can_be_told(client_id):
        raise InvalidParameter("1 to 255 characters, none of them a control character", field="client_id")
    return client_id


def client_id_in(request: Request) -> str:
    """The device that the query names. Raises MissingParameter or InvalidParameter."""
    client_id = request.query_params.get("client_id", "")
    if not client_id:
        raise MissingParameter("name the device", field="client_id")
    return checked(client_id)


class DeviceShape(serializers.ModelSerializer[Device]):
    """A device as its listener sees it."""

    offline_enabled = serializers.SerializerMethodField()

    class Meta:
        model = Device
        fields = ["client_id", "name", "model", "app_version", "created_at", "last_seen_at", "offline_enabled"]
        read_only_fields = fields
        ref_name = "Device"

    def get_offline_enabled(self, device: Device) -> bool:
        return device.offline == Device.Offline.ON


class DevicePages(Pages):
    """The one that was seen last first."""

    ordering = ("-last_seen_at", "-id")


class Devices(APIView):
    permission_classes = [IsListener]

    @extend_schema(
        operation_id="devices", parameters=PAGE_PARAMETERS, responses=page_of(DeviceShape(many=True), name="Device")
    )
    def get(self, request: ListenerRequest) -> Response:
        """The caller's devices, as they have registered themselves."""
        mine = Device.objects.known().filter(listener=listener_id_of(request))
        pages = DevicePages()
        rows = pages.paginate_queryset(mine, request, view=self)
        return pages.get_paginated_response(DeviceShape(rows, many=True).data)


@extend_schema_view(put=extend_schema(parameters=[CLIENT_ID]), delete=extend_schema(parameters=[CLIENT_ID]))
class OneDevice(APIView):
    permission_classes = [IsListener]

    class Input(serializers.Serializer[Any]):
        name = Text(max_length=255, required=False, allow_blank=True, help_text="Ada’s phone")
        model = Text(max_length=255, required=False, allow_blank=True, help_text="Pixel 9")
        app_version = Text(max_length=64, required=False, allow_blank=True, help_text="2.1.0")

        class Meta:
            ref_name = "DeviceFacts"

    @extend_schema(operation_id="device_register", request=Input, responses={200: DeviceShape, 201: DeviceShape})
    def put(self, request: ListenerRequest, client_id: str) -> Response:
        """Register the device (201), or tell what has changed about it (200). What is left out stays as it was.

        429 too_many_new_devices: a listener brings only so many new ones a day.
        """
        wish = self.Input(data=request.data)
        wish.is_valid(raise_exception=True)
        device, new = register_device(
            listener_id=listener_id_of(request),
            client_id=checked(client_id),
            facts=wish.validated_data,
            now=timezone.now(),
        )
        return Response(DeviceShape(device).data, status=status.HTTP_201_CREATED if new else status.HTTP_200_OK)

    @extend_schema(operation_id="device_remove", responses={204: None})
    def delete(self, request: ListenerRequest, client_id: str) -> Response:
        """Remove the device: what it keeps offline ends, its place and its stream are free. 404 device_not_found."""
        remove_device(listener_id=listener_id_of(request), client_id=checked(client_id), now=timezone.now())
        return Response(status=status.HTTP_204_NO_CONTENT)


@extend_schema_view(put=extend_schema(parameters=[CLIENT_ID]))
class OfflineSwitch(APIView):
    permission_classes = [IsListener]

    class Input(serializers.Serializer[Any]):
        enabled = Truth()

        class Meta:
            ref_name = "OfflineWish"

    class Output(serializers.Serializer[Any]):
        offline_enabled = serializers.BooleanField()
        max_tracks = serializers.IntegerField(
            allow_null=True, help_text="how many tracks the device may keep; null where nobody says"
        )

        class Meta:
            ref_name = "OfflineState"

    @extend_schema(operation_id="device_offline", request=Input, responses=Output)
    def put(self, request: ListenerRequest, client_id: str) -> Response:
        """Let the device keep tracks offline, or no longer. Twice is once. One that was not registered yet is so now.

        403 no_subscription or offline_not_in_plan · 409 device_limit_reached with the plan's `limit` · 429
        too_many_new_devices · 503 platform_unavailable: nothing has changed, try again in Retry-After seconds.
        404 device_not_found to one that was removed, or that nobody knows and is to be off.
        """
        wish = self.Input(data=request.data)
        wish.is_valid(raise_exception=True)
        listener_id, now = listener_id_of(request), timezone.now()
        checked(client_id)
        if wish.validated_data["enabled"]:
            make_known(listener_id=listener_id, client_id=client_id, now=now)
            turn_on(listener_id=listener_id, client_id=client_id, now=now)
        else:
            turn_off(listener_id=listener_id, client_id=client_id, now=now)
        known = known_device(listener_id=listener_id, client_id=client_id)
        note_seen(known, now=now)
        state = {"offline_enabled": known.offline == Device.Offline.ON, "max_tracks": known.max_tracks}
        return Response(self.Output(state).data)
