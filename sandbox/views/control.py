"""The control door: for tests and developers, never part of the platform. Unsigned, and only for this machine."""

from __future__ import annotations

import ipaddress
import json
import threading
from collections.abc import Callable, Iterator
from functools import wraps
from itertools import islice
from typing import Any, Final

from django.db import connection
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse, StreamingHttpResponse

from sandbox import clock, emitter, files, instants, journal
from sandbox.audio import library
from sandbox.audio.encoders import CannotMake
from sandbox.faults import BEHAVIOURS
from sandbox.models import Fault, Release, Track
from sandbox.views import publishing

MEMORY: Final = (
    "entry", "subscription", "holder", "offlinedevice", "sale", "user", "playlist", "nonce", "usage", "fault",
)  # fmt: skip


class Unclear(Exception):
    """An order cannot be followed; the message says why."""


def local_only(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """Refuse callers from other machines; turn unclear orders into a 400 that says why."""

    @wraps(view)
    def guarded(request: HttpRequest, **parts: Any) -> HttpResponseBase:
        if not ipaddress.ip_address(request.META.get("REMOTE_ADDR") or "0.0.0.0").is_loopback:  # noqa: S104
            return JsonResponse({"error": "this door opens from this machine only"}, status=403)
        try:
            return view(request, **parts)
        except (Unclear, publishing.Unclear) as error:
            return JsonResponse({"error": str(error)}, status=400)

    return guarded


@local_only
def journal_lines(request: HttpRequest) -> HttpResponseBase:
    """GET ?kind=plays&after=0 → one JSON object a line: `seq`, `kind`, `at`, `call` and the accepted fields.

    Without `kind`: all of them. `call` numbers the accepted requests of a kind.
    """
    kind, after = request.GET.get("kind", ""), request.GET.get("after", "0")
    if kind and kind not in journal.KINDS:
        raise Unclear(f"kind is one of: {', '.join(journal.KINDS)}")
    if not (after.isascii() and after.isdecimal() and len(after) < 19):
        raise Unclear("after is a seq")
    lines = journal.lines(kinds=[kind] if kind else journal.KINDS, after=int(after))
    return StreamingHttpResponse(_sheets(lines), content_type="application/x-ndjson; charset=utf-8")


@local_only
def faults(request: HttpRequest) -> HttpResponseBase:
    """GET → `faults`: those still to come, each with path, behaviour and `left`."""
    waiting = Fault.objects.filter(left__gt=0).order_by("pk")
    return JsonResponse({"faults": list(waiting.values("path", "behaviour", "left"))})


@local_only
def order_fault(request: HttpRequest) -> HttpResponseBase:
    """POST {"path": "/1.2/user", "behaviour": "lost_answer", "times": 1} → 201. `path` is a prefix, as on the wire."""
    order = _body(request)
    path, behaviour, times = order.get("path"), order.get("behaviour"), order.get("times", 1)
    if not isinstance(path, str) or not path.startswith("/") or "\0" in path:
        raise Unclear("path begins with a slash")
    if not isinstance(behaviour, str) or behaviour not in BEHAVIOURS:
        raise Unclear(f"behaviour is one of: {', '.join(BEHAVIOURS)}")
    if type(times) is not int or not 1 <= times <= 1_000_000:
        raise Unclear("times is a number from 1")
    Fault.objects.create(path=path, behaviour=behaviour, left=times)
    return JsonResponse({"path": path, "behaviour": behaviour, "left": times}, status=201)


@local_only
def clear_faults(request: HttpRequest) -> HttpResponseBase:
    """DELETE → 204. Requests that hang already go on hanging."""
    Fault.objects.all().delete()
    return HttpResponse(status=204)


@local_only
def publish(request: HttpRequest) -> HttpResponseBase:
    """POST an order as `publishing.read` describes it → 200 with the outcome, or 202 when told not to wait."""
    order = publishing.read(_body(request))
    events = publishing.events(order)
    if order.wait:
        return JsonResponse(vars(emitter.deliver(events, order.plan)))
    threading.Thread(target=emitter.deliver, args=(events, order.plan), daemon=True).start()
    return JsonResponse({"events": len(events)}, status=202)


@local_only
def shelves(request: HttpRequest) -> HttpResponseBase:
    """GET → `releases`, each with its territories, states and tracks, so that tests can choose instead of guess."""
    return JsonResponse({"releases": list(_shelf())})


@local_only
def audio(request: HttpRequest, track_id: int, format_id: int) -> HttpResponseBase:
    """GET → `bytes`, `sha256`, `content_type` and `duration_seconds` of the file that a stream sends."""
    track = Track.objects.select_related("release", "artist").filter(pk=track_id).first()
    if track is None:
        return JsonResponse({"error": "no such track"}, status=404)
    try:
        made = library.progressive(track, format_id)
    except CannotMake as error:
        raise Unclear(str(error)) from error
    facts = {"bytes": made.path.stat().st_size, "sha256": files.sha256(made.path), "content_type": made.content_type}
    return JsonResponse(facts | {"duration_seconds": track.seconds})


@local_only
def shift_clock(request: HttpRequest) -> HttpResponseBase:
    """POST {"offset_seconds": 86400} → the platform's `now`. Date rules follow it; signatures and turns do not."""
    offset = _body(request).get("offset_seconds")
    if isinstance(offset, bool) or not isinstance(offset, int | float) or not abs(offset) <= 10 * 366 * 86400:
        raise Unclear("offset_seconds is a number, at most ten years")
    clock.shift(offset_seconds=offset)
    return JsonResponse({"now": instants.iso(clock.now())})


@local_only
def reset(request: HttpRequest) -> HttpResponseBase:
    """POST → 204. Forget users, playlists, journal, nonces, faults and clock; seq starts at 1 again. Shelves stay."""
    with connection.cursor() as cursor:
        tables = ", ".join(f"sandbox_{name}" for name in MEMORY)
        cursor.execute(f"TRUNCATE {tables} RESTART IDENTITY CASCADE")
    clock.shift(offset_seconds=0)
    return HttpResponse(status=204)


def _sheets(lines: Iterator[dict[str, Any]]) -> Iterator[str]:
    """JSON lines, many at a time."""
    while sheet := list(islice(lines, 500)):
        yield "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in sheet)


def _shelf() -> Iterator[dict[str, Any]]:
    now = clock.now()
    for release in Release.objects.select_related("artist").prefetch_related("tracks__artist").order_by("pk"):
        yield {
            "id": release.pk,
            "title": release.title,
            "artist": release.artist.name,
            "type": release.kind,
            "version": release.version,
            "territories": release.territories,
            "taken_down": release.taken_down,
            "pre_release": bool(release.streams_from and release.streams_from > now),
            "download_only": release.streams_from is None,
            "streams_from": release.streams_from and instants.iso(release.streams_from),
            "tracks": [
                {
                    "id": track.pk,
                    "title": track.title,
                    "artist": track.artist.name,
                    "isrc": track.isrc,
                    "duration_seconds": track.seconds,
                    "explicit": track.explicit,
                }
                for track in release.tracks.all()
            ],
        }


def _body(request: HttpRequest) -> dict[str, Any]:
    try:
        body = json.loads(request.body)
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise Unclear("the body is a JSON object")
    return body
