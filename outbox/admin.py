"""The outbox for operations: what is late, what is dead, and a person's decision about it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from desk.rows import MOST, ActedUpon, ReadOnly, noted
from outbox.actions import discard, retry
from outbox.models import Circuit, Heartbeat, Message
from outbox.registry import topics


class ByTopic(admin.SimpleListFilter):
    """Those that are handled: only all the messages could tell which others there have been."""

    title = "topic"
    parameter_name = "topic__exact"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        return [(topic, topic) for topic in topics()]

    def queryset(self, request: HttpRequest, messages: QuerySet[Message]) -> QuerySet[Message]:
        return messages.filter(topic=self.value()) if self.value() else messages


@admin.register(Message)
class MessageAdmin(ActedUpon, ModelAdmin):
    """Dead messages stop their lane until they are retried or discarded here."""

    list_display = ["id", "topic", "lane", "state", "attempts", "due_at", "deadline", "short_error"]
    list_filter = ["state", ByTopic]
    search_fields = ["lane"]  # for the box; `get_search_results` does the finding
    search_help_text = "a message’s whole lane, such as a listener’s platform id, or its whole key"
    ordering = ["-id"]
    actions = ["try_again", "give_up"]

    def has_operate_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("outbox.change_message")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Message], search_term: str
    ) -> tuple[QuerySet[Message], bool]:
        word = search_term.strip()
        called_so = Q(lane=word) | Q(topic__in=topics(), key=word)  # by topic too: so keys are indexed
        return (queryset.filter(called_so) if word else queryset), False

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
