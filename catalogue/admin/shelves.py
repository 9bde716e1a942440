"""Read-only shelves: artists, releases and tracks as the mirror holds them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from django.conf import settings
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin, TabularInline
from unfold.decorators import action

from catalogue.admin.availability import closed_because, uses_of
from catalogue.admin.finding import looked_up
from catalogue.models import Artist, CatalogueEvent, Offer, Release, Track, TrackTags
from catalogue.territories import day, named
from desk.cells import Table, label, link, minutes
from desk.rows import LongList, ReadOnly
from massivemusic.images import cover_template

MAX_TEXT: Final = 200  # characters of a search that are looked at
ON_A_PAGE: Final = 100  # tracks of a release, releases of an artist
COVER: Final = 200  # pixels
SAID: Final = 12  # values of a tag that are shown


class Shelf(LongList, ModelAdmin):
    """Rows of the mirror, found as listeners find them, or by id and code."""

    search_fields = ["id"]  # for the box; `looked_up` does the finding
    list_display_links = ["id", "title"]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        text = search_term.strip()
        if len(text) > MAX_TEXT:
            self.message_user(request, f"Only {MAX_TEXT} characters were looked for", messages.WARNING)
        return (looked_up(queryset, text[:MAX_TEXT]) if text else queryset), False


@admin.register(Artist)
class ArtistAdmin(Shelf):
    list_display = ["id", "name"]
    list_display_links = ["id", "name"]
    search_help_text = "an id, or words of the name"
    fields = ["id", "name", "version", "popularity"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Artist]:
        rows: QuerySet[Artist] = super().get_queryset(request)
        return rows.defer("search")

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> Any:
        artist: Artist = kwargs["obj"]
        newest = Release.objects.filter(artist=artist, taken_down_at=None).defer("search")
        releases = list(newest.order_by("-shelf_date", "-pk")[: ON_A_PAGE + 1])
        context |= {"releases": releases_table(releases[:ON_A_PAGE]), "cut": len(releases) > ON_A_PAGE}
        return super().render_change_form(request, context, *args, **kwargs)


def releases_table(releases: Iterable[Release]) -> Table:
    """An artist's releases, a row each."""
    return Table(
        headers=["id", "title", "released", "label", "type", "UPC"],
        rows=[
            [link(each, each.pk), link(each, titled(each)), day_of(each), each.label, each.type, each.upc]
            for each in releases
        ],
    )


@admin.register(Release)
class ReleaseAdmin(Shelf):
    list_display = ["id", "title", "artist", "label", "released", "version", "state"]
    search_help_text = "an id, a UPC, an ISRC, or words"
    fieldsets = [
        (
            None,
            {
                "fields": [
                    "cover",
                    ("title", "subtitle"),
                    ("artist", "type"),
                    ("genres", "explicit"),
                    ("released", "lasts"),
                    ("upc", "label"),
                    ("licensor_id", "p_line"),
                    ("state", "c_line"),
                ]
            },
        ),
        ("The row", {"fields": [("version", "event"), ("changed_at", "fingerprint"), ("change", "arrival")]}),
    ]
    readonly_fields = ["cover", "released", "lasts", "state", "event"]
    actions_detail = ["events"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Release]:
        rows: QuerySet[Release] = super().get_queryset(request)
        return rows.select_related("artist").defer("search", "artist__search")

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> Any:
        release: Release = kwargs["obj"]
        on_it = Track.objects.filter(release=release).select_related("artist").defer("search", "artist__search")
        tracks = list(on_it.order_by("disc_number", "track_number", "pk")[: ON_A_PAGE + 1])
        context |= {"tracks": tracks_table(tracks[:ON_A_PAGE]), "cut": len(tracks) > ON_A_PAGE}
        return super().render_change_form(request, context, *args, **kwargs)

    def has_events_permission(self, request: HttpRequest, object_id: str) -> bool:
        return request.user.has_perm("catalogue.view_catalogueevent")

    @action(description="Its events", icon="move_to_inbox", permissions=["events"])
    def events(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The raw events that speak of the release."""
        return redirect(f"{reverse('admin:catalogue_catalogueevent_changelist')}?{urlencode({'q': object_id})}")

    @admin.display
    def cover(self, release: Release) -> SafeString | None:
        if release.artist_id is None:
            return None
        url = cover_template(settings.MASSIVEMUSIC["image_url"], release.pk).replace("{size}", str(COVER))
        return format_html('<img src="{}" width="{}" alt="no cover" class="rounded-default">', url, COVER)

    @admin.display
    def released(self, release: Release) -> str | None:
        return day_of(release)

    @admin.display
    def lasts(self, release: Release) -> str:
        return minutes(release.duration_seconds)

    @admin.display
    def state(self, release: Release) -> SafeString:
        if release.taken_down_at is None:
            return label("standing", "success")
        if release.artist_id is None:
            return label("a takedown is all we heard")
        return label(f"taken down {day(release.taken_down_at)}", "danger")

    @admin.display(description="event it came in")
    def event(self, release: Release) -> SafeString | None:
        if release.event_id is None:
            return None
        return link(CatalogueEvent(pk=release.event_id), f"#{release.event_id}")


def tracks_table(tracks: Iterable[Track]) -> Table:
    """A release's tracks in playing order, a row each."""
    return Table(
        headers=["no.", "id", "title", "artist", "ISRC", "lasts", "state"],
        rows=[
            [
                f"{each.disc_number}.{each.track_number:02}", link(each, each.pk), link(each, titled(each)),
                link(each.artist), each.isrc, minutes(each.duration_seconds), standing_of(each),
            ]
            for each in tracks
        ],
    )  # fmt: skip


class OfferInline(ReadOnly, TabularInline):
    """The rights as they came."""

    model = Offer
    fields = ["use", "territories", "starts_at", "ends_at"]
    readonly_fields = ["territories"]
    ordering = ["use", "starts_at", "pk"]
    hide_title = True
    extra = 0

    def get_queryset(self, request: HttpRequest) -> QuerySet[Offer]:
        rows: QuerySet[Offer] = super().get_queryset(request)
        return rows.select_related("region")

    @admin.display
    def territories(self, offer: Offer) -> str:
        return named(offer.region.territories)


@admin.register(Track)
class TrackAdmin(Shelf):
    list_display = ["id", "title", "artist", "release", "isrc", "lasts", "state"]
    search_help_text = "an id, an ISRC, a UPC, or words"
    fieldsets = [
        (None, {"fields": [("title", "subtitle"), ("artist", "release"), ("isrc", "number"), ("lasts", "explicit"),
                           ("state", "popularity")]}),
    ]  # fmt: skip
    readonly_fields = ["number", "lasts", "state"]
    inlines = [OfferInline]
    actions_detail = ["why"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Track]:
        rows: QuerySet[Track] = super().get_queryset(request)
        return rows.select_related("artist", "release").defer("search", "artist__search", "release__search")

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> Any:
        track: Track = kwargs["obj"]
        now = timezone.now()
        context |= {"uses": uses_of(track, at=now), "closed": closed_because(track), "now": now}
        context |= {"tags": tags_table(tags) if (tags := TrackTags.objects.filter(track=track).first()) else None}
        return super().render_change_form(request, context, *args, **kwargs)

    @action(description="Why can’t they hear it?", icon="hearing_disabled", url_path="why", permissions=["view"])
    def why(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Every rule, for one listener or country."""
        return redirect(f"{reverse('why')}?{urlencode({'track': object_id})}")

    @admin.display(description="disc and number")
    def number(self, track: Track) -> str:
        return f"{track.disc_number}.{track.track_number:02}"

    @admin.display
    def lasts(self, track: Track) -> str:
        return minutes(track.duration_seconds)

    @admin.display
    def state(self, track: Track) -> SafeString:
        if track.release.taken_down_at is not None:
            return label("release taken down", "danger")
        return standing_of(track)


def tags_table(told: TrackTags) -> Table:
    """What the enhanced stream says of a track, a row for each tag."""
    return Table(headers=["tag", "what it says"], rows=[[name, shortly(said)] for name, said in told.tags.items()])


def shortly(said: object) -> str:
    """A JSON value in words, a long list by its beginning and its length."""
    if isinstance(said, dict):
        return ", ".join(f"{name}: {shortly(value)}" for name, value in list(said.items())[:SAID])
    if isinstance(said, list):
        begin = ", ".join(map(shortly, said[:SAID]))
        return begin if len(said) <= SAID else f"{begin} … {len(said)} in all"
    return str(said)


def standing_of(track: Track) -> SafeString:
    """Whether its release still names it."""
    return label("standing", "success") if track.gone_at is None else label(f"gone {day(track.gone_at)}", "danger")


def titled(row: Release | Track) -> str:
    """The title and, in brackets, the subtitle."""
    return f"{row.title} ({row.subtitle})" if row.subtitle else row.title


def day_of(release: Release) -> str | None:
    return None if release.release_date is None else day(release.release_date)
