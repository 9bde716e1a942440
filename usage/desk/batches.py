"""What went out together: each batch with its call, what was answered, and the plays in it."""

from __future__ import annotations

from typing import Any, Final

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin

from desk.cells import Table, moment, state
from desk.rows import ActedUpon, led_to, noted
from desk.story import listed
from usage.actions import decide_doubt
from usage.models import TOPICS, Play, PlayBatch

SHOWN: Final = 500  # plays on a batch's page: a file has more


@admin.register(PlayBatch)
class PlayBatchAdmin(ActedUpon, ModelAdmin):
    list_display = [
        "id",
        "channel",
        "listener",
        "country",
        "size",
        "standing",
        "platform_code",
        "created_at",
        "answered_at",
    ]
    list_filter = ["state", "channel"]
    list_select_related = ["listener"]
    search_fields = ["=id", "=listener__platform_id", "=object_name"]
    search_help_text = "a batch’s number, a listener’s platform id, or a file’s name"
    ordering = ["-id"]
    fieldsets = [
        (None, {"fields": [("standing", "size"), ("channel", "created_at"), ("listener", "country")]}),
        ("The call", {"fields": ["call", ("called_at", "message")]}),
        ("The answer", {"fields": [("answered_at", "counted"), ("platform_code", "detail")]}),
    ]
    readonly_fields = ["standing", "call", "message"]
    actions = ["was_taken", "was_not"]

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> Any:
        batch: PlayBatch = kwargs["obj"]
        plays = Play.objects.filter(batch=batch).order_by("played_at", "pk")[:SHOWN]
        context |= {"plays": plays_table(plays), "more": max(0, batch.size - SHOWN)}
        return super().render_change_form(request, context, *args, **kwargs)

    def has_operate_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("usage.change_playbatch")

    @admin.action(description="Those in doubt were taken", permissions=["operate"])
    def was_taken(self, request: HttpRequest, batches: QuerySet[PlayBatch]) -> None:
        self.decide(request, batches, taken=True)

    @admin.action(description="Those in doubt were not taken: send them again", permissions=["operate"])
    def was_not(self, request: HttpRequest, batches: QuerySet[PlayBatch]) -> None:
        self.decide(request, batches, taken=False)

    def decide(self, request: HttpRequest, batches: QuerySet[PlayBatch], *, taken: bool) -> None:
        decided = [
            batch for batch in led_to(batches, {PlayBatch.State.IN_DOUBT}) if decide_doubt(batch.pk, taken=taken)
        ]
        noted(request, decided, "Found out: it was taken" if taken else "Found out: it was not taken", was="state")
        self.message_user(request, f"{len(decided)} batch(es) are in doubt no more")

    @admin.display(description="state")
    def standing(self, batch: PlayBatch) -> SafeString:
        return state(batch.state)

    @admin.display(description="what is asked")
    def call(self, batch: PlayBatch) -> str:
        """As it goes out, but for the signature."""
        if batch.channel == PlayBatch.Channel.BUCKET:
            return f"PUT {batch.object_name}"
        return f"POST /user/subscription/log?userId={batch.user_id}&country={batch.country}"

    @admin.display(description="in the outbox")
    def message(self, batch: PlayBatch) -> SafeString:
        topic = TOPICS[PlayBatch.Channel(batch.channel)]
        return listed("outbox.Message", "its message", q=batch.pk, topic__exact=topic)


def plays_table(plays: Any) -> Table:
    """A batch's plays in the order in which they are told."""
    return Table(
        headers=["played (UTC)", "track", "release", "format", "seconds", "mode", "state", "code"],
        rows=[
            [
                moment(each.played_at), listed("catalogue.Track", each.track_id, q=each.track_id), each.release_id,
                each.format_id, each.seconds_played, each.mode, state(each.state), each.platform_code or "–",
            ]
            for each in plays
        ],
    )  # fmt: skip
