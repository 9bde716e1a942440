"""The sales of which nobody knows, and the refused ones whose money is still to be given back."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone

from desk.cells import Table, ago, link, moment
from desk.rows import may_view
from downloads.desk import lines
from downloads.models import Purchase

SHOWN: Final = 100  # rows of each table; the list has them all


def unknown_sales(request: HttpRequest) -> HttpResponse:
    """Those that nobody knows of first, the oldest of them first."""
    if not may_view(request.user, "downloads.Purchase"):
        raise PermissionDenied
    purchases = Purchase.objects.select_related("listener", "refund")
    unknown = purchases.filter(state=Purchase.State.UNKNOWN).order_by("paid_at", "pk")[: SHOWN + 1]
    refused = purchases.filter(state=Purchase.State.REFUSED, refund=None).order_by("-paid_at", "-pk")[:SHOWN]
    context = admin.site.each_context(request) | {
        "title": "Unknown sales", "unknown": unknown_table(list(unknown)[:SHOWN], now=timezone.now()),
        "more": len(unknown) > SHOWN, "refused": refused_table(list(refused)), "shown": SHOWN,
    }  # fmt: skip
    return TemplateResponse(request, "admin/downloads/unknown.html", context)


def unknown_table(purchases: list[Purchase], *, now: datetime) -> Table:
    return Table(
        headers=["paid", "for", "transaction", "what", "price", "listener", "the locker was looked into", "refund"],
        rows=[
            [
                moment(each.paid_at), ago(now - each.paid_at), link(each, each.transaction_id), lines.what(each),
                lines.price(each), lines.who(each), moment(each.looked_at), lines.taken_back(each),
            ]
            for each in purchases
        ],
    )  # fmt: skip


def refused_table(purchases: list[Purchase]) -> Table:
    return Table(
        headers=["paid", "transaction", "what", "price", "listener", "what was said"],
        rows=[
            [
                moment(each.paid_at), link(each, each.transaction_id), lines.what(each), lines.price(each),
                lines.who(each), lines.said(each.platform_code, each.detail),
            ]
            for each in purchases
        ],
    )  # fmt: skip
