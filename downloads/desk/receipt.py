"""A purchase's receipt as its listener has it, for staff."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect

from desk.cells import page_of
from desk.rows import may_view
from downloads.models import Purchase
from downloads.receipt_api import HEADERS, Page, Paper
from downloads.receipts import NoReceipt, receipt_of


def receipt(request: HttpRequest, purchase_id: UUID) -> HttpResponse:
    """As a page, or with `?as=pdf` on paper; of what is not sold there is none, and the purchase's page says so."""
    if not may_view(request.user, "downloads.Purchase"):
        raise PermissionDenied
    purchase = get_object_or_404(Purchase.objects.select_related("refund"), pk=purchase_id)
    form = Paper() if request.GET.get("as") == "pdf" else Page()
    try:
        content = form.written(receipt_of(purchase))
    except NoReceipt as no:
        messages.warning(request, f"No: {no.detail}.")
        return redirect(page_of(purchase))
    return HttpResponse(content, content_type=form.media_type, headers=HEADERS)
