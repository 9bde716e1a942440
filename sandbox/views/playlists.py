"""Playlists of the partner and of its users ("Create a playlist" and its sister pages).

A playlist belongs to the userId it was made with, or to the partner. Whoever names another owner, or none,
does not find it (our choice).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from django.conf import settings
from django.db import transaction
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from sandbox import answers, journal, tracklists
from sandbox.answers import Refused, Tree
from sandbox.calls import Call, Parameters, invalid
from sandbox.gate import signed
from sandbox.instants import iso
from sandbox.models import Playlist, PlaylistTrack
from sandbox.views.offline import find_user

LISTED: Final = 50  # the largest page of playlists, and of tracks
TRACKS: Final = 500
PAGE_SIZE: Final = 10
PARTNER: Final = "1"  # the partner's own number (our choice)


@signed
def create(request: HttpRequest, call: Call) -> HttpResponse:
    """POST /1.2/playlists?country=… (&userId=…) with a playlist as JSON → 201, `playlist` and its Location.

    1001 without a name, 1002, 2001 for a user that is none. There is no key by which the same playlist would be
    known again: twice makes two.
    """
    owner, country = owner_of(call), call.form.country()
    given = tracklists.read_object(request.body)
    details, tracks = tracklists.whole(given), tracklists.read_tracks(given.get("tracks"))
    with transaction.atomic():
        playlist = Playlist.objects.create(user_id=owner, updated_at=timezone.now(), **details)
        items = put(playlist, tracks)
        note("create", playlist, country, details=details, tracks=tracks)
    answer = tell(request, playlist, items, item_key="id", status=201)
    answer["Location"] = f"/1.2/playlists/{playlist.key}"
    return answer


@signed
def of_partner(request: HttpRequest, call: Call) -> HttpResponse:
    """GET /1.2/playlists?country&page&pageSize(&status)(&tags) → a page of the partner's own playlists, oldest first.

    1003 for a page that is none, or too large. With several tags a playlist must have them all (our choice).
    """
    call.form.country()
    found = Playlist.objects.filter(user_id="")
    if status := call.form.find("status"):
        found = found.filter(status=status)
    for tag in filter(None, call.form.find("tags").split(",")):
        found = found.filter(tags__contains=[{"name": tag.strip()}])
    return tell_page(request, call.form, found)


@signed
def of_user(request: HttpRequest, call: Call) -> HttpResponse:
    """GET /1.2/user/playlists?userId&country&page&pageSize → a page of a user's playlists, oldest first."""
    user_id = call.form.text("userId")
    call.form.country()
    return tell_page(request, call.form, Playlist.objects.filter(user_id=find_user(user_id).user_id))


@signed
def read(request: HttpRequest, call: Call, key: str) -> HttpResponse:
    """GET /1.2/playlists/{id}?country → the playlist with all its tracks. 2001."""
    playlist = find(call, key)
    return tell(request, playlist, list(playlist.tracks.all()), item_key="id")


@signed
def replace(request: HttpRequest, call: Call, key: str) -> HttpResponse:
    """POST /1.2/playlists/{id}?country with a whole playlist: what it leaves out is as on a new one (our choice)."""
    given = tracklists.read_object(request.body)
    details, tracks = tracklists.whole(given), tracklists.read_tracks(given.get("tracks"))
    with transaction.atomic():
        playlist = find(call, key, lock=True)
        change(playlist, details)
        playlist.tracks.all().delete()
        items = put(playlist, tracks)
        note("replace", playlist, call.form.country(), details=details, tracks=tracks)
    if settings.PLAYLIST_ANSWERS == "nothing":
        return HttpResponse(status=204)
    return tell(request, playlist, items, item_key="id")


@signed
def delete(request: HttpRequest, call: Call, key: str) -> HttpResponse:
    """DELETE /1.2/playlists/{id}?country. 2001, also the second time."""
    with transaction.atomic():
        playlist = find(call, key, lock=True)
        note("delete", playlist, call.query.country())
        playlist.delete()
    if settings.PLAYLIST_ANSWERS == "nothing":
        return HttpResponse(status=204)
    return answers.ok(request, {}, bare=True)


@signed
def details(request: HttpRequest, call: Call, key: str) -> HttpResponse:
    """GET /1.2/playlists/{id}/details?country → the playlist without its tracks. 2001."""
    return answers.ok(request, {"playlist": facts(request, find(call, key))}, bare=True)


@signed
def update_details(request: HttpRequest, call: Call, key: str) -> HttpResponse:
    """POST of the same path → 200 and a Location. What the body leaves out stays (our choice), the tracks always do."""
    given = tracklists.read_details(tracklists.read_object(request.body))
    if given.get("name") == "":
        raise Refused(1001, 'Missing "name" parameter')
    with transaction.atomic():
        playlist = find(call, key, lock=True)
        change(playlist, given)
        note("details", playlist, call.form.country(), details=given)
    answer = answers.ok(request, {"playlist": facts(request, playlist)}, bare=True)
    answer["Location"] = f"/1.2/playlists/{playlist.key}"
    return answer


@signed
def list_tracks(request: HttpRequest, call: Call, key: str) -> HttpResponse:
    """GET /1.2/playlists/{id}/tracks?country&page&pageSize(≤ 500) → a page of tracks. 1003, 2001."""
    playlist = find(call, key)
    total = playlist.tracks.count()
    page, size = paging(call.form, largest=TRACKS, total=total)
    items = playlist.tracks.all()[(page - 1) * size : page * size]
    shown = [told_track(item, item_key="playlistItemId") for item in items]
    head = {"page": page, "pageSize": size, "totalItems": total}
    return answers.ok(request, head | repeated(request, "tracks", "track", shown), bare=True)


@signed
def add_tracks(request: HttpRequest, call: Call, key: str) -> HttpResponse:
    """POST of the same path with a bare array of tracks → the whole playlist; they stand at its end. 1001, 1002, 2001.

    Twice adds twice.
    """
    tracks = tracklists.read_array(request.body)
    with transaction.atomic():
        playlist = find(call, key, lock=True)
        change(playlist, {})
        put(playlist, tracks)
        note("tracks", playlist, call.form.country(), tracks=tracks)
    return tell(request, playlist, list(playlist.tracks.all()), item_key="playlistItemId")


# --- Whose and which ------------------------------------------------------------------------------


def owner_of(call: Call) -> str:
    """The userId of the query, empty for the partner itself. Raises 2001 for a user that is none."""
    user_id = call.query.find("userId")
    return find_user(user_id).user_id if user_id else ""


def find(call: Call, key: str, *, lock: bool = False) -> Playlist:
    call.query.country()
    playlists = Playlist.objects.select_for_update() if lock else Playlist.objects.all()
    playlist = playlists.filter(key=key, user_id=call.query.find("userId")).first()
    if playlist is None:
        raise Refused(2001, f"Playlist not found: {key[:100]}")
    return playlist


def paging(given: Parameters, *, largest: int, total: int) -> tuple[int, int]:
    """The page, from 1, and its size. Raises 1003 out of range, also beyond the last page, and 1002."""
    page, size = number(given, "page", 1), number(given, "pageSize", PAGE_SIZE)
    if page < 1 or not 1 <= size <= largest or (page > 1 and (page - 1) * size >= total):
        raise Refused(1003, f"The page is out of range; pageSize is 1 to {largest}")
    return page, size


def number(given: Parameters, name: str, default: int) -> int:
    text = given.find(name)
    if text and not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise invalid(name, text)
    return int(text or default)


# --- What becomes of it ---------------------------------------------------------------------------


def change(playlist: Playlist, details: tracklists.Fields) -> None:
    for name, value in details.items():
        setattr(playlist, name, value)
    playlist.updated_at = timezone.now()
    playlist.save()


def put(playlist: Playlist, tracks: Sequence[tracklists.Fields]) -> list[PlaylistTrack]:
    now = timezone.now()
    return PlaylistTrack.objects.bulk_create(
        PlaylistTrack(playlist=playlist, fields=track, added_at=now) for track in tracks
    )


def note(
    action: str,
    playlist: Playlist,
    country: str,
    *,
    details: tracklists.Fields | None = None,
    tracks: Sequence[tracklists.Fields] | None = None,
) -> None:
    """Journal one accepted change: what it set of the playlist, and the tracks it brought, by id."""
    line: dict[str, Any] = {
        "action": action,
        "playlistId": playlist.key,
        "userId": playlist.user_id or None,
        "country": country,
    }
    if tracks is not None:
        line["trackIds"] = [track.get("trackId") for track in tracks]
    journal.record("playlists", line | (details or {}))


# --- How it is told ---------------------------------------------------------------------------------


def tell(
    request: HttpRequest, playlist: Playlist, items: Sequence[PlaylistTrack], *, item_key: str, status: int = 200
) -> HttpResponse:
    tracks = repeated(request, "tracks", "track", [told_track(item, item_key=item_key) for item in items])
    return answers.ok(request, {"playlist": facts(request, playlist) | tracks}, bare=True, status=status)


def tell_page(request: HttpRequest, given: Parameters, found: QuerySet[Playlist]) -> HttpResponse:
    total = found.count()
    page, size = paging(given, largest=LISTED, total=total)
    rows = found.annotate(track_count=Count("tracks")).order_by("id")[(page - 1) * size : page * size]
    shown = [facts(request, each, brief=settings.PLAYLIST_LISTS == "brief") for each in rows]
    head = {"page": page, "pageSize": size, "totalItems": total}
    return answers.ok(request, head | repeated(request, "playlists", "playlist", shown), bare=True)


def facts(request: HttpRequest, playlist: Playlist, *, brief: bool = False) -> dict[str, Any]:
    """What a playlist says of itself; the visibility with a capital, as the page's sample has it."""
    count = getattr(playlist, "track_count", None)
    told: dict[str, Any] = {
        "@id": playlist.key,
        "name": playlist.name,
        "status": playlist.status,
        "visibility": playlist.visibility,
        "imageUrl": playlist.image,
        "lastUpdated": iso(playlist.updated_at),
        "trackCount": playlist.tracks.count() if count is None else count,
        "_links": {"self": {"href": f"/1.2/playlists/{playlist.key}"}},
    }
    told |= {"userId": playlist.user_id} if playlist.user_id else {"partnerId": PARTNER}
    if brief:
        return told
    told |= {"description": playlist.description} | repeated(request, "tags", "tag", playlist.tags)
    return told | {"annotations": annotated(request, playlist.annotations)}


def annotated(request: HttpRequest, given: dict[str, str]) -> Tree:
    """A map; in XML, `<annotation key="…">`."""
    if answers.wants_json(request):
        return given
    return {"annotation": [{"@key": key, "#text": value} for key, value in given.items()]}


def repeated(request: HttpRequest, names: str, name: str, values: Sequence[Any]) -> dict[str, Any]:
    """A list: bare in JSON, in XML as elements inside of one."""
    return {names: list(values)} if answers.wants_json(request) else {names: {name: list(values)}}


def told_track(item: PlaylistTrack, *, item_key: str) -> dict[str, Any]:
    """A track as it was given, and what the platform adds. The item's id has one name here and another there."""
    audio = f"https://stream.svc.7digital.net/stream/catalogue?trackId={item.fields.get('trackId', '')}"
    made = {"@" + item_key: item.key, "dateAdded": iso(item.added_at), "image": "", "audioUrl": audio}
    fields: dict[str, Any] = item.fields
    return made | fields
