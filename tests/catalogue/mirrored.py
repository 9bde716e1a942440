"""What the mirror holds, for comparing it with itself."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

from django.db import connection

from catalogue.models import Artist, Offer, Region, Release, Track, TrackTags

Standing = dict[int, dict[str, Any]]


def digest_of_rows() -> str:
    """Of every column of every row. (Words are not among them: a dictionary may know what nobody says any more.)"""
    digest = hashlib.sha256()
    with connection.cursor() as cursor:
        for model in (Artist, Release, Track, Region, Offer, TrackTags):
            cursor.execute(f"SELECT t::text FROM {model._meta.db_table} t ORDER BY 1")  # noqa: S608
            digest.update(repr(cursor.fetchall()).encode())
    return digest.hexdigest()


def what_stands(releases: Iterable[int]) -> Standing:
    """By release, what a phone can see of it; ids of tracks count from their release's first."""
    rows = Release.objects.filter(pk__in=releases).values("pk", "version", "title", "genres", "taken_down_at")
    standing = {
        row["pk"]: {
            "version": row["version"],
            "shown": row["taken_down_at"] is None and (row["title"], row["genres"]),
            "tracks": [],
            "offers": [],
        }
        for row in rows
    }
    for track in Track.objects.standing().filter(release__in=standing).order_by("pk"):
        standing[track.release_id]["tracks"].append((track.pk - track.release_id * 100, track.title))
    for offer in Offer.objects.filter(release__in=standing).select_related("region").order_by("track_id"):
        number = offer.track_id and offer.track_id - offer.release_id * 100
        standing[offer.release_id]["offers"].append((number, offer.use, offer.region.territories, offer.starts_at))
    return standing
