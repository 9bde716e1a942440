"""Who streams on what, for support."""

from __future__ import annotations

from django.contrib import admin
from unfold.admin import ModelAdmin

from desk.rows import ReadOnly
from streaming.models import StreamHolder


@admin.register(StreamHolder)
class StreamHolderAdmin(ReadOnly, ModelAdmin):
    list_display = ["listener", "client_id", "track_id", "since", "plays_until"]
    list_select_related = ["listener"]
    search_fields = ["listener__platform_id", "client_id"]
