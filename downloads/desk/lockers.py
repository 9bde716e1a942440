"""A listener's locker for support: what differs from the platform's, and reading that again."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse

from accounts.models import Listener
from desk.cells import page_of
from desk.rows import may_view, noted
from downloads.desk.lines import differences_table
from downloads.models import LockerTrack
from downloads.refreshing import Refreshed, refresh_locker
from massivemusic.errors import PlatformError
from outbox.asking import PlatformUnavailable, asking

SHOWN: Final = 200  # differences on the page; the command has them all


def locker(request: HttpRequest, listener_id: UUID) -> HttpResponse:
    """What differs, and with POST the platform's locker is read before."""
    if not may_view(request.user, "downloads.LockerTrack"):
        raise PermissionDenied
    may_refresh = request.user.has_perm("downloads.change_purchase")
    listener = get_object_or_404(Listener, pk=listener_id)
    if request.method == "POST":
        if not may_refresh:
            raise PermissionDenied
        read_again(request, listener)
        return redirect("locker", listener_id=listener.pk)
    tracks = LockerTrack.objects.filter(release__listener=listener)
    differing = tracks.differing().select_related("release", "purchase").order_by("title", "pk")
    context = admin.site.each_context(request) | {
        "title": f"The locker of {listener}", "back": page_of(listener), "may_refresh": may_refresh,
        "tracks": tracks.count(), "count": differing.count(), "shown": SHOWN,
        "read_at": tracks.order_by("-read_at").values_list("read_at", flat=True).exclude(read_at=None).first(),
        "table": differences_table(differing[:SHOWN]),
    }  # fmt: skip
    return TemplateResponse(request, "admin/downloads/locker.html", context)


def read_again(request: HttpRequest, listener: Listener) -> Refreshed | None:
    """Read the platform's locker now, and say what it came to; None where the platform could not be asked."""
    try:
        with asking() as client:
            found = refresh_locker(client, listener)
    except (PlatformError, PlatformUnavailable) as error:
        messages.error(request, f"The platform’s locker could not be read: {error}. Nothing was changed.")
        return None
    noted(request, [listener], f"Read the platform’s locker: {found.told}")
    messages.success(request, f"The platform’s locker was read: {found.told}.")
    return found
