"""Refunds: those that a person must see to, and all others."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from django.contrib import admin
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin
from unfold.dataclasses import UnfoldAction
from unfold.decorators import action

from desk.cells import link, moment, state
from desk.rows import LongList
from downloads.desk import deciding, lines
from downloads.desk.purchases import named
from downloads.models import Purchase, Refund

OPEN: Final = (Refund.State.WAITING, Refund.State.REFUSED)
SENSIBLE: Final = {"ask_again": {Refund.State.REFUSED, Refund.State.STANDS}, "let_stand": {Refund.State.REFUSED}}


class ByState(admin.SimpleListFilter):
    """Those that are not done, unless others are asked for."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        return [*Refund.State.choices, ("ALL", "All")]

    def queryset(self, request: HttpRequest, refunds: QuerySet[Refund]) -> QuerySet[Refund]:
        if self.value() == "ALL" or (self.value() is None and request.GET.get("q")):
            return refunds
        return refunds.filter(state__in=[self.value()] if self.value() else OPEN)

    def choices(self, changelist: Any) -> Any:
        """What stands first is what comes without a choice."""
        first, *others = super().choices(changelist)
        return [first | {"display": "to be seen to"}, *others]


@admin.register(Refund)
class RefundAdmin(LongList, ModelAdmin):
    """What is to be taken back at the platform, and by when."""

    list_display = ["asked", "what", "price", "standing", "closes", "reason", "asked_by", "said"]
    list_display_links = ["asked"]
    list_filter = [ByState]
    list_select_related = ["purchase__listener", "asked_by"]
    search_fields = ["purchase"]  # for the box; `get_search_results` does the finding
    search_help_text = "a transaction’s id, the platform’s purchase id, or a listener’s id, platform id or e-mail"
    ordering = ["-asked_at"]
    fields = [("what", "price"), ("standing", "closes"), ("asked_at", "asked_by"), "reason", ("settled_at", "round"),
              "said"]  # fmt: skip
    readonly_fields = ["what", "price", "standing", "closes", "said"]
    actions_detail = ["ask_again", "let_stand"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Refund]:
        refunds: QuerySet[Refund] = super().get_queryset(request)
        return refunds.select_related("purchase__listener", "asked_by")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Refund], search_term: str
    ) -> tuple[QuerySet[Refund], bool]:
        if not search_term.strip():
            return queryset, False
        return queryset.filter(purchase__in=Purchase.objects.filter(named(search_term.strip()))), False

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[UnfoldAction]:
        """Those that make sense now; the other says why it does not, to whoever is late."""
        refund = self.get_object(request, object_id)
        allowed = super().get_actions_detail(request, object_id)
        return [each for each in allowed if refund and refund.state in SENSIBLE[each.path]]

    @admin.display(description="wanted (UTC)")
    def asked(self, refund: Refund) -> str:
        return moment(refund.asked_at)

    @admin.display(description="what")
    def what(self, refund: Refund) -> SafeString:
        return link(refund.purchase, f"{refund.purchase.transaction_id}: {lines.what(refund.purchase)}")

    @admin.display(description="price")
    def price(self, refund: Refund) -> str:
        return lines.price(refund.purchase)

    @admin.display(description="state")
    def standing(self, refund: Refund) -> SafeString:
        return state(refund.state)

    @admin.display(description="the time for it")
    def closes(self, refund: Refund) -> SafeString | str:
        if refund.state in {Refund.State.DONE, Refund.State.STANDS}:
            return "–"
        return lines.countdown(refund.purchase.sold_at, now=timezone.now())

    @admin.display(description="what was said")
    def said(self, refund: Refund) -> str:
        return lines.said(refund.platform_code, refund.detail)

    def has_refund_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return request.user.has_perm("downloads.refund_purchase")

    @action(description="Ask once more", icon="replay", permissions=["refund"])
    def ask_again(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return deciding.ask_again(request, self.one(request, object_id))

    @action(description="Let the sale stand", icon="check", permissions=["refund"])
    def let_stand(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return deciding.let_stand(request, self.one(request, object_id))

    def one(self, request: HttpRequest, object_id: str) -> Refund:
        """Raises Http404."""
        refund = self.get_object(request, object_id)
        if not isinstance(refund, Refund):
            raise Http404("no such refund")
        return refund
