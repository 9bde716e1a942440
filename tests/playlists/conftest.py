"""Editors, and curated playlists with tracks on them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from accounts.models import User
from catalogue.models import Track
from playlists.curation import Edit, create_curated, describe, put_tracks
from playlists.models import Playlist
from tests.helpers import apply_member, track_member

CROWD = (
    "INSERT INTO catalogue_artist (id, version, name) SELECT n, 1, 'Artist ' || n FROM generate_series(10001, 15000) n",
    "INSERT INTO catalogue_track (id, release_id, artist_id, title, subtitle, isrc, disc_number, track_number,"
    " duration_seconds, explicit, search) SELECT 1000000 + n, 7001001, n, 'Song', '', 'XX' || n, 1, 1, 200, false,"
    " to_tsvector('simple', 'song ' || n) FROM generate_series(10001, 15000) n",
    "INSERT INTO catalogue_offer (release_id, track_id, use, region_id, starts_at)"
    " SELECT 7001001, 1000000 + n, 'STREAM', region_id, '2020-01-01' FROM generate_series(10001, 15000) n,"
    " (SELECT region_id FROM catalogue_offer LIMIT 1) AS o",
    "ANALYZE catalogue_artist, catalogue_track, catalogue_release, catalogue_offer, catalogue_region",
)


def edit(playlist: Playlist, by: User, *, version: int | None = None, now: datetime | None = None) -> Edit:
    """A change by somebody, of whatever version there is unless told."""
    return Edit(playlist_id=playlist.pk, version=version, by=by, now=now or timezone.now())


@pytest.fixture
def editor(db: None) -> User:
    return User.objects.create_user("ada@example.org", "correct horse", is_staff=True, first_name="Ada")


@pytest.fixture
def senior(db: None) -> User:
    return User.objects.create_user("grace@example.org", "correct horse", is_staff=True, first_name="Grace")


@pytest.fixture
def shelf_of_tracks(shelve: Callable[..., list[Track]]) -> Callable[..., list[int]]:
    """Tracks of one release, with offers of their own where they are named."""

    def put(count: int, *, release: int = 7001001, **changes: Any) -> list[int]:
        first = release % 1_000_000 * 100
        members = [
            track_member(first + number, title=f"Étude {number}", number=number, **changes)
            for number in range(1, count + 1)
        ]
        return [track.pk for track in shelve(id=release, tracks=members)]

    return put


@pytest.fixture
def draft(editor: User, shelf_of_tracks: Callable[..., list[int]]) -> Callable[..., Playlist]:
    """A curated playlist with tracks, published to nobody yet."""

    def make(*, tracks: list[int] | None = None, **facts: Any) -> Playlist:
        playlist = create_curated(name="Morning", by=editor, now=timezone.now())
        put_tracks(edit(playlist, editor), shelf_of_tracks(4) if tracks is None else tracks)
        if facts:
            describe(edit(playlist, editor), facts)
        return Playlist.objects.get(pk=playlist.pk)

    return make


@pytest.fixture
def twins(shelve: Callable[..., list[Track]]) -> Callable[..., list[int]]:
    """One recording on several releases: that of number 1 is 7003001, and so on; with offers of their own if told."""

    def put(*offers: Any, title: str = "Tide") -> list[int]:
        return [
            shelve(
                id=7_003_000 + number,
                title=f"Harbour {number}",
                tracks=[track_member(300_000 + number, title=title, isrc="GBQQQ2530000", offers=each)],
            )[0].pk
            for number, each in enumerate(offers or (None, None), 1)
        ]

    return put


@pytest.fixture
def crowd(db: None, track: Track) -> None:
    """So many other tracks that PostgreSQL knows what an index is worth."""
    with connection.cursor() as cursor:
        for statement in CROWD:
            cursor.execute(statement)


def take_down(release: int, *, version: int = 2) -> None:
    assert apply_member({"id": release, "version": version, "takedown": True}) == "applied"
