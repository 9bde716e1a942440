"""Downloads of what was bought ("Download purchase ZIP" and its sister pages)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import urlencode

from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.utils.http import content_disposition_header

from sandbox import archive, clock, files, journal, turns
from sandbox.answers import Refused
from sandbox.audio import library
from sandbox.audio.encoders import CannotMake
from sandbox.calls import Call, invalid
from sandbox.gate import signed_url
from sandbox.holdings import FORMATS, Holding, holdings, standing
from sandbox.models import FIRST_PURCHASE, Nonce, Sale, Track

ZIP: Final = "application/zip"
LONGEST_URL: Final = 2048
ABSOLUTE: Final = re.compile(r"https?://[A-Za-z0-9\[][!\"$-~]*")  # printable, and no fragment


@signed_url
def purchase(request: HttpRequest, call: Call) -> HttpResponseBase:
    """GET /media/user/download/purchase?userId&purchaseId&country → a ZIP of its tracks, each in its best format.

    1001, 1002, and 2002 when the purchase or the user is unknown, or one is not the other's.
    """
    user_id, purchase_id = call.query.text("userId"), call.query.integer("purchaseId")
    call.query.country()
    wish = Wish(call, user_id)
    owned = wish.owned(wish.sales().filter(pk=purchase_id - FIRST_PURCHASE))
    return send_zip(request, wish, [(holding, best_of(holding)) for holding in owned])


@signed_url
def release(request: HttpRequest, call: Call) -> HttpResponseBase:
    """GET /media/user/download/release?userId&releaseId&formatId&country → a ZIP of what is owned of it. As above."""
    user_id, release_id = call.query.text("userId"), call.query.integer("releaseId")
    format_id = read_format(call)
    call.query.country()
    wish = Wish(call, user_id)
    owned = wish.owned(wish.sales().filter(release=release_id), format_id=format_id)
    return send_zip(request, wish, [(holding, format_id) for holding in owned])


@signed_url
def track(request: HttpRequest, call: Call) -> HttpResponseBase:
    """GET /media/user/downloadtrack?userId&trackId&releaseId&formatId&country → the file; Range is understood.

    Errors as above; with an errorUrl they are a redirect there, with `errorCode` and `errorMessage` (our choice).
    """
    to = read_error_url(call)
    try:
        return send_track(request, call)
    except Refused as no:
        if not to:
            raise
        said = urlencode({"errorCode": no.code, "errorMessage": no.message})
        return HttpResponse(status=302, headers={"Location": f"{to}{'&' if '?' in to else '?'}{said}"})


class Wish:
    """Who wants to download, and what of it they own."""

    def __init__(self, call: Call, user_id: str) -> None:
        assert call.nonce is not None  # noqa: S101  signed_url sets it
        self.nonce: Nonce = call.nonce
        self.user_id = user_id

    def sales(self) -> QuerySet[Sale]:
        """The user's, of what was not taken down since (our choice)."""
        return standing(Sale.objects.filter(user__user_id=self.user_id, release__taken_down=False))

    def owned(
        self, sales: QuerySet[Sale], *, format_id: int | None = None, track_id: int | None = None
    ) -> list[Holding]:
        """Each track once, by the sale that leaves most downloads. Raises 2002 where there is none."""
        best: dict[int, Holding] = {}
        for holding in holdings(sales):
            fits = format_id in (None, *holding.formats) and track_id in (None, holding.track.pk)
            rival = best.get(holding.track.pk)
            if fits and (rival is None or holding.remaining > rival.remaining):
                best[holding.track.pk] = holding
        if not best:
            raise Refused(2002, "No license found for the download request")
        return list(best.values())

    @transaction.atomic
    def begin(self, delivery: str, owned: Sequence[tuple[Holding, int]], *, partial: bool) -> None:
        """Use the URL; its first answer is one download of each track. Raises 401, and 2002 where none is left."""
        if not turns.begin(nonce=self.nonce, partial=partial):
            return
        locked = Sale.objects.select_for_update().order_by("pk").in_bulk({holding.sale.pk for holding, _ in owned})
        for holding, _ in owned:
            sale = locked[holding.sale.pk]
            if not Holding(sale, holding.track).remaining:
                raise Refused(2002, "No license found for the download request: no downloads are left")
            sale.fetched[str(holding.track.pk)] = sale.fetched.get(str(holding.track.pk), 0) + 1
        Sale.objects.bulk_update(locked.values(), ["fetched"])
        journal.record(
            "downloads", *(self._line(holding, number) | {"delivery": delivery} for holding, number in owned)
        )

    def _line(self, holding: Holding, format_id: int) -> dict[str, Any]:
        ids = {"purchaseId": holding.sale.purchase_id, "releaseId": holding.sale.release_id}
        return {"userId": self.user_id, "trackId": holding.track.pk, "formatId": format_id} | ids


def best_of(holding: Holding) -> int:
    """The best format there is. Raises 2002 where none can be made."""
    if (best := holding.best) is None:
        raise Refused(2002, "The track is not available for download")
    return best


def read_format(call: Call) -> int:
    """The formatId. Raises 1001, and 1002 for one that nothing is sold in."""
    format_id = call.query.integer("formatId")
    if not any(format_id in formats for formats in FORMATS.values()):
        raise invalid("formatId", str(format_id))
    return format_id


def read_error_url(call: Call) -> str:
    """The errorUrl, empty where there is none. Raises 1002 for one that no browser could be sent to."""
    url = call.query.find("errorUrl")
    if url and not (len(url) <= LONGEST_URL and ABSOLUTE.fullmatch(url)):
        raise invalid("errorUrl", url)
    return url


def send_zip(request: HttpRequest, wish: Wish, owned: Sequence[tuple[Holding, int]]) -> HttpResponseBase:
    """All of it as one archive, made while it is sent."""
    zipped = archive.archive([member(holding, format_id) for holding, format_id in owned])
    response: HttpResponseBase = HttpResponse()
    if request.method == "GET":
        wish.begin("zip", owned, partial=False)
        response = StreamingHttpResponse(iter(zipped))
    response["Content-Type"] = ZIP
    response["Content-Length"] = str(len(zipped))
    return as_file(response, folder(owned[0][0].track), f" {clock.now():%Y-%m-%d}.zip")


def send_track(request: HttpRequest, call: Call) -> HttpResponseBase:
    """One track in one file, or the range asked for."""
    user_id, track_id = call.query.text("userId"), call.query.integer("trackId")
    release_id, format_id = call.query.integer("releaseId"), read_format(call)
    call.query.country()
    wish = Wish(call, user_id)
    (holding,) = wish.owned(wish.sales().filter(release=release_id), format_id=format_id, track_id=track_id)
    audio = made(holding.track, format_id)
    delivery = files.delivery(request, path=audio.path, content_type=audio.content_type)
    if request.method == "GET" and delivery.status != 416:
        wish.begin("track", [(holding, format_id)], partial=delivery.status == 206)
    response = delivery.respond(head=request.method == "HEAD")
    return as_file(response, title(holding.track), audio.path.suffix.lower())


def member(holding: Holding, format_id: int) -> archive.Member:
    path = made(holding.track, format_id).path
    return archive.Member(path=path, folder=folder(holding.track), name=title(holding.track))


def made(track: Track, format_id: int) -> library.Audio:
    try:
        return library.progressive(track, format_id)
    except CannotMake:
        raise Refused(2002, "The track is not available for download in this format") from None


def folder(track: Track) -> str:
    return f"{track.release.artist.name} - {track.release.title}"


def title(track: Track) -> str:
    disc = f"{track.disc_number}-" if track.disc_number > 1 else ""
    return f"{disc}{track.track_number:02} {track.title}"


def as_file(response: HttpResponseBase, name: str, ending: str) -> HttpResponseBase:
    """Let browsers save the answer under this name, and nobody else keep it (our choice)."""
    response["Content-Disposition"] = content_disposition_header(True, archive.safe(name) + ending) or "attachment"
    response["Cache-Control"] = "private, no-store"
    return response
