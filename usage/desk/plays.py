"""The ledger play by play: what waits for a person, and whatever a listener heard."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin

from accounts.finding import named_so
from accounts.models import Listener
from desk.cells import label, link, moment, state
from desk.rows import LongList, led_to, noted
from desk.story import listed
from usage.held import discard_held, release_held
from usage.models import FOR_PEOPLE, Play, PlayState
from web.params import uuid_of

LISTENERS: Final = 20  # whom a search finds at the most


class ByState(admin.SimpleListFilter):
    """Of all listeners only what waits for a person, or is past waiting; of one that was searched for, any state."""

    title = "state"
    parameter_name = "state__exact"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        return PlayState.choices if request.GET.get("q") else [(each.value, each.label) for each in FOR_PEOPLE]

    def queryset(self, request: HttpRequest, plays: QuerySet[Play]) -> QuerySet[Play]:
        wanted = self.value()
        if request.GET.get("q"):
            return plays.filter(state=wanted) if wanted else plays
        return plays.filter(state=wanted if wanted in FOR_PEOPLE else PlayState.HELD)

    def choices(self, changelist: Any) -> Any:
        """Without a search there is no list of all plays: the held ones come first."""
        every, *states = super().choices(changelist)
        if "q" in changelist.params or changelist.query:
            return [every, *states]
        if self.value() is None:
            states[0]["selected"] = True
        return states


@admin.register(Play)
class PlayAdmin(LongList, ModelAdmin):
    """Plays that are held first. A search finds all plays of a listener."""

    list_display_links = None  # a row says all there is
    list_display = ["played", "who", "heard", "country", "seconds_played", "mode", "standing", "why", "told_in"]
    search_fields = ["id"]  # for the box; `get_search_results` does the finding
    search_help_text = "a listener’s id, platform id or e-mail address; after it, a play’s id"
    list_filter = [ByState]
    list_select_related = ["listener", "batch"]
    ordering = ["-played_at", "-id"]
    actions = ["release", "keep_back"]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Play], search_term: str
    ) -> tuple[QuerySet[Play], bool]:
        words = search_term.split()
        if not words:
            return queryset, False
        called_so = Listener.objects.filter(named_so(words[0])).values_list("pk", flat=True)
        found = queryset.filter(listener__in=list(called_so[:LISTENERS]))
        if len(words) > 1:
            play_id = uuid_of(words[1])
            found = found.filter(play_id=play_id) if play_id else found.none()
        return found, False

    @admin.display(description="played (UTC)")
    def played(self, play: Play) -> str:
        return moment(play.played_at)

    @admin.display(description="listener")
    def who(self, play: Play) -> SafeString:
        return link(play.listener, play.listener.platform_id[:8])

    @admin.display(description="track")
    def heard(self, play: Play) -> SafeString:
        return listed("catalogue.Track", play.track_id, q=play.track_id)

    @admin.display(description="state")
    def standing(self, play: Play) -> SafeString:
        return state(play.state)

    @admin.display(description="why")
    def why(self, play: Play) -> SafeString | str:
        codes = [f"code {play.platform_code}"] if play.platform_code else []
        return format_html_join(" ", "{}", ((label(why),) for why in [*play.flags, *codes])) or "–"

    @admin.display(description="batch")
    def told_in(self, play: Play) -> SafeString | str:
        return link(play.batch, f"#{play.batch.pk}") if play.batch else "–"

    def has_operate_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("usage.change_play")

    @admin.action(description="Report the held ones after all", permissions=["operate"])
    def release(self, request: HttpRequest, plays: QuerySet[Play]) -> None:
        self.decide(request, plays, "Let go: to be reported", release_held, "will be reported")

    @admin.action(description="Keep the held ones from being reported", permissions=["operate"])
    def keep_back(self, request: HttpRequest, plays: QuerySet[Play]) -> None:
        self.decide(request, plays, "Kept back: not to be reported", discard_held, "will not be reported")

    def decide(self, request: HttpRequest, plays: QuerySet[Play], note: str, act: Any, said: str) -> None:
        chosen = led_to(plays, {PlayState.HELD})
        count = act([play.pk for play in chosen])
        noted(request, chosen, note, was="state")
        self.message_user(request, f"{count} play(s) {said}", messages.SUCCESS if count else messages.WARNING)
