"""Lockers ("User's locker"): what users have bought, by release."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import urlencode

from django.conf import settings
from django.db.models import Max, Q, QuerySet
from django.db.models.functions import Lower
from django.http import HttpRequest, HttpResponse

from sandbox import answers, covers
from sandbox.answers import Refused
from sandbox.calls import Call, Parameters, invalid
from sandbox.gate import signed
from sandbox.holdings import Holding, holdings, standing
from sandbox.instants import iso
from sandbox.models import FIRST_PURCHASE, Artist, Release, Sale
from sandbox.views.offline import find_user
from sandbox.views.playlists import LISTED, paging

SCHEMA: Final = "http://api.7digital.com/1.2/static/7digitalAPI.xsd"
COLUMNS: Final = {
    "releasetitle": Lower("title"),
    "artistname": Lower("artist__name"),
    "purchasedate": Max("sales__sold_at"),
}
KINDS: Final = {17: ("MP3", 320), 33: ("AAC", 320), 45: ("FLAC", None)}


@signed
def show(request: HttpRequest, call: Call) -> HttpResponse:
    """GET /1.2/user/locker?userId&country&page&pageSize(≤ 50)&releaseId&trackId&purchaseId&sort → `locker`.

    A release or track without a match is an empty locker; a purchase without one is 2001 (its code is our choice).
    1003 for a page that is none. A sale that was refunded has left. A track bought twice is there twice.
    """
    given = call.query
    user_id, track_id = given.text("userId"), given.optional("trackId")
    country = given.country()
    sales = _wanted(given, standing(find_user(user_id).sales.all()), track_id)
    releases = _sorted(Release.objects.filter(sales__in=sales), given.find("sort") or "releaseTitle asc")
    total = releases.count()
    page, size = paging(given, largest=LISTED, total=total)
    shown = releases.select_related("artist", "label")[(page - 1) * size : page * size]
    owned: dict[int, list[Holding]] = {release.pk: [] for release in shown}
    for holding in holdings(sales.filter(release__in=owned)):
        if track_id in (None, holding.track.pk):
            owned[holding.sale.release_id].append(holding)
    told = [_release(release, owned[release.pk], country) for release in shown]
    head = {"page": page, "pageSize": size, "totalItems": total}
    tree = {"locker": {"lockerReleases": head | {"lockerRelease": told}}}
    return answers.ok(request, ({"schema": SCHEMA} if answers.wants_json(request) else {}) | tree)


def _wanted(given: Parameters, sales: QuerySet[Sale], track_id: int | None) -> QuerySet[Sale]:
    """What the filters leave. A track without its release is one all the same (our choice)."""
    if (purchase_id := given.optional("purchaseId")) is not None:
        sales = sales.filter(pk=purchase_id - FIRST_PURCHASE)
        if not sales.exists():
            raise Refused(2001, f"Purchase not found: {purchase_id}")
    if (release_id := given.optional("releaseId")) is not None:
        sales = sales.filter(release=release_id)
    if track_id is not None:
        whole = Q(track_id=None, release__in=Release.objects.filter(tracks=track_id))
        sales = sales.filter(Q(track_id=track_id) | whole)
    return sales


def _sorted(releases: QuerySet[Release], sort: str) -> QuerySet[Release]:
    """By one of three columns; by date, a release counts as bought when it last was (our choice)."""
    column, _, order = sort.lower().partition(" ")
    if column not in COLUMNS or order not in ("asc", "desc"):
        raise invalid("sort", sort)
    key = COLUMNS[column]
    releases = releases.annotate(key=key).distinct()
    return releases.order_by("-key" if order == "desc" else "key", "pk")


# --- How it is told -------------------------------------------------------------------------------


def _release(release: Release, owned: Sequence[Holding], country: str) -> dict[str, Any]:
    told = {
        "@id": release.pk,
        "title": release.title,
        "version": release.subtitle,
        "type": release.kind,
        "barcode": release.upc,
        "artist": _artist(release.artist),
        "image": covers.url_of(release.pk, size=50),
        "label": {"@id": release.label.pk, "name": release.label.name},
        "licensor": {"@id": release.label.licensor_id, "name": release.label.licensor_name},
        "download": {"releaseDate": iso(release.downloads_from or release.released_at)},
    }
    tracks = [_track(holding, country) for holding in owned]
    return {"release": told, "lockerTracks": {"lockerTrack": tracks}, "available": not release.taken_down}


def _track(holding: Holding, country: str) -> dict[str, Any]:
    sale, track = holding.sale, holding.track
    told = {
        "@id": track.pk,
        "title": track.title,
        "version": track.subtitle,
        "artist": _artist(track.artist),
        "trackNumber": track.track_number,
        "duration": round(track.seconds),
        "explicitContent": track.explicit,
        "isrc": track.isrc,
    }
    return {
        "track": told,
        "remainingDownloads": holding.remaining,
        "purchaseId": sale.purchase_id,
        "purchaseDate": iso(sale.sold_at),
        "completeAlbumPurchase": sale.track_id is None,
        "downloadUrls": {"downloadUrl": [_url(holding, number, country) for number in holding.formats]},
    }


def _url(holding: Holding, format_id: int, country: str) -> dict[str, Any]:
    """A format and its URL, which is still to be signed by whoever uses it (our choice)."""
    sale, track = holding.sale, holding.track
    ids = {"userid": sale.user.user_id, "trackid": track.pk, "releaseid": sale.release_id, "formatid": format_id}
    url = f"{settings.PUBLIC_ORIGINS[0]}/media/user/downloadtrack?{urlencode(ids | {'country': country})}"
    codec, bitrate = KINDS[format_id]
    told = {"@id": format_id, "fileFormat": codec, "drmFree": True} | ({"bitRate": bitrate} if bitrate else {})
    return {"format": told | {"url": url}} if settings.LOCKER_URLS == "inside" else {"url": url, "format": told}


def _artist(artist: Artist) -> dict[str, Any]:
    return {"@id": artist.pk, "name": artist.name, "appearsAs": artist.name}
