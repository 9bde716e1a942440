"""Purchases as a list, and everything about one on its page."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin
from unfold.dataclasses import UnfoldAction
from unfold.decorators import action

from accounts.finding import named_so
from accounts.models import Listener
from desk.cells import moment, state
from desk.rows import LongList
from downloads.desk import deciding, lines
from downloads.desk.page import story_of
from downloads.models import Purchase
from downloads.selling import sale_of
from kernel.values import add_months
from massivemusic.sales import on_the_wire

MOST: Final = 500  # purchases that a search finds by an id
LISTENERS: Final = 20  # whom a search finds at the most
LONGEST: Final = 18  # digits of a purchase id
UNDECIDED: Final = ["was_sold", "was_not_sold", "sell_again", "look_now"]


class Paid(admin.SimpleListFilter):
    """Since when, or in which month of UTC."""

    title = "paid"
    parameter_name = "paid"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        return [("day", "the last 24 hours"), ("week", "the last 7 days"), ("month", "this month"),
                ("before", "last month")]  # fmt: skip

    def queryset(self, request: HttpRequest, purchases: QuerySet[Purchase]) -> QuerySet[Purchase]:
        start, end = time_of(self.value(), now=timezone.now())
        purchases = purchases.filter(paid_at__gte=start) if start else purchases
        return purchases.filter(paid_at__lt=end) if end else purchases


def time_of(name: str | None, *, now: datetime) -> tuple[datetime | None, datetime | None]:
    """From when until before when purchases are shown; None where that is open."""
    month = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    times = {
        "day": (now - timedelta(days=1), None), "week": (now - timedelta(days=7), None), "month": (month, None),
        "before": (add_months(month, -1), month),
    }  # fmt: skip
    return times.get(name or "", (None, None))


@admin.register(Purchase)
class PurchaseAdmin(LongList, ModelAdmin):
    """Everything that was paid for, the latest first."""

    list_display = ["paid", "transaction_id", "bought", "price", "country", "standing", "taken_back", "who"]
    list_display_links = ["transaction_id"]
    list_filter = ["state", Paid]
    list_select_related = ["listener", "refund"]
    search_fields = ["id"]  # for the box; `get_search_results` does the finding
    search_help_text = "a transaction’s id, the platform’s purchase id, or a listener’s id, platform id or e-mail"
    ordering = ["-paid_at", "-id"]
    fieldsets = [
        (None, {"fields": [("bought", "standing"), ("who", "price"), ("transaction_id", "paid_at"), "found_out"]}),
        ("The sale", {"fields": [("platform_id", "sold_at"), ("called_at", "looked_at"), "call"]}),
        (
            "As it was on the day",
            {
                "fields": [
                    ("release_title", "label"), ("release_id", "track_id"), ("isrc", "upc"), ("country", "postcode"),
                    ("email", "round"),
                ]
            },
        ),
    ]  # fmt: skip
    readonly_fields = ["bought", "standing", "who", "price", "found_out", "call"]
    actions_detail = [{"title": "What became of it?", "icon": "help", "items": UNDECIDED}, "take_back"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Purchase]:
        purchases: QuerySet[Purchase] = super().get_queryset(request)
        return purchases.select_related("listener", "refund__asked_by")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Purchase], search_term: str
    ) -> tuple[QuerySet[Purchase], bool]:
        return (queryset.filter(named(search_term.strip())) if search_term.strip() else queryset), False

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[UnfoldAction]:
        """Those that make sense now; the others say why they do not, to whoever is late."""
        purchase = self.get_object(request, object_id)
        allowed = super().get_actions_detail(request, object_id)
        return [each for each in allowed if purchase and makes_sense(each.path, purchase)]

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> Any:
        context |= story_of(kwargs["obj"], reader=request.user, now=timezone.now())
        return super().render_change_form(request, context, *args, **kwargs)

    @admin.display(description="paid (UTC)")
    def paid(self, purchase: Purchase) -> str:
        return moment(purchase.paid_at)

    @admin.display(description="what")
    def bought(self, purchase: Purchase) -> str:
        return lines.what(purchase)

    @admin.display(description="price")
    def price(self, purchase: Purchase) -> str:
        return lines.price(purchase)

    @admin.display(description="listener")
    def who(self, purchase: Purchase) -> SafeString:
        return lines.who(purchase)

    @admin.display(description="state")
    def standing(self, purchase: Purchase) -> SafeString:
        return state(purchase.state)

    @admin.display(description="refund")
    def taken_back(self, purchase: Purchase) -> SafeString | str:
        return lines.taken_back(purchase)

    @admin.display(description="what was said")
    def found_out(self, purchase: Purchase) -> str:
        return lines.said(purchase.platform_code, purchase.detail)

    @admin.display(description="the call")
    def call(self, purchase: Purchase) -> str:
        """As it goes out, but for the signature."""
        return f"GET /user/deliveritem?{urlencode(on_the_wire(sale_of(purchase)))}"

    def has_decide_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return request.user.has_perm("downloads.change_purchase")

    def has_refund_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return request.user.has_perm("downloads.refund_purchase")

    @action(description="It was sold", icon="check", permissions=["decide"])
    def was_sold(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return deciding.was_sold(request, self.one(request, object_id))

    @action(description="It was not sold", icon="close", permissions=["decide"])
    def was_not_sold(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return deciding.was_not_sold(request, self.one(request, object_id))

    @action(description="Sell it again", icon="replay", permissions=["decide"])
    def sell_again(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return deciding.sell_again(request, self.one(request, object_id))

    @action(description="Look into the locker now", icon="search", permissions=["decide"])
    def look_now(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return deciding.look_now(request, self.one(request, object_id))

    @action(description="Take back", icon="undo", permissions=["refund"])
    def take_back(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return deciding.take_back(request, self.one(request, object_id))

    def one(self, request: HttpRequest, object_id: str) -> Purchase:
        """Raises Http404."""
        purchase = self.get_object(request, object_id)
        if not isinstance(purchase, Purchase):
            raise Http404("no such purchase")
        return purchase


def makes_sense(name: str, purchase: Purchase) -> bool:
    """Whether something can be done about a purchase as it stands."""
    if name == "take_back":
        gone = {Purchase.State.REFUSED, Purchase.State.REFUNDED}
        return purchase.state not in gone and not hasattr(purchase, "refund")
    return purchase.state == Purchase.State.UNKNOWN


def named(text: str) -> Q:
    """What a purchase is called by, one index at a time; the things of a basket are numbered after a slash."""
    numbers = {"platform_id": int(text)} if text.isascii() and text.isdigit() and len(text) <= LONGEST else None
    called_so = Purchase.objects.filter(Q(transaction_id=text) | Q(transaction_id__startswith=f"{text}/"))
    counted = Purchase.objects.filter(**numbers) if numbers else Purchase.objects.none()
    found = [*called_so.values_list("pk", flat=True)[:MOST], *counted.values_list("pk", flat=True)[:MOST]]
    if found:
        return Q(pk__in=found)
    return Q(listener__in=list(Listener.objects.filter(named_so(text)).values_list("pk", flat=True)[:LISTENERS]))
