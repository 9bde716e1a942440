"""`/me`: the caller's own account."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import Http404, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.actions import close_account, filter_explicit, move_listener
from accounts.exports import check_ready, parts_of, request_export
from accounts.http import listener_of
from accounts.models import Export, Listener
from web.bodies import AlwaysJSON
from web.callers import IsListener, ListenerRequest
from web.fields import Text, Truth, country_exists
from web.idempotency import keyed


class Me(APIView):
    """The caller: what billing systems call the account, and what the catalogue is filtered by."""

    permission_classes = [IsListener]

    class Output(serializers.ModelSerializer[Listener]):
        email = serializers.EmailField(source="user.email")

        class Meta:
            model = Listener
            fields = ["id", "email", "country", "explicit_filter", "created_at"]
            read_only_fields = fields
            ref_name = "Me"

    class Input(serializers.Serializer[Any]):
        country = Text(max_length=2, required=False, validators=[country_exists])
        explicit_filter = Truth(required=False)

        class Meta:
            ref_name = "MeChanges"

    @extend_schema(operation_id="me_read", responses=Output)
    def get(self, request: ListenerRequest) -> Response:
        """The caller's account; `id` is the account_id that billing systems use."""
        return Response(self.Output(listener_of(request)).data)

    @extend_schema(operation_id="me_change", request=Input, responses=Output)
    def patch(self, request: ListenerRequest) -> Response:
        """Change the country of residence (its history is kept) or the explicit filter."""
        listener = listener_of(request)
        wish = self.Input(data=request.data)
        wish.is_valid(raise_exception=True)
        if "country" in wish.validated_data:
            country = wish.validated_data["country"]
            move_listener(listener=listener, country=country, by=listener.user, now=timezone.now())
        if "explicit_filter" in wish.validated_data:
            filter_explicit(listener=listener, hide=wish.validated_data["explicit_filter"])
        return Response(self.Output(listener).data)

    @extend_schema(operation_id="me_close", responses={204: None})
    def delete(self, request: ListenerRequest) -> Response:
        """Erase the account. Plays stay, under a pseudonym, because they must be paid."""
        close_account(listener=listener_of(request), now=timezone.now())
        return Response(status=status.HTTP_204_NO_CONTENT)


class ExportShape(serializers.ModelSerializer[Export]):
    class Meta:
        model = Export
        fields = ["id", "state", "requested_at", "expires_at"]
        read_only_fields = fields
        ref_name = "Export"


class Exports(APIView):
    """POST /api/v1/me/exports."""

    permission_classes = [IsListener]
    limit_scope = "exports"

    @extend_schema(operation_id="me_export", request=None, responses={202: ExportShape})
    @keyed()
    def post(self, request: ListenerRequest) -> Response:
        """Ask for everything we hold about the caller. One is made at a time, and the newest is kept."""
        return awaited(request_export(listener=listener_of(request)))


class OneExport(APIView):
    """GET /api/v1/me/exports/{id}."""

    permission_classes = [IsListener]
    content_negotiation_class = AlwaysJSON  # for everything but the ZIP

    @extend_schema(
        operation_id="me_export_fetch", responses={(200, "application/zip"): OpenApiTypes.BINARY, 202: ExportShape}
    )
    def get(self, request: ListenerRequest, export_id: UUID) -> HttpResponseBase:
        """The ZIP of JSON files, once it is made; until then 202.

        404 export_expired when its days are over or a newer one has taken its place · 409 export_failed.
        """
        export = listener_of(request).exports.filter(pk=export_id).first()
        if export is None:
            raise Http404
        if export.state == Export.State.WAITING:
            return awaited(export)
        check_ready(export, now=timezone.now())
        headers = {"Content-Disposition": 'attachment; filename="export.zip"', "Cache-Control": "no-store"}
        headers["Content-Length"] = str(export.size)
        return StreamingHttpResponse(parts_of(export.pk), content_type="application/zip", headers=headers)


def awaited(export: Export) -> Response:
    """202, and when to look again."""
    return Response(ExportShape(export).data, status=status.HTTP_202_ACCEPTED, headers={"Retry-After": "5"})
