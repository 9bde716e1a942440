"""`/config`: what an app should know before it does anything else."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from massivemusic.images import SIZES
from massivemusic.streaming import FORMATS
from subscriptions.models import Plan
from subscriptions.shapes import PlanShape
from usage.reading import MOST
from web.limits import limit_of


class FormatShape(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    codec = serializers.CharField()
    bitrate = serializers.IntegerField(allow_null=True, help_text="kbit/s")
    mime_type = serializers.CharField()
    streamable = serializers.BooleanField()
    downloadable = serializers.BooleanField()


class LimitShape(serializers.Serializer[Any]):
    scope = serializers.CharField()
    requests = serializers.IntegerField()
    seconds = serializers.IntegerField()


class About(APIView):
    authentication_classes = []
    permission_classes = [AllowAny]

    class Output(serializers.Serializer[Any]):
        server_time = serializers.DateTimeField()
        min_app_version = serializers.CharField()
        formats = FormatShape(many=True)
        plans = PlanShape(many=True)
        limits = LimitShape(many=True)
        plays_per_request = serializers.IntegerField()
        stream_block_seconds = serializers.IntegerField()
        stream_url_seconds = serializers.IntegerField()
        image_sizes = serializers.ListField(
            child=serializers.IntegerField(), help_text="pixels that may stand for {size} in an image_url"
        )

        class Meta:
            ref_name = "Config"

    @extend_schema(operation_id="config", responses=Output)
    def get(self, request: Request) -> Response:
        """Formats, plans, limits, batch sizes, server time and the oldest app that still works."""
        useful = [known for known in FORMATS.values() if known.streamable or known.downloadable]
        limits = [{"scope": scope, **vars(limit_of(scope))} for scope in settings.LIMITS if scope != "webhooks"]
        facts = {
            "server_time": timezone.now(),
            "min_app_version": settings.MIN_APP_VERSION,
            "formats": useful,
            "plans": Plan.objects.order_by("code"),
            "limits": limits,
            "plays_per_request": MOST,
            "stream_block_seconds": settings.STREAM_BLOCK_SECONDS,
            "stream_url_seconds": settings.STREAM_URL_SECONDS,
            "image_sizes": SIZES,
        }
        return Response(self.Output(facts).data)
