"""The ledger for operations: batches and the plays in them."""

from __future__ import annotations

from django.contrib import admin
from unfold.admin import ModelAdmin

from desk.rows import ReadOnly
from usage.models import Play, PlayBatch


@admin.register(PlayBatch)
class PlayBatchAdmin(ReadOnly, ModelAdmin):
    list_display = ["id", "listener", "country", "size", "state", "platform_code", "created_at", "answered_at"]
    list_filter = ["state"]
    list_select_related = ["listener"]
    search_fields = ["=id", "listener__platform_id"]
    ordering = ["-id"]


@admin.register(Play)
class PlayAdmin(ReadOnly, ModelAdmin):
    list_display_links = None  # a row says all there is
    list_display = ["play_id", "track_id", "country", "played_at", "seconds_played", "mode", "state", "platform_code"]
    search_fields = ["=play_id", "listener__platform_id"]
    list_filter = ["state"]
    ordering = ["-id"]
