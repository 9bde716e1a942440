"""The outbox for operations: what is late, what is dead, and a person's decision about it."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from desk.rows import MOST, CappedPaginator, ReadOnly, noted
from outbox.actions import discard, retry
from outbox.models import Circuit, Heartbeat, Message


@admin.register(Message)
class MessageAdmin(ReadOnly, ModelAdmin):
    """Dead messages stop their lane until they are retried or discarded here."""

    list_display = ["id", "topic", "lane", "state", "attempts", "due_at", "deadline", "short_error"]
    list_filter = ["state", "topic"]
    search_fields = ["lane", "key"]
    ordering = ["-id"]
    actions = ["try_again", "give_up"]
    paginator = CappedPaginator  # whoever gives all of them up must see how many

    def has_operate_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("outbox.change_message")

    @admin.display(description="last error")
    def short_error(self, message: Message) -> str:
        return message.last_error[:80]

    @admin.action(description="Try the dead ones again", permissions=["operate"])
    def try_again(self, request: HttpRequest, messages: QuerySet[Message]) -> None:
        chosen = dead_ones(messages)
        self.message_user(request, f"{retry(chosen)} message(s) will be tried again")
        noted(request, chosen, "Tried again", was="state")

    @admin.action(description="Give the dead ones up", permissions=["operate"])
    def give_up(self, request: HttpRequest, messages: QuerySet[Message]) -> None:
        chosen = dead_ones(messages)
        self.message_user(request, f"{discard(chosen)} message(s) given up; their lanes go on")
        noted(request, chosen, "Given up", was="state")


def dead_ones(messages: QuerySet[Message]) -> list[Message]:
    """As many as the list counts."""
    return list(messages.filter(state=Message.State.DEAD)[:MOST])


@admin.register(Circuit)
class CircuitAdmin(ReadOnly, ModelAdmin):
    list_display = ["name", "failures", "open_until"]
    search_fields = ["name"]


@admin.register(Heartbeat)
class HeartbeatAdmin(ReadOnly, ModelAdmin):
    list_display = ["name", "at"]
    search_fields = ["name"]
