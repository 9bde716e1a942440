"""Purchases, and the URLs from which what was bought is downloaded."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.response import Response
from rest_framework.views import APIView

from downloads.fetching import Parcel, Wish, issue_download, own_purchase
from downloads.models import Purchase
from downloads.shapes import PurchaseShape
from web.callers import IsListener, ListenerRequest, listener_id_of
from web.fields import CatalogueId, Uuid
from web.idempotency import keyed
from web.pages import PAGE_PARAMETERS, Pages, page_of


class PurchasePages(Pages):
    ordering = ("-paid_at", "-id")


class Purchases(APIView):
    permission_classes = [IsListener]

    @extend_schema(
        operation_id="purchases",
        parameters=PAGE_PARAMETERS,
        responses=page_of(PurchaseShape(many=True), name="Purchase"),
    )
    def get(self, request: ListenerRequest) -> Response:
        """The caller's purchases, newest first."""
        pages = PurchasePages()
        mine = Purchase.objects.filter(listener=listener_id_of(request))
        page = pages.paginate_queryset(mine, request, view=self)
        return pages.get_paginated_response(PurchaseShape(page, many=True).data)


class OnePurchase(APIView):
    permission_classes = [IsListener]

    @extend_schema(operation_id="purchase", responses=PurchaseShape)
    def get(self, request: ListenerRequest, purchase_id: UUID) -> Response:
        """One of the caller's purchases. 404 purchase_not_found for anybody else's."""
        return Response(PurchaseShape(own_purchase(listener_id_of(request), purchase_id)).data)


class Downloads(APIView):
    permission_classes = [IsListener]

    class Input(serializers.Serializer[Any]):
        purchase_id = Uuid(required=False, allow_null=True, help_text="all of it as a ZIP, or")
        release_id = CatalogueId(required=False, allow_null=True)
        track_id = CatalogueId(required=False, allow_null=True, help_text="without it the release as a ZIP")
        format_id = CatalogueId(required=False, allow_null=True)

        class Meta:
            ref_name = "DownloadWish"

        def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
            named = {name for name, value in attrs.items() if value is not None}
            if "purchase_id" in named:
                if len(named) > 1:
                    raise serializers.ValidationError({"purchase_id": "may not stand beside anything else"})
                return attrs
            if "release_id" not in named:
                raise serializers.ValidationError({"release_id": "or purchase_id is required"}, code="required")
            if "format_id" not in named:
                raise serializers.ValidationError({"format_id": "This field is required."}, code="required")
            return attrs

    class Output(serializers.Serializer[Any]):
        url = serializers.URLField(help_text="a secret: fetch it, do not store or show it")
        expires_at = serializers.DateTimeField()
        kind = serializers.ChoiceField(choices=[kind.value for kind in Parcel])

        class Meta:
            ref_name = "Download"

    @extend_schema(operation_id="download_issue", request=Input, responses={201: Output})
    @keyed(fresh=True)
    def post(self, request: ListenerRequest) -> Response:
        """A signed URL for a purchase or a release as a ZIP, or for one track as an audio file.

        404 purchase_not_found · 409 purchase_not_ready until the platform has confirmed the sale.
        """
        wish = self.Input(data=request.data)
        wish.is_valid(raise_exception=True)
        issued = issue_download(
            listener_id=listener_id_of(request), wish=Wish(**wish.validated_data), now=timezone.now()
        )
        return Response(self.Output(issued).data, status=status.HTTP_201_CREATED, headers={"Cache-Control": "no-store"})
