"""Read-only shelves: the mirror is written by catalogue events alone."""

from __future__ import annotations

from django.contrib import admin
from unfold.admin import ModelAdmin, TabularInline

from catalogue.models import Artist, CatalogueEvent, Offer, Release, Track
from desk.rows import ReadOnly


class OfferInline(ReadOnly, TabularInline):
    model = Offer
    fields = ["use", "region", "starts_at", "ends_at"]
    extra = 0


@admin.register(Artist)
class ArtistAdmin(ReadOnly, ModelAdmin):
    list_display = ["id", "name"]
    search_fields = ["=id", "name__istartswith"]
    fields = ["id", "name"]


@admin.register(Release)
class ReleaseAdmin(ReadOnly, ModelAdmin):
    list_display = ["id", "title", "artist", "label", "release_date", "taken_down_at", "version"]
    list_select_related = ["artist"]
    search_fields = ["=id", "=upc", "title__istartswith"]
    exclude = ["search"]
    ordering = ["-id"]


@admin.register(Track)
class TrackAdmin(ReadOnly, ModelAdmin):
    list_display = ["id", "title", "artist", "release", "isrc", "duration_seconds", "gone_at"]
    list_select_related = ["artist", "release"]
    search_fields = ["=id", "=isrc", "title__istartswith"]
    exclude = ["search"]
    ordering = ["-id"]
    inlines = [OfferInline]


@admin.register(CatalogueEvent)
class CatalogueEventAdmin(ReadOnly, ModelAdmin):
    list_display = ["id", "kind", "received_at", "members", "state", "attempts", "outcome"]
    list_filter = ["state", "kind"]
    fields = ["kind", "received_at", "members", "state", "attempts", "due_at", "outcome", "last_error"]
    ordering = ["-id"]
