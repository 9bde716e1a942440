"""Where the platform pushes its catalogue: prove, keep, answer within its 10 seconds. Applying comes later."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from django.conf import settings
from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers, status
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from catalogue.keeping import store_event, watch_token
from catalogue.models import CatalogueEvent
from kernel.errors import Kind, Refusal
from massivemusic.events import check_token, load_public_keys
from web.bodies import AlwaysJSON, parse_json, read_body

MAX_MEMBERS: Final = 10_000  # more would hold up the applier for seconds
BODY: Final = {"type": "array", "items": {"type": "object"}, "minItems": 1, "maxItems": MAX_MEMBERS}


class NotAnEvent(Refusal):
    """A catalogue event is an array with at least one member, and not too many."""

    code, kind = "invalid_event", Kind.INVALID


@cache
def public_keys() -> tuple[RSAPublicKey, ...]:
    """The keys whose signature we take, read from their PEM files once."""
    return tuple(load_public_keys(settings.CATALOGUE_EVENT_PUBLIC_KEYS))


class CatalogueDoor(APIView):
    """POST /webhooks/catalogue/standard and, with another `kind`, /webhooks/catalogue/enhanced."""

    kind: str = CatalogueEvent.Kind.STANDARD

    authentication_classes = []
    permission_classes = [AllowAny]
    content_negotiation_class = AlwaysJSON  # an odd Accept must not cost an event
    limit_scope = "webhooks"

    class Output(serializers.Serializer[Any]):
        event_id = serializers.CharField()
        members = serializers.IntegerField()

        class Meta:
            ref_name = "CatalogueEventReceipt"

    @extend_schema(
        request={"application/json": BODY},
        responses={202: Output},
        parameters=[OpenApiParameter("Authorization", str, OpenApiParameter.HEADER, required=True)],
    )
    def post(self, request: Request) -> HttpResponse:
        """Take one array of events from the platform, gzipped or not: releases and takedowns, or tags of tracks."""
        token = check_token(request.headers.get("Authorization", ""), keys=public_keys(), now=timezone.now())
        body = read_body(request._request)
        members = parse_json(body, texts=False)  # one bad text costs its member, not the others
        if not isinstance(members, list) or not 1 <= len(members) <= MAX_MEMBERS:
            raise NotAnEvent(f"a catalogue event is an array of 1 to {MAX_MEMBERS} members")
        event_id = store_event(body=body, members=members, kind=self.kind, token=token)
        watch_token(event_id, token=token, body=body)
        return Response({"event_id": str(event_id), "members": len(members)}, status=status.HTTP_202_ACCEPTED)
