"""Taking over the playlists that the partner has on the platform already."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import islice

from django.conf import settings
from django.db import transaction

from catalogue.models import Track
from massivemusic import playlists as theirs
from massivemusic.client import Client
from massivemusic.errors import NotFound
from massivemusic.playlists import Listed
from outbox.asking import asking
from playlists.models import Curation, Item, Playlist
from playlists.ordering import places
from playlists.rules import DESCRIPTION_LIMIT, ITEMS_LIMIT, NAME_LIMIT
from playlists.telling import NOTE


class Outcome(StrEnum):
    TAKEN = "taken"
    KNOWN = "known already"
    OURS = "made by us"
    GONE = "gone meanwhile"


@dataclass(frozen=True, kw_only=True)
class Imported:
    """What became of one of them: how many tracks it has here, and those that the mirror does not know.

    `is_cut`: it has more tracks than a playlist may hold.
    """

    name: str
    outcome: Outcome
    count: int = 0
    unknown: Sequence[Listed] = ()
    is_cut: bool = False


def import_playlists(*, now: datetime) -> Iterator[Imported]:
    """Make each of the partner's playlists a curated one of ours, with its tracks; safe to repeat.

    Nothing is changed there. One that is here already stays as it is here. Raises PlatformError, PlatformUnavailable;
    what was taken before that is kept.
    """
    with asking() as client:
        for each in theirs.partner_playlists(client, country=settings.MASSIVEMUSIC_COUNTRY):
            if each.user_id is None:
                yield import_one(client, each, now=now)


def import_one(client: Client, there: theirs.Playlist, *, now: datetime) -> Imported:
    where = {"country": settings.MASSIVEMUSIC_COUNTRY, "user_id": None, "playlist_id": there.id}
    if Playlist.objects.filter(platform_id=there.id).exists():
        return Imported(name=there.name, outcome=Outcome.KNOWN)
    try:
        if there.annotations is None:
            there = theirs.read_playlist(client, **where)
        if NOTE in (there.annotations or {}):
            return Imported(name=there.name, outcome=Outcome.OURS)
        listed = list(islice(theirs.playlist_tracks(client, **where), ITEMS_LIMIT + 1))
    except NotFound:
        return Imported(name=there.name, outcome=Outcome.GONE)
    return take(there, listed[:ITEMS_LIMIT], is_cut=len(listed) > ITEMS_LIMIT, now=now)


@transaction.atomic
def take(there: theirs.Playlist, listed: Sequence[Listed], *, is_cut: bool, now: datetime) -> Imported:
    """A new curated playlist, a draft, with those of the tracks that we know. The platform's stays as it is until
    an editor publishes ours."""
    numbers = list(map(number_of, listed))
    known = set(Track.objects.filter(pk__in=set(numbers)).values_list("pk", flat=True))
    track_ids = [number for number in numbers if number in known]
    shown = Playlist.Visibility.PUBLIC if there.visibility == "public" else Playlist.Visibility.PRIVATE
    playlist = Playlist.objects.create(
        name=storable(there.name)[:NAME_LIMIT] or there.id,
        description=storable(there.description)[:DESCRIPTION_LIMIT],
        visibility=shown,
        track_count=len(track_ids),
        created_at=now,
        updated_at=now,
        platform_id=there.id,
        told_version=1,
        sync=Playlist.Sync.SYNCED,
    )
    Curation.objects.create(playlist=playlist)
    positions = places(after=None, before=None, count=len(track_ids)) or []
    Item.objects.bulk_create(
        Item(playlist=playlist, track_id=track_id, position=position, added_at=now)
        for track_id, position in zip(track_ids, positions, strict=True)
    )
    unknown = [each for each, number in zip(listed, numbers, strict=True) if number not in known]
    return Imported(name=there.name, outcome=Outcome.TAKEN, count=len(track_ids), unknown=unknown, is_cut=is_cut)


def number_of(track: Listed) -> int:
    """The catalogue's number of a track; 0, which none has, for what another source has put on the playlist."""
    text = track.track_id
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 10 else 0


def storable(text: str) -> str:
    """Text without the one character that PostgreSQL does not hold."""
    return text.replace("\0", "")
