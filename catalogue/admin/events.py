"""The events for operations: how they are getting on, what became of each, and what it said."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from django.contrib import admin, messages
from django.db.models import F, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin
from unfold.decorators import action

from catalogue import figures
from catalogue.actions import apply_again, members_of
from catalogue.keeping import releases_in
from catalogue.models import CatalogueEvent
from desk.cells import Table, ago, label
from desk.rows import LongList, led_to, noted
from kernel.values import INT32

State, Kind = CatalogueEvent.State, CatalogueEvent.Kind

COLOURS: Final[Mapping[str, str]] = {
    State.WAITING: "info", State.APPLIED: "success", State.PARTLY: "warning", State.DEAD: "danger",
}  # fmt: skip
SHOWN: Final = 100  # releases and refused members that a page names
BODY_SHOWN: Final = 256 * 1024  # characters
OF_A_RELEASE: Final = 1000  # events that a search leads to
NAMED: Final = {"refused": "refused", "conflicts": "in conflict"}  # members that an outcome lists


@admin.register(CatalogueEvent)
class CatalogueEventAdmin(LongList, ModelAdmin):
    """What came, and what became of it. Searched by the id of a release."""

    list_display = ["id", "kind", "received_at", "members", "standing", "attempts", "became", "alarm"]
    list_filter = ["state", "kind", "token_reused"]
    list_before_template = "admin/catalogue/catalogueevent/figures.html"
    fields = [
        ("kind", "received_at"), ("standing", "members"), ("attempts", "due_at"), "became", "alarm", "releases",
        "last_error",
    ]  # fmt: skip
    readonly_fields = ["releases", "standing", "became", "alarm"]
    search_fields = ["=id"]
    search_help_text = "the id of a release, or of an event"
    ordering = ["-id"]
    actions = ["try_again"]
    actions_detail = ["raw"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[CatalogueEvent]:
        rows: QuerySet[CatalogueEvent] = super().get_queryset(request)
        return rows.defer("body")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[CatalogueEvent], search_term: str
    ) -> tuple[QuerySet[CatalogueEvent], bool]:
        """The events that speak of a release, and the one with that id."""
        text = search_term.strip()
        if not text:
            return queryset, False
        if not (text.isascii() and text.isdigit() and len(text) <= 10 and int(text) <= INT32):
            self.message_user(request, "Search for a number: the id of a release, or of an event", messages.WARNING)
            return queryset.none(), False
        return queryset.filter(pk__in=[int(text), *events_of(int(text))]), False

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        page: HttpResponse = super().changelist_view(request, {**(extra_context or {}), "figures": figures_shown})
        return page

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> Any:
        event: CatalogueEvent = kwargs["obj"]
        refused, conflicts = event.outcome.get("refused", []), event.outcome.get("conflicts", [])
        context |= {
            "refused": refused_table(event, refused[:SHOWN]) if refused else None,
            "conflicts": conflicts_table(conflicts[:SHOWN]) if conflicts else None,
            "refused_more": max(0, len(refused) - SHOWN),
            "conflicts_more": max(0, len(conflicts) - SHOWN),
        }
        return super().render_change_form(request, context, *args, **kwargs)

    @admin.display(description="state")
    def standing(self, event: CatalogueEvent) -> SafeString:
        return label(event.get_state_display(), COLOURS[event.state])

    @admin.display(description="what became of its members")
    def became(self, event: CatalogueEvent) -> str:
        return told(event.outcome)

    @admin.display(description="alarm", empty_value="")
    def alarm(self, event: CatalogueEvent) -> SafeString | None:
        """One token proved this body and another: it may have been captured."""
        return label("token reused", "danger") if event.token_reused else None

    @admin.display(description="releases it speaks of")
    def releases(self, event: CatalogueEvent) -> SafeString | str:
        named = format_html_join(", ", "{}", ((release_link(id_),) for id_ in event.release_ids[:SHOWN]))
        more = len(event.release_ids) - SHOWN
        return format_html("{} and {} more", named, more) if more > 0 else named

    def has_operate_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("catalogue.change_catalogueevent")

    @admin.action(description="Apply again", permissions=["operate"])
    def try_again(self, request: HttpRequest, events: QuerySet[CatalogueEvent]) -> None:
        chosen = led_to(events, set(State) - {State.WAITING})
        self.message_user(request, f"{apply_again(chosen)} event(s) will be applied again")
        noted(request, chosen, "Applied again", was="state")

    @action(description="Raw body", icon="data_object", url_path="body", permissions=["view"])
    def raw(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """What the platform posted, indented; one member of it with `?member=`."""
        event = self.get_object(request, object_id)
        if event is None:
            raise Http404
        body: Any = members_of(event)
        wanted = request.GET.get("member", "")
        if wanted.isascii() and wanted.isdigit() and len(wanted) < 9 and int(wanted) < len(body):
            body = body[int(wanted)]
        elif wanted:
            messages.warning(request, f"There is no such member; they are numbered from 0 to {len(body) - 1}.")
            wanted = ""
        text, cut = indented(body)
        context = self.admin_site.each_context(request) | {
            "title": f"Body of event #{event.pk}", "opts": self.opts, "event": event, "member": wanted,
            "text": text, "cut": cut, "most": BODY_SHOWN // 1024,
        }  # fmt: skip
        return TemplateResponse(request, "admin/catalogue/catalogueevent/body.html", context)


def figures_shown() -> dict[str, Any]:
    """Asked for by the template alone, and so not before an action."""
    now = timezone.now()
    waiting = figures.oldest(now=now)
    return {
        "states": [(held, COLOURS[held.state]) for held in figures.held().values()],
        "lately": figures.lately(now=now),
        "trouble": figures.trouble(),
        "oldest": waiting,
        "oldest_age": ago(waiting.age) if waiting else None,
        "most": f"{figures.MOST:,}",
        "partly_most": f"{figures.PARTLY_MOST:,}",
    }


def events_of(release_id: int) -> list[int]:
    """The newest events that speak of a release.

    Ordered by a sum: PostgreSQL would rather walk along the ids until it has found enough, which may be never.
    """
    spoken = CatalogueEvent.objects.filter(release_ids__contains=[release_id])
    return list(spoken.order_by((F("pk") + 0).desc()).values_list("pk", flat=True)[:OF_A_RELEASE])


def told(outcome: Mapping[str, Any]) -> str:
    """`10 applied · 2 stale · 1 refused`."""
    counts = [f"{count} {what}" for what, count in sorted(outcome.items()) if isinstance(count, int)]
    named = [f"{len(outcome[what])} {said}" for what, said in NAMED.items() if outcome.get(what)]
    return " · ".join([*counts, *named])


def refused_table(event: CatalogueEvent, refused: Iterable[Mapping[str, Any]]) -> Table:
    """The members that were refused, each with its release and a link to its own text."""
    members = members_of(event)
    rows = []
    for no in refused:
        ids = releases_in(members[no["index"] : no["index"] + 1])
        rows.append([member_link(event, no["index"]), release_link(ids[0]) if ids else "none", no["reason"]])
    return Table(headers=["member", "release", "why it was refused"], rows=rows)


def conflicts_table(releases: Iterable[int]) -> Table:
    """The releases that this event contradicts under a version that was applied already."""
    said = "other content under a version that was applied already: that one stands"
    return Table(headers=["release", "what is in conflict"], rows=[[release_link(id_), said] for id_ in releases])


def member_link(event: CatalogueEvent, index: int) -> SafeString:
    url = reverse("admin:catalogue_catalogueevent_raw", args=[event.pk])
    return format_html('<a class="text-link" href="{}?member={}">{}</a>', url, index, index)


def release_link(release_id: int) -> SafeString:
    """To the list rather than to the page: the mirror may not have the release."""
    url = reverse("admin:catalogue_release_changelist")
    return format_html('<a class="text-link" href="{}?q={}">{}</a>', url, release_id, release_id)


def indented(value: object) -> tuple[str, bool]:
    """JSON for people, and whether it was cut at BODY_SHOWN characters."""
    text = ""
    for piece in json.JSONEncoder(indent=2, ensure_ascii=False).iterencode(value):
        text += piece
        if len(text) > BODY_SHOWN:
            break
    readable = text[:BODY_SHOWN].encode(errors="backslashreplace").decode()  # half a character has no bytes
    return readable, len(text) > BODY_SHOWN
