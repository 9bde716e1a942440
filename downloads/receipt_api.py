"""Receipts: a page to look at and to print, or the same on paper."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from django.template.loader import render_to_string
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.response import Response
from rest_framework.views import APIView

from downloads.fetching import own_purchase
from downloads.models import Purchase
from downloads.receipts import Receipt, receipt_of
from web.callers import IsListener, ListenerRequest, listener_id_of

# Nothing of a receipt comes from anywhere else, and nothing in it runs.
HEADERS: Final = {
    "Cache-Control": "private, no-cache",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
}


class ReceiptRenderer(BaseRenderer, ABC):
    """Receipts in one form; what went wrong instead is JSON, as everywhere."""

    def render(self, data: Any, media_type: str | None = None, context: Mapping[str, Any] | None = None) -> bytes:
        return self.written(data) if isinstance(data, Receipt) else JSONRenderer().render(data)

    @abstractmethod
    def written(self, receipt: Receipt) -> bytes:
        """The receipt's bytes."""


class Page(ReceiptRenderer):
    media_type = "text/html"
    format = "html"

    def written(self, receipt: Receipt) -> bytes:
        return render_to_string("receipts/receipt.html", {"receipt": receipt}).encode()


class Paper(ReceiptRenderer):
    media_type = "application/pdf"
    format = "pdf"
    charset = None
    render_style = "binary"

    def written(self, receipt: Receipt) -> bytes:
        from downloads.paper import paper_of  # heavy, and wanted here alone

        return paper_of(receipt)


class OneReceipt(APIView):
    permission_classes = [IsListener]
    renderer_classes = [Page, Paper]

    @extend_schema(
        operation_id="receipt",
        responses={(200, "text/html"): OpenApiTypes.STR, (200, "application/pdf"): OpenApiTypes.BINARY},
    )
    def get(self, request: ListenerRequest, purchase_id: UUID) -> Response:
        """The receipt of one of the caller's purchases, as HTML, or as PDF with `Accept: application/pdf`.

        404 purchase_not_found for anybody else's · 409 no_receipt for what is not sold, or not yet.
        """
        purchase = own_purchase(listener_id_of(request), purchase_id)
        return Response(receipt_of(purchase), headers=HEADERS | filed(purchase))


def filed(purchase: Purchase) -> dict[str, str]:
    """Under which name a browser keeps it."""
    return {"Content-Disposition": f'inline; filename="receipt-{purchase.pk}"'}
