"""Read-only shelves: the mirror is written by catalogue events alone."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin, TabularInline

from catalogue.actions import apply_again
from catalogue.models import Artist, CatalogueEvent, Offer, Release, Track, TrackTags
from desk.rows import ReadOnly


class OfferInline(ReadOnly, TabularInline):
    model = Offer
    fields = ["use", "region", "starts_at", "ends_at"]
    extra = 0


class TagsInline(ReadOnly, TabularInline):
    model = TrackTags
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
    inlines = [OfferInline, TagsInline]


@admin.register(CatalogueEvent)
class CatalogueEventAdmin(ReadOnly, ModelAdmin):
    """What came, and what became of it. Searched by the id of a release."""

    list_display = ["id", "kind", "received_at", "members", "state", "attempts", "outcome"]
    list_filter = ["state", "kind"]
    fields = ["kind", "received_at", "members", "release_ids", "state", "attempts", "due_at", "outcome", "last_error"]
    search_fields = ["=id"]
    search_help_text = "the id of a release, or of an event"
    ordering = ["-id"]
    actions = ["try_again"]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[CatalogueEvent], search_term: str
    ) -> tuple[QuerySet[CatalogueEvent], bool]:
        """The events that speak of a release, and the one with that id."""
        if not search_term:
            return queryset, False
        if not (search_term.isascii() and search_term.isdigit() and int(search_term) < 2**31):
            return queryset.none(), False
        return queryset.filter(Q(release_ids__contains=[int(search_term)]) | Q(pk=int(search_term))), False

    def has_operate_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("catalogue.change_catalogueevent")

    @admin.action(description="Apply again", permissions=["operate"])
    def try_again(self, request: HttpRequest, events: QuerySet[CatalogueEvent]) -> None:
        self.message_user(request, f"{apply_again(events)} event(s) will be applied again")
