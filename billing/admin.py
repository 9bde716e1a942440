"""Billing events for support: what came, what became of it, once more where it failed."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from billing.actions import REPLAYABLE, replay
from billing.models import BillingEvent
from desk.rows import ActedUpon, led_to, noted


@admin.register(BillingEvent)
class BillingEventAdmin(ActedUpon, ModelAdmin):
    list_display = ["event_id", "provider", "type", "subject", "occurred_at", "state", "attempts"]
    list_filter = ["state", "type", "provider"]
    search_fields = ["event_id", "subject"]
    ordering = ["-id"]
    fields = [
        "provider", "event_id", "type", "subject", "occurred_at", "received_at",
        "state", "attempts", "due_at", "last_error", "data",
    ]  # fmt: skip
    actions = ["handle_again"]

    def has_operate_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("billing.change_billingevent")

    @admin.action(description="Handle again", permissions=["operate"])
    def handle_again(self, request: HttpRequest, events: QuerySet[BillingEvent]) -> None:
        chosen = led_to(events.defer("body"), REPLAYABLE)
        self.message_user(request, f"{replay(chosen)} event(s) will be handled again")
        noted(request, chosen, "Handled again", was="state")
