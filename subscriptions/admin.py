"""Plans to edit; subscriptions and windows to look at, and to tell the platform of once more."""

from __future__ import annotations

from collections.abc import Iterable

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString
from simple_history.admin import SimpleHistoryAdmin
from unfold.admin import ModelAdmin, TabularInline

from accounts.models import Listener, User
from desk.cells import state
from desk.rows import MOST, ActedUpon, ReadOnly, Uncounted, noted
from subscriptions.complimentary import is_gift, take_back
from subscriptions.desk.gift import report
from subscriptions.models import Period, Plan, PlatformWindow, Subscription
from subscriptions.telling import tell_again


@admin.register(Plan)
class PlanAdmin(Uncounted, SimpleHistoryAdmin, ModelAdmin):
    list_display = ["code", "name", "trial", "offline", "currency", "recurring_fee", "products"]
    list_filter = ["trial", "offline"]
    search_fields = ["code", "name"]


class WindowInline(ReadOnly, TabularInline):
    model = PlatformWindow
    fields = ["plan", "starts_at", "expires_at", "state", "detail", "told_at"]
    ordering = ["-created_at"]
    extra = 0


class PeriodInline(ReadOnly, TabularInline):
    """The ledger, withdrawn periods included."""

    model = Period
    fields = ["starts_at", "ends_at", "status", "plan", "recurring_fee", "currency", "recorded_at", "withdrawn_at"]
    ordering = ["-ends_at", "-id"]
    extra = 0


@admin.register(Subscription)
class SubscriptionAdmin(ActedUpon, ModelAdmin):
    list_display = ["external_id", "listener", "plan", "status", "starts_at", "entitled_until", "as_of"]
    list_filter = ["status", "plan"]
    list_select_related = ["listener", "plan"]
    search_fields = ["external_id", "listener__platform_id", "listener__user__email"]
    inlines = [PeriodInline, WindowInline]
    actions = ["tell", "end_gift"]

    def has_tell_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("subscriptions.change_platformwindow")

    @admin.action(description="Tell the platform again what holds now", permissions=["tell"])
    def tell(self, request: HttpRequest, subscriptions: QuerySet[Subscription]) -> None:
        tell_and_say(request, {each.listener for each in subscriptions[:MOST]})

    def has_give_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("subscriptions.give_period")

    @admin.action(description="Take the gift back now", permissions=["give"])
    def end_gift(self, request: HttpRequest, subscriptions: QuerySet[Subscription]) -> None:
        staff: User = request.user  # type: ignore[assignment]
        for each in subscriptions[:MOST]:
            if not is_gift(each):
                messages.error(request, f"{each.external_id} is paid for: billing ends it")
                continue
            report(request, take_back(each, by=staff, now=timezone.now()))
            noted(request, [each], "Took the gift back")


@admin.register(PlatformWindow)
class PlatformWindowAdmin(ActedUpon, ModelAdmin):
    """What the platform was told, and would not have."""

    list_display = ["starts_at", "expires_at", "plan", "subscription", "standing", "detail", "told_at"]
    list_filter = ["state", "plan"]
    list_select_related = ["subscription", "plan"]
    search_fields = ["subscription__external_id", "listener__platform_id"]
    ordering = ["-created_at"]
    actions = ["tell_again"]

    @admin.display(description="state", ordering="state")
    def standing(self, window: PlatformWindow) -> SafeString:
        return state(window.state)

    def has_tell_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("subscriptions.change_platformwindow")

    @admin.action(description="Tell the platform again what holds now", permissions=["tell"])
    def tell_again(self, request: HttpRequest, windows: QuerySet[PlatformWindow]) -> None:
        tell_and_say(request, {each.listener for each in windows.select_related("listener")[:MOST]})


def tell_and_say(request: HttpRequest, listeners: Iterable[Listener]) -> None:
    """Queue what holds now for the platform once more, and say for how many listeners."""
    told = {each for each in listeners if tell_again(each, now=timezone.now())}
    noted(request, told, "Told the platform again")
    messages.success(request, f"The platform is being told of {len(told)} listener(s) again: whatever runs now")
