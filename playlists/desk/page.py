"""The page on which a curated playlist is made; what it shows, it asks for by itself."""

from __future__ import annotations

from uuid import UUID

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from desk.rows import may_view
from playlists.desk.doors import draft_of
from playlists.desk.removal import may_delete
from playlists.registry import plans_sold
from playlists.rules import PlaylistNotFound


def curate(request: HttpRequest, playlist_id: UUID) -> HttpResponse:
    """GET /admin/curate/{id}/."""
    if not may_view(request.user, "playlists.Playlist"):
        raise PermissionDenied
    try:
        playlist = draft_of(playlist_id)
    except PlaylistNotFound as no:
        raise Http404 from no
    may = {verb: request.user.has_perm(f"playlists.{verb}_playlist") for verb in ("change", "propose", "publish")}
    may["delete"] = may_delete(request, playlist)
    context = admin.site.each_context(request) | {
        "title": playlist.name, "playlist": playlist, "may": may, "plans": plans_sold(), "is_fullwidth": "1",
    }  # fmt: skip
    return TemplateResponse(request, "admin/playlists/curate.html", context)
