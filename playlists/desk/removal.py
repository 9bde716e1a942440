"""Deleting a curated playlist, after its page has said who loses what."""

from __future__ import annotations

from collections.abc import Iterator

from django.contrib import admin, messages
from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils import timezone

from accounts.models import User
from catalogue.territories import day, named
from desk.rows import noted
from kernel.errors import Refusal
from playlists.curation import Edit
from playlists.models import Playlist, Revision
from playlists.removing import Stake, remove_curated, stake_in


def may_delete(request: HttpRequest, playlist: Playlist | None = None) -> bool:
    """A draft that never left the editors' hands takes less than what listeners have, or had."""
    if not request.user.has_perm("playlists.delete_playlist"):
        return False
    if playlist is None or request.user.has_perm("playlists.publish_playlist"):
        return True
    return not stake_in(playlist, at=timezone.now()).is_public


def remove(request: HttpRequest, playlist: Playlist) -> HttpResponse:
    """A question, and the list of playlists once this one is deleted; for who may."""
    now, staff = timezone.now(), request.user
    if request.method == "POST":
        text = request.POST.get("version", "")
        if not (text.isascii() and text.isdecimal() and len(text) < 19):
            raise BadRequest("version: the one that was read")
        assert isinstance(staff, User)  # noqa: S101  the admin lets nobody else in
        try:
            playlist = remove_curated(Edit(playlist_id=playlist.pk, version=int(text), by=staff, now=now))
        except Refusal as no:
            messages.error(request, f"{no.detail}. It was not deleted: look at what it is now.")
            return redirect("curate", playlist.pk)
        noted(request, [playlist], "Deleted it")
        messages.success(request, f"{playlist.name} is deleted.")
        return redirect("admin:playlists_playlist_changelist")
    stake = stake_in(playlist, at=now)
    context = admin.site.each_context(request) | {
        "title": f"Delete {playlist.name}?", "playlist": playlist, "losses": list(losses(stake)),
        "is_public": stake.is_public,
    }  # fmt: skip
    return TemplateResponse(request, "admin/playlists/remove.html", context)


def losses(stake: Stake) -> Iterator[str]:
    """Who loses what, in sentences."""
    if stake.live:
        since = day(stake.live.live_from or stake.live.published_at)
        yield f"Listeners {where(stake.live)} lose it at once: {counted(stake.live)}, live since {since} UTC."
    if stake.waiting and stake.waiting.live_from:
        yield f"Revision {stake.waiting.number}, which was to begin on {day(stake.waiting.live_from)} UTC, will not."
    if stake.shelves:
        yield f"It goes from the shelves: {', '.join(stake.shelves)}."
    if stake.on_platform:
        yield "The platform deletes it too."
    if not stake.is_public:
        yield "It was never published: no listener has it."


def where(revision: Revision) -> str:
    return f"in {named(revision.countries)}" if revision.countries else "everywhere"


def counted(revision: Revision) -> str:
    return "1 track" if revision.track_count == 1 else f"{revision.track_count:,} tracks"
