"""Online streaming ("Stream to subscriber", progressive and HLS)."""

from __future__ import annotations

from django.conf import settings
from django.core.signing import BadSignature, TimestampSigner
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse

from sandbox import clock, files, instants, journal, keys, turns
from sandbox.answers import AccessDenied, Refused
from sandbox.audio import hls, id3, library
from sandbox.audio.encoders import CannotMake
from sandbox.calls import Call, invalid
from sandbox.gate import signed_url
from sandbox.models import Nonce, Track, User

M3U8 = "application/vnd.apple.mpegurl"  # the reference page shows audio/mpeg here, surely a slip (our choice)


@signed_url
def progressive(request: HttpRequest, call: Call) -> HttpResponseBase:
    """GET /stream/subscription?userId&trackId&formatId&country[&clientId] → the audio; Range is understood.

    1001, 1002, 2001 unknown here, 2002 no subscription or not (yet) for streaming, 3201 another
    device streams. A Range request that goes on with a URL in use is served whatever has changed
    since, short of a takedown.
    """
    return send_file(request, Wish(call))


@signed_url
def playlist(request: HttpRequest, call: Call) -> HttpResponseBase:
    """GET /stream/subscription.m3u8, parameters and errors as above → a playlist whose segments have own URLs."""
    return send_playlist(request, Wish(call))


def send_file(request: HttpRequest, wish: Wish) -> HttpResponseBase:
    """The whole track in one file, or the range asked for."""
    if not (wish.nonce.begun and "Range" in request.headers):
        wish.check()
    audio = _whole(wish.track, wish.format_id)
    delivery = files.delivery(request, path=audio.path, content_type=audio.content_type)
    if request.method == "GET" and delivery.status != 416:
        wish.begin("progressive", partial=delivery.status == 206)
    return open_to_players(delivery.respond(head=request.method == "HEAD"))


def send_playlist(request: HttpRequest, wish: Wish) -> HttpResponseBase:
    """The playlist; its segments live below the same folder."""
    wish.check()
    audio, cuts = _packed(wish.track, wish.format_id)
    ticket = _tickets().sign(f"{wish.track.pk}.{wish.format_id}")
    kind = "aac" if audio.content_type == "audio/aac" else "mp3"
    text = hls.playlist(cuts, urls=[f"segment/{number}.{kind}?ticket={ticket}" for number in range(len(cuts))])
    if request.method == "GET":
        wish.begin("hls", partial=False)
    response = HttpResponse(text if request.method == "GET" else "", content_type=M3U8)
    response["Content-Length"] = str(len(text))
    return open_to_players(response)


def segment(request: HttpRequest, number: int, kind: str) -> HttpResponseBase:
    """GET /stream/segment/3.mp3?ticket=… → one piece of a playlist, for as long as its ticket lives."""
    try:
        ticket = _tickets().unsign(request.GET.get("ticket", ""), max_age=int(settings.SEGMENT_LIFETIME_SECONDS))
    except BadSignature:
        raise AccessDenied("Access to resource denied") from None
    track_id, _, format_id = ticket.partition(".")
    track = Track.objects.select_related("release", "artist").filter(pk=track_id, release__taken_down=False).first()
    if track is None:
        raise Refused(2001, "Track not found")
    audio, cuts = _packed(track, int(format_id))
    if number >= len(cuts):
        raise Refused(2001, "Segment not found")
    cut = cuts[number]
    stamp = id3.timestamp(cut.begins_at)
    response = StreamingHttpResponse(
        files.pieces(audio.path, cut.first, cut.end, head=stamp), content_type=audio.content_type
    )
    response["Content-Length"] = str(len(stamp) + cut.end - cut.first)
    return open_to_players(response)


class Wish:
    """Who wants to hear what, and whether they may. Raises 1001 and 1002 when made, the rest when checked."""

    def __init__(self, call: Call) -> None:
        assert call.nonce is not None  # noqa: S101  signed_url sets it
        self.nonce: Nonce = call.nonce
        self.user_id = call.query.text("userId")
        self.track_id = call.query.integer("trackId")
        self.format_id = call.query.integer("formatId")
        self.client_id = call.query.text("clientId") if call.query.find("clientId") else ""
        self.country = call.query.country()
        if self.format_id not in settings.STREAM_FORMATS:
            raise invalid("formatId", str(self.format_id))
        self.track = self._track()
        self.user = User.objects.filter(user_id=self.user_id).first()

    def check(self) -> None:
        """May this user hear this track now? Raises 2002."""
        now, release = clock.now(), self.track.release
        self.check_user()
        if release.streams_from is None:
            raise Refused(2002, "The track is not available for subscription streaming")
        if release.streams_from > now:
            raise Refused(2002, f"Pre-release: the track streams from {instants.iso(release.streams_from)}")

    def check_user(self) -> None:
        """May this user hear anything now? Raises 2002."""
        now = clock.now()
        subscription = self.user.subscriptions.in_force(now).first() if self.user else None
        if subscription is None or subscription.expires_at <= now:
            raise Refused(2002, "The user has no valid subscription")

    @transaction.atomic
    def begin(self, delivery: str, *, partial: bool) -> None:
        """Use the URL; for its first answer also take the turn and write the journal. Raises 401 and 3201."""
        if not turns.begin(nonce=self.nonce, partial=partial) or self.user is None:
            return
        self.take_turn(self.user)
        journal.record("streams", self._entry() | {"delivery": delivery})

    def take_turn(self, user: User) -> None:
        """One device streams at a time; one that sends no clientId is not tracked. Raises 3201."""
        if self.client_id:
            turns.take(user=user, client_id=self.client_id)

    def _entry(self) -> dict[str, str | int | None]:
        return {
            "userId": self.user_id,
            "trackId": self.track_id,
            "formatId": self.format_id,
            "clientId": self.client_id or None,
            "country": self.country,
        }

    def _track(self) -> Track:
        track = Track.objects.select_related("release", "artist").filter(pk=self.track_id).first()
        if track is None or track.release.taken_down or self.country not in track.release.territories:
            raise Refused(2001, "Track not found: it is not available for streaming in this country or shop")
        return track


def open_to_players(response: HttpResponseBase) -> HttpResponseBase:
    """Let players on any page read the answer, and nobody keep it (our choice)."""
    response["Access-Control-Allow-Origin"] = "*"
    response["Access-Control-Expose-Headers"] = "Content-Length, Content-Range, Accept-Ranges"
    response["Cache-Control"] = "private, no-store"
    return response


def _whole(track: Track, format_id: int) -> library.Audio:
    """The file of a progressive stream. Raises 1002 for a format that cannot be made here."""
    try:
        return library.progressive(track, format_id)
    except CannotMake:
        raise invalid("formatId", str(format_id)) from None


def _packed(track: Track, format_id: int) -> tuple[library.Audio, list[hls.Segment]]:
    """The file behind an HLS playlist and where it is cut. Raises 1002 for a format that cannot be cut here."""
    try:
        audio = library.packable(track, format_id)
        return audio, library.segments(audio)
    except CannotMake:
        raise invalid("formatId", str(format_id)) from None


def _tickets() -> TimestampSigner:
    return TimestampSigner(key=keys.secret(), salt="segment")
