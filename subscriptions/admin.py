"""Plans to edit; subscriptions and windows to read."""

from __future__ import annotations

from django.contrib import admin
from simple_history.admin import SimpleHistoryAdmin
from unfold.admin import ModelAdmin, TabularInline

from desk.rows import ReadOnly
from subscriptions.models import Period, Plan, PlatformWindow, Subscription


@admin.register(Plan)
class PlanAdmin(SimpleHistoryAdmin, ModelAdmin):
    list_display = ["code", "name", "trial", "offline", "currency", "recurring_fee", "products"]
    search_fields = ["code", "name"]


class WindowInline(ReadOnly, TabularInline):
    model = PlatformWindow
    fields = ["plan", "starts_at", "expires_at", "state", "detail", "told_at"]
    extra = 0


class PeriodInline(ReadOnly, TabularInline):
    """The ledger, withdrawn periods included."""

    model = Period
    fields = ["starts_at", "ends_at", "status", "plan", "recurring_fee", "currency", "recorded_at", "withdrawn_at"]
    ordering = ["-ends_at", "-id"]
    extra = 0


@admin.register(Subscription)
class SubscriptionAdmin(ReadOnly, ModelAdmin):
    list_display = ["external_id", "listener", "plan", "status", "starts_at", "entitled_until", "as_of"]
    list_filter = ["status", "plan"]
    list_select_related = ["listener", "plan"]
    search_fields = ["external_id", "listener__platform_id", "listener__user__email"]
    inlines = [PeriodInline, WindowInline]
