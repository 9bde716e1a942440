"""Curated playlists and their shelves. Listeners’ own lists are nobody’s business here."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin, TabularInline

from accounts.models import User
from desk.cells import label
from desk.rows import ReadOnly, Uncounted, noted
from playlists.curation import create_curated
from playlists.desk.removal import may_delete, remove
from playlists.desk.ruling import RuleForm
from playlists.drafting import make_draft
from playlists.models import Featured, Playlist, Revision, Rule, Shelf
from playlists.publishing import State, state_of
from playlists.rules import RuleTooWide

COLOURS = {State.LIVE: "success", State.SCHEDULED: "info", State.EXPIRED: "warning", State.DRAFT: ""}


@admin.register(Playlist)
class PlaylistAdmin(ReadOnly, ModelAdmin):
    """Each opens on its own page, where it is made."""

    list_display = ["called", "standing", "proposed", "track_count", "updated_at"]
    list_display_links = None
    search_fields = ["name", "description", "curation__tags__icontains"]
    ordering = ["-updated_at"]
    fields = ["name"]

    def has_add_permission(self, request: HttpRequest, *args: Any) -> bool:
        return request.user.has_perm("playlists.change_playlist")

    def has_delete_permission(self, request: HttpRequest, obj: Playlist | None = None) -> bool:
        return may_delete(request, obj)

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Each is deleted on a page of its own, which says who loses what."""
        return {}

    def get_queryset(self, request: HttpRequest) -> QuerySet[Playlist]:
        rows: QuerySet[Playlist] = super().get_queryset(request)
        now, own = timezone.now(), Revision.objects.filter(playlist=OuterRef("pk"))
        return rows.filter(owner=None, removed_at=None, curation__isnull=False).annotate(
            live=Exists(own.live(now)),
            waiting=Exists(own.waiting(now)),
            begun=Exists(own.begun(now)),
            is_proposed=Q(curation__proposed_version=F("version")),
        )

    def save_model(self, request: HttpRequest, obj: Playlist, form: Any, change: bool) -> None:
        staff: User = request.user  # type: ignore[assignment]
        obj.pk = create_curated(name=obj.name, by=staff, now=timezone.now()).pk

    def response_add(self, request: HttpRequest, obj: Playlist, *args: Any) -> HttpResponse:
        return redirect(page_of(obj.pk))

    def change_view(self, request: HttpRequest, object_id: str, *args: Any) -> HttpResponse:
        playlist = self.get_object(request, object_id)
        if playlist is None:
            raise Http404
        return redirect(page_of(playlist.pk))

    def delete_view(self, request: HttpRequest, object_id: str, *args: Any) -> HttpResponse:
        playlist = self.get_object(request, object_id)
        if playlist is None:
            raise Http404
        if not self.has_delete_permission(request, playlist):
            raise PermissionDenied
        return remove(request, playlist)

    @admin.display(description="playlist", ordering="name")
    def called(self, playlist: Playlist) -> SafeString:
        return format_html('<a class="text-link" href="{}">{}</a>', page_of(playlist.pk), playlist.name)

    @admin.display(description="state")
    def standing(self, playlist: Playlist) -> SafeString:
        facts: Any = playlist
        state = state_of(live=facts.live, waiting=facts.waiting, begun=facts.begun)
        return label(state, COLOURS[state])

    @admin.display(description="proposed", boolean=True)
    def proposed(self, playlist: Playlist) -> bool:
        return bool(playlist.is_proposed)  # type: ignore[attr-defined]


def page_of(playlist_id: UUID | str) -> str:
    return reverse("curate", args=[playlist_id])


class FeaturedInline(TabularInline):
    model = Featured
    autocomplete_fields = ["playlist"]
    extra = 1


@admin.register(Shelf)
class ShelfAdmin(Uncounted, ModelAdmin):
    list_display = ["name", "place"]
    list_editable = ["place"]
    search_fields = ["name"]
    inlines = [FeaturedInline]


@admin.register(Rule)
class RuleAdmin(Uncounted, ModelAdmin):
    """Its page shows what it would choose while it is filled in, and makes drafts of it."""

    form = RuleForm
    compressed_fields = False  # labels above their fields, which stand three in a row
    list_display = ["name", "genres", "order", "count"]
    list_filter = ["order"]
    search_fields = ["name", "genres__icontains", "labels__icontains"]
    ordering = ["name"]
    fieldsets = [
        (None, {"fields": ["name"]}),
        ("Which tracks", {"fields": [
            ("genres", "labels", "artists"), ("markets", "moods", "tempos"),
            ("within_days", "released_from", "released_until"), ("least_popularity", "explicit"),
        ]}),
        ("How many, and in which order", {"fields": [
            ("count", "most_of_artist", "most_of_release"), ("order", "seed"),
        ]}),
    ]  # fmt: skip

    def response_add(self, request: HttpRequest, obj: Rule, *args: Any) -> HttpResponse:
        return drafted(request, obj) or super().response_add(request, obj, *args)

    def response_change(self, request: HttpRequest, obj: Rule) -> HttpResponse:
        return drafted(request, obj) or super().response_change(request, obj)


def drafted(request: HttpRequest, rule: Rule) -> HttpResponse | None:
    """The page of a new draft, where one was asked for by whoever may begin lists."""
    if "_draft" not in request.POST or not request.user.has_perm("playlists.change_playlist"):
        return None
    staff: User = request.user  # type: ignore[assignment]
    try:
        playlist = make_draft(rule, by=staff, now=timezone.now())
    except RuleTooWide as no:
        messages.error(request, f"The rule is kept, and no draft was made: {no.detail}")
        return None
    noted(request, [playlist], f"Made by the rule {rule.name}")
    return redirect(page_of(playlist.pk))
