"""The page of takedowns: what cannot be heard on curated playlists, and another track in its place with one click."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Any, Final, TypeAlias
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import BadRequest, PermissionDenied
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from desk.rows import may_view, noted
from kernel.errors import Refusal
from kernel.values import INT32
from playlists.curation import Edit
from playlists.desk.cards import cards, undoable
from playlists.harms import harm_to, harms
from playlists.swapping import Done, leave, make_public, swap, undo

PAGE: Final = 25  # tracks
MOST_PLACES: Final = 10_000  # that one click may name

Do: TypeAlias = Callable[[Edit, list[Any]], Done]
Deed: TypeAlias = Callable[[HttpRequest, datetime], None]


def takedowns(request: HttpRequest) -> HttpResponse:
    """GET shows them, the newest first; POST does what its `do` says and leads back."""
    if not may_view(request.user, "playlists.Playlist"):
        raise PermissionDenied
    if request.method == "POST":
        return acted(request)
    now = timezone.now()
    found = Paginator(harms(at=now), PAGE).get_page(request.GET.get("page"))
    may = {verb: request.user.has_perm(f"playlists.{verb}_playlist") for verb in ("change", "publish")}
    context = admin.site.each_context(request) | {
        "title": "Takedowns", "harms": found, "cards": cards(list(found.object_list), at=now),
        "undoable": undoable(at=now), "may": may | {"publish": may["change"] and may["publish"]}, "now": now,
        "is_fullwidth": "1",
    }  # fmt: skip
    return TemplateResponse(request, "admin/playlists/takedowns.html", context)


def acted(request: HttpRequest) -> HttpResponse:
    """Raises BadRequest or PermissionDenied."""
    name = request.POST.get("do", "")
    if name not in DEEDS:
        raise BadRequest(f"do: one of {', '.join(DEEDS)}")
    do, public = DEEDS[name]
    allowed(request, "change", *(["publish"] if public else []))
    do(request, timezone.now())
    page = request.GET.get("page", "")
    return redirect(f"{reverse('takedowns')}{f'?page={page}' if page.isascii() and page.isdecimal() else ''}")


# --- What can be done ----------------------------------------------------------------------------------------


def swapping(request: HttpRequest, now: datetime, *, public: bool) -> None:
    """`track` goes from the `places`, `becomes` comes there."""
    was, becomes = track_in(request, "track"), track_in(request, "becomes")

    def do(edit: Edit, item_ids: list[Any]) -> Done:
        return swap(edit, item_ids, was=was, becomes=becomes, public=public)

    on_each(request, places_in(request, UUID), do, said=f"Swapped track {was} for {becomes}", now=now)


def publishing(request: HttpRequest, now: datetime) -> None:
    """What was swapped in the `places` of drafts is swapped for listeners too."""
    was, becomes = track_in(request, "track"), track_in(request, "becomes")

    def do(edit: Edit, item_ids: list[Any]) -> Done:
        return make_public(edit, item_ids, was=was, becomes=becomes)

    on_each(request, places_in(request, UUID), do, said=f"Swapped track {was} for {becomes} for listeners", now=now)


def undoing(request: HttpRequest, now: datetime, *, public: bool) -> None:
    """The swaps named by `places` are undone."""

    def do(edit: Edit, swap_ids: list[Any]) -> Done:
        return undo(edit, swap_ids, public=public)

    on_each(request, places_in(request, number_of), do, said="Undid a swap", now=now)


def leaving(request: HttpRequest, now: datetime) -> None:
    """What has happened to `track` is put aside, as long as it is what was `seen`."""
    staff = allowed(request, "change")
    harm = harm_to(track_in(request, "track"), at=now)
    if harm is None or harm.seen != request.POST.get("seen"):
        messages.warning(request, "Something else has happened to that track meanwhile: look at it again.")
        return
    noted(request, leave(harm, by=staff, now=now), f"Left track {harm.track_id} where it is ({harm.words})")
    messages.success(request, "It is left as it is, and comes back when something else happens to the track.")


# What a button does, and whether it takes who may publish: what is public, listeners have at once.
DEEDS: Final[Mapping[str, tuple[Deed, bool]]] = {
    "swap": (partial(swapping, public=False), False),
    "swap_public": (partial(swapping, public=True), True),
    "publish": (publishing, True),
    "undo": (partial(undoing, public=False), False),
    "undo_public": (partial(undoing, public=True), True),
    "leave": (leaving, False),
}


def on_each(request: HttpRequest, named: Mapping[UUID, list[Any]], do: Do, *, said: str, now: datetime) -> None:
    """Do it list by list: one that was changed meanwhile keeps nobody from the others."""
    staff = allowed(request, "change")
    done: list[Done] = []
    for playlist_id, each in named.items():
        try:
            done.append(do(Edit(playlist_id=playlist_id, version=None, by=staff, now=now), each))
        except Refusal as no:
            messages.error(request, f"{no.detail[:1].upper()}{no.detail[1:]}. Nothing was done there.")
    for playlist, revisions in done:
        numbers = "".join(f", published as revision {each.number}" for each in revisions)
        noted(request, [playlist], f"{said}{numbers}")
    if done:
        names = ", ".join(dict.fromkeys(each.playlist.name for each in done))
        messages.success(request, f"Done on {names}{told(done)}.")


def told(done: list[Done]) -> str:
    """What listeners have of it."""
    made = sum(bool(each.revisions) for each in done)
    if not made:
        return ", in the draft"
    return " and published" if made == len(done) else f"; {made} of them published, the others in the draft"


# --- What the forms say --------------------------------------------------------------------------------------


def allowed(request: HttpRequest, *verbs: str) -> User:
    """Who is asking. Raises PermissionDenied."""
    staff: User = request.user  # type: ignore[assignment]
    if not all(staff.has_perm(f"playlists.{verb}_playlist") for verb in verbs):
        raise PermissionDenied
    return staff


def track_in(request: HttpRequest, name: str) -> int:
    """Raises BadRequest."""
    return number_of(request.POST.get(name, ""), most=INT32)


def number_of(text: str, most: int = 2**63 - 1) -> int:
    """Raises BadRequest."""
    if not (text.isascii() and text.isdecimal() and len(text) < 20 and 0 < int(text) <= most):
        raise BadRequest("a whole number is missing")
    return int(text)


def places_in(request: HttpRequest, kind: Callable[[str], Any]) -> dict[UUID, list[Any]]:
    """`<list>:<what>`, with blanks between, by their lists. Raises BadRequest."""
    named: defaultdict[UUID, list[Any]] = defaultdict(list)
    words = request.POST.get("places", "").split()
    try:
        for word in words:
            playlist_id, _, what = word.partition(":")
            named[UUID(playlist_id)].append(kind(what))
    except ValueError as error:
        raise BadRequest("places: each a list and what is on it") from error
    if not words or len(words) > MOST_PLACES:
        raise BadRequest(f"places: from 1 to {MOST_PLACES:,}")
    return dict(named)
