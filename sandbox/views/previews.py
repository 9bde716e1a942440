"""Preview clips, and the report of those that were played ("Report a preview stream")."""

from __future__ import annotations

from functools import partial

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseBase

from sandbox import answers, clock, files, journal, playlog, turns
from sandbox.answers import Refused
from sandbox.audio import library
from sandbox.audio.encoders import CannotMake
from sandbox.calls import Call, Parameters
from sandbox.gate import signed, signed_url
from sandbox.models import Track
from sandbox.views.plays import sort
from sandbox.views.streams import open_to_players


@signed_url
def clip(request: HttpRequest, call: Call, track: str) -> HttpResponseBase:
    """GET /clip/{trackId}?country → thirty seconds of it as MP3; Range is understood. 1001, 1002, 2001.

    Also before the track is released, and where it does not stream (our choice).
    """
    country, track_id = call.query.country(), Parameters([("trackId", track)]).integer("trackId")
    audio = _clip(track_id, country)
    delivery = files.delivery(request, path=audio.path, content_type=audio.content_type)
    if request.method == "GET" and delivery.status != 416:
        _begin(call, {"trackId": track_id, "country": country}, partial=delivery.status == 206)
    return open_to_players(delivery.respond(head=request.method == "HEAD"))


@signed
def log(request: HttpRequest, call: Call) -> HttpResponse:
    """POST /1.2/preview/log?country=… with up to 500 previews → `playLogs.count`; all are taken or none.

    The query's country is for the key alone, each preview has one of its own. 1001, 1002, 2001 for an unknown track;
    1008 with the index of each bad one. Users need not exist here (our choice), and twice counts twice.
    """
    call.query.country()
    kind = (request.content_type or "").lower()
    items = playlog.read_items(request.body, content_type=kind, most=settings.PREVIEW_MAX_ITEMS)
    previews, refused = sort(items, partial(playlog.read_preview, now=clock.now()))
    if refused:
        raise refused[0] if len(items) == 1 else Refused(1008, "The batch contained failures", members=refused)
    with transaction.atomic():
        journal.record("previews", *previews)
    return answers.ok(request, {"playLogs": {"count": len(previews)}})


def _clip(track_id: int, country: str) -> library.Audio:
    track = Track.objects.select_related("release", "artist").filter(pk=track_id, release__taken_down=False).first()
    if track is None or country not in track.release.territories:
        raise Refused(2001, "Track not found: it is not available in this country or shop")
    try:
        return library.clip(track)
    except CannotMake:
        raise Refused(2002, "There is no preview of this track") from None


@transaction.atomic
def _begin(call: Call, line: dict[str, int | str], *, partial: bool) -> None:
    """Use the URL, and journal its first answer. Raises 401."""
    assert call.nonce is not None  # noqa: S101  signed_url sets it
    if turns.begin(nonce=call.nonce, partial=partial):
        journal.record("clips", line)
