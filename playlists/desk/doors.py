"""The calls that the page of a curated playlist makes: for staff in their session, and small ones."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.contrib import admin
from django.utils import timezone
from rest_framework.authentication import SessionAuthentication
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.models import User
from catalogue.models import Track
from catalogue.search import code_in, found
from desk.rows import may_view, noted
from kernel.errors import InvalidParameter, Kind, MissingParameter, Refusal
from kernel.values import is_country
from playlists.audience import TAG, Audience, reading
from playlists.covers import keep_cover
from playlists.curation import Edit, called
from playlists.desk.changes import VERBS
from playlists.desk.telling import (
    comparison_told,
    cover_told,
    history_told,
    line_told,
    matches_told,
    notices_told,
    preview_told,
    standing_told,
    state_told,
    substitute_told,
)
from playlists.models import Item, Playlist, Presence
from playlists.pasting import matched
from playlists.rules import PlaylistNotFound
from playlists.sheet import Line, lines_for, lines_of
from playlists.substitutes import Want, substitutes
from web.bodies import expect_object
from web.params import instant_in

MOST_MARKETS: Final = 12
HITS: Final = 20
STILL_THERE: Final = timedelta(seconds=45)  # three calls of the page


class NotAllowed(Refusal):
    """This member of staff may look, but not do that."""

    code, kind = "permission_denied", Kind.DENIED


class IsEditor(BasePermission):
    """Staff who may look at playlists, as the admin itself lets them in: with all that it asks of them."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        return admin.site.has_permission(request._request) and may_view(request.user, "playlists.Playlist")


class DeskView(APIView):
    """Nobody keeps what it answers: it is a draft."""

    authentication_classes = [SessionAuthentication]
    permission_classes = [IsEditor]
    throttle_classes = []
    schema = None

    def finalize_response(self, request: Any, response: Any, *args: Any, **kwargs: Any) -> Any:
        response = super().finalize_response(request, response, *args, **kwargs)
        response.headers["Cache-Control"] = "no-store"
        return response

    def markets(self, playlist: Playlist) -> list[str]:
        """Those asked for, or else those of the list. Raises InvalidParameter."""
        asked = self.request.query_params.get("markets", "").upper()
        markets = asked.split(",") if asked else list(playlist.curation.countries or settings.MARKETS)[:MOST_MARKETS]
        if len(markets) > MOST_MARKETS or not all(map(is_country, markets)):
            raise InvalidParameter(f"at most {MOST_MARKETS} countries, separated by commas", field="markets")
        return list(dict.fromkeys(markets))


class State(DeskView):
    def get(self, request: Request, playlist_id: UUID) -> Response:
        """All of the draft."""
        playlist = draft_of(playlist_id)
        return Response(state_told(playlist, markets=self.markets(playlist), at=timezone.now()))


class Change(DeskView):
    def post(self, request: Request, playlist_id: UUID) -> Response:
        """One change of the version named: what `do` says. 412 with `changed_by` where it has another by now."""
        body = body_of(request)
        verb = VERBS.get(str(body.get("do")))
        if verb is None:
            raise InvalidParameter(f"one of {', '.join(VERBS)}", field="do")
        check_may(request, verb.permission)
        wish = verb(data=body)
        wish.is_valid(raise_exception=True)
        edit = edit_of(request, playlist_id, version=body.get("version"))
        said = wish.do(edit)
        playlist = draft_of(playlist_id)
        noted(request._request, [playlist], said)
        told = standing_told(playlist, at=edit.now)
        if wish.added:
            markets = self.markets(playlist)
            lines = lines_of_items(wish.added, markets=markets, at=edit.now)
            told["lines"] = [line_told(line) for line in lines]
        return Response(told)


class Notices(DeskView):
    def get(self, request: Request, playlist_id: UUID) -> Response:
        """What there is to know before it is published."""
        playlist = draft_of(playlist_id)
        markets = self.markets(playlist)
        lines = lines_of(playlist_id, markets=markets, at=timezone.now())
        return Response({"version": playlist.version, "notices": notices_told(lines, markets)})


class Find(DeskView):
    def get(self, request: Request, playlist_id: UUID) -> Response:
        """Tracks by what is being typed: words, an ISRC, or an id."""
        text = request.query_params.get("q", "")[:200]
        markets = self.markets(draft_of(playlist_id))
        lines = lines_for(ids_for(text), markets=markets, at=timezone.now())
        return Response({"lines": [line_told(line) for line in lines]})


class Substitutes(DeskView):
    def get(self, request: Request, playlist_id: UUID) -> Response:
        """What may stand in for a `track` that is not open in all of the markets looked at, the best first."""
        markets, now = self.markets(draft_of(playlist_id)), timezone.now()
        lines = lines_for([number_in(request, "track")], markets=markets, at=now)
        wants = [
            Want(track_id=line.track_id, markets=markets, lost=set(markets) - set(line.open_in) or markets)
            for line in lines
        ]
        found = substitutes(wants, at=now)
        return Response({"substitutes": [substitute_told(each) for want in wants for each in found[want.track_id]]})


class Matched(DeskView):
    def post(self, request: Request, playlist_id: UUID) -> Response:
        """What a pasted text is taken for, line by line; nothing is added."""
        text = body_of(request).get("text")
        if not isinstance(text, str):
            raise MissingParameter("what was pasted", field="text")
        markets = self.markets(draft_of(playlist_id))
        return Response(matches_told(matched(text), markets=markets, at=timezone.now()))


class Seen(DeskView):
    def post(self, request: Request, playlist_id: UUID) -> Response:
        """Say that the page is open, and hear who else has it open, and which version there is."""
        playlist, now = draft_of(playlist_id), timezone.now()
        Presence.objects.update_or_create(playlist=playlist, user=staff_of(request), defaults={"last_seen": now})
        others = Presence.objects.filter(playlist=playlist, last_seen__gt=now - STILL_THERE).exclude(
            user=staff_of(request)
        )
        names = [called(each.user) for each in others.select_related("user").order_by("user__email")]
        changed_by = called(playlist.curation.changed_by)
        told = {"version": playlist.version, "changed_by": changed_by, "others": names}
        return Response(told | {"cover": cover_told(playlist)})


class History(DeskView):
    def get(self, request: Request, playlist_id: UUID) -> Response:
        """Every revision; with `number`, what the draft has and that one had not."""
        playlist = draft_of(playlist_id)
        if "number" not in request.query_params:
            return Response({"revisions": history_told(playlist_id)})
        return Response(comparison_told(playlist, number=number_in(request, "number"), at=timezone.now()))


class Preview(DeskView):
    def get(self, request: Request, playlist_id: UUID) -> Response:
        """What somebody in a `country`, on a `plan`, with a `locale` gets `at` an instant; `of` draft or live."""
        playlist = draft_of(playlist_id)
        query = request.query_params
        country, locale = query.get("country", "").upper(), query.get("locale", "")
        if not is_country(country):
            raise InvalidParameter("two letters", field="country")
        if locale and not TAG.fullmatch(locale):
            raise InvalidParameter("a language tag such as en or pt-BR", field="locale")
        audience = Audience(
            country=country,
            plans=frozenset(filter(None, [query.get("plan", "")])),
            locales=reading([locale]) if locale else None,
            at=instant_in(request, "at") or timezone.now(),
        )
        return Response(preview_told(playlist, audience, of_draft=query.get("of") == "draft"))


class Cover(DeskView):
    def put(self, request: Request, playlist_id: UUID) -> Response:
        """A cover of its own: the bytes of a picture, for the `version` named."""
        check_may(request, "change_playlist")
        edit = edit_of(request, playlist_id, version=number_in(request, "version"))
        playlist = keep_cover(edit, request._request.body)
        noted(request._request, [playlist], "Gave it another cover")
        return Response(standing_told(playlist, at=edit.now))


# --- What these have in common ---------------------------------------------------------------------------


def draft_of(playlist_id: UUID) -> Playlist:
    """Raises PlaylistNotFound, also for a listener's own."""
    drafts = (
        Playlist.objects.curated()
        .standing()
        .select_related("curation__proposed_by", "curation__changed_by", "curation__rule")
    )
    playlist = drafts.filter(pk=playlist_id, curation__isnull=False).first()
    if playlist is None:
        raise PlaylistNotFound("there is no such playlist")
    return playlist


def staff_of(request: Request) -> User:
    assert isinstance(request.user, User)  # noqa: S101  IsEditor lets nobody else in
    return request.user


def edit_of(request: Request, playlist_id: UUID, *, version: object) -> Edit:
    """Raises MissingParameter: an editor never overwrites what they have not seen."""
    if not isinstance(version, int) or isinstance(version, bool):
        raise MissingParameter("the one that was read", field="version")
    now: datetime = timezone.now()
    return Edit(playlist_id=playlist_id, version=version, by=staff_of(request), now=now)


def check_may(request: Request, permission: str) -> None:
    """Raises NotAllowed."""
    if not request.user.has_perm(f"playlists.{permission}"):
        raise NotAllowed(f"you may not {permission.partition('_')[0]} playlists")


def body_of(request: Request) -> dict[str, Any]:
    """Raises NotJSON for anything but an object."""
    body: Any = request.data
    expect_object(body)
    return dict(body)


def number_in(request: Request, name: str) -> int:
    """Raises InvalidParameter."""
    text = request.query_params.get(name, "")
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise InvalidParameter("a whole number", field=name)
    return int(text)


def lines_of_items(items: Sequence[Item], *, markets: list[str], at: datetime) -> list[Line]:
    """What was added, as items."""
    lines = lines_for([item.track_id for item in items], markets=markets, at=at)
    return [line._replace(item_id=item.pk) for item, line in zip(items, lines, strict=True)]


def ids_for(text: str) -> list[int]:
    """The best hits first; a code or an id stands for itself."""
    word = text.strip()
    if code := code_in(word).get("isrc"):
        return list(
            Track.objects.standing().filter(isrc=code).order_by("-popularity", "pk").values_list("pk", flat=True)[:HITS]
        )
    ids = [match.track_ids[0] for match in matched(word) if match.track_ids] if word.isdigit() else []
    return list(dict.fromkeys([*ids, *found(Track, text=word)[0:HITS]]))[:HITS]
